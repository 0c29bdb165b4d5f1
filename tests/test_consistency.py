"""Scores of simulated data have mean zero where the integral is right, and show its bias where it is not."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE, ROWS = 80, 8


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), ROWS), "x": rng.normal(size=PEOPLE * ROWS)})
    taste = np.repeat(rng.normal(0.5, 3.0, PEOPLE), ROWS)
    frame["y"] = np.where(rng.logistic(size=len(frame)) < taste * frame.x, "a", "b")
    return frame


@pytest.fixture(scope="module")
def model():
    logit = iclv.Logit(lambda b, x, lv: {"a": b.asc + b.x * x.x, "b": 0.0}, "y")
    return iclv.Model(choice=logit, random={"x": iclv.Normal()})


def test_an_accurate_integral(model, data):
    fit = model.fit(data, person="id", progress=False, integration=iclv.GaussHermite(15))
    found = fit.check_consistency(samples=10, seed=1)
    assert found.df == 3 and found.p > 0.01
    assert list(found.table.index) == list(fit.names)
    np.testing.assert_allclose(found.table["bias"], found.table["bias_in_se"] * fit.bse, rtol=1e-10)
    # Of one data set a bias is as uncertain as an estimate.
    assert (found.table["se"] * np.sqrt(10)).between(0.5, 2.0).all()
    assert "Consistency" in str(found) and "10 data sets" in str(found)


def test_too_few_draws_from_the_prior(model, data):
    with pytest.warns(UserWarning, match="carry weight"):
        fit = model.fit(
            data, person="id", progress=False, integration=iclv.MonteCarlo(4, seed=2), accuracy=None
        )
    found = fit.check_consistency(samples=10, seed=1)
    assert found.p < 1e-4
    assert any("not zero" in note for note in found.notes)


def test_what_it_cannot_do(model, data):
    fit = model.fit(
        data, person="id", progress=False, integration=iclv.GaussHermite(7), penalties={"asc": iclv.L2(1.0)}
    )
    with pytest.raises(ValueError, match="penalties"):
        fit.check_consistency()
    with pytest.raises(ValueError, match="samples"):
        fit.check_consistency(samples=0)
