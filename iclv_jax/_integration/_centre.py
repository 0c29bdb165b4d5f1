"""Posterior-centred nodes: each person's mode and curvature, and nodes placed there.

The mode of `log f(data | u) - u'u / 2` is found by Newton's method with backtracking, person by
person, until the gradient is below `GRADIENT`. Nodes are `u = m + C v` with `C C'` the inverse of the
negative Hessian there, and log weights `a + log phi(u) - log phi(v) + log |C|` (Liu and Pierce 1994).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from iclv_jax._types import Array, Bool, Float, Int, Scalar, Shocks

GRADIENT = 1e-8
ITERATIONS = 200
HALVINGS = 60
WIDEST = 0.25
"""Smallest precision of a proposal: where the posterior is not log-concave it has at most twice
the standard deviation of the prior."""


class Nodes(NamedTuple):
    """Where a person's integral is evaluated; arrays over people have a first axis more."""

    shocks: Float[Array, "node dimension"]
    log_weights: Float[Array, " node"]


class Centre(NamedTuple):
    """A person's mode, proposal factor, and how the search for the mode ended."""

    mode: Shocks
    factor: Float[Array, "dimension dimension"]
    gradient: Scalar
    found: Bool[Array, ""]
    log_concave: Bool[Array, ""]
    iterations: Int[Array, ""]


class _Search(NamedTuple):
    point: Shocks
    value: Scalar
    gradient: Shocks
    iterations: Int[Array, ""]
    stuck: Bool[Array, ""]


def find_centre(log_density: Callable[[Shocks], Scalar], dimension: int) -> Centre:
    """Mode and curvature of the posterior density of one person's shocks, from the prior's mode."""

    def negative(u: Shocks) -> Scalar:
        return 0.5 * jnp.dot(u, u) - log_density(u)

    value_and_gradient = jax.value_and_grad(negative)
    curvature = jax.hessian(negative)
    start = jnp.zeros(dimension)

    def unfinished(s: _Search) -> Array:
        steep = jnp.max(jnp.abs(s.gradient), initial=0.0) > GRADIENT
        return steep & ~s.stuck & (s.iterations < ITERATIONS)

    def improve(s: _Search) -> _Search:
        step = -_solve(curvature(s.point), s.gradient)
        slope = jnp.dot(step, s.gradient)
        length = _backtrack(negative, s.point, s.value, step, slope)
        point = s.point + length * step
        value, gradient = value_and_gradient(point)
        # At rounding level the value no longer falls; a full step that flattens the gradient is kept.
        flatter = jnp.max(jnp.abs(gradient)) < jnp.max(jnp.abs(s.gradient))
        better = (length > 0.0) & jnp.isfinite(value) & ((value < s.value) | flatter)
        kept = jax.tree.map(
            lambda a, b: jnp.where(better, a, b), (point, value, gradient), (s.point, s.value, s.gradient)
        )
        return _Search(*kept, s.iterations + 1, ~better)

    first = _Search(start, *value_and_gradient(start), jnp.zeros((), int), jnp.zeros((), bool))
    end = jax.lax.while_loop(unfinished, improve, first)
    steepness = jnp.max(jnp.abs(end.gradient), initial=0.0)
    factor, concave = _proposal(curvature(end.point))
    return Centre(end.point, factor, steepness, steepness <= GRADIENT, concave, end.iterations)


def _solve(matrix: Array, vector: Array) -> Array:
    """Newton direction with the eigenvalues made at least one: the prior alone gives curvature 1."""
    values, vectors = jnp.linalg.eigh(matrix)
    size = jnp.maximum(jnp.abs(values), 1.0)
    return vectors @ ((vectors.T @ vector) / size)


def _backtrack(
    function: Callable[[Shocks], Scalar], point: Shocks, value: Scalar, step: Shocks, slope: Scalar
) -> Scalar:
    """Largest of 1, 1/2, 1/4, ... that decreases the function enough; zero when none does.

    A decrease lost in rounding counts as enough, so that the last Newton steps are taken whole.
    """
    noise = 1e-14 * (1.0 + jnp.abs(value))

    def too_long(state: tuple[Array, Array]) -> Array:
        length, halvings = state
        reached = function(point + length * step)
        enough = reached <= value + 1e-4 * length * slope + noise
        return ~enough & (halvings < HALVINGS)

    length, halvings = jax.lax.while_loop(
        too_long, lambda s: (0.5 * s[0], s[1] + 1), (jnp.ones(()), jnp.zeros((), int))
    )
    return jnp.where(halvings < HALVINGS, length, 0.0)


def _proposal(precision: Array) -> tuple[Array, Array]:
    """A factor C of the proposal's covariance, and whether the posterior is log-concave here."""
    values, vectors = jnp.linalg.eigh(precision)
    concave = jnp.all(values > WIDEST)
    safe = jnp.where(jnp.isfinite(values), jnp.maximum(values, WIDEST), 1.0)
    guarded = (vectors * safe) @ vectors.T
    usable = jnp.where(jnp.all(jnp.isfinite(guarded)), guarded, jnp.eye(values.shape[0]))
    # Upper-triangular inverse of the Cholesky factor of the precision: C C' = precision^-1.
    lower = jnp.linalg.cholesky(usable)
    return jax.scipy.linalg.solve_triangular(lower, jnp.eye(values.shape[0]), lower=True).T, concave


def place(points: Float[Array, "node dimension"], log_weights: Float[Array, " node"], centre: Centre) -> Nodes:
    """Standard points moved to a person's posterior, with the weights of the change of variable."""
    shocks = centre.mode + points @ centre.factor.T
    volume = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(centre.factor))))
    change = 0.5 * (jnp.sum(points**2, axis=-1) - jnp.sum(shocks**2, axis=-1))
    return Nodes(shocks, log_weights + change + volume)
