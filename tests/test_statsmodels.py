"""Plain choice models against statsmodels: estimates, every kind of covariance, criteria and tests."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.miscmodels.ordinal_model import OrderedModel

import iclv_jax as iclv

COLUMNS = ["price", "time"]


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}


KERNELS = {"logit": (iclv.Logit, sm.Logit), "probit": (iclv.Probit, sm.Probit)}


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(1)
    price, time = generator.normal(size=(2, 400))
    better = 0.4 - price - 0.5 * time + generator.normal(size=400) > 0
    frame = pd.DataFrame({"price": price, "time": time, "group": np.arange(400) % 50})
    return frame.assign(choice=np.where(better, "a", "b"))


@pytest.fixture(scope="module", params=KERNELS)
def both(request, data):
    """A fit, and the model of statsmodels with its outcomes."""
    kernel, theirs = KERNELS[request.param]
    model = iclv.Model(choice=kernel(utility, "choice"))
    y = (data["choice"] == "a").astype(float)
    return model.fit(data, cluster="group", progress=False), theirs(y, sm.add_constant(data[COLUMNS]))


def fitted(model, **keywords):
    return model.fit(disp=0, tol=1e-14, maxiter=200, **keywords)


def test_estimates_and_criteria(both):
    fit, model = both
    theirs = fitted(model)
    np.testing.assert_allclose(fit.params, theirs.params, rtol=1e-6)
    assert fit.llf == pytest.approx(theirs.llf, abs=1e-8)
    assert fit.aic == pytest.approx(theirs.aic, abs=1e-8)
    assert fit.bic == pytest.approx(theirs.bic, abs=1e-8)
    assert fit.components.constants == pytest.approx(theirs.llnull, abs=1e-6)
    np.testing.assert_allclose(fit.predict()["a"], theirs.predict(), rtol=1e-6)


def test_covariances_of_every_kind(both, data):
    fit, model = both
    theirs = fitted(model)
    clusters = {"groups": data["group"], "use_correction": False, "df_correction": False}
    scores = model.score_obs(theirs.params.to_numpy())
    wanted = {
        "hessian": np.linalg.inv(-model.hessian(theirs.params.to_numpy())),
        "bhhh": np.linalg.inv(scores.T @ scores),
        "robust": fitted(model, cov_type="HC0").cov_params().to_numpy(),
        "cluster": fitted(model, cov_type="cluster", cov_kwds=clusters).cov_params().to_numpy(),
    }
    np.testing.assert_allclose(fit.scores, scores, atol=1e-6)
    for kind, matrix in wanted.items():
        np.testing.assert_allclose(fit.cov_params(kind), matrix, rtol=1e-5, err_msg=kind)


@pytest.mark.parametrize("kind", ["hessian", "robust"])
def test_wald_tests(both, kind):
    fit, model = both
    theirs = fitted(model, **({"cov_type": "HC0"} if kind == "robust" else {}))
    wanted = theirs.wald_test(([[0, 1, -2], [1, 0, 0]], [0.0, 0.4]), use_f=False, scalar=True)
    found = fit.wald_test("price = 2 * time, asc = 0.4", kind=kind)
    assert found.statistic == pytest.approx(float(wanted.statistic), rel=1e-5)
    assert found.pvalue == pytest.approx(float(wanted.pvalue), rel=1e-4)


def test_likelihood_ratio_against_constants_only(both, data):
    fit, model = both
    theirs = fitted(model)
    kernel = type(fit.problem.spec.choices[0])
    constant = iclv.Model(choice=kernel(lambda b, x, lv: {"a": b.asc, "b": 0.0}, "choice"))
    found = fit.lr_test(constant.fit(data, progress=False))
    assert found.df == 2
    assert found.statistic == pytest.approx(theirs.llr, abs=1e-6)
    assert found.pvalue == pytest.approx(theirs.llr_pvalue, rel=1e-5)


@pytest.mark.gate("logit")
def test_marginal_effects(both):
    """Averages of derivatives with their delta-method errors."""
    fit, model = both
    theirs = fitted(model).get_margeff(at="overall", method="dydx")
    for i, column in enumerate(COLUMNS):
        found = fit.marginal_effects(column).aggregate.loc["a"]
        assert found["value"] == pytest.approx(theirs.margeff[i], rel=1e-6)
        assert found["se"] == pytest.approx(theirs.margeff_se[i], rel=1e-5)


def test_a_multinomial_logit():
    """Three alternatives with constants and covariates of the person: MNLogit, the first alternative for base."""
    generator = np.random.default_rng(2)
    income, age = generator.normal(size=(2, 500))
    v = np.stack([np.zeros(500), 0.5 + income, -0.2 - 0.5 * income + 0.8 * age], axis=1)
    chosen = (v + generator.gumbel(size=v.shape)).argmax(axis=1)
    data = pd.DataFrame({"income": income, "age": age, "choice": chosen})

    def alternatives(b, x, lv):
        each = {k: b[f"asc{k}"] + b[f"income{k}"] * x.income + b[f"age{k}"] * x.age for k in (1, 2)}
        return {0: 0.0, **each}

    fit = iclv.Model(choice=iclv.Logit(alternatives, "choice")).fit(data, progress=False)
    model = sm.MNLogit(data["choice"], sm.add_constant(data[["income", "age"]]))
    theirs = model.fit(disp=0, method="newton", tol=1e-14)
    assert fit.llf == pytest.approx(theirs.llf, abs=1e-8)
    names = [f"{what}{k}" for k in (1, 2) for what in ("asc", "income", "age")]
    np.testing.assert_allclose(fit.params[names], theirs.params.to_numpy().T.ravel(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fit.bse[names], theirs.bse.to_numpy().T.ravel(), rtol=1e-5)
    assert fit.bic == pytest.approx(theirs.bic, abs=1e-8)


@pytest.fixture(scope="module", params=["probit", "logit"])
def ordered(request):
    """An ordered model twice: as an item of a latent variable, and as the OrderedModel of statsmodels.

    For the probit the disturbance and the item's own error have variance 1, so that the response has variance 2 where that
    of statsmodels has 1. For the logit the disturbance has next to no variance.
    """
    generator = np.random.default_rng(3)
    income, age = generator.normal(size=(2, 300))
    response = 0.8 * income - 0.5 * age + generator.normal(size=300) * np.sqrt(2.0)
    data = pd.DataFrame({"income": income, "age": age, "group": np.arange(300) % 40})
    data["answer"] = 1 + np.digitize(response, [-1.0, 0.2, 1.5])
    variance, unit = (1.0, np.sqrt(2.0)) if request.param == "probit" else (1e-14, 1.0)
    model = iclv.Model(
        latent=[iclv.Latent("view", on=["income", "age"], scale="loading")],
        indicators=[iclv.Ordered("answer", of="view", link=request.param)],
        fixed={"view =~ answer": 1.0, "view ~~ view": variance},
    )
    fit = model.fit(data, cluster="group", integration=iclv.GaussHermite(40), progress=False)
    theirs = OrderedModel(data["answer"], data[["income", "age"]], distr=request.param)
    return fit, theirs.fit(method="newton", tol=1e-8, maxiter=100, disp=0), data, unit


def natural(result, unit):
    """Their estimates in our units, whose logs of increments are thresholds here, and the derivative of ours by theirs."""
    params = result.params.to_numpy()
    slopes, steps = params[:2], params[2:]
    thresholds = result.model.transform_threshold_params(params)[1:-1]
    jacobian = np.zeros((5, 5))
    jacobian[:2, :2] = np.eye(2)
    jacobian[2:, 2] = 1.0
    jacobian[3:, 3], jacobian[4, 4] = np.exp(steps[1]), np.exp(steps[2])
    return unit * np.concatenate([slopes, thresholds]), unit * jacobian


@pytest.mark.gate("logit")
def test_an_ordered_model(ordered):
    fit, theirs, _, unit = ordered
    assert fit.llf == pytest.approx(theirs.llf, abs=1e-7)
    assert fit.aic == pytest.approx(theirs.aic, abs=1e-6)
    assert fit.bic == pytest.approx(theirs.bic, abs=1e-6)
    np.testing.assert_allclose(fit.params, natural(theirs, unit)[0], rtol=1e-5)
    np.testing.assert_allclose(fit.predict_items()["answer"], theirs.predict(), atol=1e-6)


def test_covariances_of_an_ordered_model(ordered):
    fit, theirs, data, unit = ordered
    by_theirs = natural(theirs, unit)[1]
    params = theirs.params.to_numpy()
    scores = np.asarray(theirs.model.score_obs(params))
    bread = np.linalg.inv(-theirs.model.hessian(params))
    grouped = pd.DataFrame(scores).groupby(data["group"].to_numpy()).sum().to_numpy()
    wanted = {
        "hessian": bread,
        "bhhh": np.linalg.inv(scores.T @ scores),
        "robust": bread @ (scores.T @ scores) @ bread,
        "cluster": bread @ (grouped.T @ grouped) @ bread,
    }
    np.testing.assert_allclose(fit.scores @ by_theirs, scores, atol=1e-4)
    for kind, matrix in wanted.items():
        found = fit.cov_params(kind)
        np.testing.assert_allclose(
            found, by_theirs @ matrix @ by_theirs.T, rtol=2e-4, atol=1e-7, err_msg=kind
        )
