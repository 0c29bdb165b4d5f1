"""Structural equations: from standard normal shocks to latent variables and random coefficients.

`eta = B eta + Gamma x + alpha + zeta`, `zeta = chol(Psi) u`, with the latent variables in causal
order, so that B is strictly lower triangular. Random coefficients are `transform(mean + S chol(R) u)`
with S the diagonal matrix of (signed) standard deviations and R the correlation matrix.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from iclv_jax._linear import cholesky, solve_lower
from iclv_jax._spec import Mixing
from iclv_jax._types import Array, Arrays, Float


def reduced_form(
    cells: Arrays, covariates: Float[Array, " covariate"]
) -> tuple[Float[Array, " latent"], Float[Array, "latent latent"]]:
    """Mean and factor such that the latent variables are `mean + factor @ shocks`.

    The Cholesky factor is NaN where Psi is not positive definite.
    """
    size = cells["intercepts"].shape[0]
    if size == 0:
        return jnp.zeros(0), jnp.zeros((0, 0))
    root = cholesky(cells["disturbance"])
    right = jnp.concatenate([root, jnp.eye(size)], axis=1)
    total = solve_lower(jnp.eye(size) - cells["paths"], right)
    index = cells["intercepts"] + cells["slopes"] @ covariates
    return total[:, size:] @ index, total[:, :size]


def latent_variables(
    cells: Arrays, covariates: Float[Array, " covariate"], shocks: Float[Array, " latent"]
) -> Float[Array, " latent"]:
    """One person's latent variables."""
    mean, factor = reduced_form(cells, covariates)
    return mean + factor @ shocks


def random_coefficients(
    cells: Arrays,
    random: Sequence[tuple[int, Mixing]],
    correlated: bool,
    shocks: Float[Array, " random"],
) -> Float[Array, " coefficient"]:
    """All coefficients of the utilities, the random ones at these shocks."""
    coefficients = cells["coefficients"]
    if not random:
        return coefficients
    spreads = cells["spreads"]
    if correlated:
        correlation = cells["covariances"] / jnp.outer(spreads, spreads) + jnp.eye(len(random))
        shocks = cholesky(correlation) @ shocks
    at = np.array([position for position, _ in random])
    normal = coefficients[at] + spreads * shocks
    values = [mixing.transform(normal[i]) for i, (_, mixing) in enumerate(random)]
    return coefficients.at[at].set(jnp.stack(values))
