"""From the whole real line to the intervals that a user's bounds leave."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array

INSIDE = 0.01
"""Share of the width (or, with one bound, of its size or of 1) by which a start at a bound is moved inside."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """`lower + exp(y)`, `upper - exp(y)`, `lower + width * logistic(y)`, or y itself, by entry."""

    lower: np.ndarray
    upper: np.ndarray

    def forward(self, y: Array) -> Array:
        below, above = np.isfinite(self.lower), np.isfinite(self.upper)
        lower, upper = np.where(below, self.lower, 0.0), np.where(above, self.upper, 0.0)
        # Where an entry has no such bound its exponential is of 0: an overflow there would make derivatives NaN.
        one = jnp.exp(jnp.where(below ^ above, y, 0.0))
        z = jnp.where(below, lower + one, jnp.where(above, upper - one, y))
        return jnp.where(below & above, lower + (upper - lower) * jax.nn.sigmoid(y), z)

    def inverse(self, z: Array) -> Array:
        """NaN outside the interval, and infinite at its ends."""
        below, above = np.isfinite(self.lower), np.isfinite(self.upper)
        lower, upper = np.where(below, self.lower, 0.0), np.where(above, self.upper, 0.0)
        down, up = z - lower, upper - z
        one = jnp.where(below, jnp.log(down), jnp.where(above, jnp.log(up), z))
        return jnp.where(below & above, jnp.log(down) - jnp.log(up), one)

    def log_volume(self, y: Array) -> Array:
        below, above = np.isfinite(self.lower), np.isfinite(self.upper)
        width = np.where(below & above, self.upper - self.lower, 1.0)
        both = np.log(width) + jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y)
        return jnp.sum(jnp.where(below & above, both, jnp.where(below | above, y, 0.0)))

    def inside(self, z: np.ndarray) -> np.ndarray:
        """The same point, away from bounds that it touches."""
        below, above = np.isfinite(self.lower), np.isfinite(self.upper)
        lower, upper = np.where(below, self.lower, 0.0), np.where(above, self.upper, 0.0)
        size = np.where(below & above, upper - lower, np.maximum(1.0, np.abs(lower) + np.abs(upper)))
        z = np.where(below, np.maximum(z, lower + INSIDE * size), z)
        return np.where(above, np.minimum(z, upper - INSIDE * size), z)
