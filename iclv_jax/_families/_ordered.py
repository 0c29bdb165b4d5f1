"""Ordered items: levels cut out of a normal or logistic response by thresholds."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._distributions import quantile
from iclv_jax._base._interval import log_logistic_interval, log_normal_interval
from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._families import _levels
from iclv_jax._spec import (
    Cells,
    Declared,
    Expected,
    Increasing,
    Indicator,
    Parameter,
    Positive,
    Thresholds,
    one,
)
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor

LOGISTIC_SPREAD = np.pi / np.sqrt(3.0)


@dataclass(frozen=True)
class Ordered(Indicator):
    """An ordered item: `P(y = c) = F((t_c - m) / s) - F((t_{c-1} - m) / s)` with
    `m = intercept + loading * latent + effect * covariate`, F normal or logistic.

    Parameters
    ----------
    column
        The column that holds it, constant within a person.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    link
        `"probit"` or `"logit"`.
    levels
        Its levels in order, numbers or labels. When absent they are read from the data (sorted
        numbers, or the categories of an ordered categorical) and then kept.
    thresholds
        `"free"`: its own `column | 1`, `column | 2`, ...; or `Thresholds(...)`, shared with the
        other items that name the same one.
    intercept, scale
        Whether it has an intercept `column ~ 1` and a free squared scale `column ~~ column`
        (1 otherwise). None, the default: both with shared thresholds, neither with free ones.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Examples
    --------
    >>> item = iclv.Ordered("q1", of="green", levels=[1, 2, 3], link="logit", missing=[9])
    >>> iclv.Model([iclv.Latent("green")], [item, *items[1:]]).bind(df).names[:3]
    ('green =~ q1', 'q1 | 1', 'q1 | 2')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    link: Given[Literal["probit", "logit"]] = "probit"
    levels: Given[Sequence[Level] | None] = None
    thresholds: Given[Literal["free"] | Thresholds] = "free"
    intercept: Given[bool | None] = None
    scale: Given[bool | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    discrete: ClassVar[bool] = True
    normal: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _shared.normalise(self)
        if not is_word(self.link, ("probit", "logit")):
            raise ValueError(f"Item {self.column!r}: link is 'probit' or 'logit', not {self.link!r}.")
        if not is_word(self.thresholds, ("free",)) and not isinstance(self.thresholds, Thresholds):
            raise ValueError(
                f"Item {self.column!r}: thresholds is 'free' or iclv.Thresholds(...), not "
                f"{self.thresholds!r}."
            )
        shared = isinstance(self.thresholds, Thresholds)
        for field in ("intercept", "scale"):
            if getattr(self, field) is None:
                object.__setattr__(self, field, shared)
            _shared.check_switch(self, field)
        object.__setattr__(self, "levels", _levels.declared(self.column, self.levels, self.missing))

    @property
    def stack(self) -> Hashable:
        return self.link

    @property
    def location(self) -> str | None:
        return names.intercept(self.column) if self.intercept else None

    @property
    def shared(self) -> str | None:
        return self.thresholds.name if isinstance(self.thresholds, Thresholds) else None

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _levels.check_members(self.column, self.levels, values, people)

    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        return _levels.in_order(self.column, self.levels, values, categories)

    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        who = (
            f"Ordered item {self.column!r}"
            if self.shared is None
            else f"The items that share {self.shared!r}"
        )
        _levels.check_several(who, levels)
        if self.levels is None:
            _levels.check_gaps(who, levels)
        _levels.check_seen(who, levels, counts, "the thresholds around it are")

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q, count = self.column, len(levels)
        parameters, domains = [], []
        if self.intercept:
            meaning = f"intercept of {q}"
            parameters.append(
                Parameter(names.intercept(q), "measurement", "intercept", 0.0, meaning, owner=q)
            )
        parameters += _shared.loadings(self)
        threshold_parameters, threshold_cells, threshold_domains = self._declare_thresholds(count)
        parameters += threshold_parameters
        domains += threshold_domains
        if self.scale:
            parameters.append(
                Parameter(names.variance(q), "measurement", "scale", 1.0, f"squared scale of {q}", owner=q)
            )
            domains.append(Positive(names.variance(q)))
        cells = (
            Cells("intercept", (), (one(names.intercept(q)) if self.intercept else 0.0,)),
            _shared.loading_cells(self, positions),
            Cells("thresholds", (count - 1,), threshold_cells),
            Cells("top", (), (float(count - 1),)),
            Cells("variance", (), (one(names.variance(q)) if self.scale else 1.0,)),
        )
        return Declared(tuple(parameters), cells, tuple(domains))

    def _declare_thresholds(self, count: int) -> tuple[list[Parameter], tuple, tuple]:
        starts = self._unit() * quantile(np.arange(1, count) / count)
        if isinstance(self.thresholds, Thresholds):
            values = self.thresholds.starts(starts.tolist())
            whose, owner = f"the thresholds {self.thresholds.name!r}", self.thresholds.name
            cells, domains = self.thresholds.cells(count), self.thresholds.domains(count)
        else:
            values = {names.threshold(self.column, i + 1): float(s) for i, s in enumerate(starts)}
            whose = owner = self.column
            cells, domains = tuple(one(n) for n in values), (Increasing(tuple(values)),)
        parameters = [
            Parameter(n, "measurement", "threshold", v, f"threshold {i + 1} of {whose}", owner=owner)
            for i, (n, v) in enumerate(values.items())
        ]
        return parameters, cells, domains

    def _unit(self) -> float:
        return 1.0 if self.link == "probit" else LOGISTIC_SPREAD

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        codes = np.asarray(values, int)
        count = len(levels)
        below = np.cumsum(np.bincount(codes, minlength=count))[:-1] / len(codes)
        # Quantiles of a standard normal response; half a person keeps unused end levels finite.
        positions = quantile(np.clip(below, 0.5 / len(codes), 1.0 - 0.5 / len(codes)))
        # Levels that nobody has (they come with the levels of other data) still get an interval.
        positions = positions[0] + np.append(0.0, np.cumsum(np.maximum(np.diff(positions), 0.01)))
        residual = (1.0 - communality) ** 0.5
        if not isinstance(self.thresholds, Thresholds):
            spread = self._unit() / residual
            start = {names.threshold(self.column, i + 1): spread * float(p) for i, p in enumerate(positions)}
            if self.intercept:
                start[names.intercept(self.column)] = 0.0
        else:
            common = self._unit() * quantile(np.arange(1, count) / count)
            centre, spread = _line(positions, common)
            start = self.thresholds.starts(common.tolist())
            if self.scale:
                start[names.variance(self.column)] = (spread * residual / self._unit()) ** 2
            else:
                spread = self._unit() / residual
            if self.intercept:
                start[names.intercept(self.column)] = centre
        return start | _shared.loading_starts(self, sign * spread * communality**0.5)

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        thresholds, top = cells["thresholds"], cells["top"]
        centre, scale = cells["intercept"] + index, jnp.sqrt(cells["variance"])
        upper = (_pick(thresholds, values) - centre) / scale
        lower = (_pick(thresholds, values - 1) - centre) / scale
        upper = jnp.where(values == top.astype(values.dtype), jnp.inf, upper)
        lower = jnp.where(values == 0, -jnp.inf, lower)
        interval = log_normal_interval if self.link == "probit" else log_logistic_interval
        return interval(lower, upper)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        count = cells["thresholds"].shape[-1] + 1
        codes = jnp.broadcast_to(jnp.arange(count)[:, None], (count, index.shape[0]))
        used = codes <= cells["top"].astype(int)[None, :]
        inside = jnp.where(used, codes, 0)
        logs = jax.vmap(lambda code: self.log_density(cells, code, index))(inside)
        levels = jnp.where(used, jnp.exp(logs), 0.0).T
        places = jnp.arange(count, dtype=float)
        mean = levels @ places
        return Expected(mean, levels @ places**2 - mean**2, levels)

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        draw = jax.random.normal if self.link == "probit" else jax.random.logistic
        noise = draw(key, index.shape, index.dtype)
        response = cells["intercept"] + index + jnp.sqrt(cells["variance"]) * noise
        top = cells["top"][:, None]
        used = jnp.arange(cells["thresholds"].shape[-1], dtype=top.dtype)[None, :] < top
        return jnp.sum((response[:, None] > cells["thresholds"]) & used, axis=-1)

    def response_variance(self, cells: Arrays) -> Array:
        return cells["variance"] * self._unit() ** 2


def _pick(thresholds: Array, position: Array) -> Array:
    """Each item's threshold at `position`, 0 outside the range (the ends are replaced later).

    A product with zeros and ones: the transpose of a gather, a scatter, is slow on a CPU.
    """
    places = jnp.arange(thresholds.shape[-1], dtype=position.dtype)
    return jnp.sum(jnp.where(position[:, None] == places[None, :], thresholds, 0.0), axis=-1)


def _line(positions: np.ndarray, common: np.ndarray) -> tuple[float, float]:
    """Mean and spread of a response whose standard thresholds are `positions`, cut by `common`."""
    if len(common) == 1 or np.ptp(positions) == 0.0:
        return float(np.mean(common - positions)), 1.0
    slope = np.polyfit(positions, common, 1)[0]
    slope = float(np.clip(slope, 0.2, 5.0))
    return float(np.mean(common) - slope * np.mean(positions)), slope
