"""The exact Hessian where normal items were integrated in closed form: pattern by pattern of answers, against automatic
differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._derivatives import _exact, _given

PEOPLE, ROWS = 24, 2


def data():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=PEOPLE), "age": rng.normal(40.0, 9.0, PEOPLE)})
    first = 0.5 * frame.x + rng.normal(size=PEOPLE)
    second = 0.4 * first + rng.normal(size=PEOPLE)
    for k in range(5):
        frame[f"y{k}"] = 0.8 * (first if k < 3 else second) + rng.normal(size=PEOPLE)
    frame.loc[frame.index[::5], "y1"] = np.nan
    rows = frame.loc[frame.index.repeat(ROWS)].reset_index(drop=True)
    rows["id"] = np.repeat(np.arange(PEOPLE), ROWS)
    rows["t"], rows["c"] = rng.normal(size=len(rows)), rng.normal(size=len(rows))
    rows["choice"] = np.where(rng.random(len(rows)) < 0.5, "a", "b")
    return rows


def utility(b, x, lv):
    return {"a": b.asc + b.t * x.t + b.felt * lv.second * x.t, "b": b.c * x.c}


def parts(**more):
    return {
        "latent": [iclv.Latent("first", on=["x", "age"]), iclv.Latent("second", on=["first"])],
        "indicators": [iclv.Continuous(f"y{k}", of="first" if k < 3 else "second") for k in range(5)],
        **more,
    }


WITH_CHOICE = parts(
    choice=iclv.Logit(utility, "choice"),
    random={"t": iclv.Normal(), "c": iclv.LogNormal()},
    covariances=[("t", "first")],
    define={"felt": lambda p: p.asc * p.g},
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(parts(covariances=[("y0", "y3")]), id="items"),
        pytest.param(WITH_CHOICE, id="items and a choice", marks=pytest.mark.slow),
    ],
)
def test_equal_to_automatic_differentiation(options, monkeypatch):
    monkeypatch.setattr(_given, "FEW_PEOPLE", 0)
    problem = iclv.Model(**options).bind(data(), person="id", integration=iclv.Conditioned(iclv.Adaptive(6)))
    assert len(problem.core.structure.system.patterns) == 2
    params = problem.start() + 0.05 * jnp.asarray(np.random.default_rng(2).normal(size=len(problem.names)))
    core = problem.recentre(params).core
    found, wanted = (
        jax.jit(function)(core, params) for function in (_given.expand_exact, _exact.expand_by_blocks)
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * float(jnp.abs(other).max()))


def test_points_have_the_moments_of_people():
    rng = np.random.default_rng(3)
    known = rng.normal(size=(30, 4)) * [1.0, 1e-3, 1e4, 1.0] + [0.0, 5.0, -3e4, 2.0]
    known[:, 3] = known[:, 0] - known[:, 1]
    weights = rng.uniform(0.5, 2.0, 30)
    mean = weights @ known / weights.sum()
    square = (known - mean).T @ ((known - mean) * weights[:, None])
    points, weight = _given._points(jnp.asarray(weights.sum()), jnp.asarray(mean), jnp.asarray(square))
    assert points.shape == (5, 4)
    np.testing.assert_allclose(np.asarray(points).mean(axis=0), mean, rtol=1e-12)
    apart = np.asarray(points) - mean
    np.testing.assert_allclose(float(weight) * apart.T @ apart, square, rtol=1e-9, atol=1e-12)
