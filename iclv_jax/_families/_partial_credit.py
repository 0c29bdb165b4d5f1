"""Items of the generalised partial credit model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._families import _levels
from iclv_jax._spec import Cells, Declared, Expected, Indicator, Parameter, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor


@dataclass(frozen=True)
class PartialCredit(Indicator):
    """An ordered item by steps: `log P(y = c) / P(y = c - 1) = loading * latent - step_c` (Muraki 1992).

    The generalised partial credit model; with equal loadings the partial credit model (Masters 1982), with common steps as
    well a rating scale. Unlike the thresholds of `Ordered` steps need not increase: where they do not, a level in
    between is nowhere the likeliest.

    Parameters
    ----------
    column
        The column that holds it, constant within a person.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    levels
        Its levels in order, numbers or labels. When absent they are read from the data (sorted numbers, or the
        categories of an ordered categorical) and then kept.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    The steps are `column | 1`, `column | 2`, ..., in units of the index: the location on the latent variable where two
    neighbouring levels are equally likely is a step over the loading.

    Examples
    --------
    >>> credit = iclv.PartialCredit("q1", of="green", levels=[1, 2, 3])
    >>> iclv.Model([iclv.Latent("green")], [credit, *items[1:]]).bind(df).names[:3]
    ('green =~ q1', 'q1 | 1', 'q1 | 2')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    levels: Given[Sequence[Level] | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    discrete: ClassVar[bool] = True
    normal: ClassVar[bool] = False
    stack: ClassVar[str] = "steps"
    shared: ClassVar[None] = None
    location: ClassVar[None] = None

    def __post_init__(self) -> None:
        _shared.normalise(self)
        object.__setattr__(self, "levels", _levels.declared(self.column, self.levels, self.missing))

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _levels.check_members(self.column, self.levels, values, people)

    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        return _levels.in_order(self.column, self.levels, values, categories)

    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        who = f"Partial credit item {self.column!r}"
        _levels.check_several(who, levels)
        if self.levels is None:
            _levels.check_gaps(who, levels)
        _levels.check_seen(who, levels, counts, "the steps around it are")

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q, steps = self.column, self._steps(len(levels))
        parameters = [
            Parameter(name, "measurement", "threshold", 0.0, f"step {i + 1} of {q}", owner=q)
            for i, name in enumerate(steps)
        ]
        cells = (
            _shared.loading_cells(self, positions),
            Cells("steps", (len(steps),), tuple(map(one, steps))),
            Cells("top", (), (float(len(steps)),)),
        )
        return Declared((*_shared.loadings(self), *parameters), cells)

    def _steps(self, count: int) -> tuple[str, ...]:
        return tuple(names.threshold(self.column, i + 1) for i in range(count - 1))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        counts = np.bincount(np.asarray(values, int), minlength=len(levels)) + 0.5
        residual = (1.0 - communality) ** 0.5
        steps = np.log(counts[:-1] / counts[1:]) / residual
        start = dict(zip(self._steps(len(levels)), map(float, steps), strict=True))
        # Neighbouring levels lie closer than the two halves that a logit of all levels compares.
        total = sign * 2.0 * communality**0.5 / residual / max(len(levels) - 1, 1) ** 0.5
        return start | _shared.loading_starts(self, total)

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        logs = self._log_levels(cells, index)
        places = jnp.arange(logs.shape[-1])
        return jnp.sum(jnp.where(values[:, None] == places[None, :], logs, 0.0), axis=-1)

    def _log_levels(self, cells: Arrays, index: Array) -> Array:
        """Log probabilities (item, level); very small where an item has no such level."""
        places = jnp.arange(cells["steps"].shape[-1] + 1, dtype=float)
        reached = jnp.cumsum(jnp.pad(cells["steps"], ((0, 0), (1, 0))), axis=-1)
        weights = places[None, :] * index[:, None] - reached
        used = places[None, :] <= cells["top"][:, None]
        return jax.nn.log_softmax(jnp.where(used, weights, -jnp.inf), axis=-1)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        levels = jnp.exp(self._log_levels(cells, index))
        places = jnp.arange(levels.shape[-1], dtype=float)
        mean = levels @ places
        return Expected(mean, levels @ places**2 - mean**2, levels)

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        return jax.random.categorical(key, self._log_levels(cells, index), axis=-1)
