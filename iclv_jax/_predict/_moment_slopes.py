"""How the expected moments of answers move with the parameters.

Most parameters belong to one item and move the probabilities of its levels alone. So those of different items move together,
in one direction of differentiation, and what they move is told apart by the items (Curtis, Powell and Reid 1974).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Bool, Float, Params
from iclv_jax._density import Structure
from iclv_jax._density._block import in_chunks
from iclv_jax._panel import Person
from iclv_jax._predict._answer_moments import Moments
from iclv_jax._predict._prior_nodes import level_probabilities

PROBES = 4
"""Generic points at which it is seen what a parameter moves."""


class _Maps(NamedTuple):
    """The moments as arrays for compiled functions."""

    single: Array
    paired: Array
    left: Array
    right: Array


def moment_slopes(
    structure: Structure,
    constants: Array,
    params: Params,
    rows: Person,
    factor: Float[np.ndarray, "row moment"],
    nodes: tuple[Array, Array],
    moments: Moments,
) -> Float[np.ndarray, "param moment"]:
    """Derivatives of the summed expected moments with respect to the free parameters; `factor` holds the counts too."""
    repeats = 1 + rows.covariates.shape[-1]
    reach = _reach(structure, constants, params, rows, moments)
    colour = _colours(reach)
    seeds = np.zeros((colour.max() + 1, len(params)))
    seeds[colour, np.arange(len(params))] = 1.0
    single = np.repeat(moments.single.weights, repeats, axis=0)
    at = _Maps(*map(jnp.asarray, (single, moments.paired.weights, moments.left, moments.right)))
    moved = _moved(structure, constants, params, rows, jnp.asarray(factor), nodes, at, jnp.asarray(seeds))
    alone, by_left, by_right = (np.asarray(part)[colour] for part in moved)
    left, right = moments.pairs
    owner = np.repeat(moments.single.owner, repeats)
    products = by_left * reach[:, left] + by_right * reach[:, right]
    return np.concatenate([alone * reach[:, owner], products], axis=1)


def _colours(reach: Bool[np.ndarray, "param item"]) -> np.ndarray:
    """Numbers for the parameters, the same only for those that move no item in common."""
    taken: list[np.ndarray] = []
    found = np.zeros(len(reach), int)
    for k, mine in enumerate(reach):
        free = next((c for c, items in enumerate(taken) if not (items & mine).any()), len(taken))
        taken[free:] = [taken[free] | mine if free < len(taken) else mine.copy(), *taken[free + 1 :]]
        found[k] = free
    return found


def _reach(
    structure: Structure, constants: Array, params: Params, rows: Person, moments: Moments
) -> Bool[np.ndarray, "param item"]:
    """Which items a parameter moves, seen at generic people and latent variables, where nothing vanishes by accident."""
    generic = np.random.default_rng(0)
    covariates = jnp.asarray(generic.normal(1.0, 1.0, (PROBES, rows.covariates.shape[-1])))
    group = None if rows.group is None else rows.group[:1].repeat(PROBES)
    points = jnp.asarray(generic.normal(size=(PROBES, structure.system.latents)))
    moved = np.asarray(_levels_moved(structure, constants, params, Person(covariates, (), (), group), points))
    levels = (moved != 0.0).any(axis=(1, 2))
    return np.stack([levels[:, moments.level == i].any(axis=1) for i in range(len(moments.items))], axis=1)


@partial(compiled, static_argnums=0)
def _levels_moved(
    structure: Structure, constants: Array, params: Params, rows: Person, points: Float[Array, "node latent"]
) -> Float[Array, "param row node level"]:
    def levels(p: Array) -> Array:
        theta = structure.map.theta(constants, p)
        return jax.lax.map(lambda person: level_probabilities(structure, theta, person, points), rows)

    return in_chunks(lambda d: jax.jvp(levels, (params,), (d,))[1], params.shape[0])


@partial(compiled, static_argnums=0)
def _moved(
    structure: Structure,
    constants: Array,
    params: Params,
    rows: Person,
    factor: Float[Array, "row moment"],
    nodes: tuple[Array, Array],
    at: _Maps,
    seeds: Float[Array, "direction param"],
) -> tuple[Array, Array, Array]:
    """By direction, the moments of single items, and those of pairs by what moves the first and the second of them."""
    points, weights = nodes
    count = at.single.shape[0]

    def of_row(row: tuple[Person, Array]) -> tuple[Array, Array, Array]:
        person, own = row

        def levels(p: Array) -> Array:
            return level_probabilities(structure, structure.map.theta(constants, p), person, points)

        each, push = jax.linearize(levels, params)
        weighted = weights[:, None] * (each @ at.paired.T)

        def along(seed: Array) -> tuple[Array, Array, Array]:
            moved = push(seed)
            crossed = (moved @ at.paired.T).T @ weighted
            alone = own[:count] * (at.single @ (weights @ moved))
            return (
                alone,
                own[count:] * crossed[at.left, at.right],
                own[count:] * crossed[at.right, at.left],
            )

        return jax.vmap(along)(seeds)

    def add(sofar: tuple[Array, ...], row: tuple[Person, Array]) -> tuple[tuple[Array, ...], None]:
        return jax.tree.map(jnp.add, sofar, of_row(row)), None

    empty = tuple(jnp.zeros((seeds.shape[0], size)) for size in (count, *[factor.shape[1] - count] * 2))
    return jax.lax.scan(add, empty, (rows, factor))[0]  # pyright: ignore[reportReturnType]
