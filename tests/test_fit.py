"""Everything that a fit offers, asked of every kind of model: an answer, or a sentence that says why there is none."""

import inspect
import warnings

import bank
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

MODELS = [n if n == "mimic" else pytest.param(n, marks=pytest.mark.slow) for n in bank.NAMES]


def calls(fit, case, folder):
    """Every public method with plain arguments."""
    name, second = fit.names[0], fit.names[-1]
    columns = sorted(fit.problem.spec.utilities[0].columns) if fit.problem.spec.utilities else ["time"]
    return {
        "bootstrap": lambda: fit.bootstrap(2),
        "choice_fit": lambda: fit.choice_fit(),
        "compare_covariances": lambda: fit.compare_covariances(),
        "conf_int": lambda: fit.conf_int(0.1, "robust"),
        "cov_params": lambda: fit.cov_params("bhhh"),
        "covariance": lambda: fit.covariance("jackknife"),
        "cross_validate": lambda: fit.cross_validate(2),
        "delta": lambda: fit.delta(lambda p: {"twice": 2.0 * p[name]}),
        "diagnose": lambda: fit.diagnose(),
        "effects": lambda: fit.effects(),
        "elasticities": lambda: fit.elasticities(columns[0]),
        "fit_measures": lambda: fit.fit_measures(),
        "goodness_of_fit": lambda: fit.goodness_of_fit(2, refit=False),
        "hit_rate": lambda: fit.hit_rate(),
        "integration_report": lambda: fit.integration_report(),
        "item_fit": lambda: fit.item_fit(),
        "item_residuals": lambda: fit.item_residuals(),
        "person_fit": lambda: fit.person_fit(),
        "latent_covariances": lambda: fit.latent_covariances(),
        "individual_parameters": lambda: fit.individual_parameters(),
        "correlations": lambda: fit.correlations("robust"),
        "eigenvalues": lambda: fit.eigenvalues(),
        "latent_scores": lambda: fit.latent_scores(),
        "lm_test": lambda: fit.lm_test([r.name for r in fit.problem.table.rows if r.status == "fixed"]),
        "lr_test": lambda: fit.lr_test(fit),
        "marginal_effects": lambda: fit.marginal_effects(columns[0]),
        "modification_indices": lambda: fit.modification_indices(),
        "predict": lambda: fit.predict(),
        "predict_items": lambda: fit.predict_items(given="items", errors=True),
        "profile": lambda: fit.profile(name, points=3),
        "reliability": lambda: fit.reliability(),
        "report": lambda: fit.report(),
        "save": lambda: fit.save(folder / "fit.npz") or True,
        "scenario": lambda: fit.scenario(case.data, case.data),
        "shares": lambda: fit.shares(),
        "standard_errors": lambda: fit.standard_errors("robust"),
        "standardized": lambda: fit.standardized(),
        "summary": lambda: fit.summary("robust"),
        "t_test": lambda: fit.t_test({name: 1.0}),
        "table": lambda: fit.table(),
        "wald_test": lambda: fit.wald_test(f"{name} = {second}"),
        "willingness_to_pay": lambda: fit.willingness_to_pay(columns[0], cost=columns[-1], draws=50),
    }


def public():
    groups = {name for name in dir(iclv.Fit) if inspect.isclass(getattr(iclv.Fit, name)) and name[0] != "_"}
    verbs = {name for group in groups for name in vars(getattr(iclv.Fit, group)) if name[0] != "_"}
    return {name for name in dir(iclv.Fit) if name[0] != "_"} - groups | verbs


@pytest.mark.parametrize("name", MODELS)
def test_everything_that_a_fit_offers_answers_or_says_why_not(name, tmp_path):
    case = bank.get(name)
    quick = iclv.TrustRegion(max_iterations=25, recentrings=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = case.model.fit(case.data, **case.bind, optimizer=quick, start="default", progress=False)
    known = calls(fit, case, tmp_path)
    fields = {f for f in vars(fit) if not f.startswith("_")}
    plain = public() - set(known)
    assert set(known) <= public()
    for attribute in sorted(plain | fields):
        value = getattr(fit, attribute)
        assert value is not None or attribute == "penalties"
    reasons = {}
    for method, call in known.items():
        try:
            assert call() is not None, method
        except ValueError as error:
            reasons[method] = str(error)
    assert all(len(reason) > 30 and reason.endswith((".", "?")) for reason in reasons.values()), reasons
    always = {
        "conf_int",
        "cov_params",
        "covariance",
        "delta",
        "diagnose",
        "integration_report",
        "save",
        "summary",
    }
    assert not always & set(reasons), reasons
    assert isinstance(fit.params, pd.Series) and np.isfinite(fit.llf)
