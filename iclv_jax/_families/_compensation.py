"""What a change is worth to who shares out a budget: the money that makes up for it (Lloyd-Smith 2018)."""

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Float, Scalar
from iclv_jax._families._demand import Goods, quantities

HALVINGS = 100
REACH = 60.0
"""Logs of the worth of money to either side of the present one between which the other one is looked for."""


def compensation(before: Goods, after: Goods, first: Scalar, second: Scalar) -> Scalar:
    """What can be taken from the budget `second` with goods as they are `after`, so that as much utility is left as goods
    `before` gave with the budget `first`: the compensating variation, negative for a change to the worse.

    A good of which nothing is bought gives no utility, whatever its attributes are (weak complementarity).
    """
    reached = _utility(before, _levels(before, quantities(before, first)))
    start = jnp.max(jnp.where(after.offered, after.log_marginal(quantities(after, second)), -jnp.inf))
    at = _root(*jax.lax.stop_gradient((after, reached, start)))
    # One step of Newton's from the root has its derivatives.
    value, slope = jax.value_and_grad(lambda log_worth: _utility(after, after.levels(log_worth)))(at)
    return second - after.spending(at - (value - reached) / slope)


def _levels(goods: Goods, quantity: Array) -> Float[Array, " good"]:
    """Logs of quantity plus gamma."""
    return jnp.log(jnp.where(goods.offered & (quantity + goods.gamma > 0.0), quantity + goods.gamma, 1.0))


def _utility(goods: Goods, levels: Float[Array, " good"]) -> Scalar:
    """Of quantities whose logs, with gamma, are `levels`; nothing is bought where that is below gamma."""
    inside = goods.gamma > 0.0
    least = jnp.log(jnp.where(inside, goods.gamma, 1.0))
    bought = goods.offered & (~inside | (levels > least))
    level = jnp.where(bought, levels, least)
    # Box-Cox of the level, from that of gamma; of an outside good x^alpha / alpha, or log x.
    curved = goods.alpha != 0.0
    alpha = jnp.where(curved, goods.alpha, 1.0)
    power = jnp.where(inside, jnp.expm1(alpha * level) - jnp.expm1(alpha * least), jnp.exp(alpha * level))
    each = jnp.exp(goods.base) * jnp.where(curved, power / alpha, level - jnp.where(inside, least, 0.0))
    return jnp.sum(jnp.where(bought, each, 0.0))


def _root(goods: Goods, utility: Scalar, start: Scalar) -> Scalar:
    """The log of the worth of money at which that much utility is bought; the more money is worth, the less is bought."""

    def half(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        more = _utility(goods, goods.levels(middle)) > utility
        return jnp.where(more, middle, low), jnp.where(more, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, half, (start - REACH, start + REACH))
    return 0.5 * (low + high)
