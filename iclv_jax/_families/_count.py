"""Counts: Poisson or negative binomial given the latent variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammainc, gammaincc, gammaln

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._spec import Cells, Declared, Expected, Parameter, Positive, Tails, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor

NEARLY_POISSON = 0.02
"""A dispersion below this takes Stirling's series in place of a difference of two log gamma functions."""
NEAR, TERMS = 0.01, 9
"""Where `log(1 + x) / x` takes its series, and of how many terms."""


@dataclass(frozen=True)
class Count(_shared.Unlevelled):
    """A count: `log E[y] = intercept + loading * latent + log(exposure)`.

    Poisson, or with `dispersion` negative binomial with the variance `mean + dispersion * mean^2` (NB2: Cameron and
    Trivedi 1986).

    Parameters
    ----------
    column
        The column that holds it, constant within a person: whole numbers from 0 on.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    exposure
        A positive column: the time, or the number of occasions, over which was counted. Predictions and simulations are
        for the exposure that their data hold.
    dispersion
        Whether the counts vary by more than Poisson counts, with the parameter `column.dispersion` > 0.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Examples
    --------
    >>> trips = df.assign(trips=df["q1"] + df["female"])
    >>> iclv.Model([iclv.Latent("green")], [iclv.Count("trips", of="green", dispersion=True), *items]).bind(trips).names[:3]
    ('trips ~ 1', 'green =~ trips', 'trips.dispersion')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    exposure: Given[str | None] = None
    dispersion: Given[bool] = False
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    normal: ClassVar[bool] = False
    shared: ClassVar[None] = None

    def __post_init__(self) -> None:
        _shared.normalise(self)
        _shared.check_switch(self, "dispersion")
        if self.exposure is not None and (not isinstance(self.exposure, str) or not self.exposure):
            raise ValueError(
                f"Item {self.column!r}: exposure= is the name of a column, not {self.exposure!r}."
            )

    @property
    def stack(self) -> str:
        return "negative binomial" if self.dispersion else "Poisson"

    @property
    def location(self) -> str | None:
        return names.intercept(self.column)

    @property
    def _dispersion(self) -> str:
        return f"{self.column}.dispersion"

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _shared.check_numeric(self.column, values, people)
        for value, person in zip(values, people, strict=True):
            if float(value) < 0.0 or float(value) % 1.0:  # pyright: ignore[reportArgumentType]
                raise ValueError(
                    f"Count item {self.column!r} has the value {value!r} for person {person!r}. Counts are whole numbers "
                    "from 0 on; codes that mean 'no answer' go into `missing=`."
                )
        _shared.check_varied(self, "Count", values)

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q = self.column
        rate = "log rate" if self.exposure is not None else "log mean"
        parameters = [_shared.location(self, q, f"{rate} of {q}"), *_shared.loadings(self)]
        cells = [Cells("intercept", (), (one(names.intercept(q)),)), _shared.loading_cells(self, positions)]
        if not self.dispersion:
            return Declared(tuple(parameters), tuple(cells))
        meaning = f"dispersion of {q}"
        parameters.append(Parameter(self._dispersion, "measurement", "dispersion", 0.5, meaning, owner=q))
        cells.append(Cells("dispersion", (), (one(self._dispersion),)))
        return Declared(tuple(parameters), tuple(cells), (Positive(self._dispersion),))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        observed = np.asarray(values, float)
        mean = float(observed.mean()) + 0.1
        # Var(y) = mu + (dispersion + variance of exp(loading * latent)) mu^2, the second part by half.
        over = max(float(observed.var()) / mean**2 - 1.0 / mean, 0.1)
        part = 0.5 * over if self.dispersion else over
        total = float(np.sqrt(np.log1p(part)))
        start = {names.intercept(self.column): float(np.log(mean)) - 0.5 * total**2}
        if self.dispersion:
            start[self._dispersion] = over - part
        return start | _shared.loading_starts(self, sign * total)

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        log_mean = cells["intercept"] + index
        if not self.dispersion:
            return values * log_mean - jnp.exp(log_mean) - gammaln(values + 1.0)
        alpha = cells["dispersion"]
        mean = jnp.exp(log_mean)
        rising = _rising(values, alpha) - gammaln(values + 1.0)
        return rising + values * (log_mean - jnp.log1p(alpha * mean)) - mean * _share(alpha * mean)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        mean = jnp.exp(cells["intercept"] + index)
        over = cells["dispersion"] * mean**2 if self.dispersion else 0.0
        return Expected(mean, mean + over, jnp.zeros((mean.shape[0], 0)))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        mean = jnp.exp(cells["intercept"] + index)
        if self.dispersion:
            key, other = jax.random.split(key)
            alpha = cells["dispersion"]
            mean = mean * alpha * jax.random.gamma(other, 1.0 / alpha)
        return jax.random.poisson(key, mean).astype(float)

    def tails(self, cells: Arrays, values: Array, index: Array) -> Tails:
        mean, some = jnp.exp(cells["intercept"] + index), values > 0.0
        mass, count = jnp.exp(self.log_density(cells, values, index)), jnp.where(some, values, 1.0)
        if self.dispersion:
            size = 1.0 / cells["dispersion"]
            share = size / (size + mean)
            below, above = betainc(size, count, share), betainc(values + 1.0, size, 1.0 - share)
        else:
            below, above = gammaincc(count, mean), gammainc(values + 1.0, mean)
        return Tails(jnp.where(some, below, 0.0), mass, above)

    def information(self, cells: Arrays, index: Array) -> Array:
        mean = jnp.exp(cells["intercept"] + index)
        return mean / (1.0 + cells["dispersion"] * mean) if self.dispersion else mean


def _rising(count: Array, alpha: Array) -> Array:
    """`log prod_{j < count} (1 + alpha j)`: that of the rising factorial of 1 / alpha, times alpha^count."""
    large = alpha > NEARLY_POISSON
    usual, small = jnp.where(large, alpha, 1.0), jnp.where(large, NEARLY_POISSON, alpha)
    direct = gammaln(count + 1.0 / usual) - gammaln(1.0 / usual) + count * jnp.log(usual)
    # Stirling's series of both, whose leading terms are taken together: log Gamma alone loses what is left of them.
    first, last = small, small / (1.0 + small * count)
    tail = sum(c * (last**k - first**k) for c, k in ((1.0 / 12.0, 1), (-1.0 / 360.0, 3), (1.0 / 1260.0, 5)))
    step = small * count
    series = (count - 0.5) * jnp.log1p(step) + count * (_share(step) - 1.0) + tail
    return jnp.where(large, direct, series)


def _share(x: Array) -> Array:
    """`log(1 + x) / x` for x >= 0, whose derivatives near 0 are those of its series."""
    near = x < NEAR
    rest, few = jnp.where(near, 1.0, x), jnp.where(near, x, 0.0)
    series = sum((-few) ** k / (k + 1.0) for k in range(1, TERMS))
    return jnp.where(near, 1.0 + series, jnp.log1p(rest) / rest)
