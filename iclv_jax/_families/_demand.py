"""How a budget is shared out over goods of decreasing marginal utility."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Bool, Float, Scalar

STEPS = 100
"""Newton steps at most for the marginal utility of money; six are usual, one where all satiate alike."""
CLOSE = 1e-13


class Goods(NamedTuple):
    """Goods whose log marginal utility of money is `base - (1 - alpha) log(quantity + gamma) - log(price)`.

    `gamma` is zero for an outside good, of which something is always bought.
    """

    base: Float[Array, " good"]
    alpha: Float[Array, " good"]
    gamma: Float[Array, " good"]
    price: Float[Array, " good"]
    offered: Bool[Array, " good"]

    def log_marginal(self, quantity: Array) -> Float[Array, " good"]:
        """At these quantities."""
        level = jnp.where(self.offered, quantity + self.gamma, 1.0)
        return self.base - (1.0 - self.alpha) * jnp.log(level) - jnp.log(self.price)

    def levels(self, log_worth: Array) -> Float[Array, " good"]:
        """Logs of quantity plus gamma at which money is worth that much."""
        return (self.base - jnp.log(self.price) - log_worth) / (1.0 - self.alpha)

    def spending(self, log_worth: Array) -> Scalar:
        """What is bought where money is worth that much, in money."""
        over = jnp.maximum(jnp.exp(self.levels(log_worth)) - self.gamma, 0.0)
        return jnp.sum(jnp.where(self.offered, self.price * over, 0.0))


def quantities(goods: Goods, budget: Scalar) -> Float[Array, " good"]:
    """Quantities that maximise utility within a budget; zero for what is not offered.

    A good is bought when those that are better at zero leave some of the budget at the worth of money at which it comes
    in. That settles the set, as in Pinjari and Bhat (2021), without their enumeration; on the set the worth of money
    solves one equation, by Newton's method in logarithms.
    """
    inside = goods.offered & (goods.gamma > 0.0)
    first = goods._replace(gamma=jnp.where(inside, goods.gamma, 1.0)).log_marginal(jnp.zeros_like(goods.base))
    spent = jax.vmap(goods.spending)(first)
    bought = jnp.where(inside, spent < budget, goods.offered)
    worth = _worth(goods, bought, budget)
    level = jnp.where(bought, goods.levels(worth), 0.0)
    return jnp.where(bought, jnp.exp(level) - goods.gamma, 0.0)


def _worth(goods: Goods, bought: Array, budget: Scalar) -> Scalar:
    """Log of what money is worth when the budget is spent on what is bought."""
    start = jnp.max(jnp.where(bought, goods.log_marginal(jnp.ones_like(goods.base)), -jnp.inf))
    fixed = jax.lax.stop_gradient((goods, bought, budget, start))
    # One step more, from where it stands still, has the derivatives of the root.
    return _step(goods, bought, budget, _root(*fixed))


def _step(goods: Goods, bought: Array, budget: Scalar, at: Scalar) -> Scalar:
    """A Newton step for the log of what is spent, less that of the budget: convex in the log of the worth of money, with
    slopes of one sign, so that steps arrive from anywhere."""

    def excess(at: Array) -> Array:
        logs = jnp.where(bought, jnp.log(goods.price) + goods.levels(at), -jnp.inf)
        held = jnp.sum(jnp.where(bought, goods.price * goods.gamma, 0.0))
        return jax.nn.logsumexp(logs) - jnp.log(budget + held)

    value, slope = jax.value_and_grad(excess)(at)
    return at - value / slope


def _root(goods: Goods, bought: Array, budget: Scalar, start: Scalar) -> Scalar:
    def goes_on(state: tuple[Array, Array, Array]) -> Array:
        at, before, count = state
        return (jnp.abs(at - before) > CLOSE * (1.0 + jnp.abs(at))) & (count < STEPS)

    def on(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        at, _, count = state
        return _step(goods, bought, budget, at), at, count + 1

    first = _step(goods, bought, budget, start)
    return jax.lax.while_loop(goes_on, on, (first, start, jnp.asarray(0)))[0]


@cache
def gumbels(count: int, goods: int) -> Float[np.ndarray, "draw good"]:
    """Scrambled Sobol draws of standard Gumbel variables, with the seed 0."""
    from scipy.stats import qmc  # Heavy, and only predictions need it.

    uniforms = qmc.Sobol(goods, scramble=True, rng=0).random(count)
    smallest = np.finfo(float).tiny
    return -np.log(-np.log(np.clip(uniforms, smallest, 1.0 - 1e-16)))
