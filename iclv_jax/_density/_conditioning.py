"""Exact conditioning: the normal distribution of the latent variables given normal items.

With `y = c + Lambda eta + e`, `e ~ N(0, D)` and `eta = mean + F u`, both the marginal density of y and
the distribution of eta given y are closed forms (Joereskog 1967; the posterior is that of Bayesian linear
regression). Missing items have precision zero. All of it is done in the space of the shocks, whose
precision `I + F' Lambda' D^-1 Lambda F` is never singular.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp

from iclv_jax._base._linear import cholesky, solve_lower, solve_upper
from iclv_jax._base._types import Array, Arrays, Bool, Float, Scalar
from iclv_jax._density._latent import reduced_form


class Conditional(NamedTuple):
    """`log_marginal` of the items, and mean and covariance of the latent variables given them."""

    log_marginal: Scalar
    mean: Float[Array, " latent"]
    covariance: Float[Array, "latent latent"]


def condition(
    cells: Arrays,
    covariates: Float[Array, " covariate"],
    items: Sequence[tuple[Arrays, Float[Array, " indicator"], Bool[Array, " indicator"]]],
) -> Conditional:
    """One person's latent variables given the person's items, each stack as (cells, values, observed)."""
    mean, factor = reduced_form(cells, covariates)
    size = mean.shape[0]
    loadings = jnp.concatenate([c["loadings"] for c, _, _ in items])
    intercepts = jnp.concatenate([c["intercept"] for c, _, _ in items])
    variances = jnp.concatenate([c["variance"] for c, _, _ in items])
    values = jnp.concatenate([v for _, v, _ in items])
    observed = jnp.concatenate([o for _, _, o in items])
    residual = jnp.where(observed, values - intercepts - loadings @ mean, 0.0)
    weight = jnp.where(observed, 1.0 / variances, 0.0)
    design = loadings @ factor
    precision = jnp.eye(size) + (design.T * weight[None, :]) @ design
    lower = cholesky(precision)
    pull = design.T @ (weight * residual)
    shock = solve_upper(lower.T, solve_lower(lower, pull))
    log_determinant = 2.0 * jnp.sum(jnp.log(jnp.diagonal(lower)))
    log_variances = jnp.sum(jnp.where(observed, jnp.log(2.0 * jnp.pi * variances), 0.0))
    square = jnp.dot(weight, residual**2) - jnp.dot(pull, shock)
    spread = solve_lower(lower, factor.T)
    return Conditional(
        -0.5 * (log_variances + log_determinant + square), mean + factor @ shock, spread.T @ spread
    )
