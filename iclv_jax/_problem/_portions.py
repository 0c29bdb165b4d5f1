"""Values and scores at many nodes, some at a time, by what is compiled for few.

A person's likelihood is a sum over nodes, so that those of portions of the nodes add up:
`L = sum_c L_c`, and the score of log L is the mean of the portions' scores with weights `L_c / L`. Programs for
another number of nodes would have to be compiled: on the reference workload that takes a second for the scores at 126 nodes,
of which a fit takes only a few. In portions of 20 each takes 43 ms in place of 38.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from iclv_jax import _derivatives as derivatives
from iclv_jax import _likelihood as likelihood
from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params
from iclv_jax._derivatives import PersonScores, little
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core

person_values = compiled(likelihood.person_values, quick=little)
person_scores = compiled(derivatives.person_scores, quick=little)


@dataclass(frozen=True)
class Portion:
    """At most `nodes` nodes of each person at a time, for `batch` people at a time."""

    nodes: int
    batch: int

    def divides(self, core: Core, params: Params) -> bool:
        """Whether this is less than all nodes at once. Inside other transformations there is nothing compiled to use, and
        people with different numbers of nodes go by these."""
        fewer = self.nodes < core.people.node_count and core.people.node_counts is None
        return fewer and not isinstance(params, Tracer)

    def cores(self, core: Core) -> Iterator[Core]:
        """The core with each portion of its nodes; those that only fill up the last have no weight."""
        people = core.people.in_batches_of(self.batch)
        for first in range(0, people.node_count, self.nodes):
            yield core.of(people.with_nodes(_cut(people.held.nodes, first, size=self.nodes)))


@partial(compiled, static_argnames="size")
def _cut(nodes: Nodes, first: Array, size: int) -> Nodes:
    short = -nodes.log_weights.shape[1] % size
    shocks = jnp.pad(nodes.shocks, ((0, 0), (0, short), (0, 0)))
    logs = jnp.pad(nodes.log_weights, ((0, 0), (0, short)), constant_values=-jnp.inf)
    return Nodes(*(jax.lax.dynamic_slice_in_dim(a, first, size, axis=1) for a in (shocks, logs)))


def _added(function: Any, merge: Any, core: Core, params: Params, portion: Portion) -> Any:
    """`function` of all nodes, from its results for portions of them."""
    if not portion.divides(core, params):
        return function(core, params)
    return reduce(merge, (function(part, params) for part in portion.cores(core)))


def values(core: Core, params: Params, portion: Portion) -> tuple[Array, Array]:
    """log L_n of every person and the effective numbers of nodes, as `_likelihood.person_values`."""
    return _added(person_values, _with_values, core, params, portion)


@compiled
def _with_values(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    total = jnp.logaddexp(first[0], second[0])
    # The effective number is (sum w)^2 / sum w^2, and none where all weights are zero.
    squares = [jnp.where(jnp.isneginf(v), v, 2.0 * v - jnp.log(n)) for v, n in (first, second)]
    return total, jnp.exp(2.0 * total - jnp.logaddexp(*squares))


def scores(core: Core, params: Params, portion: Portion) -> PersonScores:
    """log L_n and its gradient for all people, as `_derivatives.person_scores`."""
    return _added(person_scores, _with_scores, core, params, portion)


@compiled
def _with_scores(first: PersonScores, second: PersonScores) -> PersonScores:
    total = jnp.logaddexp(first.values, second.values)

    def share(one: PersonScores) -> Array:
        # A portion without any likelihood may have a score that is no number.
        weight = jnp.exp(one.values - total)[:, None]
        return jnp.where(weight == 0.0, 0.0, weight * one.scores)

    return PersonScores(total, share(first) + share(second), jnp.logaddexp(first.items, second.items))
