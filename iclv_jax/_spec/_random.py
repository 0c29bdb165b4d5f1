"""Distributions of random coefficients: `coefficient = f(cells, u)`, u standard normal."""

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from iclv_jax._base._arguments import is_real, is_whole
from iclv_jax._base._compiled import compiled
from iclv_jax._base._quantiles import log_below, lower_quantile
from iclv_jax._base._types import AnyArray, Array, Given
from iclv_jax._spec._limit import FAR, NOBODY, ON, Limit, away, share_below

MEAN = "mean"
INSIDE = 0.02
"""Share of the interval between two bounds by which a coefficient starts inside it at least."""
NO_SPREAD = 1e-30
"""Standard deviation of a truncated normal below which everyone has its mean."""
MANY = 4000
"""Points at which a share of a distribution is taken."""


class Mixing(abc.ABC):
    """How a standard normal variable becomes a coefficient. A member is a frozen dataclass.

    `starts` names the parameters, each with its start value: `"mean"` is the parameter that the utility uses, here
    `price`, and any other key has a name of its own behind it, `price.sd`. `spread` is the key of the one that turns its
    sign without changing the distribution and in whose units covariances are: `price ~~ time` is the correlation of the
    two normal variables times both spreads. A coefficient without one takes no part in `covariances=`.

    ```python
    @dataclass(frozen=True)
    class Weibull(iclv.Mixing):
        spread = None

        @property
        def starts(self):
            return {"mean": 0.0, "shape": 1.0}  # the log of the scale, and `price.shape`

        def coefficient(self, cells, u):
            return jnp.exp(cells["mean"]) * (-log_ndtr(-u)) ** (1.0 / cells["shape"])
    ```

    Examples
    --------
    >>> iclv.JohnsonSB(-3.0, 0.0).named("price")
    {'mean': 'price', 'sd': 'price.sd'}
    """

    spread: ClassVar[str | None] = "sd"
    by_mean: ClassVar[bool] = False
    """Whether the parameter `"mean"` is the coefficient in the middle of its distribution, in the same units."""
    within: bool = False
    """Whether the coefficient is drawn anew in every situation, rather than once for a person."""

    @property
    @abc.abstractmethod
    def starts(self) -> Mapping[str, float]:
        """Start values of its parameters; `"mean"` is the coefficient's own."""

    def starts_at(self, value: float, spread: float) -> Mapping[str, float] | None:
        """Start values where the coefficient is about `value` and differs by about `spread` from person to person, as a fit
        with a fixed coefficient tells; None: `starts`, whatever the data."""
        return None

    def limit(self, values: Mapping[str, float]) -> Limit | None:
        """Where the distribution is all but another one that parameters reach at infinity only: that one, with parameters
        further on the way. A search whose log-likelihood does not fall there has no finite maximum. None: it is not."""
        return None

    @abc.abstractmethod
    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        """The coefficient of a person whose standard normal variable is `u`; all are scalars, written with JAX."""

    def named(self, coefficient: str) -> dict[str, str]:
        """Names of the parameters by their keys."""
        return {key: coefficient if key == MEAN else f"{coefficient}.{key}" for key in self.starts}

    def spread_of(self, coefficient: str) -> str | None:
        """The name of the parameter that is the spread."""
        return None if self.spread is None else f"{coefficient}.{self.spread}"


@dataclass(frozen=True)
class Normal(Mixing):
    """A normally distributed coefficient with mean `name` and standard deviation `name.sd`.

    Parameters
    ----------
    within
        Whether it is drawn anew in every situation (as every distribution's, by keyword), rather than once for a person; in
        two choices of one row twice.
        The integral over it is inside the situation, by a product of Gauss-Hermite rules of 15, 11 or 7 nodes for one, two
        or three such coefficients of a choice: exact to 0.01 points where the spread is about one unit of utility.

    Examples
    --------
    >>> mixed = iclv.Model(choice=iclv.Logit(plain, "mode"), random={"time": iclv.Normal()})
    >>> mixed.bind(df).names
    ('asc_bus', 'age_bus', 'time', 'time.sd', 'cost')
    """

    by_mean: ClassVar[bool] = True
    within: Given[bool] = field(default=False, kw_only=True)

    @property
    def starts(self) -> Mapping[str, float]:
        return {MEAN: 0.0, "sd": 1.0}

    def starts_at(self, value: float, spread: float) -> Mapping[str, float]:
        return {MEAN: value, "sd": spread}

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        return cells[MEAN] + cells["sd"] * u


@dataclass(frozen=True)
class LogNormal(Mixing):
    """A coefficient `sign * exp(normal)`; `name` and `name.sd` are mean and spread of the log.

    Parameters
    ----------
    sign
        +1 for a coefficient that is positive for everyone, -1 for a negative one.

    Examples
    --------
    >>> negative = iclv.LogNormal(sign=-1)  # nobody likes to pay
    >>> iclv.Model(choice=iclv.Logit(plain, "mode"), random={"cost": negative}).bind(df).names
    ('asc_bus', 'age_bus', 'time', 'cost', 'cost.sd')
    """

    sign: Given[int] = 1
    within: Given[bool] = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not is_whole(self.sign, -1) or self.sign == 0 or self.sign > 1:
            raise ValueError(f"The sign of a LogNormal is 1 or -1, not {self.sign!r}.")

    @property
    def starts(self) -> Mapping[str, float]:
        return {MEAN: -1.0, "sd": 0.5}

    def starts_at(self, value: float, spread: float) -> Mapping[str, float]:
        size = max(self.sign * value, 1e-12)
        return {MEAN: math.log(size), "sd": spread / size}

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        return self.sign * jnp.exp(cells[MEAN] + cells["sd"] * u)


@dataclass(frozen=True)
class _Symmetric(Mixing):
    """What coefficients between `name - name.width` and `name + name.width` have in common."""

    spread: ClassVar[str | None] = "width"
    by_mean: ClassVar[bool] = True
    within: Given[bool] = field(default=False, kw_only=True)

    @property
    def starts(self) -> Mapping[str, float]:
        return {MEAN: 0.0, "width": 1.0}

    def starts_at(self, value: float, spread: float) -> Mapping[str, float]:
        return {MEAN: value, "width": 2.0 * spread}


@dataclass(frozen=True)
class Uniform(_Symmetric):
    """A coefficient that is uniform on `name - name.width` to `name + name.width`: the width is half of the interval.

    Examples
    --------
    >>> iclv.Uniform().named("time")
    {'mean': 'time', 'width': 'time.width'}
    """

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        return cells[MEAN] + cells["width"] * (2.0 * ndtr(u) - 1.0)


@dataclass(frozen=True)
class Triangular(_Symmetric):
    """A symmetric triangle from `name - name.width` to `name + name.width`, with its mode at `name`.

    Examples
    --------
    >>> iclv.Triangular().named("time")
    {'mean': 'time', 'width': 'time.width'}
    """

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        below, above = jnp.sqrt(2.0 * ndtr(u)) - 1.0, 1.0 - jnp.sqrt(2.0 * ndtr(-u))
        return cells[MEAN] + cells["width"] * jnp.where(u < 0.0, below, above)


@dataclass(frozen=True)
class TruncatedNormal(Mixing):
    """A normal coefficient between two bounds; `name` and `name.sd` are mean and standard deviation before the cut.

    Parameters
    ----------
    lower, upper
        Where it is cut; None where it is not.

    Examples
    --------
    >>> iclv.TruncatedNormal(upper=0.0).named("cost")
    {'mean': 'cost', 'sd': 'cost.sd'}
    """

    lower: Given[float | None] = None
    upper: Given[float | None] = None
    within: Given[bool] = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        lower = -math.inf if self.lower is None else self.lower
        _check_bounds("TruncatedNormal", lower, math.inf if self.upper is None else self.upper)
        if not any(map(math.isfinite, self._ends)):
            raise ValueError("TruncatedNormal has neither lower= nor upper=. That is Normal().")

    @property
    def _ends(self) -> tuple[float, float]:
        return (
            -math.inf if self.lower is None else self.lower,
            math.inf if self.upper is None else self.upper,
        )

    @property
    def starts(self) -> Mapping[str, float]:
        inside = [end + side for end, side in zip(self._ends, (1.0, -1.0), strict=True) if math.isfinite(end)]
        return {MEAN: sum(inside) / len(inside), "sd": 1.0}

    def starts_at(self, value: float, spread: float) -> Mapping[str, float]:
        low, high = self._ends
        return {MEAN: min(max(value, low), high), "sd": spread}

    def limit(self, values: Mapping[str, float]) -> Limit | None:
        """An exponential distribution, where the mean is far beyond an end; between two ends, and as flat as can be, where
        the normal density is far wider than they are apart."""
        (low, high), mean, sd = self._ends, values[MEAN], abs(values["sd"])
        centre, bounded = (high if mean > high else low), math.isfinite(high - low)
        if not max(mean - high, low - mean) > FAR * sd > 0.0:
            if not (bounded and sd > FAR * (high - low)):
                return None
            centre = 0.5 * (low + high)
        beyond, goes = {MEAN: centre + ON**2 * (mean - centre), "sd": ON * sd}, {"sd": "infinity"}
        rate = abs(mean - centre) / sd**2
        if rate * max(abs(centre), 1.0) > 1.0 / NOBODY:
            return Limit({MEAN: mean, "sd": sd / ON}, {"sd": "zero"}, f"{centre:g}, its end, for everyone")
        if bounded and rate * (high - low) < 1.0 / FAR:
            return Limit(beyond, goes, f"uniform between {low:g} and {high:g}")
        ends = (
            f"between {low:g} and {high:g}"
            if bounded
            else f"from its end {centre:g} on, of mean {1.0 / rate:.3g}"
        )
        return Limit(beyond, {MEAN: away(mean, centre), **goes}, f"exponential {ends}")

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        mean, spread = cells[MEAN], jnp.abs(cells["sd"])
        # In units of a spread of nothing the ends are not finite, and neither are derivatives.
        sd = jnp.where(spread > NO_SPREAD, spread, 1.0)
        # As mixtures of the masses beyond the two ends, in logs: the mean may lie far outside, and where an end is not there
        # its mass is zero, at which derivatives are no numbers. All at once: each would be compiled by itself.
        ends = [(end - mean) / sd for end in (self.lower, self.upper) if end is not None]
        under, over, *masses = log_below(jnp.stack([u, -u, *(side for end in ends for side in (end, -end))]))
        below, above = [under], [over]
        if self.lower is not None:
            before, behind, *masses = masses
            below, above = [under, over + before], [over + behind]
        if self.upper is not None:
            before, behind = masses
            below[0] = under + before
            above.append(under + behind)
        less, more = reduce(jnp.logaddexp, below), reduce(jnp.logaddexp, above)
        # From the nearer tail of the standard normal, so that it is not lost in 1 - p.
        left = less < more
        cut = lower_quantile(jnp.where(left, less, more))
        narrow = jnp.clip(mean + cells["sd"] * u, *self._ends)
        return jnp.where(spread > NO_SPREAD, mean + sd * jnp.where(left, cut, -cut), narrow)


@dataclass(frozen=True)
class JohnsonSB(Mixing):
    """A coefficient between two bounds, `lower + (upper - lower) / (1 + exp(-normal))`; `name` and `name.sd` are mean and
    spread of that normal variable.

    It may have its mode inside, at an end or at both (Johnson 1949; Train and Sonnier 2005).

    Parameters
    ----------
    lower, upper
        The bounds.

    Examples
    --------
    >>> iclv.JohnsonSB(-2.0, 0.0).named("cost")
    {'mean': 'cost', 'sd': 'cost.sd'}
    """

    lower: Given[float] = 0.0
    upper: Given[float] = 1.0
    within: Given[bool] = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _check_bounds("JohnsonSB", self.lower, self.upper)
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            raise ValueError(f"JohnsonSB has finite bounds, not {self.lower!r} and {self.upper!r}.")

    @property
    def starts(self) -> Mapping[str, float]:
        return {MEAN: 0.0, "sd": 1.0}

    def starts_at(self, value: float, spread: float) -> Mapping[str, float]:
        width = self.upper - self.lower
        share = min(max((value - self.lower) / width, INSIDE), 1.0 - INSIDE)
        return {MEAN: math.log(share / (1.0 - share)), "sd": spread / (width * share * (1.0 - share))}

    def limit(self, values: Mapping[str, float]) -> Limit | None:
        """Two masses at the ends, where the normal variable is so wide that hardly anything is left between them."""
        mean, sd = values[MEAN], abs(values["sd"])
        if not sd > FAR:
            return None
        below = share_below(mean, sd)
        goes = {"sd": "infinity"} if abs(mean) < sd / FAR else {MEAN: away(mean), "sd": "infinity"}
        words = f"{below:.0%} at {self.lower:g} and {1.0 - below:.0%} at {self.upper:g}, nobody between"
        return Limit({MEAN: ON * mean, "sd": ON * sd}, goes, words)

    def coefficient(self, cells: Mapping[str, Array], u: Array) -> Array:
        share = jax.nn.sigmoid(cells[MEAN] + cells["sd"] * u)
        return self.lower + (self.upper - self.lower) * share


def _check_bounds(what: str, lower: object, upper: object) -> None:
    for name, value in (("lower", lower), ("upper", upper)):
        if not is_real(value):
            raise ValueError(f"{what}: {name}= is a number, not {value!r}.")
    if not lower < upper:  # pyright: ignore[reportOperatorIssue]
        raise ValueError(f"{what}: lower={lower!r} is not below upper={upper!r}.")


def share_positive(mixing: Mixing, values: Mapping[str, float]) -> float:
    """The share of people whose coefficient is above zero, over the distribution at values of its parameters by key."""
    return float(_positive(mixing, {key: np.float64(value) for key, value in values.items()}))


@partial(compiled, quick=True, static_argnums=0)
def _positive(mixing: Mixing, cells: dict[str, AnyArray]) -> Array:
    u = ndtri((jnp.arange(MANY, dtype=float) + 0.5) / MANY)
    return jnp.mean(jax.vmap(lambda one: mixing.coefficient(cells, one))(u) > 0.0)
