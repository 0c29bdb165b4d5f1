"""Nodes in parts for each latent class: posteriors with several modes, against a fine grid."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Adaptive, LatentClasses, Logit, Trapezoid
from iclv_jax._problem._target import better

PEOPLE, SEEDS = 80, range(4)


def member(sign):
    def utility(b, x, lv):
        return {1: sign * b.att * lv.mood * x.x + b.cost * x.c, 0: 0.0}

    return Logit(utility, "y")


@pytest.fixture(scope="module")
def problem():
    """Classes on which the latent variable has opposite effects: hardly anybody's posterior has one mode."""
    choice = LatentClasses(
        lambda b, x, lv: {"for": b.m, "against": 0.0}, {"for": member(1.0), "against": member(-1.0)}
    )
    model = iclv.Model(iclv.Latent("mood"), [], choice)
    g = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), 6), "x": g.normal(size=6 * PEOPLE)})
    frame["c"] = g.normal(size=len(frame))
    truth = {"m": 0.2, "att": 2.5, "cost": -0.5}
    data = model.simulate(truth, frame.assign(y=np.arange(len(frame)) % 2), seed=1, person="id")
    found = model.bind(data, person="id")
    params = found.vector(truth)
    return found, params, float(found.integrate(Trapezoid(801)).loglike(params))


def values(problem, params, proposal, draws):
    rules = [Adaptive(draws, "sobol", seed, draws, proposal=proposal) for seed in SEEDS]
    return np.array([float(problem.integrate(r).recentre(params).loglike(params)) for r in rules])


@pytest.mark.slow
def test_both_modes_have_nodes(problem):
    found, params, truth = problem
    at_one = np.abs(values(found, params, "mode", 32) - truth).mean()
    at_each = np.abs(values(found, params, "classes", 32) - truth).mean()
    assert at_each < 0.25 * at_one
    assert np.abs(values(found, params, "classes", 256) - truth).max() < 0.1


@pytest.mark.slow
def test_derivatives_are_those_at_the_nodes(problem):
    found, params, _ = problem
    placed = found.integrate(Adaptive(16, "sobol", 0, 16, proposal="classes")).recentre(params)
    score, step = np.asarray(placed.score(params)), 1e-5
    for i in range(len(params)):
        move = step * jnp.eye(len(params))[i]
        change = float(placed.loglike(params + move)) - float(placed.loglike(params - move))
        assert score[i] == pytest.approx(change / (2 * step), rel=1e-5, abs=1e-5)


@pytest.mark.slow
def test_the_rule_that_a_target_asks_for(problem):
    found, params, _ = problem
    rule = better(found, Adaptive(20, "sobol"), params, 5.0, 0.5)
    assert rule.by_moments and rule.size(1) >= 256


def test_without_classes_they_are_those_at_the_mean():
    data = pd.DataFrame(
        {"id": np.repeat(np.arange(10), 3), "x": np.linspace(-2, 2, 30), "y": np.arange(30) % 2}
    )
    model = iclv.Model(
        choice=Logit(lambda b, x, lv: {1: b.t * x.x, 0: 0.0}, "y"), random={"t": iclv.LogNormal()}
    )
    bound = model.bind(data, person="id")
    params = bound.vector({"t": 0.1, "t.sd": 0.7})
    one, other = values(bound, params, "classes", 16), values(bound, params, "mean", 16)
    np.testing.assert_array_equal(one, other)
