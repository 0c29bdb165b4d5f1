"""Predictions of single rows: nodes are raised where coefficients are steep, and the error that is left is said."""

import after
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._predict._probabilities import choice_probabilities
from iclv_jax._predict._view import prior_view

ROWS = 40


def utility(b, x, lv):
    return {1: b.asc + b.t * x.t + b.c * x.c, 0: 0.0}


def fitted(mixing, **values):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"t": rng.uniform(-60, 60, ROWS), "c": rng.uniform(-25, 25, ROWS)})
    frame["y"] = rng.integers(0, 2, ROWS)
    random = {"t": mixing} | ({"c": mixing} if "c.sd" in values else {})
    problem = iclv.Model(choice=iclv.Logit(utility, "y"), random=random).bind(frame)
    return frame, after.fit_at(problem, problem.vector(values))


STEEP = {"asc": 3.0, "t": -1.5, "t.sd": 1.2, "c": -1.0, "c.sd": 1.5}


def by_hand(frame, steep=STEEP, points=1201):
    z = np.linspace(-8.0, 8.0, points)
    w = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    t, c = (-np.exp(steep[k] + steep[f"{k}.sd"] * z) for k in ("t", "c"))
    found = []
    for r in frame.itertuples():
        v = steep["asc"] + t[:, None] * r.t + c[None, :] * r.c
        found.append(w @ (1.0 / (1.0 + np.exp(-np.clip(v, -700, 700)))) @ w)
    return np.array(found)


def test_two_steep_coefficients():
    frame, fit = fitted(iclv.LogNormal(sign=-1), **STEEP)
    found, truth = fit.predict(), by_hand(frame)
    before = np.asarray(choice_probabilities(prior_view(fit.problem, "choice"), jnp.asarray(fit.estimates)))
    assert np.abs(before[:, 0, 0] - truth).max() > 2e-3
    error = np.abs(found[1] - truth).max()
    assert error < 1e-3 and found.attrs["error"] < 1e-3


def test_what_is_accurate_stays():
    _, fit = fitted(iclv.Normal(), asc=0.2, t=-0.02, c=-0.1, **{"t.sd": 0.01, "c.sd": 0.05})
    found = fit.predict()
    before = choice_probabilities(prior_view(fit.problem, "choice"), jnp.asarray(fit.estimates))
    np.testing.assert_array_equal(found[1], np.asarray(before)[:, 0, 0])
    assert found.attrs["error"] < 1e-6


def test_without_an_integral_there_is_nothing_to_say():
    frame = pd.DataFrame({"t": [1.0, 2.0, 0.5, -1.0], "c": [0.0, 1.0, 2.0, 3.0], "y": [1, 0, 1, 0]})
    problem = iclv.Model(choice=iclv.Logit(utility, "y")).bind(frame)
    fit = after.fit_at(problem, problem.vector({"asc": 0.1, "t": 0.2, "c": -0.1}))
    assert "error" not in fit.predict().attrs


@pytest.mark.slow
def test_marginal_effects_of_single_rows():
    frame, fit = fitted(iclv.LogNormal(sign=-1), **STEEP)
    found = fit.marginal_effects("t").rows[1]
    step = 1e-4
    expected = (by_hand(frame.assign(t=frame["t"] + step)) - by_hand(frame.assign(t=frame["t"] - step))) / (
        2 * step
    )
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("given", ["answers"])
def test_posteriors_have_the_rule_of_the_fit(given):
    _, fit = fitted(iclv.Normal(), asc=0.2, t=-0.02, c=-0.1, **{"t.sd": 0.01, "c.sd": 0.05})
    assert "error" not in fit.predict(given=given).attrs
