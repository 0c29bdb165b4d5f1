"""Scores of simulated data have mean zero where the integral is right, and show its bias where it is not."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._predict import _consistency as consistency
from iclv_jax._predict._simulate import draw_answers

PEOPLE, ROWS = 60, 6


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), ROWS), "x": rng.normal(size=PEOPLE * ROWS)})
    taste = np.repeat(rng.normal(0.5, 1.5, PEOPLE), ROWS)
    frame["y"] = np.where(rng.logistic(size=len(frame)) < taste * frame.x, "a", "b")
    return frame


@pytest.fixture(scope="module")
def model():
    logit = iclv.Logit(lambda b, x, lv: {"a": b.asc + b.x * x.x, "b": 0.0}, "y")
    return iclv.Model(choice=logit, random={"x": iclv.Normal()})


@pytest.mark.slow
def test_an_accurate_integral(model, data):
    fit = model.fit(data, person="id", progress=False, integration=iclv.GaussHermite(15))
    found = fit.check_consistency(samples=10, seed=1)
    assert found.df == 3 and found.p > 0.01
    assert list(found.table.index) == list(fit.names)
    np.testing.assert_allclose(found.table["bias"], found.table["bias_in_se"] * fit.bse, rtol=1e-10)
    # Of one data set a bias is as uncertain as an estimate.
    assert (found.table["se"] * np.sqrt(10)).between(0.5, 2.0).all()
    assert "Consistency" in str(found) and "10 data sets" in str(found)


def test_data_of_other_parameters_show_as_bias(model, data, monkeypatch):
    """As if the density, the simulation or the integral had another constant in it."""
    fit = model.fit(data, person="id", progress=False, integration=iclv.GaussHermite(15))
    shift = np.where(np.array(fit.names) == "asc", 0.5, 0.0)

    def elsewhere(problem, params, seed):
        return draw_answers(problem, params + shift, seed)

    monkeypatch.setattr(consistency, "draw_answers", elsewhere)
    found = fit.check_consistency(samples=10, seed=1)
    assert found.p < 1e-6
    assert found.table.loc["asc", "bias"] == pytest.approx(0.5, rel=0.3)
    assert any("not zero" in note for note in found.notes) and any("asc" in note for note in found.notes)


def test_what_it_cannot_do(model, data):
    fit = model.fit(
        data, person="id", progress=False, integration=iclv.GaussHermite(7), penalties={"asc": iclv.L2(1.0)}
    )
    with pytest.raises(ValueError, match="penalties"):
        fit.check_consistency()
    with pytest.raises(ValueError, match="samples"):
        fit.check_consistency(samples=0)
