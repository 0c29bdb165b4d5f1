"""Quantiles of the standard normal from logs of probabilities that may be too small for floating point."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, ndtri

from iclv_jax._base._types import Array, Scalar

FAR = -30.0
"""Log of a probability below which the quantile is searched from its asymptotic value; and a quantile, about that far out,
below which the hazard is taken from its series."""
STEPS = 3
"""Newton steps from there: the first leaves an error below 1e-4 of the quantile, and the digits double."""
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@jax.custom_jvp
def lower_quantile(log_share: Scalar) -> Scalar:
    """x with `log ndtr(x) = log_share`, for shares of at most about a half."""
    near = ndtri(jnp.exp(jnp.maximum(log_share, FAR)))
    double = -2.0 * jnp.minimum(log_share, FAR)
    far = -jnp.sqrt(double - jnp.log(double) - 2.0 * HALF_LOG_TWO_PI)
    for _ in range(STEPS):
        far = far - (log_ndtr(far) - jnp.minimum(log_share, FAR)) / _hazard(far)
    return jnp.where(log_share < FAR, far, near)


@lower_quantile.defjvp
def _(primals: tuple[Scalar], tangents: tuple[Scalar]) -> tuple[Scalar, Scalar]:
    x = lower_quantile(primals[0])
    return x, tangents[0] / _hazard(x)


def _hazard(x: Array) -> Array:
    """The density over the probability below, `phi / Phi`; far out by its series, as both are zero there."""
    away = jnp.minimum(x, FAR)
    series = -away * (1.0 + 1.0 / away**2 - 2.0 / away**4)
    close = jnp.maximum(x, FAR)
    return jnp.where(x < FAR, series, jnp.exp(-0.5 * close**2 - HALF_LOG_TWO_PI - log_ndtr(close)))
