"""Latent variables that are affine in what is known of a person: what is left of them given normal items."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar, Shocks
from iclv_jax._density._places import Places
from iclv_jax._density._system import Bend, System, structural
from iclv_jax._density._world import Expanded, World
from iclv_jax._panel import Person

INDEX, SLOPES, FACTOR = "intercepts", "slopes", "factor"


@dataclass(frozen=True)
class Affine(System):
    """`eta = intercepts + slopes @ covariates`, the entries at `drawn` moved by `factor @ shocks`; further shocks are the
    drivers that covary with nothing."""

    latents: int
    drivers: int
    linked: bool
    drawn: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        return (*self.drawn, *range(self.moved, self.size))

    @property
    def linear(self) -> bool:
        return True

    def world(self, cells: CellTree, person: Person, shocks: Shocks) -> tuple[World, Scalar]:
        eta = self._eta(structural(cells), person, shocks[None])[0]
        return World(eta, person.covariates), jnp.zeros(())

    def expand(
        self, places: Places, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]
    ) -> tuple[Expanded, Bend]:
        count = len(self.drawn)
        slopes = np.zeros((1 + count, self.moved, len(places)))
        for at, ((name,), position) in enumerate(zip(places.paths, places.positions, strict=True)):
            row, column = divmod(position, max(count, 1))
            if name == INDEX:
                slopes[0, position, at] = 1.0
            else:
                slopes[1 + column, self.drawn[row], at] = 1.0
        basis = jnp.concatenate([jnp.ones((shocks.shape[0], 1)), shocks[:, :count]], axis=1)

        def bend(pull: Array) -> Array:
            return jnp.zeros((len(places), len(places)))

        return Expanded(self._eta(cells, person, shocks), basis, jnp.asarray(slopes)), bend

    def _eta(self, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]) -> Array:
        count = len(self.drawn)
        index = cells[INDEX] + cells[SLOPES] @ person.covariates
        eta = jnp.broadcast_to(index, (shocks.shape[0], self.moved))
        if count:
            eta = eta.at[:, np.array(self.drawn)].add(shocks[:, :count] @ cells[FACTOR].T)
        return jnp.concatenate([eta, shocks[:, count:]], axis=1)
