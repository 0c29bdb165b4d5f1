"""The Hessians of single people."""

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

    def one(person: Person, nodes: Nodes) -> Array:
        data, at = jax.tree.map(lambda a: a[None], (person, nodes))
        return expand_exact(core.of(people(data, at, jnp.ones(1), 1)), params).hessian

    return core.people.each(one)
