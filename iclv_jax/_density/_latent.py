"""Structural equations: from standard normal shocks to latent variables and random coefficients.

`eta = B eta + Gamma x + alpha + zeta`, `zeta = chol(Psi) u`, with the latent variables in causal
order, so that B is strictly lower triangular. An equation may also be a function `g(parameters, x, eta)` of earlier latent
variables, plus its disturbance. Random coefficients are `transform(mean + S chol(R) u)`
with S the diagonal matrix of (signed) standard deviations and R the correlation matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._linear import cholesky, effects
from iclv_jax._base._types import Array, Arrays, Float
from iclv_jax._spec import Equation, Mixing
from iclv_jax._spec._equation import CELLS


@dataclass(frozen=True)
class Nonlinear:
    """A structural equation that is a function: of which latent variable (its name and place), and the places of its
    columns among the covariates and of its latent variables."""

    name: str
    place: int
    equation: Equation
    columns: tuple[int, ...]
    latents: tuple[int, ...]

    def __call__(self, cells: Arrays, covariates: Array, eta: Array) -> Array:
        columns, latents = covariates[np.array(self.columns, int)], eta[np.array(self.latents, int)]
        return self.equation(cells[CELLS + self.name], columns, latents)


def reduced_form(
    cells: Arrays, covariates: Float[Array, " covariate"]
) -> tuple[Float[Array, " latent"], Float[Array, "latent latent"]]:
    """Mean and factor such that the latent variables are `mean + factor @ shocks`.

    The Cholesky factor is NaN where Psi is not positive definite. ValueError where an equation is a function.
    """
    check_linear(cells, "What was asked for")
    size = cells["intercepts"].shape[0]
    if size == 0:
        return jnp.zeros(0), jnp.zeros((0, 0))
    total = effects(cells["paths"])
    index = cells["intercepts"] + cells["slopes"] @ covariates
    return total @ index, total @ disturbance_factor(cells)


def disturbance_factor(cells: Arrays) -> Float[Array, "latent latent"]:
    """The Cholesky factor of Psi, which is given by its diagonal where no disturbances covary."""
    psi = cells["disturbance"]
    return jnp.diag(jnp.sqrt(psi)) if psi.ndim == 1 else cholesky(psi)


def check_linear(cells: Arrays, what: str) -> None:
    """Refuse what takes linear equations where one is a function."""
    functions = [key.removeprefix(CELLS) for key in cells if key.startswith(CELLS)]
    if functions:
        raise ValueError(
            f"{what} takes linear structural equations, but that of {functions[0]!r} is a function."
        )


def latent_variables(
    cells: Arrays,
    covariates: Float[Array, " covariate"],
    shocks: Float[Array, " latent"],
    nonlinear: Sequence[Nonlinear] = (),
) -> Float[Array, " latent"]:
    """One person's latent variables."""
    if not nonlinear:
        mean, factor = reduced_form(cells, covariates)
        return mean + shocks @ factor.T
    functions = {function.place: function for function in nonlinear}
    index = cells["intercepts"] + cells["slopes"] @ covariates + disturbance_factor(cells) @ shocks
    eta = jnp.zeros_like(index)
    for place in range(len(index)):
        value = index[place] + cells["paths"][place] @ eta
        if place in functions:
            value = value + functions[place](cells, covariates, eta)
        eta = eta.at[place].set(value)
    return eta


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
