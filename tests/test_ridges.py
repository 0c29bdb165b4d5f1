"""Random coefficients whose distribution becomes another one at infinity: seen as no maximum, with names and words."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE, ROWS = 60, 8
ALIKE = 100
"""People of the same taste, whose choices happen to show no spread at all."""
WIDE = {
    "beyond its end": (iclv.TruncatedNormal(upper=0.0), {"mean": 30.0, "sd": 2.0}, "exponential from its end 0"),
    "below its end": (iclv.TruncatedNormal(lower=1.0), {"mean": -40.0, "sd": 3.0}, "exponential from its end 1"),
    "between two": (iclv.TruncatedNormal(-1.0, 2.0), {"mean": 800.0, "sd": 40.0}, "exponential between -1 and 2"),
    "as flat as can be": (iclv.TruncatedNormal(-1.0, 2.0), {"mean": 0.7, "sd": 60.0}, "uniform between -1 and 2"),
    "two masses": (iclv.JohnsonSB(-2.0, 0.0), {"mean": 400.0, "sd": 1000.0}, "34% at -2 and 66% at 0"),
}  # fmt: skip
NEAR = (
    (iclv.TruncatedNormal(upper=0.0), {"mean": 3.0, "sd": 2.0}),
    (iclv.TruncatedNormal(upper=0.0), {"mean": -30.0, "sd": 2.0}),
    (iclv.TruncatedNormal(upper=0.0), {"mean": 1.0, "sd": 0.0}),
    (iclv.TruncatedNormal(-1.0, 2.0), {"mean": 0.0, "sd": 3.0}),
    (iclv.JohnsonSB(-2.0, 0.0), {"mean": 30.0, "sd": 3.0}),
    (iclv.Normal(), {"mean": 1e6, "sd": 1e6}),
)


def quantiles(mixing, values):
    cells = {k: jnp.asarray(v) for k, v in values.items()}
    return np.asarray(jax.jit(jax.vmap(partial(mixing.coefficient, cells)))(jnp.linspace(-2.5, 2.5, 40)))


@pytest.mark.gate("between two", "beyond its end")
@pytest.mark.parametrize("case", WIDE)
def test_a_limit_is_another_distribution_that_stays_the_same_further_on(case):
    mixing, values, words = WIDE[case]
    limit = mixing.limit(values)
    here, there = quantiles(mixing, values), quantiles(mixing, limit.beyond)
    np.testing.assert_allclose(here, there, atol=0.02 * np.ptp(there))
    assert limit.words.startswith(words) and set(limit.goes) <= set(values)
    assert all(abs(limit.beyond[k]) > abs(values[k]) for k in limit.goes)


@pytest.mark.parametrize(("mixing", "values"), NEAR)
def test_what_is_no_limit(mixing, values):
    assert mixing.limit(values) is None


def test_a_truncated_normal_without_a_spread_has_derivatives():
    wide, none = ({"mean": jnp.asarray(-0.9), "sd": jnp.asarray(sd)} for sd in (1e-9, 0.0))
    for mixing in (iclv.TruncatedNormal(upper=0.0), iclv.TruncatedNormal(-2.0, 0.0)):
        slopes = [jax.grad(mixing.coefficient)(cells, jnp.asarray(0.7)) for cells in (wide, none)]
        for key in ("mean", "sd"):
            assert float(slopes[0][key]) == pytest.approx(float(slopes[1][key]), abs=1e-6)


def trips(taste):
    rng = np.random.default_rng(0)
    people = len(taste)
    t, c = rng.uniform(0.0, 4.0, (2, people * ROWS, 2))
    v = np.repeat(taste, ROWS)[:, None] * t - 0.5 * c + rng.gumbel(size=t.shape)
    frame = pd.DataFrame({f"t{j}": t[:, j] for j in range(2)} | {f"c{j}": c[:, j] for j in range(2)})
    return frame.assign(y=v.argmax(1), id=np.repeat(np.arange(people), ROWS))


def fitted(mixing, taste):
    def utility(b, x, lv):
        return {j: b.t * x[f"t{j}"] + b.c * x[f"c{j}"] for j in range(2)}

    model = iclv.Model(choice=iclv.Logit(utility, "y"), random={"t": mixing})
    return model.fit(trips(taste), person="id", progress=False)


def shared(share, one, other):
    """Tastes of which a share is one and the rest the other."""
    return np.where(np.arange(PEOPLE) % 10 < 10 * share, one, other)


BOTH = {"t": "infinity", "t.sd": "infinity"}
ENDS = {
    "most at the end": (iclv.TruncatedNormal(upper=0.0), lambda: shared(0.6, 0.0, -2.5), BOTH, "exponential"),
    "in two halves": (iclv.TruncatedNormal(-3.0, 0.0), lambda: shared(0.5, -0.1, -2.9), None, "between -3 and 0"),
    "at both ends": (iclv.JohnsonSB(-3.0, 0.0), lambda: shared(0.5, 0.0, -3.0), None, "nobody between"),
}  # fmt: skip


SLOW = pytest.param("in two halves", marks=pytest.mark.slow)


@pytest.mark.gate("at both ends")
@pytest.mark.parametrize("case", ["most at the end", SLOW, "at both ends"])
def test_a_fit_on_a_ridge_has_no_finite_maximum(case):
    mixing, taste, goes, words = ENDS[case]
    fit = fitted(mixing, taste())
    report = fit.optimizer_report
    assert report.verdict.value == "no finite maximum" and len(fit.trace) < 100
    assert "t.sd" in report.limits and (goes is None or dict(report.limits) == goes)
    first = str(fit.summary()).splitlines()[0]
    assert "no finite maximum" in first and "t.sd" in first and words in first
    assert np.isnan(fit.bse["t.sd"]) and np.isfinite(fit.bse["c"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mixing", "spread"),
    [
        (iclv.TruncatedNormal(upper=0.0), "t.sd"),
        pytest.param(iclv.JohnsonSB(-3.0, 0.0), "t.sd", marks=pytest.mark.slow),
        pytest.param(iclv.Uniform(), "t.width", marks=pytest.mark.slow),
        pytest.param(iclv.Triangular(), "t.width", marks=pytest.mark.slow),
    ],
)
def test_a_spread_of_nothing_is_zero(mixing, spread):
    fit = fitted(mixing, np.full(ALIKE, -1.0))
    assert fit.converged and fit.optimizer_report.zero == (spread,) and fit.params[spread] == 0.0
