"""The standard normal distribution in logs of probabilities, which may be too small for floating point, and back.

`log_below` is closed under differentiation: beside `log Phi` it carries the hazard `h = phi / Phi` and `m = x + h`, and

    d log Phi = h dx,    d h = -h m dx,    d m = (1 - h m) dx.

Both take Mills' ratio from one polynomial. JAX's `log_ndtr` and `ndtri` have six rational pieces or more, which XLA works
out anew wherever they are read: a scenario of a truncated normal coefficient took eight times as long to compile.
"""

import math

import jax
import jax.numpy as jnp

from iclv_jax._base._interval import mills
from iclv_jax._base._types import Array, Scalar

STEPS = 3
"""Newton steps: the first guess is 4.5e-4 away at most, the first step leaves 1e-7 and the second all digits."""
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def log_below(x: Array) -> Array:
    """`log Phi(x)`, elementwise, differentiable any number of times."""
    return _below(x)[0]


@jax.custom_jvp
@jax.jit
def _below(x: Array) -> tuple[Array, Array, Array]:
    """log Phi, h and m of the module's docstring."""
    ratio, slope = mills(jnp.abs(x))
    log_density = -0.5 * x * x - HALF_LOG_TWO_PI
    density = jnp.exp(log_density)
    tail = jnp.where(x < 0.0, 0.0, density * ratio)
    value = jnp.where(x < 0.0, log_density + jnp.log(ratio), jnp.log1p(-tail))
    hazard = jnp.where(x < 0.0, 1.0 / ratio, density / (1.0 - tail))
    # x + h would cancel far below.
    return value, hazard, jnp.where(x < 0.0, slope / ratio, x + hazard)


@_below.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    out = _, hazard, more = _below(primals[0])
    change = hazard * tangents[0]
    return out, (change, -more * change, tangents[0] - more * change)


@jax.custom_jvp
@jax.jit
def lower_quantile(log_share: Scalar) -> Scalar:
    """x with `log Phi(x) = log_share`, for shares of at most about a half."""
    # Abramowitz and Stegun (1964), 26.2.23.
    t = jnp.sqrt(-2.0 * log_share)
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    guess = above / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t

    def step(_: Array, x: Array) -> Array:
        value, hazard, _more = _below(x)
        return x - (value - log_share) / hazard

    # A loop is compiled once for all steps.
    return jax.lax.fori_loop(0, STEPS, step, guess)


@lower_quantile.defjvp
def _(primals: tuple[Scalar], tangents: tuple[Scalar]) -> tuple[Scalar, Scalar]:
    x = lower_quantile(primals[0])
    return x, tangents[0] / _below(x)[1]
