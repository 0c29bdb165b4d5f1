"""Structural equations of which some are functions of parameters, columns and earlier latent variables."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar, Shocks
from iclv_jax._density._places import Places
from iclv_jax._density._system import Bend, System, disturbance_factor, index, structural, with_drivers
from iclv_jax._density._world import Expanded, World
from iclv_jax._panel import Person
from iclv_jax._spec import Equation
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


@dataclass(frozen=True)
class Functions(System):
    """Latent variables one after the other, each with what its function adds."""

    latents: int
    drivers: int
    linked: bool
    functions: tuple[Nonlinear, ...]

    @property
    def linear(self) -> bool:
        return False

    def world(self, cells: CellTree, person: Person, shocks: Shocks) -> tuple[World, Scalar]:
        eta = self._eta(structural(cells), person.covariates, shocks)
        return World(with_drivers(eta, shocks), person.covariates), jnp.zeros(())

    def expand(
        self, places: Places, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]
    ) -> tuple[Expanded, Bend]:
        centre = places.taken(cells)

        def draws(values: Array) -> Float[Array, "node moved"]:
            new = places.replaced(cells, values)
            return jax.vmap(lambda u: self._eta(new, person.covariates, u))(shocks)

        def bend(pull: Array) -> Array:
            return jax.hessian(lambda values: jnp.sum(pull * draws(values)))(centre)

        eta = jax.vmap(with_drivers)(draws(centre), shocks)
        # Nothing is linear in the shocks: every node is its own direction.
        return Expanded(eta, jnp.eye(shocks.shape[0]), jax.jacfwd(draws)(centre)), bend

    def _eta(self, cells: Arrays, covariates: Array, shocks: Shocks) -> Float[Array, " moved"]:
        functions = {function.place: function for function in self.functions}
        disturbances = disturbance_factor(cells) @ shocks[: self.moved]
        base = index(cells, covariates) + disturbances[: self.latents]
        eta = jnp.zeros_like(base)
        for place in range(self.latents):
            value = base[place] + cells["paths"][place] @ eta
            if place in functions:
                value = value + functions[place](cells, covariates, eta)
            eta = eta.at[place].set(value)
        return jnp.concatenate([eta, disturbances[self.latents :]])
