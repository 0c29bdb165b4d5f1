"""Proposals from posterior means and covariances, for posteriors that are skewed.

Mode and curvature are a poor picture of a skewed posterior: the mode is not in the middle of its mass, and the
curvature there does not know its tails. A cheap first pass, half of it from the prior, weighs nodes by the likelihood and
takes their mean and covariance (Naylor and Smith 1982, Applied Statistics 31); a second one does the same from there.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._linear import cholesky
from iclv_jax._base._types import Array, Float, Int, Scalar, Shocks
from iclv_jax._integration._centre import Centre, place
from iclv_jax._integration._sequences import normal_points

PILOT = 64
"""Nodes of a first pass at the proposal, and as many from the prior."""
PASSES = 2
PILOT_SEED = 104_729


def pilot_points(dimension: int) -> Float[np.ndarray, "node dimension"]:
    """Standard points of a pass; the second half are for the prior."""
    return normal_points("sobol", 2, PILOT, dimension, PILOT_SEED).reshape(2 * PILOT, dimension)


def by_moments(
    log_density: Callable[[Shocks], Scalar], centre: Centre, points: Float[Array, "node dimension"]
) -> Centre:
    """The centre moved to the posterior's mean, its factor one of the posterior's covariance.

    A pass whose weights rest on few nodes says little: its moments are shrunk towards those before it.
    """
    flat = jnp.full(points.shape[0], -np.log(points.shape[0]))
    dimension = points.shape[1]

    def once(_: Int[Array, ""], now: Centre) -> Centre:
        nodes = place(points, flat, now, PILOT)
        shares = jax.nn.softmax(jax.vmap(log_density)(nodes.shocks) + nodes.log_weights)
        mean = shares @ nodes.shocks
        away = nodes.shocks - mean[None, :]
        covariance = (away * shares[:, None]).T @ away
        size = 1.0 / jnp.sum(shares**2)
        trust = size / (size + dimension)
        mixed = trust * covariance + (1.0 - trust) * (now.factor @ now.factor.T)
        moved = now._replace(mode=trust * mean + (1.0 - trust) * now.mode, factor=upper_factor(mixed))
        usable = jnp.all(jnp.isfinite(moved.mode)) & jnp.all(jnp.isfinite(moved.factor))
        return jax.tree.map(lambda a, b: jnp.where(usable, a, b), moved, now)

    return jax.lax.fori_loop(0, PASSES, once, centre)


def upper_factor(covariance: Float[Array, "dimension dimension"]) -> Float[Array, "dimension dimension"]:
    """The upper triangular C with C C' equal to a covariance, which is how proposals are held."""
    return cholesky(covariance[::-1, ::-1])[::-1, ::-1]
