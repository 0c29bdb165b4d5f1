"""Score tests, against closed forms and likelihood ratios of refits."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_inference import data, logit

import iclv_jax as iclv

__all__ = ["data"]


def test_modification_index_of_a_logit_is_near_the_likelihood_ratio(data):
    """A small violation: twice the gain and the move of the parameter, up to third derivatives."""
    free = logit().fit(data, progress=False)
    value = float(free.params["time"] + 0.2 * free.bse["time"])
    fixed = logit(fixed={"time": value}).fit(data, progress=False)
    found = fixed.modification_indices().loc["time"]
    assert found["statistic"] == pytest.approx(2 * (free.llf - fixed.llf), rel=0.02)
    assert found["change"] == pytest.approx(free.params["time"] - value, rel=0.02)
    assert found["p"] == pytest.approx(stats.chi2.sf(found["statistic"], 1))
    test = fixed.lm_test("time")
    assert test.statistic == pytest.approx(found["statistic"], rel=1e-6)
    assert test.hypotheses == (f"time = {value:g}",)


def test_score_tests_of_a_logit_by_hand(data):
    """X'(y - p) and X'WX, all columns at the estimates without comfort."""
    fit = logit(("price", "comfort", "time"), fixed={"comfort": 0.0}).fit(data, progress=False)
    x = np.column_stack([np.ones(400), data[["price", "time", "comfort"]]])
    p = 1 / (1 + np.exp(-(x[:, :3] @ fit.params[["asc", "price", "time"]].to_numpy())))
    each = x * ((data["choice"] == "a").to_numpy() - p)[:, None]
    score, information, meat = each.sum(axis=0), (x.T * (p * (1 - p))) @ x, each.T @ each
    wanted = {"hessian": score @ np.linalg.solve(information, score)}
    wanted["bhhh"] = score @ np.linalg.solve(meat, score)
    slope = np.append(-np.linalg.solve(information[:3, :3], information[:3, 3]), 1.0)
    wanted["robust"] = (slope @ score) ** 2 / (slope @ meat @ slope)
    for kind, value in wanted.items():
        assert fit.modification_indices(kind=kind).loc["comfort", "statistic"] == pytest.approx(
            value, rel=1e-6
        )
    assert fit.lm_test(["comfort"], kind="bhhh").statistic == pytest.approx(wanted["bhhh"], rel=1e-6)
    problem = logit(("price", "comfort", "time")).bind(data)
    assert fit.lm_test(problem).statistic == pytest.approx(wanted["hessian"], rel=1e-6)
    with pytest.raises(ValueError, match="not a case of the larger model"):
        fit.lm_test(problem, values={"comfort": 1.0})
    with pytest.raises(ValueError, match="is free; only fixed"):
        fit.lm_test("price")
    with pytest.raises(ValueError, match="Did you mean"):
        fit.modification_indices(["prise"])


def hybrid(**kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.taste * lv.green, "b": 0.0}

    return iclv.Model(
        latent=[iclv.Latent("green", on=["age", "female"], scale="loading")],
        indicators=[iclv.Continuous(q, of="green") for q in ("y1", "y2", "y3")],
        choice=iclv.Logit(utility, chosen="choice"),
        **kwargs,
    )


@pytest.fixture(scope="module")
def attitudes():
    generator = np.random.default_rng(3)
    frame = pd.DataFrame({"age": generator.normal(size=300), "female": generator.integers(0, 2, 300)})
    frame["price"] = generator.uniform(0, 2, 300)
    truth = {"green ~ age": 0.5, "green ~ female": 0.15, "green ~~ green": 1.0, "asc": 0.5, "price": -0.8}
    truth |= {
        "taste": 0.7,
        "y1 ~ 1": 0.0,
        "y2 ~ 1": 1.0,
        "y3 ~ 1": -1.0,
        "green =~ y2": 0.8,
        "green =~ y3": 1.2,
    }
    truth |= {f"y{k} ~~ y{k}": 0.6 for k in (1, 2, 3)}
    return hybrid().simulate(truth, frame, seed=3)


@pytest.fixture(scope="module")
def attitude_fit(attitudes):
    return hybrid(fixed={"green ~ female": 0.0}).fit(attitudes, progress=False)


@pytest.mark.slow
def test_modification_index_of_a_hybrid_model_is_near_the_likelihood_ratio(attitudes, attitude_fit):
    free = hybrid().fit(attitudes, progress=False)
    found = attitude_fit.modification_indices()
    ratio = free.lr_test(attitude_fit)
    assert found.loc["green ~ female", "statistic"] == pytest.approx(ratio.statistic, rel=0.05)
    assert found.loc["green ~ female", "change"] == pytest.approx(free.params["green ~ female"], rel=0.1)
    same = attitude_fit.lm_test(hybrid().bind(attitudes))
    assert same.statistic == pytest.approx(found.loc["green ~ female", "statistic"], rel=1e-3)


@pytest.mark.slow
def test_parameters_that_set_a_scale_have_no_modification_index(attitude_fit):
    found = attitude_fit.modification_indices().loc["green =~ y1"]
    assert np.isnan(found["statistic"])
    assert "sets a scale" in found["note"]
