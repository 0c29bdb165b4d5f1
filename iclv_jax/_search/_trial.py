"""One trial: settings and what people left out say of them."""

from typing import Literal, NamedTuple

import numpy as np

from iclv_jax._search._space import Settings

State = Literal["complete", "pruned", "failed"]


class Fold(NamedTuple):
    """Log-likelihood of the people left out, by person (zero for the others) with their weights, the weighted number of
    what it is per, and whether the fit to the others converged."""

    loglike: np.ndarray
    count: float
    converged: bool


class Trial(NamedTuple):
    """Settings with the folds that have been evaluated; `note` says why there are no more of them."""

    settings: Settings
    folds: tuple[Fold, ...]
    state: State
    seconds: float
    note: str = ""

    @property
    def running(self) -> list[float]:
        """Held-out log-likelihood per choice (or person) over the first fold, the first two, and so on."""
        totals = np.cumsum([f.loglike.sum() for f in self.folds])
        return list(totals / np.cumsum([f.count for f in self.folds])) if self.folds else []

    @property
    def value(self) -> float:
        """Over the folds evaluated; NaN where there are none."""
        return self.running[-1] if self.folds else float("nan")


def same(first: Settings, second: Settings) -> bool:
    """Whether two trials have the same settings; values of any kind."""
    return all(_equal(value, second[name]) for name, value in first.items())


def _equal(first: object, second: object) -> bool:
    return first is second or (type(first) is type(second) and bool(np.all(first == second)))
