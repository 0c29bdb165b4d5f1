"""A stack of continuous items whose residuals covary: normal together given the latent variables.

A missing item leaves the covariance matrix of the others: its row and column are those of the identity.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._linear import cholesky, precision, regressed, solve_lower
from iclv_jax._base._types import Array, Bool, CellTree, Float, Scalar
from iclv_jax._density._block import Block
from iclv_jax._density._items import Items
from iclv_jax._density._world import World
from iclv_jax._panel import Person
from iclv_jax._parameters import RESIDUAL


@dataclass(frozen=True)
class Correlated(Items):
    """Items meet through their residuals here, so that they cannot be taken one by one: derivatives are the usual ones of a
    block."""

    first = Block.first
    second = Block.second
    merge = Block.merge

    def each(self, cells: CellTree, person: Person, world: World) -> Float[Array, " item"]:
        # Each row given those before it that were answered.
        data = person.data[self.at]
        lower = cholesky(covariance_of(cells, data.occurs))
        away = solve_lower(lower, self._residual(cells, person, world))
        return -0.5 * (away**2 + jnp.log(2.0 * jnp.pi)) - jnp.log(jnp.diagonal(lower))

    def log_density(self, cells: CellTree, person: Person, world: World) -> Scalar:
        occurs, residual = person.data[self.at].occurs, self._residual(cells, person, world)
        known = regressed(covariance_of(cells, occurs), residual)
        constant = jnp.sum(jnp.where(occurs, jnp.log(2.0 * jnp.pi), 0.0))
        return -0.5 * (known.square + known.log_determinant + constant)

    def sample(self, cells: CellTree, world: World, key: Array) -> Array:
        mean = self.expected_at(cells, self.index(cells, world.eta, world.covariates)).mean
        lower = cholesky(covariance_of(cells, jnp.ones(mean.shape, bool)))
        return mean + lower @ jax.random.normal(key, mean.shape, mean.dtype)

    def _residual(self, cells: CellTree, person: Person, world: World) -> Float[Array, " item"]:
        data = person.data[self.at]
        mean = self.expected_at(cells, self.index(cells, world.eta, world.covariates)).mean
        return jnp.where(data.occurs, data.outcome - mean, 0.0)


def covariance_of(cells: CellTree, occurs: Bool[Array, " item"]) -> Float[Array, "item item"]:
    """The covariance of the residuals of the items that were answered, the identity elsewhere."""
    whole = cells[RESIDUAL] + jnp.diag(cells["variance"])
    return jnp.where(occurs[:, None] & occurs[None, :], whole, jnp.diag(jnp.where(occurs, 0.0, 1.0)))


def precision_of(cells: CellTree, occurs: Bool[Array, " item"]) -> tuple[Float[Array, "item item"], Scalar]:
    """Its inverse and the log of its determinant; NaN where it is not positive definite."""
    return precision(covariance_of(cells, occurs))
