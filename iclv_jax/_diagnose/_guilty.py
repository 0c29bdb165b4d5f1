"""Which factor of a person's likelihood is not finite."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._density import choice_log_densities, item_log_densities
from iclv_jax._latent import latent_variables
from iclv_jax._likelihood import Core
from iclv_jax._parameters import CHOICE, LATENT, section
from iclv_jax._types import Params


def guilty(core: Core, params: Params, position: int) -> str:
    """What makes the likelihood of the person at this position not finite, at the centre of the shocks."""
    shape = core.structure
    cells = shape.map.dense(core.theta(params))
    person = jax.tree.map(lambda a: a[position], core.person)
    shocks = jnp.zeros(shape.dimension)
    eta = latent_variables(cells[LATENT], person.covariates, jnp.zeros(shape.latents))
    if not np.isfinite(np.asarray(eta)).all():
        return "the structural equations"
    bad = []
    for stack, values, observed in zip(shape.stacks, person.values, person.observed, strict=True):
        each = item_log_densities(stack, cells[section(stack)], values, eta)
        wrong = np.asarray(observed & ~jnp.isfinite(each))
        bad += [f"item {stack.items[i]!r}" for i in np.flatnonzero(wrong)]
    if shape.utility is not None:
        each = choice_log_densities(shape, cells[CHOICE], person, eta, shocks)
        wrong = np.flatnonzero(np.asarray(person.occurs & ~jnp.isfinite(each)))
        bad += [f"the choice in situation {i + 1}" for i in wrong]
    return ", ".join(bad) or "the integral over the nodes"
