"""The Hessians of single people."""

from typing import Any

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._derivatives import expand_exact
from iclv_jax._likelihood._likelihood import Core, over_people


@compiled
def person_hessians(core: Core, params: Params) -> Float[Array, "person param param"]:
    """The Hessian of every person's log L_n, unweighted, at frozen nodes."""

    def one(person: Any, nodes: Any) -> Array:
        data, at = jax.tree.map(lambda a: a[None], (person, nodes))
        alone = Core(core.structure, 1, core.constants, data, jnp.ones(1), at)
        return expand_exact(alone, params).hessian

    return over_people(one, core.batch, core.person, core.nodes)
