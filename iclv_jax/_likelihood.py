"""The log-likelihood: logsumexp of the kernel over a person's nodes, in batches of people."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from iclv_jax._density import Structure, log_density
from iclv_jax._integration import Nodes
from iclv_jax._panel import Person
from iclv_jax._types import Array, Float, Params, Scalar, Theta


class Core(eqx.Module):
    """Everything that compiled functions see; two cores of equal structure and shapes share them.

    `constants` are the fixed parameters at their places in the full table; `batch` people are
    evaluated at a time.
    """

    structure: Structure = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    constants: Float[Array, " full"]
    person: Person
    weights: Float[Array, " person"]
    nodes: Nodes

    @property
    def people(self) -> int:
        return self.weights.shape[0]

    def theta(self, params: Params) -> Theta:
        return self.structure.map.theta(self.constants, params)


def log_likelihood(structure: Structure, theta: Theta, person: Person, nodes: Nodes) -> Scalar:
    """log L_n of one person."""
    cells = structure.map.dense(theta)
    terms = jax.vmap(lambda u: log_density(structure, cells, person, u))(nodes.shocks)
    return logsumexp(terms + nodes.log_weights)


def over_people(function: Callable[..., Any], batch: int, *arrays: Any) -> Any:
    """`function` of every person's slice of `arrays`, `batch` people at a time.

    Within a derivative each batch is evaluated again rather than remembered, so that memory is that
    of one batch; a single batch is remembered.
    """
    people = jax.tree.leaves(arrays)[0].shape[0]
    if people <= batch:
        return jax.vmap(function)(*arrays)
    # Equal batches, the last filled up with the last person: a remainder would be compiled by itself.
    count = -(-people // batch)
    size = -(-people // count)
    rows = np.minimum(np.arange(count * size), people - 1)
    batches = jax.tree.map(lambda a: a[rows].reshape(count, size, *a.shape[1:]), arrays)
    results = jax.lax.map(jax.checkpoint(lambda part: jax.vmap(function)(*part)), batches)
    return jax.tree.map(lambda a: a.reshape(count * size, *a.shape[2:])[:people], results)


def loglike_person(core: Core, params: Params) -> Float[Array, " person"]:
    theta = core.theta(params)
    return over_people(
        lambda person, nodes: log_likelihood(core.structure, theta, person, nodes),
        core.batch,
        core.person,
        core.nodes,
    )


def loglike(core: Core, params: Params) -> Scalar:
    """The weighted sum over people."""
    return jnp.dot(core.weights, loglike_person(core, params))
