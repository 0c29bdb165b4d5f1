"""Nodes of the latent variables before any answers, and what items are answered there."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params, Theta
from iclv_jax._density import Structure, World
from iclv_jax._density._linear import Linear
from iclv_jax._density._system import System
from iclv_jax._integration import GaussHermite, MonteCarlo
from iclv_jax._panel import Person

FEW_ROWS = 50
"""Different people up to which nodes are the many ones."""
GRID = {0: (1, 1), 1: (81, 31), 2: (31, 15), 3: (15, 9)}
"""Gauss-Hermite nodes per latent variable, with few different people and with many."""
DRAWS = (4096, 512)
"""Scrambled Sobol draws beyond three latent variables."""


def prior_nodes(latents: int, rows: int) -> tuple[Float[np.ndarray, "node latent"], np.ndarray]:
    """Standard normal points and their weights, which are those of every one of `rows` different people."""
    many = int(rows > FEW_ROWS)
    grid = GaussHermite(GRID[latents][many], adaptive=False) if latents in GRID else None
    standard = (grid or MonteCarlo(DRAWS[many], "sobol")).standard(1, latents)
    points = np.asarray(standard.points)
    return points.reshape(-1, latents), np.exp(np.asarray(standard.log_weights)).reshape(-1)


def before_answers(system: System) -> System:
    """The system of the latent variables before anything is conditioned on."""
    return Linear(system.latents, system.drivers, system.linked) if system.absorbed else system


def world_at(structure: Structure, theta: Theta, person: Person, shocks: Float[Array, " latent"]) -> World:
    """The world of shocks of the latent variables before any answers; random coefficients are at their centre."""
    system = before_answers(structure.system)
    whole = jnp.concatenate([shocks, jnp.zeros(system.size - shocks.shape[0])])
    return system.world(structure.cells(theta, person), person, whole)[0]


def level_probabilities(
    structure: Structure, theta: Theta, person: Person, points: Float[Array, "node latent"]
) -> Float[Array, "node level"]:
    """Probabilities of the levels of all items, those of a stack padded to its longest scale."""
    cells = structure.cells(theta, person)

    def at(shocks: Array) -> Array:
        world, found = world_at(structure, theta, person, shocks), [jnp.zeros(0)]
        for block in structure.items:
            part = cells[block.name]
            index = block.index(part, world.eta, world.covariates)
            found.append(block.expected_at(part, index).levels.reshape(-1))
        return jnp.concatenate(found)

    return jax.vmap(at)(points)


@partial(compiled, static_argnums=0)
def levels_of(
    structure: Structure, constants: Array, params: Params, rows: Person, points: Float[Array, "node latent"]
) -> Float[Array, "row node level"]:
    """The same for rows of people."""
    theta = structure.map.theta(constants, params)
    return jax.lax.map(lambda person: level_probabilities(structure, theta, person, points), rows)
