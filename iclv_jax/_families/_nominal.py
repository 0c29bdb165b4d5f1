"""Nominal items: answers without an order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._families import _levels
from iclv_jax._spec import Cells, Declared, Expected, Indicator, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor, dummy


@dataclass(frozen=True)
class Nominal(Indicator):
    """A nominal item: `P(y = c) = exp(v_c) / sum_d exp(v_d)` with `v_c = intercept_c + loading_c * latent`, and 0 for the
    first level (the nominal response model, Bock 1972).

    Parameters
    ----------
    column
        The column that holds it, constant within a person.
    of
        The latent variable that it measures, or several; `[]` for a multinomial regression on covariates alone.
    levels
        Its levels, the first of which is the base. When absent they are read from the data (sorted, or the categories of
        an ordered categorical) and then kept.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly: columns that are constant within a person, or `Standardized(...)`.

    Every level but the base has an index of its own: with the levels car, bus and train the parameters are `q[bus] ~ 1`,
    `latent =~ q[bus]`, `q[bus] ~ covariate`, and the same for `q[train]`.

    Examples
    --------
    >>> favourite = df.assign(favourite=np.where(df["q1"] == 3, "bike", np.where(df["age"] > 0, "bus", "car")))
    >>> item = iclv.Nominal("favourite", of="green", levels=["car", "bus", "bike"])
    >>> iclv.Model([iclv.Latent("green")], [item, *items]).bind(favourite).names[:4]
    ('favourite[bus] ~ 1', 'favourite[bike] ~ 1', 'green =~ favourite[bus]', 'green =~ favourite[bike]')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    levels: Given[Sequence[Level] | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    discrete: ClassVar[bool] = True
    normal: ClassVar[bool] = False
    stack: ClassVar[str] = "nominal"
    shared: ClassVar[None] = None
    location: ClassVar[None] = None
    several: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _shared.normalise(self)
        object.__setattr__(self, "levels", _levels.declared(self.column, self.levels, self.missing))

    def indices(self, levels: tuple[Level, ...]) -> tuple[str, ...]:
        return tuple(dummy(self.column, level) for level in levels[1:])

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _levels.check_members(self.column, self.levels, values, people)

    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        labels = sorted({v for v in values if isinstance(v, str)})
        if labels and self.levels is None and categories is None:
            mixed = [v for v in values if not isinstance(v, str)]
            if mixed:
                raise ValueError(
                    f"Item {self.column!r} mixes labels and numbers ({labels[0]!r}, {mixed[0]!r}). Give it `levels=[...]`."
                )
            return tuple(labels)
        return _levels.in_order(self.column, self.levels, values, categories)

    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        who = f"Nominal item {self.column!r}"
        _levels.check_several(who, levels)
        if self.levels is None and len(levels) > _levels.MOST_LEVELS:
            raise ValueError(
                f"{who} has {len(levels)} different values. Group them, or give it these levels as `levels=[...]`."
            )
        _levels.check_seen(who, levels, counts, "its intercept is")

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        indices = self.indices(levels)
        intercepts = [_shared.location(self, i, f"intercept of {i}, against {levels[0]}") for i in indices]
        cells = (
            Cells("intercept", (len(indices),), tuple(one(p.name) for p in intercepts)),
            _shared.loading_cells(self, positions, indices),
            Cells("top", (), (float(len(indices)),)),
        )
        return Declared((*intercepts, *_shared.loadings(self, indices)), cells)

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        counts = np.bincount(np.asarray(values, int), minlength=len(levels)) + 0.5
        indices, start = self.indices(levels), {}
        for i, index in enumerate(indices, 1):
            start[names.intercept(index)] = float(np.log(counts[i] / counts[0]))
            # As if the levels had an order; equal loadings would be a saddle between all orders.
            share = sign * 2.0 * communality**0.5 * i / len(indices) / max(len(self.of), 1) ** 0.5
            start |= {names.loading(latent, index): share for latent in self.of}
        return start

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        logs = self._log_levels(cells, index)
        places = jnp.arange(logs.shape[-1])
        return jnp.sum(jnp.where(values[:, None] == places[None, :], logs, 0.0), axis=-1)

    def _log_levels(self, cells: Arrays, index: Array) -> Array:
        """Log probabilities (item, level) from indices (item, index); very small where an item has no such level."""
        utilities = jnp.pad(cells["intercept"] + index, ((0, 0), (1, 0)))
        used = jnp.arange(utilities.shape[-1], dtype=float)[None, :] <= cells["top"][:, None]
        return jax.nn.log_softmax(jnp.where(used, utilities, -jnp.inf), axis=-1)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        levels = jnp.exp(self._log_levels(cells, index))
        places = jnp.arange(levels.shape[-1], dtype=float)
        mean = levels @ places
        return Expected(mean, levels @ places**2 - mean**2, levels)

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        return jax.random.categorical(key, self._log_levels(cells, index), axis=-1)
