"""Censored items: normal, and seen between limits only."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtr

from iclv_jax._base._interval import log_normal_interval
from iclv_jax._base._quantiles import HALF_LOG_TWO_PI
from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._spec import Cells, Declared, Expected, Parameter, Positive, Tails, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor
from iclv_jax._spec._values import is_number


@dataclass(frozen=True)
class Censored(_shared.Unlevelled):
    """A censored item: a normal response `intercept + loading * latent + error` of which only what lies between two
    limits is seen, and the limit itself where it lies beyond (Tobin 1958).

    Parameters
    ----------
    column
        The column that holds it, constant within a person; a value at a limit says that the response is there or beyond.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    lower, upper
        The limits, in units of the column; None where there is none. At least one is given.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Parameters are those of `Continuous`: `column ~ 1`, `latent =~ column`, and the error variance `column ~~ column`, all of
    the response. Predictions are of what is seen; effects and standardised estimates of the response.

    Examples
    --------
    >>> spent = df.assign(spent=df["cost"].clip(1.0, None))
    >>> iclv.Model([iclv.Latent("green")], [iclv.Censored("spent", of="green", lower=1.0), *items]).bind(spent).names[:3]
    ('spent ~ 1', 'green =~ spent', 'spent ~~ spent')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    lower: Given[float | None] = None
    upper: Given[float | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    normal: ClassVar[bool] = False
    shared: ClassVar[None] = None

    def __post_init__(self) -> None:
        _shared.normalise(self)
        for field in ("lower", "upper"):
            limit = getattr(self, field)
            if limit is None:
                continue
            if not is_number(limit) or not np.isfinite(float(limit)):
                raise ValueError(
                    f"Item {self.column!r}: {field}= is a finite number, or None where there is no such limit, not "
                    f"{limit!r}."
                )
            object.__setattr__(self, field, float(limit))
        if self.lower is None and self.upper is None:
            raise ValueError(
                f"Censored item {self.column!r} has no limit. Give lower= or upper=, or make it iclv.Continuous."
            )
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(
                f"Censored item {self.column!r}: lower={self.lower:g} is not below upper={self.upper:g}."
            )

    @property
    def stack(self) -> Hashable:
        return (self.lower, self.upper)

    @property
    def location(self) -> str | None:
        return names.intercept(self.column)

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _shared.check_numeric(self.column, values, people)
        _shared.check_varied(self, "Censored", values)
        low, high = self._limits
        for value, person in zip(values, people, strict=True):
            beyond = f"below lower={low:g}" if float(value) < low else f"above upper={high:g}"  # pyright: ignore[reportArgumentType]
            if not low <= float(value) <= high:  # pyright: ignore[reportArgumentType]
                raise ValueError(
                    f"Censored item {self.column!r} has the value {value!r} for person {person!r}, {beyond}. Move the "
                    "limit; codes that mean 'no answer' go into `missing=`."
                )
        inside = [v for v in values if low < float(v) < high]  # pyright: ignore[reportArgumentType]
        if values and len(set(inside)) < 2:
            raise ValueError(
                f"Censored item {self.column!r} hardly has values between its limits, so that its scale is unidentified. "
                "Make it iclv.Binary or iclv.Ordered."
            )

    @property
    def _limits(self) -> tuple[float, float]:
        low, high = self.lower, self.upper
        return (-np.inf if low is None else low), (np.inf if high is None else high)

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q, variance = self.column, names.variance(self.column)
        spread = Parameter(
            variance, "measurement", "variance", 1.0, f"error variance of the response {q}", owner=q
        )
        cells = (
            Cells("intercept", (), (one(names.intercept(q)),)),
            _shared.loading_cells(self, positions),
            Cells("variance", (), (one(variance),)),
        )
        level = _shared.location(self, q, f"intercept of the response {q}")
        return Declared((level, *_shared.loadings(self), spread), cells, (Positive(variance),))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        observed = np.asarray(values, float)
        spread = float(observed.std())
        start = _shared.loading_starts(self, sign * spread * communality**0.5)
        start[names.variance(self.column)] = spread**2 * (1.0 - communality)
        return start | {names.intercept(self.column): float(observed.mean())}

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        variance = cells["variance"]
        distance = (values - cells["intercept"] - index) / jnp.sqrt(variance)
        found = -0.5 * (distance**2 + jnp.log(2.0 * jnp.pi * variance))
        if self.lower is not None:
            below = log_normal_interval(jnp.full_like(distance, -jnp.inf), distance)
            found = jnp.where(values <= self.lower, below, found)
        if self.upper is not None:
            above = log_normal_interval(distance, jnp.full_like(distance, jnp.inf))
            found = jnp.where(values >= self.upper, above, found)
        return found

    def _ends(self, cells: Arrays, index: Array) -> list[tuple[float, float, Array]]:
        """The limits that there are, each with the side on which it lies (-1 or 1) and in standard deviations."""
        mean, scale = cells["intercept"] + index, jnp.sqrt(cells["variance"])
        limits = ((self.lower, -1.0), (self.upper, 1.0))
        return [(limit, side, (limit - mean) / scale) for limit, side in limits if limit is not None]

    def expected(self, cells: Arrays, index: Array) -> Expected:
        mean, scale = cells["intercept"] + index, jnp.sqrt(cells["variance"])
        inside, first, second = jnp.ones_like(mean), jnp.zeros_like(mean), jnp.zeros_like(mean)
        densities, edges = jnp.zeros_like(mean), jnp.zeros_like(mean)
        for limit, side, end in self._ends(cells, index):
            share, density = ndtr(-side * end), jnp.exp(_log_density(end))
            first, second = first + limit * share, second + limit**2 * share
            inside, densities, edges = (
                inside - share,
                densities - side * density,
                edges - side * end * density,
            )
        first = first + mean * inside + scale * densities
        second = second + (mean**2 + scale**2) * inside + 2.0 * mean * scale * densities + scale**2 * edges
        return Expected(first, second - first**2, jnp.zeros((mean.shape[0], 0)))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        noise = jax.random.normal(key, index.shape, index.dtype)
        low, high = self._limits
        return jnp.clip(cells["intercept"] + index + jnp.sqrt(cells["variance"]) * noise, low, high)

    def tails(self, cells: Arrays, values: Array, index: Array) -> Tails:
        z = (values - cells["intercept"] - index) / jnp.sqrt(cells["variance"])
        below, above, none = ndtr(z), ndtr(-z), jnp.zeros_like(z)
        low, high = (values <= self._limits[0], values >= self._limits[1])
        mass = jnp.where(low, below, jnp.where(high, above, none))
        return Tails(jnp.where(low, none, below), mass, jnp.where(high, none, above))

    def response_variance(self, cells: Arrays) -> Array:
        return cells["variance"]

    def information(self, cells: Arrays, index: Array) -> Array:
        found = jnp.ones_like(cells["variance"])
        for _, side, end in self._ends(cells, index):
            # What lies inside, and the squared score of what lies beyond.
            found = found - ndtr(-side * end) - side * end * jnp.exp(_log_density(end))
            found = found + jnp.exp(2.0 * _log_density(end) - log_ndtr(-side * end))
        return found / cells["variance"]


def _log_density(z: Array) -> Array:
    """Of the standard normal distribution."""
    return -0.5 * z**2 - HALF_LOG_TWO_PI
