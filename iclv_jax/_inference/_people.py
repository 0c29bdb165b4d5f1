"""The Hessians of single people, and sums of them."""

from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._derivatives import expand_exact
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, people
from iclv_jax._panel import Person


@compiled
def person_hessians(core: Core, params: Params) -> Float[Array, "person param param"]:
    """The Hessian of every person's log L_n, unweighted, at frozen nodes."""
    return core.people.each(partial(_hessian, core, params))


def weighted_hessians(
    core: Core, params: Params, weights: Float[Array, "sample person"], memory: float
) -> Float[Array, "sample param param"]:
    """Sums of the Hessians of people by several sets of weights, with those of so many people at a time as `memory` bytes
    hold."""
    batch = int(max(1, memory / (8.0 * len(params) ** 2)))
    return _summed(core, params, weights, batch=batch)


@partial(compiled, static_argnames="batch")
def _summed(core: Core, params: Params, weights: Array, batch: int) -> Array:
    def part(person: Person, nodes: Nodes, weights: Array) -> Array:
        each = jax.vmap(partial(_hessian, core, params))(person, nodes)
        return jnp.tensordot(weights, each, ((0,), (0,)))

    size = params.shape[0]
    zero = jnp.zeros((weights.shape[0], size, size))
    return core.people.fold(part, zero, batch, weights.T)


def _hessian(core: Core, params: Params, person: Person, nodes: Nodes) -> Array:
    data, at = jax.tree.map(lambda a: a[None], (person, nodes))
    return expand_exact(core.of(people(data, at, jnp.ones(1), 1)), params).hessian
