"""The Hessians of single people, and sums of them."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._derivatives import expand_exact
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, people
from iclv_jax._panel import Person
from iclv_jax._problem import Problem

BYTES = 32.0
"""For each entry of a person's Hessian, with what else is computed from it."""


@compiled
def person_hessians(core: Core, params: Params) -> Float[Array, "person param param"]:
    """The Hessian of every person's log L_n, unweighted, at frozen nodes."""
    return core.people.each(
        lambda person, nodes, params, constants: _hessian(core, params, constants, person, nodes),
        shared=(params, core.constants),
    )


@compiled
def person_curvatures(core: Core, params: Params) -> Float[Array, "person param"]:
    """The diagonals of these."""
    return core.people.each(
        lambda person, nodes, params, constants: jnp.diagonal(
            _hessian(core, params, constants, person, nodes)
        ),
        shared=(params, core.constants),
    )


def hessians_in_turn(problem: Problem, params: Params) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of people and their Hessians, of so many people at a time as the problem's memory holds."""
    people, size = problem.core.people, problem.core.people.size
    count = int(min(size, max(1, problem.memory / (BYTES * len(params) ** 2))))
    if count == size:
        yield np.arange(size), np.asarray(person_hessians(problem.core, params))
        return
    for first in range(0, size, count):
        at = np.arange(first, min(first + count, size))
        # The last ones are filled up, so that all are of one shape.
        some = people.take(np.minimum(np.arange(first, first + count), size - 1)).padded()
        yield at, np.asarray(person_hessians(problem.core.of(some), params))[: len(at)]


def weighted_hessians(
    core: Core, params: Params, weights: Float[Array, "sample person"], memory: float
) -> Float[Array, "sample param param"]:
    """Sums of the Hessians of people by several sets of weights, with those of so many people at a time as `memory` bytes
    hold."""
    batch = int(max(1, memory / (BYTES * len(params) ** 2)))
    return _summed(core, params, weights, batch=batch)


@partial(compiled, static_argnames="batch")
def _summed(core: Core, params: Params, weights: Array, batch: int) -> Array:
    def part(person: Person, nodes: Nodes, weights: Array, params: Params, constants: Array) -> Array:
        each = jax.vmap(partial(_hessian, core, params, constants))(person, nodes)
        return jnp.tensordot(weights, each, ((0,), (0,)))

    size = params.shape[0]
    zero = jnp.zeros((weights.shape[0], size, size))
    return core.people.fold(part, zero, batch, weights.T, shared=(params, core.constants))


def _hessian(core: Core, params: Params, constants: Array, person: Person, nodes: Nodes) -> Array:
    data, at = jax.tree.map(lambda a: a[None], (person, nodes))
    return expand_exact(Core(core.structure, constants, people(data, at, jnp.ones(1), 1)), params).hessian
