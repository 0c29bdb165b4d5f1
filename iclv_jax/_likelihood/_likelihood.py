"""The log-likelihood: logsumexp of the kernel over a person's nodes, in batches of people."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from iclv_jax._base._types import Array, Float, Params, Scalar, Theta
from iclv_jax._density._density import Structure, factors
from iclv_jax._integration import Nodes
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE


class Core(eqx.Module):
    """Everything that compiled functions see; two cores of equal structure and shapes share them.

    `constants` are the fixed parameters at their places in the full table, and the moments of
    standardised covariates behind them; `batch` people are
    evaluated at a time.
    """

    structure: Structure = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    constants: Float[Array, " constant"]
    person: Person
    weights: Float[Array, " person"]
    nodes: Nodes

    @property
    def people(self) -> int:
        return self.weights.shape[0]

    def theta(self, params: Params) -> Theta:
        return self.structure.map.theta(self.constants, params)


def log_terms(structure: Structure, theta: Theta, person: Person, nodes: Nodes) -> Float[Array, " node"]:
    """The log density at every node, weighted: log L_n is their logsumexp."""
    items, choices = _log_terms(structure, theta, person, nodes)
    return items + choices


def _log_terms(
    structure: Structure, theta: Theta, person: Person, nodes: Nodes, still: Theta | None = None
) -> tuple[Array, Array]:
    """Those of the items, weighted, and those of the choices."""
    cells = structure.map.dense(theta, still)

    def parts(shocks: Array) -> tuple[Array, Array]:
        terms = factors(structure, cells, person, shocks)
        choices = terms.pop(CHOICE, jnp.zeros(()))
        return sum(terms.values(), start=jnp.zeros(())), choices

    items, choices = jax.vmap(parts)(nodes.shocks)
    return items + nodes.log_weights, choices


def log_likelihoods(
    structure: Structure, theta: Theta, person: Person, nodes: Nodes, still: Theta | None = None
) -> tuple[Scalar, Scalar]:
    """log L_n of one person, and that of the items alone at the same nodes; `still` as in `ParameterMap.dense`."""
    items, choices = _log_terms(structure, theta, person, nodes, still)
    return logsumexp(items + choices), logsumexp(items)


def over_people(function: Callable[..., Any], batch: int, *arrays: Any) -> Any:
    """`function` of every person's slice of `arrays`, `batch` people at a time.

    Within a derivative each batch is evaluated again rather than remembered, so that memory is that
    of one batch; a single batch is remembered.
    """
    people = jax.tree.leaves(arrays)[0].shape[0]
    if people <= batch:
        return jax.vmap(function)(*arrays)
    count, size = _even(people, batch)
    # The last person fills up the last batch: a remainder of its own would be compiled a second time.
    rows = np.minimum(np.arange(count * size), people - 1)
    batches = jax.tree.map(lambda a: a[rows].reshape(count, size, *a.shape[1:]), arrays)
    results = jax.lax.map(jax.checkpoint(lambda part: jax.vmap(function)(*part)), batches)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:people], results)


def in_batches(
    function: Callable[..., Any], zero: Any, batch: int, person: Any, nodes: Any, weights: Array
) -> Any:
    """The sum of `function(person, nodes, weights)` over batches of people, added to `zero`."""
    people = weights.shape[0]
    if people <= batch:
        return function(person, nodes, weights)
    count, size = _even(people, batch)

    def add(total: Any, first: Array) -> tuple[Any, None]:
        # The last batch reaches back to people who have been counted; they have weight zero in it.
        start = jnp.minimum(first, people - size)
        part = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, size), (person, nodes, weights))
        new = start + np.arange(size) >= first
        return jax.tree.map(jnp.add, total, function(part[0], part[1], part[2] * new)), None

    return jax.lax.scan(add, zero, jnp.arange(count) * size)[0]


def _even(people: int, batch: int) -> tuple[int, int]:
    """How many batches of the same size, at most `batch`, and that size."""
    count = -(-people // batch)
    return count, -(-people // count)


def person_values(core: Core, params: Params) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    """log L_n of every person, and the effective number `(sum w)^2 / sum w^2` of the nodes behind it (Kong
    1992)."""
    theta = core.theta(params)

    def one(person: Person, nodes: Nodes) -> tuple[Scalar, Scalar]:
        terms = log_terms(core.structure, theta, person, nodes)
        value = logsumexp(terms)
        return value, jnp.exp(2.0 * value - logsumexp(2.0 * terms))

    return over_people(one, core.batch, core.person, core.nodes)


def loglike(core: Core, params: Params) -> Scalar:
    """The weighted sum over people."""
    theta = core.theta(params)
    each = over_people(
        lambda person, nodes: log_likelihoods(core.structure, theta, person, nodes)[0],
        core.batch,
        core.person,
        core.nodes,
    )
    return jnp.dot(core.weights, each)
