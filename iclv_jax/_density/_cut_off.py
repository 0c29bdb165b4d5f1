"""A function that is cut off where it does not count, with its derivatives of every order.

`where(offered, u, 0)` alone has derivatives that are not finite where `u` is not: backwards, what is cut off counts as
zero times infinity. Forwards nothing is multiplied: a derivative is computed entry by entry and then cut off, and so
are guards inside `u`, such as `where(isnan(x), 0, b * x)`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array


def cut_off(function: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """`f(values, kept)`: the function where `kept`, along the first axis of its result, and 0 elsewhere."""

    @jax.custom_jvp
    def found(values: Array, kept: Array) -> Array:
        result = function(values)
        shape = (*kept.shape, *[1] * (result.ndim - 1))
        return jnp.where(jnp.broadcast_to(kept.reshape(shape), result.shape), result, 0.0)

    @found.defjvp
    def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        slopes = cut_off(jax.jacfwd(function))(*primals)
        return found(*primals), slopes @ tangents[0]

    return found
