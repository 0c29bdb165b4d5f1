"""Factors of small matrices against LAPACK, with their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iclv_jax._base._linear import cholesky, effects, solve_lower, solve_upper


def positive(size, people=4):
    draws = np.random.default_rng(size).standard_normal((people, size, size + 2))
    return jnp.asarray(draws @ draws.transpose(0, 2, 1))


@pytest.mark.gate("5", "1")
@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_factors_and_solutions_are_those_of_lapack(size):
    matrices = positive(size)
    right = jnp.asarray(np.random.default_rng(0).standard_normal((size, 3)))
    for matrix in matrices:
        lower = np.linalg.cholesky(matrix)
        np.testing.assert_allclose(cholesky(matrix), lower, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(solve_lower(lower, right), np.linalg.solve(lower, right), rtol=1e-10)
        np.testing.assert_allclose(solve_upper(lower.T, right), np.linalg.solve(lower.T, right), rtol=1e-10)
        vector = np.linalg.solve(lower, right[:, 0])
        np.testing.assert_allclose(solve_lower(lower, right[:, 0]), vector, rtol=1e-10)
    np.testing.assert_allclose(
        jax.vmap(cholesky)(matrices), np.linalg.cholesky(matrices), rtol=1e-12, atol=1e-13
    )


@pytest.mark.slow
def test_derivatives_are_those_of_lapack():
    start, direction = positive(4)[:2]

    def value(factor, t):
        lower = factor(start + t * direction)
        return jnp.sum(jnp.sin(lower) @ jnp.arange(1.0, 5.0))

    for derivative in (jax.grad, lambda f: jax.jacfwd(jax.grad(f))):
        ours, theirs = (derivative(lambda t, f=f: value(f, t))(0.1) for f in (cholesky, jnp.linalg.cholesky))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 5, pytest.param(9, marks=pytest.mark.slow)])
def test_effects_of_paths_are_the_inverse(size):
    paths = jnp.tril(jnp.asarray(np.random.default_rng(size).standard_normal((3, size, size))), -1)
    inverse = np.linalg.inv(np.eye(size) - np.asarray(paths))
    np.testing.assert_allclose(jax.vmap(effects)(paths), inverse, rtol=1e-11, atol=1e-12)

    def value(total, t):
        moved = paths[0] + t * paths[1] + t**2 * paths[2]
        return jnp.sum(jnp.sin(total(moved)) @ jnp.arange(1.0, size + 1.0))

    def by_lapack(moved):
        return jnp.linalg.inv(jnp.eye(size) - moved)

    for derivative in (
        jax.grad,
        jax.jacfwd,
        lambda f: jax.jacfwd(jax.grad(f)),
        lambda f: jax.grad(jax.grad(f)),
    ):
        ours, theirs = (derivative(lambda t, f=f: value(f, t))(0.1) for f in (effects, by_lapack))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_matrix_that_is_not_positive_definite_has_no_factor():
    assert np.isnan(cholesky(jnp.array([[1.0, 2.0], [2.0, 1.0]]))).any()
    assert np.isnan(cholesky(jnp.array([[0.0, 0.0], [0.0, 1.0]]))).any()


def test_nothing_is_its_own_factor():
    assert cholesky(jnp.zeros((0, 0))).shape == effects(jnp.zeros((0, 0))).shape == (0, 0)
    assert solve_upper(jnp.zeros((0, 0)), jnp.zeros((0, 2))).shape == (0, 2)
