"""Products and squares of latent variables against the mixture of normals that Klein and Moosbrugger (2000) integrate.

Given the latent variable that is multiplied, everything else is normal: the likelihood is a sum of normal densities over the
nodes of one Gauss-Hermite rule. This is numpy and scipy alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import iclv_jax as iclv

TESTS = {"visual": ["x1", "x2", "x3"], "speed": ["x7", "x8", "x9"], "textual": ["x4", "x5", "x6"]}
COLUMNS = [x for tests in TESTS.values() for x in tests]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(100)
TANH = 27
"""The place of the correlation among the parameters, behind nine loadings, intercepts and log variances."""


def log_densities(params, scores):
    """Of each pupil: with visual ability v, speed is r v + e, textual ability a v + q v^2 + (b + d v) speed + z."""
    loadings, levels, variances = params[:9], params[9:18], np.exp(params[18:27])
    r, (a, b, d, q) = np.tanh(params[TANH]), params[TANH + 1 :]
    design = np.zeros((9, 3))
    for at in range(3):
        design[3 * at : 3 * at + 3, at] = loadings[3 * at : 3 * at + 3]
    slope, rest = b + d * NODES, 1.0 - r * r
    means = np.stack([NODES, r * NODES, a * NODES + q * NODES**2 + slope * r * NODES], axis=1)
    inner = np.zeros((len(NODES), 3, 3))
    inner[:, 1, 1], inner[:, 2, 2] = rest, slope**2 * rest + 1.0
    inner[:, 1, 2] = inner[:, 2, 1] = slope * rest
    factor = np.linalg.cholesky(design @ inner @ design.T + np.diag(variances))
    away = scores - (levels + means @ design.T)[:, None]
    units = np.linalg.solve(factor, away.transpose(0, 2, 1))
    logs = -0.5 * (units**2).sum(axis=1) - 4.5 * np.log(2.0 * np.pi)
    logs -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    logs += np.log(WEIGHTS / WEIGHTS.sum())[:, None]
    return np.logaddexp.reduce(logs, axis=0)


def maximum(scores):
    spread = scores.std(axis=0)
    params = np.r_[0.8 * spread, scores.mean(axis=0), np.log(0.25 * spread**2), 0.4, 0.4, 0.1, 0.0, 0.0]
    for _ in range(2):
        params = minimize(lambda p: -log_densities(p, scores).sum(), params, method="BFGS").x
    return log_densities(params, scores).sum(), params


def ability(b, x, lv):
    return b.visual * lv.visual + b.speed * lv.speed + b.both * lv.visual * lv.speed + b.square * lv.visual**2


def model():
    latent = [iclv.Latent("visual"), iclv.Latent("speed"), iclv.Latent("textual", on=ability)]
    items = [iclv.Continuous(x, of=f) for f, tests in TESTS.items() for x in tests]
    return iclv.Model(latent, items, covariances=[("visual", "speed")])


def named(params):
    """The parameters of the mixture under their names here."""
    owner = {x: f for f, tests in TESTS.items() for x in tests}
    values = {f"{owner[x]} =~ {x}": v for x, v in zip(COLUMNS, params[:9], strict=True)}
    values |= {f"{x} ~ 1": v for x, v in zip(COLUMNS, params[9:18], strict=True)}
    values |= {f"{x} ~~ {x}": np.exp(v) for x, v in zip(COLUMNS, params[18:27], strict=True)}
    effects = dict(zip(("visual", "speed", "both", "square"), params[TANH + 1 :], strict=True))
    return values | effects | {"visual ~~ speed": np.tanh(params[TANH])}


def test_the_log_likelihood_of_each_person_is_that_of_the_mixture():
    random = np.random.default_rng(0)
    scores = random.normal(size=(12, 9))
    params = np.r_[np.full(9, 0.6), random.normal(size=9) * 0.1, np.zeros(9), 0.3, 0.4, -0.2, 0.3, 0.25]
    frame = pd.DataFrame(scores, columns=COLUMNS)
    problem = model().bind(frame, integration=iclv.GaussHermite(15))
    values = problem.vector(named(params))
    found = problem.recentre(values).loglike_person(values)
    np.testing.assert_allclose(found, log_densities(params, scores), atol=2e-6)


@pytest.mark.slow
def test_the_fit_is_the_maximum_of_the_mixture():
    pupils = iclv.datasets.holzinger_swineford(download=True)
    best, params = maximum(pupils[COLUMNS].to_numpy(float))
    fit = model().fit(pupils, integration=iclv.GaussHermite(11), progress=False)
    assert fit.llf == pytest.approx(best, abs=2e-4)
    expected = named(params)
    away = np.array([(fit.params[n] - expected[n]) / fit.bse[n] for n in expected])
    assert np.abs(away).max() < 2e-3
    page = (Path(__file__).parents[1] / "notebooks/howto/latent_interactions.md").read_text(encoding="utf-8")
    assert f"by the mixture {best:.3f}" in page
    shown = ("visual", "speed", "both", "square", "visual ~~ speed")
    assert all(f'"{name}": {expected[name]:.5f}' in page for name in shown[:4])
