"""Linear structural equations."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar, Shocks
from iclv_jax._density._places import Places
from iclv_jax._density._system import Bend, System, reduced_form, structural, with_drivers
from iclv_jax._density._world import Expanded, World
from iclv_jax._panel import Person


@dataclass(frozen=True)
class Linear(System):
    """`eta = mean(x) + factor @ shocks`."""

    latents: int
    drivers: int
    linked: bool

    @property
    def linear(self) -> bool:
        return True

    def world(self, cells: CellTree, person: Person, shocks: Shocks) -> tuple[World, Scalar]:
        mean, factor = reduced_form(structural(cells), person.covariates)
        eta = mean + shocks[: self.moved] @ factor.T
        return World(with_drivers(eta, shocks), person.covariates), jnp.zeros(())

    def expand(
        self, places: Places, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]
    ) -> tuple[Expanded, Bend]:
        centre, own = places.taken(cells), shocks[:, : self.moved]

        def form(values: Array) -> tuple[Array, Array]:
            return reduced_form(places.replaced(cells, values), person.covariates)

        mean, factor = form(centre)
        mean_slopes, factor_slopes = jax.jacfwd(form)(centre)
        slopes = jnp.concatenate([mean_slopes[None], jnp.swapaxes(factor_slopes, 0, 1)])
        eta = jax.vmap(with_drivers)(mean[None, :] + own @ factor.T, shocks)
        ones = jnp.ones((shocks.shape[0], 1))

        def bend(pull: Array) -> Array:
            total, across = pull.sum(axis=0), pull.T @ own

            def along(values: Array) -> Scalar:
                mean, factor = form(values)
                return jnp.dot(total, mean) + jnp.sum(across * factor)

            return jax.hessian(along)(centre)

        return Expanded(eta, jnp.concatenate([ones, own], axis=1), slopes), bend
