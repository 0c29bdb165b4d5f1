"""What a search varies: lists of values, and ranges of numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from iclv_jax._spec._values import is_number

Settings = dict[str, Any]
TAKEN = ("value", "behind", "se", "folds", "converged", "seconds", "state", "note")
"""Columns of the table of trials."""


@final
@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[object, ...]

    def grid(self, points: int) -> list[object]:
        return list(self.values)

    def draw(self, share: float) -> object:
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def around(self, value: object, points: int) -> "Choices":
        return Choices((value,))


@final
@dataclass(frozen=True)
class Range:
    """A number between two, drawn evenly on its own scale or that of its logarithm, whole where both ends are."""

    low: float
    high: float
    log: bool
    whole: bool

    def grid(self, points: int) -> list[float]:
        return list(dict.fromkeys(self._at(share) for share in np.linspace(0.0, 1.0, points)))

    def draw(self, share: float) -> float:
        return self._at(share, wide=True)

    def around(self, value: float, points: int) -> "Range":
        """From the neighbour below to the neighbour above in the grid of so many points."""
        known = self.grid(points)
        at = int(np.argmin([abs(v - value) for v in known]))
        low, high = known[max(at - 1, 0)], known[min(at + 1, len(known) - 1)]
        return Range(low, high, self.log, self.whole)

    def _at(self, share: float, wide: bool = False) -> float:
        low, high = self.low, self.high
        if wide and self.whole:
            low, high = low - 0.5 + 1e-9, high + 0.5 - 1e-9
        ends = (math.log(low), math.log(high)) if self.log else (low, high)
        value = ends[0] + float(share) * (ends[1] - ends[0])
        value = math.exp(value) if self.log else value
        return round(value) if self.whole else min(max(value, self.low), self.high)


Dimension = Choices | Range


def read_space(space: object) -> dict[str, Dimension]:
    """ValueError for what is no space."""
    if not isinstance(space, Mapping) or not space:
        raise ValueError(
            "space= maps names of settings to lists of values or to ranges: {'nodes': [5, 9, 15], 'power': (0.0, 1.0)}."
        )
    if taken := [name for name in space if name in TAKEN]:
        raise ValueError(
            f"space= has a setting {taken[0]!r}, which the table of trials calls a column of its own. Rename it."
        )
    return {str(name): _dimension(str(name), given) for name, given in space.items()}


def _dimension(name: str, given: object) -> Dimension:
    if isinstance(given, tuple):
        return _range(name, given)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(
            f"space[{name!r}] is a list of values, or a range: (low, high) or (low, high, 'log'), not {given!r}."
        )
    if not len(given):
        raise ValueError(f"space[{name!r}] is an empty list. Give it values, or leave it out.")
    return Choices(tuple(given))


def _range(name: str, given: tuple[Any, ...]) -> Range:
    numbers, scale = given[:2], given[2:]
    good = len(numbers) == 2 and all(is_number(v) and math.isfinite(float(v)) for v in numbers)
    if not good or scale not in ((), ("log",)) or not numbers[0] < numbers[1]:
        raise ValueError(
            f"space[{name!r}] = {given!r} is no range: it is (low, high) or (low, high, 'log') with numbers low < high. "
            "Values to choose from stand in a list."
        )
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in numbers)
    if scale and numbers[0] <= 0:
        raise ValueError(f"space[{name!r}] = {given!r}: a range on the log scale is above 0.")
    low, high = (int(v) if whole else float(v) for v in numbers)
    return Range(low, high, bool(scale), whole)
