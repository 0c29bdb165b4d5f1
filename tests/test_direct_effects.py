"""Direct effects of covariates on items: MIMIC models with items that work differently for some."""

import after
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import iclv_jax as iclv
from iclv_jax import Conditioned, Continuous, GaussHermite, Latent, Ordered, Standardized

TRUTH = {"trust ~ sex": 0.5, "y2 ~ sex": 0.7, "y3 ~ age": -0.4}
for q in ("y1", "y2", "y3"):
    TRUTH |= {f"{q} ~ 1": 0.2, f"trust =~ {q}": 0.8, f"{q} ~~ {q}": 0.6}


def mimic(on=("sex",), **parts):
    items = [
        Continuous("y1", "trust"),
        Continuous("y2", "trust", on=list(on)),
        Continuous("y3", "trust", on="age"),
    ]
    return iclv.Model([Latent("trust", on=["sex"])], items, **parts)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"sex": generator.integers(0, 2, 120) * 1.0, "age": generator.normal(40.0, 10.0, 120)}
    )
    frame = frame.assign(region=np.array(["n", "s", "w"])[np.arange(120) % 3])
    frame = mimic().simulate(TRUTH, frame, seed=1)
    frame.loc[4, "y2"] = np.nan
    return frame


def test_continuous_items_have_the_normal_likelihood(data):
    problem = mimic().bind(data)
    assert isinstance(problem.rule, Conditioned)
    params, x = problem.vector(TRUTH), data[["sex", "age"]].to_numpy()
    mean = 0.2 + 0.8 * 0.5 * x[:, [0]] + np.stack([0.0 * x[:, 0], 0.7 * x[:, 0], -0.4 * x[:, 1]], axis=1)
    covariance, y = 0.64 + 0.6 * np.eye(3), data[["y1", "y2", "y3"]].to_numpy()
    expected = stats.multivariate_normal(cov=covariance).logpdf(y - mean)
    kept = [0, 2]
    expected[4] = stats.multivariate_normal(mean[4, kept], covariance[np.ix_(kept, kept)]).logpdf(y[4, kept])
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-10)
    plain = problem.integrate(GaussHermite(30)).recentre(params)
    np.testing.assert_allclose(plain.loglike_person(params), expected, rtol=1e-7)
    np.testing.assert_allclose(
        plain.hessian(params), problem.hessian(params, "autodiff"), rtol=1e-5, atol=1e-4
    )


@pytest.fixture(scope="module")
def fit(data):
    return mimic().fit(data, progress=False)


def test_effects_are_those_of_the_equations(fit, data):
    p, found = fit.params, fit.effects()
    assert found.loc[("sex", "y2"), "direct"] == pytest.approx(p["y2 ~ sex"])
    total = p["y2 ~ sex"] + p["trust ~ sex"] * p["trust =~ y2"]
    assert found.loc[("sex", "y2"), "total"] == pytest.approx(total)
    sex, age = data["sex"], data["age"]
    spread = np.var(total * sex) + p["trust =~ y2"] ** 2 + p["y2 ~~ y2"]
    standard = fit.standardized()
    assert standard.loc["y2 ~ sex", "std.all"] == pytest.approx(p["y2 ~ sex"] * sex.std(ddof=0) / spread**0.5)
    assert standard.loc["y2 ~ sex", "std.lv"] == pytest.approx(p["y2 ~ sex"])
    both = p["trust ~ sex"] * p["trust =~ y3"] * sex + p["y3 ~ age"] * age
    rest = p["trust =~ y3"] ** 2 + p["y3 ~~ y3"]
    assert standard.loc["R2 y3", "std.all"] == pytest.approx(1.0 - p["y3 ~~ y3"] / (np.var(both) + rest))


@pytest.mark.slow
def test_a_score_test_finds_what_works_differently(data, fit):
    held = mimic(fixed={"y2 ~ sex": 0.0}).fit(data, progress=False)
    found = held.modification_indices(["y2 ~ sex"])
    gain = 2.0 * (fit.llf - held.llf)
    assert gain > 5.0 and found.loc["y2 ~ sex", "statistic"] == pytest.approx(gain, rel=0.3)


def test_standard_units_change_nothing_but_the_search(data, fit):
    items = [Continuous("y1", "trust"), Continuous("y2", "trust", on=["sex"])]
    items.append(Continuous("y3", "trust", on=[Standardized("age")]))
    other = iclv.Model([Latent("trust", on=["sex"])], items).fit(data, progress=False)
    assert other.llf == pytest.approx(fit.llf, abs=1e-6)
    pd.testing.assert_series_equal(other.params, fit.params, rtol=1e-4, atol=1e-6)


def test_nominal_covariates_have_dummies(data):
    region = Standardized("region", "one-hot", baseline="s")
    model = mimic(on=["sex", region])
    problem = model.bind(data)
    assert [n for n in problem.names if "region" in n] == ["y2 ~ region[n]", "y2 ~ region[w]"]
    again = model.simulate(TRUTH | {"y2 ~ region[n]": 1.0, "y2 ~ region[w]": 50.0}, data, seed=3)
    assert again.loc[again["region"] == "w", "y2"].min() > again.loc[again["region"] != "w", "y2"].max()


def test_items_are_predicted_for_other_covariates(data):
    problem = mimic().bind(data)
    fit = after.fit_at(problem, problem.vector(TRUTH))
    here = fit.predict_items()
    there = fit.predict_items(data.assign(age=data["age"] + 1.0))
    np.testing.assert_allclose(there["y3", "mean"] - here["y3", "mean"], -0.4, rtol=1e-8)
    np.testing.assert_allclose(there["y2", "mean"], here["y2", "mean"], rtol=1e-8)


def test_a_covariate_of_everything_is_unidentified(data):
    items = [Ordered(q, "trust", on=["sex"], levels=[1, 2]) for q in ("q1", "q2")]
    with pytest.raises(
        ValueError, match=r"'sex' acts on 'trust' and on all of its items.*Take it out of on="
    ):
        iclv.Model([Latent("trust", on=["sex"])], items).describe()
    kept = iclv.Model([Latent("trust", on=["sex"])], items, fixed={"q1 ~ sex": 0.0})
    assert "q2 ~ sex" in kept.describe().to_frame()["name"].tolist()


def test_latent_variables_are_no_covariates():
    with pytest.raises(ValueError, match=r"'y' has the latent variable 'trust' in on=.*of="):
        iclv.Model([Latent("trust")], [Continuous("y", "trust", on=["trust"])])
    with pytest.raises(ValueError, match=r"'y': the covariate 'x' is constant"):
        frame = pd.DataFrame({"y": [0.1, 0.4, 0.2], "x": 1.0})
        iclv.Model(indicators=[Continuous("y", [], on=["x"])]).bind(frame)
