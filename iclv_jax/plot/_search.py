"""What a search has found."""

from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._search import Search
from iclv_jax._spec._names import nearest
from iclv_jax.plot._style import BLUE, GREY, INK, SMALL, VERMILION, canvas, key, word

JITTER = 0.08


def search(found: Given[Any], by: Given[str | None] = None, ax: Given[Any] = None) -> Any:
    """Held-out log-likelihood of every trial: in their order with the best so far, or against a setting.

    Filled dots are trials with all folds, rings those that were pruned (over the folds that they have); the best is
    marked. Bars are the standard error of the difference from the best trial, person by person.

    Parameters
    ----------
    found
        What `iclv.search(...)` returns.
    by
        The setting on the horizontal axis, logarithmic where the search was; None: the trials in their order.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For what is no search, and for a setting that it does not have.

    Examples
    --------
    >>> def build(settings):
    ...     return {"model": logit, "penalties": {"age_bus": iclv.L2(settings["strength"])}}
    >>> found = iclv.search(build, {"strength": [0.1, 10.0]}, df, method="grid", folds=2)
    >>> axes = iclv.plot.search(found)
    """
    if not isinstance(found, Search):
        raise ValueError(
            f"plot.search takes the result of a search, as iclv.search(...) returns it, not {type(found).__name__}."
        )
    if by is not None and by not in found.settings:
        raise ValueError(
            f"plot.search: by={by!r} is no setting of this search. {nearest(by, found.settings)}"
        )
    ax = canvas(ax, 5.2, 3.4)
    trials = found.trials[found.trials["value"].notna()]
    places = trials.index.to_numpy(float) if by is None else _places(ax, trials[by], by in found.logs)
    complete = (trials["state"] == "complete").to_numpy()
    values, errors = trials["value"].to_numpy(), trials["se"].to_numpy()
    if by is None:
        best = np.fmax.accumulate(np.where(complete, values, np.nan))
        ax.step(places, best, where="post", color=GREY, linewidth=1.0, label="best so far", zorder=1)
    ax.errorbar(
        places[complete], values[complete], errors[complete], fmt="o", color=BLUE, markersize=4, elinewidth=0.8,
        label="all folds",
    )  # fmt: skip
    if not complete.all():
        ax.plot(
            places[~complete], values[~complete], "o", color=GREY, mfc="none", markersize=4, label="pruned"
        )
    at = int(np.argmax(np.where(complete, values, -np.inf)))
    ax.plot(places[at], values[at], "o", color=VERMILION, markersize=7, label="best", zorder=3)
    ax.set_ylabel("Held-out log-likelihood per choice", fontsize=SMALL, color=INK)
    ax.set_xlabel("Trial" if by is None else by, fontsize=SMALL, color=INK)
    if by is None:
        ax.xaxis.get_major_locator().set_params(integer=True)
    key(ax, 4)
    return ax


def _places(ax: Any, values: pd.Series, log: bool) -> np.ndarray:
    """Positions of the values: numbers where they are, anything else side by side, drawn a little apart."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        if log:
            ax.set_xscale("log")
        return values.to_numpy(float)
    kinds = list(dict.fromkeys(values))
    ax.set_xticks(range(len(kinds)), [word(k) for k in kinds])
    ax.set_xlim(-0.6, len(kinds) - 0.4)
    apart = JITTER * np.random.default_rng(0).uniform(-1.0, 1.0, len(values))
    return np.array([kinds.index(v) for v in values]) + apart
