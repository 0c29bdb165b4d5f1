"""Normal items with hardly any error: the likelihood keeps its digits, and its lack of a maximum is found."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.test_util import check_grads
from scipy.stats import multivariate_normal

import iclv_jax as iclv
from iclv_jax._base._linear import precision, regressed

OF = {"a": ["g", "f"], "b": ["g", "f"], "c": ["g", "f"], "d": ["g"], "e": ["g"]}
SCORES = np.random.default_rng(0).normal(size=(40, 5))
SMALL = "a ~~ a"


def model(**options):
    items = [iclv.Continuous(v, of=of) for v, of in OF.items()]
    return iclv.Model([iclv.Latent("g"), iclv.Latent("f")], items, **options)


def values(problem, variance):
    start = dict(zip(problem.names, (float(v) for v in problem.start()), strict=True))
    loadings = {n: 0.5 + 0.1 * k for k, n in enumerate(n for n in start if "=~" in n)}
    return start | loadings | {SMALL: variance}


def expected(given):
    """The log-likelihood by the covariance matrix of the items, which is not singular."""
    loadings = np.array([[given.get(f"{f} =~ {v}", 0.0) for f in "gf"] for v in OF])
    errors = np.diag([given[f"{v} ~~ {v}"] for v in OF])
    errors[3, 4] = errors[4, 3] = given.get("d ~~ e", 0.0)
    mean = [given[f"{v} ~ 1"] for v in OF]
    return multivariate_normal(mean, loadings @ loadings.T + errors).logpdf(SCORES).sum()


@pytest.mark.parametrize("covariances", [(), (("d", "e"),)], ids=["apart", "residuals covary"])
def test_the_log_likelihood_of_items_with_hardly_any_error(covariances):
    problem = model(covariances=covariances).bind(pd.DataFrame(SCORES, columns=list(OF)))
    loglike = jax.jit(problem.loglike)
    for variance, allowed in ((1e-2, 1e-9), (1e-6, 1e-7), (1e-8, 1e-5), (1e-10, 1e-3)):
        given = values(problem, variance) | ({"d ~~ e": 0.2} if covariances else {})
        found = float(loglike(problem.vector(given)))
        assert found == pytest.approx(expected(given), abs=allowed), variance
    # Where rounding is all that is left, it makes no maximum.
    assert float(loglike(problem.vector(values(problem, 1e-13)))) < expected(values(problem, 1e-13)) + 1.0


def test_slopes_of_items_with_hardly_any_error():
    problem = model().bind(pd.DataFrame(SCORES, columns=list(OF)))
    given, step = values(problem, 1e-7), 1e-5
    score = dict(zip(problem.names, np.asarray(problem.score(problem.vector(given))), strict=True))
    for name in ("g =~ a", "f =~ a", "f =~ b", "a ~ 1", "d ~~ d"):
        ahead, behind = (expected(given | {name: given[name] + s}) for s in (step, -step))
        assert score[name] == pytest.approx((ahead - behind) / (2 * step), rel=1e-4, abs=1e-3), name
    ahead, behind = (expected(given | {SMALL: given[SMALL] * (1 + s)}) for s in (0.01, -0.01))
    assert score[SMALL] * given[SMALL] == pytest.approx((ahead - behind) / 0.02, abs=1e-5)


@pytest.mark.parametrize("size", [0, 1, 4])
def test_a_positive_definite_matrix_and_a_vector(size):
    random = np.random.default_rng(size)
    root, right = random.normal(size=(size, size)), random.normal(size=size)
    matrix = root @ root.T + np.eye(size)
    found, (inverse, log_determinant) = regressed(matrix, right), precision(matrix)
    np.testing.assert_allclose(found.inverse, inverse, atol=1e-12)
    np.testing.assert_allclose(found.log_determinant, log_determinant, atol=1e-12)
    np.testing.assert_allclose(found.solution, inverse @ right, atol=1e-12)
    np.testing.assert_allclose(found.square, right @ inverse @ right, atol=1e-12)
    if size:
        given = (jnp.asarray(root), jnp.asarray(right))
        check_grads(lambda r, b: regressed(r @ r.T + jnp.eye(size), b), given, order=2, atol=1e-4, rtol=1e-4)
        assert np.isnan(regressed(-matrix, right).square)


@pytest.mark.slow
def test_a_bifactor_model_without_a_maximum_ends_where_its_variance_is_zero():
    pupils = iclv.datasets.holzinger_swineford(download=True)
    factors = {"visual": ["x1", "x2", "x3"], "textual": ["x4", "x5", "x6"], "speed": ["x7", "x8", "x9"]}
    items = [iclv.Continuous(x, of=["general", f]) for f, tests in factors.items() for x in tests]
    bifactor = iclv.Model([iclv.Latent("general"), *map(iclv.Latent, factors)], items)
    fit = bifactor.fit(pupils, progress=False)
    assert not fit.converged and "x1 ~~ x1 goes to zero" in str(fit.summary())
    assert fit.llf == pytest.approx(-3712.5761, abs=1e-3)
