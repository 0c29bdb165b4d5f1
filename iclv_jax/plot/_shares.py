"""Predicted against observed shares."""

from typing import Any

import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._predict._shares import shares as predicted_shares
from iclv_jax.plot._style import BLUE, GREY, INK, ROW, canvas, check_fit, key, rows, word

MOST = 24
"""Groups beyond which nobody reads the picture."""


def shares(
    fit: Given[Any],
    by: Given[str | None] = None,
    ax: Given[Any] = None,
    *,
    choice: Given[str | None] = None,
) -> Any:
    """Predicted (full) and observed (hollow) shares of the alternatives over the estimation sample, weighted.

    Parameters
    ----------
    fit
        A fit with a choice.
    by
        A column of the data: shares in each of its groups, with their numbers of choice situations. None: overall.
    ax
        Axes to draw on.
    choice
        The name of the choice, where the model has several.

    Raises
    ------
    ValueError
        For a model without a choice, an unknown column, and more than 24 groups.

    Examples
    --------
    >>> axes = iclv.plot.shares(fit, by="female")
    """
    table: Any = predicted_shares(check_fit(fit, "shares", "problem", "all_params"), by, choice=choice)
    groups = {"": table} if by is None else {word(g): table.loc[g] for g in table.index.levels[0]}
    if len(groups) > MOST:
        raise ValueError(
            f"by= {by!r} has {len(groups)} groups, more than {MOST}. Add a column to the data that joins some "
            "(pandas.cut for numbers) and fit again."
        )
    size = table.index.get_level_values("alternative").nunique() + (by is not None)
    ax = canvas(ax, 5.6, 1.0 + 1.1 * ROW * size * len(groups))
    labels, places = [], []
    for k, (group, part) in enumerate(groups.items()):
        start = k * (size + 0.4) + (by is not None)
        _pairs(ax, part, start, first=k == 0)
        labels += list(part.index)
        places += [start + i for i in range(len(part))]
        if by is not None:
            words = f"{by} = {group}  ({int(part['situations'].iloc[0]):,} choices)"
            labels.append(words)
            places.append(start - 1)
    rows(ax, labels, places)
    for text in ax.get_yticklabels():
        text.set_fontweight("bold" if text.get_text().startswith(f"{by} = ") else "normal")
    ax.set_xlim(left=0.0)
    ax.set_xlabel("Share of the choice situations", fontsize=9)
    key(ax, 2)
    return ax


def _pairs(ax: Any, part: pd.DataFrame, start: float, first: bool) -> None:
    at = [start + i for i in range(len(part))]
    observed, predicted = part["observed"].to_numpy(), part["predicted"].to_numpy()
    ax.hlines(at, observed, predicted, color=GREY, linewidth=1.0, zorder=1)
    ax.plot(predicted, at, "o", color=BLUE, markersize=4.5, label="Predicted" if first else None)
    ax.plot(
        observed,
        at,
        "o",
        markerfacecolor="none",
        markeredgecolor=INK,
        markersize=7,
        label="Observed" if first else None,
    )
