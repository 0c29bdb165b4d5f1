"""A line search as a state that is asked for one trial length at a time.

Weak Wolfe conditions by bracketing and quadratic interpolation; near rounding the approximate conditions of
Hager and Zhang (2005), which look at slopes in place of values.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Int, Scalar
from iclv_jax._optimise._method import SHORTEST, Trial, rounding

DECREASE, FLATTER = 1e-4, 0.9
MOST_TRIALS = 40


class Search(NamedTuple):
    """A search along `direction`: the next trial `length`, the longest one allowed, the bracket, and what is
    known at its lower end."""

    direction: Array
    length: Scalar
    longest: Scalar
    low: Scalar
    low_value: Scalar
    low_slope: Scalar
    high: Scalar
    trials: Int[Array, ""]


def begin(direction: Array, gradient: Array, length: Array, longest: Array) -> Search:
    slope = jnp.dot(gradient, direction)
    zero = jnp.zeros(())
    start = jnp.minimum(length, longest)
    return Search(
        direction,
        start,
        longest,
        zero,
        jnp.full((), jnp.nan, float),
        slope,
        jnp.full((), jnp.inf, float),
        jnp.zeros((), int),
    )


def longest_step(direction: Array, lower: Array, upper: Array) -> Scalar:
    """How far one can go before the first bound."""
    room = jnp.where(direction > 0.0, upper, jnp.where(direction < 0.0, lower, jnp.inf))
    safe = jnp.where(direction == 0.0, 1.0, direction)
    return jnp.min(jnp.where(direction == 0.0, jnp.inf, room / safe))


def judge(search: Search, gradient: Array, trial: Trial) -> tuple[Array, Array, Search]:
    """Whether the trial is taken, whether the search has failed, and the search with its next length."""
    first = jnp.dot(gradient, search.direction)
    slope = jnp.dot(trial.gradient, search.direction)
    finite = jnp.isfinite(trial.trial) & jnp.isfinite(slope)
    enough = trial.trial <= trial.value + DECREASE * search.length * first
    near = (trial.trial <= trial.value + rounding(trial.value)) & (slope <= -0.8 * first)
    low_enough = finite & (enough | near)
    too_short = low_enough & (slope < FLATTER * first) & (search.length < search.longest)
    accepted = low_enough & ~too_short

    low_value = jnp.where(jnp.isnan(search.low_value), trial.value, search.low_value)
    low = jnp.where(too_short, search.length, search.low)
    at_low = jnp.where(too_short, trial.trial, low_value)
    along = jnp.where(too_short, slope, search.low_slope)
    high = jnp.where(too_short, search.high, search.length)
    width = high - low
    bend = trial.trial - at_low - along * width
    parabola = jnp.where(bend > 0.0, -0.5 * along * width**2 / jnp.where(bend > 0.0, bend, 1.0), 0.5 * width)
    usable = ~too_short & finite & jnp.isfinite(parabola)
    inside = low + jnp.where(
        usable, jnp.clip(parabola, 0.1 * width, 0.5 * width), jnp.where(finite, 0.5, 0.1) * width
    )
    length = jnp.where(jnp.isinf(high), jnp.minimum(4.0 * search.length, search.longest), inside)
    trials = search.trials + 1
    size = jnp.linalg.norm(search.direction)
    failed = ~accepted & ((trials >= MOST_TRIALS) | (jnp.isfinite(high) & (width * size < SHORTEST)))
    return (
        accepted,
        failed,
        Search(search.direction, length, search.longest, low, at_low, along, high, trials),
    )


def empty(size: int) -> Search:
    zero = jnp.zeros(())
    return Search(jnp.zeros(size), zero, zero, zero, zero, zero, zero, jnp.zeros((), int))


def chosen(which: Array, first: Search, second: Search) -> Search:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), first, second)
