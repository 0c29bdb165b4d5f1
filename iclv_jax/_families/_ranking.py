"""Rankings: the exploded logit, without exploding rows."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Cells, Declared, Kernel, Parameter, Positive, Utility, one
from iclv_jax._spec import _names as names


@dataclass(frozen=True)
class Ranking(Kernel):
    """A ranking as a sequence of logits: the best of all, the best of the rest, and so on (Beggs, Cardell and Hausman
    1981).

    Parameters
    ----------
    utility, available, name, rows, table
        As of `Logit`.
    ranks
        Columns that hold the alternatives from the best downwards, as many as were asked for. A ranking that ends early
        has NaN from there on.
    scales
        Whether utilities have another scale in every stage after the first, `choice.scale2`, `choice.scale3`, ...: later
        ranks are often given with less care (Hausman and Ruud 1987).

    Predictions are probabilities of being ranked first.

    Raises
    ------
    ValueError
        For a row that ranks an alternative twice, one that is not available, or one behind a missing rank.

    Examples
    --------
    >>> other = {"bus": "car", "car": "bus"}
    >>> ranked = df.assign(first=df["mode"], second=df["mode"].map(other))
    >>> iclv.Model(choice=iclv.Ranking(plain, ranks=["first", "second"])).bind(ranked).names
    ('asc_bus', 'age_bus', 'time', 'cost')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    ranks: Given[Sequence[str]] = ()
    scales: Given[bool] = False
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranks", names.as_tuple(self.ranks))
        words = all(isinstance(r, str) and r for r in self.ranks)
        if not words or len(self.ranks) < 2 or names.duplicates(self.ranks):
            raise ValueError(
                "ranks= names two or more columns, from the best alternative downwards, each once, not "
                f"{list(self.ranks)!r}."
            )
        if not isinstance(self.scales, bool):
            raise ValueError(f"scales= is True or False, not {self.scales!r}.")
        _shared.normalise(self)

    @property
    def chosen(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.ranks[0]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.ranks)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        if len(self.ranks) > len(alternatives):
            raise ValueError(
                f"ranks= has {len(self.ranks)} columns for {len(alternatives)} alternatives. Leave out the last ones."
            )

    def check_outcomes(self, outcome: np.ndarray, offered: np.ndarray, labels: Sequence[Any]) -> None:
        _shared.check_distinct(outcome, self.columns, self.outcomes, labels)
        behind = (outcome[:, 1:] >= 0) & (outcome[:, :-1] < 0)
        if behind.any():
            at, stage = map(int, np.argwhere(behind)[0])
            raise ValueError(
                f"Row {labels[at]!r} has a rank in {self.ranks[stage + 1]!r} but none in {self.ranks[stage]!r}. A ranking "
                "that is not complete ends early: fill it in from the best downwards."
            )

    @property
    def _stages(self) -> int:
        """Stages with more than one alternative left."""
        return min(len(self.ranks), len(self.utility.alternatives) - 1)

    def declare(self) -> Declared:
        if not self.scales:
            return Declared((), ())
        scales = tuple(
            Parameter(
                f"{self.name}.scale{k}",
                "choice",
                "scale",
                1.0,
                f"scale of the utilities for rank {k}",
                owner=self.name,
            )
            for k in range(2, self._stages + 1)
        )
        cells = Cells("scales", (len(scales),), tuple(one(p.name) for p in scales))
        return Declared(scales, (cells,), tuple(Positive(p.name) for p in scales))

    def _scaled(self, cells: Arrays, utilities: Array, stage: int) -> Array:
        if stage == 0 or not self.scales or stage >= self._stages:
            return utilities
        return cells["scales"][stage - 1] * utilities

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        total, left = jnp.zeros(()), offered
        for stage in range(len(self.ranks)):
            place, given = jnp.maximum(outcome[stage], 0), outcome[stage] >= 0
            v = self._scaled(cells, utilities, stage)
            total += jnp.where(given, v[place] - _shared.log_total(v, left), 0.0)
            left = left & ~(given & (jnp.arange(len(left)) == place))
        return total

    def log_sum(self, cells: Arrays, utilities: Array, offered: Array) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _shared.log_total(utilities, offered)

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        return _shared.masked(utilities - _shared.log_total(utilities, offered), offered)

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        places, left = [], offered
        for stage in range(len(self.ranks)):
            v = self._scaled(cells, utilities, stage)
            place = jnp.where(left.any(), _shared.drawn(v, left, _shared.keyed(key, stage)), -1)
            left = left & (jnp.arange(len(left)) != place)
            places.append(place)
        return jnp.stack(places)
