"""The distribution of one person's world, as weighted points."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, CellTree, Float, Theta
from iclv_jax._density import Structure, World, reduced_form
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import log_terms
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT


class Worlds(NamedTuple):
    """Values of eta at weighted points; weights add up to one."""

    weights: Float[Array, " node"]
    eta: Float[Array, "node latent"]

    def expected(self, function, covariates: Array) -> Array:
        """The mean of a function of the world over the points."""
        each = jax.vmap(lambda eta: function(World(eta, covariates)))(self.eta)
        return jnp.tensordot(self.weights, each, 1)


def worlds(
    structure: Structure,
    theta: Theta,
    seen: tuple[int, ...] | None,
    person: Person,
    nodes: Nodes,
) -> Worlds:
    """Before any answers, with the entries of eta that are `seen` moved by the nodes; or with None given the items and
    choices of `person` that are marked as observed, at the nodes of the likelihood."""
    cells = structure.cells(theta, person)
    if seen is None:
        weights = jax.nn.softmax(log_terms(structure, theta, person, nodes))
        return Worlds(weights, _moved(structure, cells, person, nodes.shocks))
    weights = jax.nn.softmax(nodes.log_weights)
    if not structure.system.linear:
        return Worlds(weights, _moved(structure, cells, person, nodes.shocks))
    return Worlds(weights, _before_answers(structure, cells, seen, person, nodes.shocks))


def _moved(structure: Structure, cells: CellTree, person: Person, shocks: Array) -> Array:
    return jax.vmap(lambda u: structure.system.world(cells, person, u)[0].eta)(shocks)


def _before_answers(
    structure: Structure, cells: CellTree, seen: tuple[int, ...], person: Person, shocks: Array
) -> Float[Array, "node latent"]:
    system = structure.system
    mean, factor = reduced_form(cells[LATENT], person.covariates)
    at = np.array([i for i in seen if i < system.moved], int)
    root = factor[at]
    if not len(at):
        root = jnp.zeros((0, 0))
    elif len(at) < system.moved:
        root = jnp.linalg.cholesky(root @ root.T)
    size = root.shape[1]
    whole = jnp.zeros((shocks.shape[0], system.size)).at[:, : system.moved].set(mean)
    whole = whole.at[:, at].add(shocks[:, :size] @ root.T)
    alone = np.array([i for i in seen if i >= system.moved], int)
    return whole.at[:, alone].set(shocks[:, size:])
