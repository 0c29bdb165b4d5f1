"""Penalties as arrays over the free parameters: all that compiled functions see of them."""

from typing import NamedTuple

import jax.numpy as jnp

from iclv_jax._base._types import Array, Float, Params, Scalar


class Terms(NamedTuple):
    """The sum over parameters of `precision / 2 (p - mean)^2 + absolute |p|`, plus `offset`."""

    precision: Float[Array, " param"]
    mean: Float[Array, " param"]
    absolute: Float[Array, " param"]
    offset: Scalar


def cost(terms: Terms, params: Params) -> Scalar:
    """What is subtracted from the log-likelihood."""
    gap = params - terms.mean
    return 0.5 * jnp.dot(terms.precision, gap**2) + jnp.dot(terms.absolute, jnp.abs(params)) + terms.offset


def slope(terms: Terms, params: Params) -> Params:
    """Its gradient; at a zero under an absolute value the middle of the subgradient. The Hessian is
    `diag(terms.precision)`."""
    return terms.precision * (params - terms.mean) + terms.absolute * jnp.sign(params)
