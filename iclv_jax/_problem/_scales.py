"""Scales of utilities, `b.mu * (b.time * x.time + ...)`: at zero they hide what they multiply, and are hidden by it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._spec import Kernel, Utility

FEWEST = 2
"""Parameters that a scale multiplies at least; of a product of two nobody knows which is the scale."""


def scales_of(kernel: Kernel) -> list[str]:
    """Parameters of the utilities that are scales: others do nothing where one is zero, and it does nothing where these are.
    All of them at zero are a saddle, from which searches run away."""
    utility = kernel.utility
    if utility.linear:
        return []
    places = range(len(utility.parameters))
    whole, *without = _moves(utility, [[], *([k] for k in places)])
    hidden = [[j for j in places if j != k and whole[j] and not without[k][j]] for k in places]
    scales = [k for k in places if len(hidden[k]) >= FEWEST]
    alone = _moves(utility, [hidden[k] for k in scales]) if scales else ()
    return [utility.parameters[k] for k, moves in zip(scales, alone, strict=True) if not moves[k]]


def _moves(utility: Utility, zero: list[list[int]]) -> np.ndarray:
    """Which coefficients move some utility, with those of each list at zero."""
    rng = np.random.default_rng(0)
    sizes = len(utility.coefficients), len(utility.columns), len(utility.latents)
    b, x, lv = (rng.uniform(0.5, 1.5, size) for size in sizes)
    points = np.tile(b, (len(zero), 1))
    for point, places in zip(points, zero, strict=True):
        point[places] = 0.0
    return np.asarray(_moving(utility, points, x, lv))


@partial(compiled, quick=True, static_argnums=0)
def _moving(utility: Utility, points: Array, columns: Array, latents: Array) -> Array:
    def at(b: Array) -> Array:
        slopes = jax.jacfwd(lambda c: utility(c, columns, latents))(b)
        return (jnp.nan_to_num(slopes) != 0.0).any(axis=0)

    return jax.vmap(at)(points)
