"""Random coefficients that are drawn anew in every situation: an integral inside a row, over nodes of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._distributions import hermite
from iclv_jax._base._types import Array, Float
from iclv_jax._density._world import World

COUNTS = {1: 15, 2: 11, 3: 7}
"""Nodes per coefficient, by how many coefficients there are. Of one normal coefficient in a logit 7 nodes err by 0.15 points
at a spread of 1.2 in units of utility, 15 by 0.01."""


@dataclass(frozen=True)
class Inner:
    """The rule for `size` standard normal variables of a row: a product of Gauss-Hermite rules; none for size zero."""

    size: int = 0

    @property
    def count(self) -> int:
        """Number of nodes; one where nothing is drawn."""
        return COUNTS[self.size] ** self.size if self.size else 1

    @cached_property
    def nodes(self) -> tuple[Float[np.ndarray, "node size"], Float[np.ndarray, " node"]]:
        """Points and their weights."""
        points, weights = hermite(COUNTS[self.size])
        grid = np.array(list(product(points, repeat=self.size)))
        return grid, np.array([np.prod(each) for each in product(weights, repeat=self.size)])

    def log_mean(self, logs: Callable[[World], Array], world: World) -> Array:
        """The log of the mean over a row's draws of what `logs` gives the logs of."""
        if not self.size:
            return logs(world)
        points, weights = self.nodes
        each = jax.vmap(lambda at: logs(world._replace(inner=at)))(jnp.asarray(points))
        return jax.nn.logsumexp(each, axis=0, b=_beside(weights, each))

    def mean(self, function: Callable[[World], Array], world: World) -> Array:
        """The mean over a row's draws."""
        if not self.size:
            return function(world)
        points, weights = self.nodes
        each = jax.vmap(lambda at: function(world._replace(inner=at)))(jnp.asarray(points))
        return jnp.sum(_beside(weights, each) * each, axis=0)


def _beside(weights: np.ndarray, each: Array) -> Array:
    return jnp.asarray(weights).reshape(-1, *(1,) * (each.ndim - 1))
