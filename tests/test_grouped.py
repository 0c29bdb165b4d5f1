"""The groups of a fit: every verb in one of them, found without it too; what is near an unknown name; kinds of fits."""

import copy
import functools
import inspect
import pickle
import re
from typing import get_args

import numpy as np
import pytest
import small

import iclv_jax as iclv
from iclv_jax._base._looked_for import OF_FITS
from iclv_jax._fit import SavedFit
from iclv_jax._fit._grouped import Group, homes, verbs
from iclv_jax._fit._ungrouped import Grouped, Ungrouped

GROUPS = Group.__subclasses__()
STAYS = {
    "aic", "all_params", "bic", "bse", "check_consistency", "components", "conf_int", "converged", "cov_params", "delta",
    "diagnose", "fit_measures", "hessian", "individual_parameters", "integration_report", "latent_scores", "llf", "module",
    "names", "nobs", "params", "penalties", "penalty", "predict", "pvalues", "report", "save", "scores", "summary", "table",
    "trace", "tvalues",
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    return small.fitted("logit")


@pytest.fixture(scope="module")
def saved(fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "fit.npz"
    fit.save(path)
    return iclv.load(path)


def test_every_verb_is_in_exactly_one_group():
    every = [verb for group in GROUPS for verb in verbs(group)]
    assert len(every) == len(set(every)) > 35
    on_the_class = {name for name in dir(iclv.Fit) if not name.startswith("_")}
    assert on_the_class & set(every) == {"covariance"}  # which the protocol of all that follows asks for
    assert on_the_class - {g.__name__ for g in GROUPS} - {"covariance"} == STAYS
    for group in GROUPS:
        assert getattr(iclv.Fit, group.__name__) is group
        assert ">>>" in group.__doc__


def test_type_checkers_know_the_same_names():
    assert set(get_args(Ungrouped)) == set(homes()) - {"covariance"}


def test_what_is_offered_is_short(fit):
    public = [name for name in dir(fit) if not name.startswith("_")]
    assert {g.__name__ for g in GROUPS} < set(public) and len(public) <= 45
    assert not homes().keys() & set(public)
    assert set(verbs(type(fit.tests))) <= set(dir(fit.tests))
    assert repr(fit.exports) == "<fit.exports: to_latex, to_csv, to_excel, to_dict, to_marginaleffects>"


@pytest.mark.parametrize("name", sorted(homes()))
def test_ungrouped_is_grouped(name, fit):
    plain, there = getattr(fit, name), getattr(getattr(fit, homes()[name]), name)
    if name == "default_covariance":
        assert plain == there == "hessian"
    elif name == "covariance":
        assert plain("robust") is there("robust")
    else:
        assert plain == there  # bound to the same fit
        assert inspect.signature(plain) == inspect.signature(there) and plain.__doc__ == there.__doc__


def test_the_same_numbers(fit):
    np.testing.assert_array_equal(fit.standard_errors("robust"), fit.uncertainty.standard_errors("robust"))
    np.testing.assert_array_equal(fit.bse, iclv.Fit.uncertainty.standard_errors(fit))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("elasticites", r"'Fit' has no attribute 'elasticites'\. Did you mean fit\.choices\.elasticities\?"),
        ("sumary", r"Did you mean fit\.summary\?"),
        ("choice", r"Did you mean fit\.choices\?"),
        ("zzz", r"There are fit\.uncertainty, fit\.tests, .* dir\(fit\) has the rest"),
        ("_private", r"'Fit' has no attribute '_private'$"),
        ("vcov", r"'Fit' has no attribute 'vcov'\. That is fit\.cov_params\(\) here\."),
    ],
)
def test_what_is_near_an_unknown_name(name, said, fit):
    assert not hasattr(fit, name)
    with pytest.raises(AttributeError, match=said):
        getattr(fit, name)


@pytest.mark.parametrize("name", OF_FITS)
def test_names_of_other_programs_lead_to_what_is_there(name, fit):
    assert not hasattr(fit, name)
    for path in re.findall(r"fit\.([\w.]+)", OF_FITS[name]):
        functools.reduce(getattr, path.split("."), iclv.Fit)


@pytest.mark.parametrize(
    ("name", "said"),
    [("Lognormal", r"Did you mean iclv\.LogNormal\?"), ("sem", "iclv.Model.from_text"), ("zzz", r"'zzz'\.$")],
)
def test_what_is_near_an_unknown_name_of_the_package(name, said):
    with pytest.raises(AttributeError, match=said):
        getattr(iclv, name)


def test_a_verb_of_another_group(fit):
    said = r"fit\.tests has no attribute 'elasticities'\. Did you mean fit\.choices\.elasticities\?"
    with pytest.raises(AttributeError, match=said):
        fit.tests.elasticities  # noqa: B018


def test_a_property_that_fails_says_so_itself():
    class Broken(Grouped):
        @property
        def summary(self):
            return None.nothing

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'nothing'"):
        Broken().summary  # noqa: B018


def test_copies_and_pickles_keep_their_groups(fit):
    for again in (copy.copy(fit), pickle.loads(pickle.dumps(fit))):
        assert hasattr(again, "elasticities") and repr(again.tests) == repr(fit.tests)
        np.testing.assert_array_equal(again.uncertainty.standard_errors(), fit.bse)
    assert type(pickle.loads(pickle.dumps(fit.choices))) is iclv.Fit.choices


def test_a_saved_fit_has_the_same_groups_and_says_what_it_lacks(saved, fit):
    assert isinstance(saved, SavedFit)
    np.testing.assert_allclose(saved.uncertainty.standard_errors(), fit.bse)
    assert saved.uncertainty.covariance().kind == "hessian" and saved.exports.to_dict()["people"] == 90
    assert "bootstrap" not in dir(saved.uncertainty) and "correlations" in dir(saved.uncertainty)
    assert repr(saved.tests) == "<fit.tests: nothing that this kind of fit has>"
    for call in (lambda: saved.elasticities, lambda: saved.choices.elasticities, lambda: saved.predict):
        with pytest.raises(
            AttributeError, match=r"needs the model and its data: read the fit with iclv\.load"
        ):
            call()
    assert not hasattr(saved, "lr_test")
