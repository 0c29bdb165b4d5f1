"""A maximum is probed before it is reported: other maxima are found and said, and what cannot have any costs nothing."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv


@pytest.mark.parametrize(
    ("function", "linear"),
    [
        (lambda b, x: b.a + b.t * x.t - 2.0 * (b.c * x.c) / x.t, True),
        (lambda b, x: jnp.where(x.t > 0.0, b.a, b.c) * x.c, True),
        (lambda b, x: x.t**2, True),
        (lambda b, x: b.a * (b.t * x.t), False),
        (lambda b, x: jnp.exp(b.a) * x.t, False),
        (lambda b, x: x.t / b.a, False),
        (lambda b, x: jnp.where(b.a > 0.0, x.t, x.c), False),
        (lambda b, x: jnp.where(x.t > 0.0, b.a**2, 0.0), False),
    ],
)
def test_utilities_that_are_linear(function, linear):
    choice = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: function(b, x), 0: 0.0}, "y")).spec.choices[0]
    assert choice.utility.linear is linear


def of_three_kinds(people=100, rows=6, seed=6):
    """Binary choices of people of three kinds."""
    g = np.random.default_rng(seed)
    size = people * rows
    frame = pd.DataFrame({"id": np.repeat(np.arange(people), rows)})
    for name, (low, high) in {"t": (20, 60), "c": (5, 25), "h": (15, 60)}.items():
        for j in (1, 2):
            frame[f"{name}{j}"] = g.uniform(low, high, size)
    for j in (1, 2):
        frame[f"i{j}"] = g.integers(0, 3, size).astype(float)
    h = np.random.default_rng(seed)
    kinds = np.array(
        [[-0.2, -0.02, -0.01, -0.3, 1.5], [-0.01, -0.5, -0.01, -0.3, 0.0], [-0.01, -0.02, -0.15, -2.0, -1.5]]
    )
    own = kinds[np.repeat(h.integers(0, 3, people), rows)]
    x = np.stack([*(frame[f"{k}1"] - frame[f"{k}2"] for k in "tchi"), np.ones(size)], axis=1)
    frame["y"] = np.where(h.logistic(size=size) < (own * x).sum(axis=1), 1, 2)
    return frame


def member(s):
    def utility(b, x, lv):
        found = {j: sum(b[f"{k}{s}"] * x[f"{k}{j}"] for k in "tchi") for j in (1, 2)}
        return {1: found[1] + b[f"a{s}"], 2: found[2]}

    return iclv.Logit(utility, "y")


@pytest.mark.slow
def test_a_higher_maximum_of_two_classes():
    """The default start alone ends at -311.04."""
    choice = iclv.LatentClasses(
        lambda b, x, lv: {"one": b.m, "two": 0.0}, {"one": member("1"), "two": member("2")}
    )
    fit = iclv.Model(choice=choice).fit(of_three_kinds(), person="id", progress=False)
    assert fit.converged and fit.llf == pytest.approx(-307.291, abs=2e-3)
    report = fit.optimizer_report
    assert "first ended at log L -311.04" in report.remarks[0] and "-307.291" in str(fit.summary())
    assert "starts around it lead back to it" in report.message
    assert "probe" in set(fit.trace["stage"])
