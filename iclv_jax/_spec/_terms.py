"""Forms of attributes that utilities are written with."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_real
from iclv_jax._base._types import Array, Given, Number
from iclv_jax._spec._names import nearest

NEAR = 1e-4
"""Below it the Box-Cox transform is taken by its series, which has no 0 / 0."""


def boxcox(x: Given[Number], power: Given[Number]) -> Array:
    """The Box-Cox transform `(x^power - 1) / power`, the logarithm at 0 (Box and Cox 1964).

    Parameters
    ----------
    x
        A positive attribute, such as `x.time`; at 0 it is what the limit is, `-1 / power` for a positive power and minus
        infinity for others. NaN below.
    power
        Usually a parameter: 1 is linear.

    Examples
    --------
    >>> [round(float(iclv.boxcox(4.0, power)), 3) for power in (1.0, 0.5, 0.0)]
    [3.0, 2.0, 1.386]
    """
    x, power = _numbers(x, "boxcox: x").astype(float), _numbers(power, "boxcox: power").astype(float)
    positive = jnp.where(x > 0.0, x, 1.0)
    log = jnp.log(positive)
    small = jnp.abs(power) < NEAR
    safe = jnp.where(small, 1.0, power)
    z = power * log
    series = log * (1.0 + z / 2.0 + z**2 / 6.0 + z**3 / 24.0)
    value = jnp.where(small, series, jnp.expm1(safe * log) / safe)
    bounded = power > 0.0
    at_zero = jnp.where(bounded, -1.0 / jnp.where(bounded, power, 1.0), -jnp.inf)
    return jnp.where(x > 0.0, value, jnp.where(x == 0.0, at_zero, jnp.nan))


def piecewise(x: Given[Number], knots: Given[Sequence[float]], slopes: Given[Sequence[Number]]) -> Array:
    """A continuous function of an attribute, linear between knots and 0 at 0.

    Parameters
    ----------
    x
        The attribute.
    knots
        Where slopes change, increasing.
    slopes
        One more than knots: parameters such as `[b.near, b.far]`.

    Raises
    ------
    ValueError
        For another number of slopes, and knots that do not increase.

    Examples
    --------
    >>> [float(iclv.piecewise(time, [10.0, 20.0], [-0.1, -0.2, -0.3])) for time in (5.0, 15.0, 30.0)]
    [-0.5, -2.0, -6.0]
    """
    x, at = _numbers(x, "piecewise: x"), _several(knots, "knots")
    parts = [_numbers(slope, "piecewise: a slope") for slope in _several(slopes, "slopes")]
    if not all(is_real(knot) and np.isfinite(knot) for knot in at):
        raise ValueError(f"piecewise: knots are finite numbers, not {at!r}.")
    if len(parts) != len(at) + 1:
        raise ValueError(f"piecewise: {len(at)} knots take {len(at) + 1} slopes, not {len(parts)}.")
    if any(not a < b for a, b in pairwise(at)):
        raise ValueError(f"piecewise: the knots {at!r} do not increase.")
    total = parts[0] * x
    for knot, before, after in zip(at, parts[:-1], parts[1:], strict=True):
        total = total + (after - before) * (jnp.maximum(x - knot, 0.0) - max(0.0 - knot, 0.0))
    return total


def regret(
    attributes: Given[Mapping[str, Mapping[str, Number]]],
    weights: Given[Mapping[str, Number]],
    available: Given[Mapping[str, Number] | None] = None,
) -> dict[str, Array]:
    """Utilities of random regret minimisation: `-sum_m sum_(i != j) log(1 + exp(w_m (x_im - x_jm)))` (Chorus 2010).

    Parameters
    ----------
    attributes
        By alternative its attributes by name, such as `{"car": {"time": x.t1, "cost": x.c1}, "bus": {...}}`.
    weights
        Parameters by attribute.
    available
        By alternative the column that is 0 where it is not available, such as `{"bus": x.av_bus}`; one that is not named
        always is. What is not available is nothing to regret: nobody compares with it, and its attributes may be missing.
        The choice takes the same columns by names, `iclv.Logit(..., available={"bus": "av_bus"})`.

    Raises
    ------
    ValueError
        For an alternative without one of the attributes, and an availability of none of the alternatives.

    Examples
    --------
    >>> attributes = {"car": {"time": 10.0, "cost": 3.0}, "bus": {"time": 25.0, "cost": 1.0}}
    >>> {k: round(float(v), 2) for k, v in iclv.regret(attributes, {"time": -0.1, "cost": -0.5}).items()}
    {'car': -1.51, 'bus': -2.01}
    """
    on = _named({} if available is None else available, "available", "alternatives")
    weights = _named(weights, "weights", "attributes")
    if not isinstance(attributes, Mapping):
        raise ValueError(f"regret: attributes is a mapping from alternatives to theirs, not {attributes!r}.")
    attributes = {
        name: _named(own, f"attributes[{name!r}]", "attributes") for name, own in attributes.items()
    }
    if unknown := [name for name in on if name not in attributes]:
        raise ValueError(f"regret: available= names {unknown[0]!r}. {nearest(unknown[0], attributes)}")
    for name, own in attributes.items():
        if missing := [m for m in weights if m not in own]:
            raise ValueError(f"regret: the alternative {name!r} has no attribute {missing[0]!r}.")
    return {
        name: -sum(
            (
                _regretted(w, other[m], own[m], on.get(rival))
                for m, w in weights.items()
                for rival, other in attributes.items()
                if rival != name
            ),
            jnp.zeros(()),
        )
        for name, own in attributes.items()
    }


def _named(given: Given[Mapping[str, Number]], what: str, of: str) -> dict[str, Array]:
    if not isinstance(given, Mapping):
        raise ValueError(f"regret: {what} is a mapping from {of} to numbers, not {given!r}.")
    return {name: _numbers(value, f"regret: {what}, at {name!r},") for name, value in given.items()}


def _several(given: Given[Sequence[Number]], what: str) -> list[Any]:
    """Numbers in a list or an array of one dimension."""
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable) or np.ndim(given) > 1:  # pyright: ignore[reportArgumentType]
        raise ValueError(f"piecewise: {what} is a list of numbers, not {given!r}.")
    return list(given)


def _numbers(value: Given[Number], what: str) -> Array:
    try:
        found = jnp.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{what} is a number, such as a parameter or a column, not {value!r}.") from error
    if (not jnp.issubdtype(found.dtype, jnp.number) and found.dtype != bool) or jnp.iscomplexobj(found):
        raise ValueError(f"{what} is a real number, not {value!r}.")
    return found


def _regretted(weight: Number, other: Number, own: Number, available: Number | None) -> Array:
    """The regret over one attribute of one rival; none where the rival is not available, whatever its attribute holds."""
    if available is None:
        return jax.nn.softplus(weight * (jnp.asarray(other) - own))
    there = jnp.asarray(available) != 0
    # The rival's attribute may be missing: it is taken out before anything is computed of it.
    return jnp.where(there, jax.nn.softplus(weight * (jnp.where(there, other, 0.0) - own)), 0.0)
