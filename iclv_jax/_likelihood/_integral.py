"""The log-likelihood: logsumexp of the kernel over a person's nodes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from iclv_jax._base._types import Array, Float, Params, Scalar, Theta
from iclv_jax._density import Structure, parts
from iclv_jax._integration import Nodes
from iclv_jax._likelihood._people import People
from iclv_jax._panel import Person


class Core(eqx.Module):
    """Everything that compiled functions see; two cores of equal structure and shapes share them.

    `constants` are the fixed parameters at their places in the full table, and the moments of
    standardised covariates behind them.
    """

    structure: Structure = eqx.field(static=True)
    constants: Float[Array, " constant"]
    people: People

    @property
    def person(self) -> Person:
        return self.people.person

    @property
    def nodes(self) -> Nodes:
        return self.people.nodes

    @property
    def weights(self) -> Float[Array, " person"]:
        return self.people.weights

    def theta(self, params: Params) -> Theta:
        return self.structure.map.theta(self.constants, params)

    def of(self, people: People) -> "Core":
        """The same model for other people."""
        return Core(self.structure, self.constants, people)


def log_terms(structure: Structure, theta: Theta, person: Person, nodes: Nodes) -> Float[Array, " node"]:
    """The log density at every node, weighted: log L_n is their logsumexp."""
    items, choices = _log_terms(structure, theta, person, nodes)
    return items + choices


def _log_terms(
    structure: Structure, theta: Theta, person: Person, nodes: Nodes, still: Theta | None = None
) -> tuple[Array, Array]:
    """Those of the items, weighted, and those of the choices."""
    cells = structure.cells(theta, person, still)
    items, choices = jax.vmap(lambda shocks: parts(structure, cells, person, shocks))(nodes.shocks)
    return items + nodes.log_weights, choices


def log_likelihoods(
    structure: Structure, theta: Theta, person: Person, nodes: Nodes, still: Theta | None = None
) -> tuple[Scalar, Scalar]:
    """log L_n of one person, and that of the items alone at the same nodes; `still` as in `ParameterMap.dense`."""
    items, choices = _log_terms(structure, theta, person, nodes, still)
    return logsumexp(items + choices), logsumexp(items)


def person_values(core: Core, params: Params) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    """log L_n of every person, and the effective number `(sum w)^2 / sum w^2` of the nodes behind it (Kong
    1992)."""
    theta = core.theta(params)

    def one(person: Person, nodes: Nodes, theta: Theta) -> tuple[Scalar, Scalar]:
        terms = log_terms(core.structure, theta, person, nodes)
        value = logsumexp(terms)
        return value, jnp.exp(2.0 * value - logsumexp(2.0 * terms))

    return core.people.each(one, shared=(theta,))


def loglike(core: Core, params: Params) -> Scalar:
    """The weighted sum over people."""
    theta = core.theta(params)

    def one(person: Person, nodes: Nodes, theta: Theta) -> Scalar:
        return log_likelihoods(core.structure, theta, person, nodes)[0]

    return jnp.dot(core.weights, core.people.each(one, shared=(theta,)))
