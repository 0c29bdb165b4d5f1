"""How the next settings are found: on a grid, at random, or on ever finer grids."""

import abc
from collections.abc import Mapping, Sequence
from itertools import product
from typing import final

import numpy as np

from iclv_jax._search._space import Dimension, Settings
from iclv_jax._search._trial import Trial, same

REDRAWS = 50
"""Draws that may repeat earlier settings before a search is over: a small space has been seen."""


class Method(abc.ABC):
    """Proposes settings; `tell` is called with every trial before the next is asked for."""

    @abc.abstractmethod
    def ask(self) -> Settings | None:
        """The next settings; None when there are no more."""

    @abc.abstractmethod
    def tell(self, trial: Trial) -> None:
        """What came of the settings that were asked for last."""


@final
class Grid(Method):
    """Every combination, the last setting fastest."""

    def __init__(self, space: Mapping[str, Dimension], points: int) -> None:
        self._left = combinations(space, points)

    def ask(self) -> Settings | None:
        return self._left.pop(0) if self._left else None

    def tell(self, trial: Trial) -> None:
        pass


@final
class Random(Method):
    """Independent uniform draws (Bergstra and Bengio 2012), none twice."""

    def __init__(self, space: Mapping[str, Dimension], seed: int) -> None:
        self._space, self._generator, self._seen = space, np.random.default_rng(seed), []

    def ask(self) -> Settings | None:
        for _ in range(REDRAWS):
            shares = self._generator.random(len(self._space))
            found = {n: d.draw(float(u)) for (n, d), u in zip(self._space.items(), shares, strict=True)}
            if not any(same(found, earlier) for earlier in self._seen):
                self._seen.append(found)
                return found
        return None

    def tell(self, trial: Trial) -> None:
        pass


@final
class CoarseToFine(Method):
    """A grid, then a grid between the neighbours of the best trial so far, and so on; values of lists stay at the best."""

    def __init__(self, space: Mapping[str, Dimension], points: int) -> None:
        self._space, self._points = dict(space), points
        self._left = combinations(space, points)
        self._trials: list[Trial] = []

    def ask(self) -> Settings | None:
        if not self._left:
            self._refine()
        return self._left.pop(0) if self._left else None

    def tell(self, trial: Trial) -> None:
        self._trials.append(trial)

    def _refine(self) -> None:
        best = best_of(self._trials)
        if best is None:
            return
        around = best.settings
        self._space = {n: d.around(around[n], self._points) for n, d in self._space.items()}
        seen = [t.settings for t in self._trials]
        grid = combinations(self._space, self._points)
        self._left = [s for s in grid if not any(same(s, earlier) for earlier in seen)]


def combinations(space: Mapping[str, Dimension], points: int) -> list[Settings]:
    return [
        dict(zip(space, values, strict=True)) for values in product(*(d.grid(points) for d in space.values()))
    ]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the largest value."""
    complete = [t for t in trials if t.state == "complete"]
    return max(complete, key=lambda t: t.value) if complete else None
