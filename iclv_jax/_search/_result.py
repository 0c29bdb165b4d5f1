"""What a search has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import pandas as pd

from iclv_jax._search._methods import best_of
from iclv_jax._search._space import Dimension, Range, Settings
from iclv_jax._search._trial import Trial
from iclv_jax._tables import Report, Tabular, of_frame


@final
@dataclass(frozen=True, eq=False)
class Search(Tabular):
    """Trials of a search.

    Attributes
    ----------
    best
        The settings with the largest value among the trials with all folds.
    value
        Their held-out log-likelihood per choice (per person for a model without a choice).
    trials
        A row per trial, in the order of trial: the settings; `value`, over the folds that were evaluated; `behind`, by how
        much it is below the best, and `se`, the standard error of that difference, person by person (trials with all folds
        only); `folds` and, of them, how many fits `converged`; `seconds`; `state`: complete, pruned or failed; `note`.
    folds
        Held-out log-likelihood per choice by trial and fold; NaN where it was not evaluated.
    logs
        Settings that were searched on the scale of their logarithm.
    notes
        What a reader must know.
    """

    best: Settings
    value: float
    trials: pd.DataFrame = field(repr=False)
    folds: pd.DataFrame = field(repr=False)
    logs: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of what was varied."""
        return tuple(self.best)

    def as_report(self) -> Report:
        order = self.trials.assign(done=self.trials["state"] == "complete")
        order = order.sort_values(["done", "value"], ascending=False, kind="stable").drop(columns="done")
        shown = order.drop(columns="note") if (order["note"] == "").all() else order
        best = ", ".join(f"{name} = {_word(v)}" for name, v in self.best.items())
        facts = (("Best", best), ("Held-out log-likelihood", f"{self.value:.4f}"))
        return of_frame(shown, "Search, the best first", self.notes, facts)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


def collected(
    trials: Sequence[Trial], space: Mapping[str, Dimension], measure: str | None, folds: int, seed: int
) -> Search:
    """The trials in frames."""
    best = best_of(trials)
    assert best is not None
    index = pd.RangeIndex(1, len(trials) + 1, name="trial")
    columns: dict[str, object] = {
        name: pd.Series([_shown(t.settings[name]) for t in trials], index=index) for name in space
    }
    behind = np.array([_behind(t, best) for t in trials])
    columns |= {
        "value": [t.value for t in trials],
        "behind": behind[:, 0],
        "se": behind[:, 1],
        "folds": [len(t.folds) for t in trials],
        "converged": [sum(f.converged for f in t.folds) for t in trials],
        "seconds": [t.seconds for t in trials],
        "state": [t.state for t in trials],
        "note": [t.note for t in trials],
    }
    each = [[f.loglike.sum() / f.count for f in t.folds] + [np.nan] * (folds - len(t.folds)) for t in trials]
    frame = pd.DataFrame(each, index=index, columns=pd.RangeIndex(1, folds + 1, name="fold"))
    logs = tuple(n for n, d in space.items() if isinstance(d, Range) and d.log)
    notes = [f"log-likelihood of people left out, in {folds} folds drawn with the seed {seed}"]
    notes += [f"measured: {measure}"] if measure else []
    return Search(best.settings, best.value, pd.DataFrame(columns, index=index), frame, logs, tuple(notes))


def _behind(trial: Trial, best: Trial) -> tuple[float, float]:
    """How far a trial is below the best, and the standard error of that by the spread over people."""
    if trial.state != "complete":
        return np.nan, np.nan
    count = sum(f.count for f in best.folds)
    gap = np.sum([f.loglike for f in best.folds], axis=0) - np.sum([f.loglike for f in trial.folds], axis=0)
    return best.value - trial.value, float(np.sqrt(len(gap)) * np.std(gap, ddof=1)) / count


def _shown(value: object) -> object:
    """Numbers and text as they are, anything else in words."""
    return value if isinstance(value, (bool, int, float, str, np.generic)) else repr(value)


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
