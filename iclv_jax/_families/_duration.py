"""Durations: Weibull given the latent variables, some of them not over yet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._spec import Cells, Declared, Expected, Parameter, Positive, Tails, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor

GUMBEL_SPREAD = math.pi / math.sqrt(6.0)
"""Standard deviation of the logarithm of a unit exponential variable."""


@dataclass(frozen=True)
class Duration(_shared.Unlevelled):
    """A duration: `P(T > t) = exp(-(t / scale)^shape)` with `log(scale) = intercept + loading * latent`.

    A Weibull distribution in the form of accelerated failure time: positive loadings and effects mean longer durations, and
    by `exp(effect)` as long. Its hazard changes by the factor `exp(-shape * effect)`. A shape of 1 is a constant hazard.

    Parameters
    ----------
    column
        The column that holds it, constant within a person: positive numbers.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    event
        A column of 1, the duration ended as seen, and 0, it was longer (right censoring). None: all ended.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Parameters are `column ~ 1`, `latent =~ column` and `column.shape`. Predictions and simulations are of whole durations:
    when a person would have been lost from sight is no part of the model. Effects and standardised estimates
    are of the logarithm.

    Examples
    --------
    >>> months = df.assign(moved=df["female"])  # 1 where the end was seen
    >>> iclv.Model([iclv.Latent("green")], [iclv.Duration("time", of="green", event="moved"), *items]).bind(months).names[:3]
    ('time ~ 1', 'green =~ time', 'time.shape')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    event: Given[str | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    normal: ClassVar[bool] = False
    shared: ClassVar[None] = None
    stack: ClassVar[str] = "Weibull"

    def __post_init__(self) -> None:
        _shared.normalise(self)
        if self.event is not None and (not isinstance(self.event, str) or self.event in ("", self.column)):
            raise ValueError(
                f"Item {self.column!r}: event= is the name of another column, not {self.event!r}."
            )

    @property
    def location(self) -> str | None:
        return names.intercept(self.column)

    @property
    def _shape(self) -> str:
        return f"{self.column}.shape"

    @property
    def flag(self) -> str | None:
        return self.event

    def flagged(self, values: np.ndarray, flags: np.ndarray) -> np.ndarray:
        """Durations that ended are positive, the others negative."""
        return np.where(flags == 1.0, values, -values)

    def answered(self, values: np.ndarray) -> dict[str, np.ndarray]:
        columns = {self.column: np.abs(values)}
        return columns if self.event is None else columns | {self.event: (values > 0.0).astype(int)}

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _shared.check_numeric(self.column, values, people)
        for value, person in zip(values, people, strict=True):
            # Numbers below the normal ones are zero to what is compiled.
            if not float(value) >= np.finfo(float).tiny:  # pyright: ignore[reportArgumentType]
                raise ValueError(
                    f"Duration {self.column!r} has the value {value!r} for person {person!r}. Durations are positive; codes "
                    "that mean 'no answer' go into `missing=`."
                )
        _shared.check_varied(self, "Duration", values)

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q = self.column
        shape = Parameter(self._shape, "measurement", "shape", 1.0, f"Weibull shape of {q}", owner=q)
        cells = (
            Cells("intercept", (), (one(names.intercept(q)),)),
            _shared.loading_cells(self, positions),
            Cells("shape", (), (one(self._shape),)),
        )
        level = _shared.location(self, q, f"log scale of {q}")
        return Declared((level, *_shared.loadings(self), shape), cells, (Positive(self._shape),))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        times = np.abs(np.asarray(values, float))
        spread, events = max(float(np.log(times).std()), 0.1), max(int(np.sum(values > 0.0)), 1)
        shape = GUMBEL_SPREAD / spread / (1.0 - communality) ** 0.5
        # The maximum of the likelihood at this shape, without latent variables.
        powers = np.exp(shape * (np.log(times) - np.log(times).max()))
        scale = np.log(times).max() + np.log(powers.sum() / events) / shape
        start = {names.intercept(self.column): float(scale), self._shape: shape}
        return start | _shared.loading_starts(self, sign * spread * communality**0.5)

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        shape, log_time = cells["shape"], jnp.log(jnp.abs(values))
        distance = shape * (log_time - cells["intercept"] - index)
        return jnp.where(values > 0.0, jnp.log(shape) - log_time + distance, 0.0) - jnp.exp(distance)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        log_scale, inverse = cells["intercept"] + index, 1.0 / cells["shape"]
        mean = jnp.exp(log_scale + gammaln(1.0 + inverse))
        second = jnp.exp(2.0 * log_scale + gammaln(1.0 + 2.0 * inverse))
        return Expected(mean, second - mean**2, jnp.zeros((mean.shape[0], 0)))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        noise = jnp.log(jax.random.exponential(key, index.shape, index.dtype))
        return jnp.exp(cells["intercept"] + index + noise / cells["shape"])

    def tails(self, cells: Arrays, values: Array, index: Array) -> Tails:
        log_hazard = cells["shape"] * (jnp.log(jnp.abs(values)) - cells["intercept"] - index)
        below, beyond = -jnp.expm1(-jnp.exp(log_hazard)), jnp.exp(-jnp.exp(log_hazard))
        none, ended = jnp.zeros_like(below), values > 0.0
        return Tails(below, jnp.where(ended, none, beyond), jnp.where(ended, beyond, none))

    def response_variance(self, cells: Arrays) -> Array:
        return (GUMBEL_SPREAD / cells["shape"]) ** 2

    def information(self, cells: Arrays, index: Array) -> Array:
        """Of a duration that is seen to its end."""
        return cells["shape"] ** 2
