"""What training may minimise in place of the negative log-likelihood, for comparison."""

from typing import Literal

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Params, Scalar, Theta
from iclv_jax._density._density import Structure, utilities
from iclv_jax._likelihood._likelihood import Core, over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE

Loss = Literal["likelihood", "brier", "hinge"]
WORDS = {"brier": "the Brier score of the choices", "hinge": "the hinge loss of the choices"}


def total_loss(core: Core, params: Params, loss: str) -> Scalar:
    """The weighted sum over people and situations, of a model in which nothing is integrated out."""
    theta = core.theta(params)
    each = over_people(
        lambda person: _of_person(core.structure, theta, person, loss), core.batch, core.person
    )
    return jnp.dot(core.weights, each)


def _of_person(structure: Structure, theta: Theta, person: Person, loss: str) -> Scalar:
    cells = structure.map.dense(theta)[CHOICE]
    v = utilities(structure, cells, person, jnp.zeros(0), jnp.zeros(0))
    each = jax.vmap(lambda *a: _of_situation(structure, cells, loss, *a))(v, person.chosen, person.available)
    return jnp.sum(jnp.where(person.occurs, each, 0.0))


def _of_situation(
    structure: Structure, cells: dict[str, Array], loss: str, v: Array, chosen: Array, available: Array
) -> Scalar:
    """`sum_j (P_j - y_j)^2`, or `max(0, 1 + max_j log P_j - log P_chosen)` over the alternatives not chosen."""
    assert structure.kernel is not None
    alternatives = jnp.arange(v.shape[0])
    logs = jax.vmap(structure.kernel.log_density, in_axes=(None, None, 0, None))(
        cells, v, alternatives, available
    )
    taken = alternatives == chosen
    if loss == "brier":
        shares = jnp.where(available, jnp.exp(jnp.where(available, logs, 0.0)), 0.0)
        return jnp.sum((shares - taken.astype(float)) ** 2)
    rival = jnp.max(jnp.where(available & ~taken, logs, -jnp.inf))
    return jnp.maximum(0.0, 1.0 + rival - logs[chosen])
