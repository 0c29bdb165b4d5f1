"""What training may minimise in place of the negative log-likelihood, for comparison."""

from typing import Literal

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, CellTree, Params, Scalar, Theta
from iclv_jax._density import Choice, World
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core
from iclv_jax._panel import Person

Loss = Literal["likelihood", "brier", "hinge"]
WORDS = {"brier": "the Brier score of the choices", "hinge": "the hinge loss of the choices"}


def total_loss(core: Core, params: Params, loss: str) -> Scalar:
    """The weighted sum over people and situations, of a model in which nothing is integrated out."""
    theta = core.theta(params)

    def one(person: Person, _: Nodes, theta: Theta) -> Scalar:
        cells = core.structure.cells(theta, person)
        world = World(jnp.zeros(0), person.covariates)
        found = [_of_choice(c, cells[c.name], person, world, loss) for c in core.structure.choices]
        return sum(found, start=jnp.zeros(()))

    return jnp.dot(core.weights, core.people.each(one, shared=(theta,)))


def _of_choice(choice: Choice, cells: CellTree, person: Person, world: World, loss: str) -> Scalar:
    data, probabilities = person.data[choice.at], choice.expected(cells, person, world)
    each = jax.vmap(lambda *row: _of_situation(loss, *row))(probabilities, data.chosen, data.offered)
    return jnp.sum(jnp.where(data.occurs, each, 0.0))


def _of_situation(loss: str, probabilities: Array, outcome: Array, offered: Array) -> Scalar:
    """`sum_j (P_j - y_j)^2`, or `max(0, 1 + max_j log P_j - log P_chosen)` over the alternatives not chosen."""
    taken = jnp.arange(probabilities.shape[0]) == outcome
    if loss == "brier":
        return jnp.sum((probabilities - taken.astype(float)) ** 2)
    logs = jnp.log(jnp.where(offered, probabilities, 1.0))
    rival = jnp.max(jnp.where(offered & ~taken, logs, -jnp.inf))
    return jnp.maximum(0.0, 1.0 + rival - logs[outcome])
