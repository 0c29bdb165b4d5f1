"""Posterior-centred nodes: each person's mode and curvature, and nodes placed there.

The mode of `log f(data | u) - u'u / 2` is found by Newton's method with backtracking, person by
person, until the gradient is below `GRADIENT`. Nodes are `u = m + C v` with `C C'` the inverse of the
negative Hessian there, and log weights `a + log phi(u) - log phi(v) + log |C|` (Liu and Pierce 1994).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from iclv_jax._base._linear import cholesky, eigh, solve_lower, solve_upper
from iclv_jax._base._types import Array, Bool, Float, Int, Scalar, Shocks

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
    """The best point so far, the Newton step from it, and the share of the step to try next."""

    point: Shocks
    value: Scalar
    gradient: Shocks
    precision: Float[Array, "dimension dimension"]
    step: Shocks
    length: Scalar
    iterations: Int[Array, ""]
    halvings: Int[Array, ""]


def find_centre(log_density: Callable[[Shocks], Scalar], dimension: int) -> Centre:
    """Mode and curvature of the posterior density of one person's shocks, from the prior's mode.

    Value, gradient and curvature are evaluated together at one trial point per turn of the loop, so
    that the density is compiled once.
    """

    def negative(u: Shocks) -> Scalar:
        return 0.5 * jnp.dot(u, u) - log_density(u)

    def slopes(u: Shocks) -> tuple[Shocks, tuple[Scalar, Shocks]]:
        value, gradient = jax.value_and_grad(negative)(u)
        return gradient, (value, gradient)

    def unfinished(s: _Search) -> Array:
        steep = ~(jnp.max(jnp.abs(s.gradient), initial=0.0) <= GRADIENT)
        return steep & (s.iterations < ITERATIONS) & (s.halvings < HALVINGS)

    def turn(s: _Search) -> _Search:
        trial = s.point + s.length * s.step
        precision, (value, gradient) = jax.jacfwd(slopes, has_aux=True)(trial)
        better = _better(s, value, gradient)
        shorter = s._replace(length=0.5 * s.length, halvings=s.halvings + 1)
        moved = _Search(
            trial,
            value,
            gradient,
            precision,
            -_solve(precision, gradient),
            jnp.ones(()),
            s.iterations + 1,
            jnp.zeros((), int),
        )
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), moved, shorter)

    nowhere = jnp.full(dimension, jnp.inf)
    zero, none = jnp.zeros(dimension), jnp.zeros((), int)
    first = _Search(zero, jnp.asarray(jnp.inf), nowhere, jnp.eye(dimension), zero, jnp.ones(()), none, none)
    end = jax.lax.while_loop(unfinished, turn, first)
    steepness = jnp.max(jnp.abs(end.gradient), initial=0.0)
    factor, concave = _proposal(end.precision)
    return Centre(end.point, factor, steepness, steepness <= GRADIENT, concave, end.iterations)


def _better(s: _Search, value: Scalar, gradient: Shocks) -> Array:
    """Whether a trial point decreases enough; any finite point is better than none.

    A decrease lost in rounding counts when the gradient becomes flatter, so that the last Newton
    steps are taken whole.
    """
    slope = jnp.dot(s.step, jnp.where(jnp.isfinite(s.gradient), s.gradient, 0.0))
    enough = value <= s.value + 1e-4 * s.length * slope
    noise = 1e-13 * (1.0 + jnp.abs(value))
    flatter = jnp.max(jnp.abs(gradient), initial=0.0) < jnp.max(jnp.abs(s.gradient), initial=0.0)
    return jnp.isfinite(value) & (enough | ((value <= s.value + noise) & flatter))


def _solve(matrix: Array, vector: Array) -> Array:
    """Newton direction with the eigenvalues made at least one: the prior alone gives curvature 1."""
    values, vectors = eigh(matrix)
    size = jnp.maximum(jnp.abs(values), 1.0)
    return vectors @ ((vectors.T @ vector) / size)


def _proposal(precision: Array) -> tuple[Array, Array]:
    """A factor C of the proposal's covariance, and whether the posterior is log-concave here."""
    values, vectors = eigh(precision)
    concave = jnp.all(values > WIDEST)
    safe = jnp.where(jnp.isfinite(values), jnp.maximum(values, WIDEST), 1.0)
    guarded = (vectors * safe[None, :]) @ vectors.T
    usable = jnp.where(jnp.all(jnp.isfinite(guarded)), guarded, jnp.eye(values.shape[0]))
    # Upper-triangular inverse of the Cholesky factor of the precision: C C' = precision^-1.
    lower = cholesky(usable)
    return solve_lower(lower, jnp.eye(values.shape[0])).T, concave


def place(
    points: Float[Array, "node dimension"],
    log_weights: Float[Array, " node"],
    centre: Centre,
    from_prior: int,
) -> Nodes:
    """Standard points moved to a person's posterior, with the weights of the change of variable.

    With `from_prior` the last points stay, and all are weighted by the mixture that they come from.
    """
    mode = centre.mode[None, :]
    shocks = mode + points @ centre.factor.T
    log_prior = -0.5 * jnp.sum(shocks**2, axis=-1)
    volume = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(centre.factor))))
    if not from_prior:
        return Nodes(shocks, log_weights + log_prior + 0.5 * jnp.sum(points**2, axis=-1) + volume)
    count = points.shape[0]
    share = from_prior / count
    shocks = jnp.concatenate([shocks[: count - from_prior], points[count - from_prior :]])
    standard = solve_upper(centre.factor, (shocks - mode).T)
    log_proposal = -0.5 * jnp.sum(standard**2, axis=0) - volume
    log_prior = -0.5 * jnp.sum(shocks**2, axis=-1)
    log_mixture = jnp.logaddexp(jnp.log1p(-share) + log_proposal, jnp.log(share) + log_prior)
    return Nodes(shocks, log_weights + log_prior - log_mixture)


def place_mixture(
    points: Float[Array, "node dimension"],
    log_weights: Float[Array, " node"],
    centres: Centre,
    from_prior: int,
) -> Nodes:
    """Draws of equal weights, in equal parts at each of several centres of one person (arrays with a first axis more), the
    last `from_prior` from the prior; all are weighted by the mixture that they come from (Owen and Zhou 2000)."""
    count, parts = points.shape[0], centres.mode.shape[0]
    ends = np.linspace(0, count - from_prior, parts + 1).round().astype(int)
    placed = [
        centres.mode[k][None, :] + points[a:b] @ centres.factor[k].T
        for k, (a, b) in enumerate(pairwise(ends.tolist()))
    ]
    shocks = jnp.concatenate([*placed, points[count - from_prior :]])

    def log_proposal(mode: Array, factor: Array) -> Array:
        volume = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(factor))))
        return -0.5 * jnp.sum(solve_upper(factor, (shocks - mode[None, :]).T) ** 2, axis=0) - volume

    log_prior = -0.5 * jnp.sum(shocks**2, axis=-1)
    each = jnp.concatenate([jax.vmap(log_proposal)(centres.mode, centres.factor), log_prior[None, :]])
    shares = np.append(np.diff(ends), from_prior) / count
    log_shares = np.log(np.where(shares > 0.0, shares, 1.0)) + np.where(shares > 0.0, 0.0, -np.inf)
    return Nodes(shocks, log_weights + log_prior - logsumexp(each + log_shares[:, None], axis=0))
