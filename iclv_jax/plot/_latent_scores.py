"""Latent scores by group of people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_idle, names_of
from iclv_jax._base._types import Given
from iclv_jax._panel._frame import identifiers
from iclv_jax._spec._names import as_tuple, nearest
from iclv_jax._tables import number
from iclv_jax.plot._style import COLOURS, INK, ROW, canvas, check_fit, rows, word

MOST = 8
"""A column of numbers with more values than these is cut at its quartiles."""


def latent_scores(
    fit: Given[Any],
    by: Given[Any] = None,
    names: Given[Sequence[str] | None] = None,
    ax: Given[Any] = None,
    *,
    missing: Given[Sequence[Any]] = (),
) -> Any:
    """Boxes of people's posterior means, given their items and choices, by group.

    Posterior means vary less than the latent variables themselves. Boxes reach from the lower to the upper quartile,
    whiskers over the middle 90 per cent; the bar is the median. Every person counts once, whatever the weight.

    Parameters
    ----------
    fit
        A fit.
    by
        A column of the data that is constant within people, or a Series indexed by person. Numbers with more than eight
        values are cut at their quartiles, and named by the least and the largest value of each part. None: all people
        together.
    names
        Latent variables and random coefficients, from top to bottom. None: all of them.
    ax
        Axes to draw on.
    missing
        Values of `by` that mean "no answer", `[-1]` say: these people are left out, and counted on the axis.

    Raises
    ------
    ValueError
        For unknown names and columns, a Series that lacks people, and more than eight groups of labels.

    Examples
    --------
    >>> axes = iclv.plot.latent_scores(fit, by="female")
    """
    if by is None and not (isinstance(missing, tuple) and not missing):
        check_idle(missing, "missing=", "by=")
    scores = check_fit(fit, "latent_scores", "latent_scores", "problem").latent_scores()
    chosen = _chosen(names, [c for c in scores.columns if f"{c}.sd" in scores.columns])
    groups, lost = _groups(fit, by, as_tuple(missing))
    levels = list(groups.cat.categories)
    size = len(levels) + (by is not None)
    ax = canvas(ax, 6.0, 0.9 + 1.15 * ROW * size * len(chosen))
    labels, places = [], []
    for k, name in enumerate(chosen):
        for i, level in enumerate(levels):
            values = scores[name].to_numpy()[(groups == level).to_numpy()]
            place = k * (size + 0.3 * (size > 1)) + i + (by is not None)
            _box(ax, values, place, COLOURS[i % len(COLOURS)])
            labels.append(f"{name if by is None else word(level)}  (n = {len(values):,})")
            places.append(place)
        if by is not None:
            labels.append(name)
            places.append(places[-len(levels)] - 1)
    rows(ax, labels, places)
    for text in ax.get_yticklabels():
        text.set_fontweight("bold" if by is not None and text.get_text() in chosen else "normal")
    without = f" ({lost:,} people without it are left out)" if lost else ""
    ax.set_xlabel("Posterior mean" if by is None else f"Posterior mean, by {_title(by)}{without}", fontsize=9)
    return ax


def _box(ax: Any, values: np.ndarray, place: float, colour: str) -> None:
    if not len(values):
        return
    low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    ax.hlines(place, low, high, color=colour, linewidth=1.0)
    ax.barh(place, third - first, left=first, height=0.55, color=colour, alpha=0.45, linewidth=0)
    ax.vlines(middle, place - 0.275, place + 0.275, color=INK, linewidth=1.4)


def _title(by: Any) -> str:
    return by if isinstance(by, str) else str(by.name or "group")


def _chosen(names: Given[Sequence[str] | None], known: list[str]) -> list[str]:
    chosen = known if names is None else names_of(names, "names=")
    if not chosen:
        raise ValueError("plot.latent_scores: there is no latent variable or random coefficient to show.")
    for name in chosen:
        if name not in known:
            raise ValueError(
                f"{name!r} is no latent variable or random coefficient of the model. {nearest(name, known)}"
            )
    return chosen


def _groups(fit: Any, by: Any, missing: tuple[Any, ...]) -> tuple[pd.Series, int]:
    """The group of every person, as an ordered categorical, and how many have none because that was said to be missing."""
    people = identifiers(fit.problem.panel.people)
    if by is None:
        return pd.Series("all", index=people).astype("category"), 0
    if not isinstance(by, (str, pd.Series)):
        raise ValueError(
            f"by= is a column of the data or a Series indexed by person, not {type(by).__name__}."
        )
    values = fit.problem.panel.frame.people_of(by, "by=") if isinstance(by, str) else _aligned(by, people)
    values = values[values.notna()] if values.isna().all() else values
    if values.isna().any() or values.empty:
        raise ValueError(
            f"by= {_title(by)!r} is missing (NaN) for some people. Fill it in, and say by missing= what with."
        )
    left = values.isin(missing)
    if left.all():
        raise ValueError(f"by= {_title(by)!r} is missing for everyone: it holds only {list(missing)!r}.")
    found = _cut(values[~left], by)
    return found.reindex(values.index), int(left.sum())


def _cut(values: pd.Series, by: Any) -> pd.Series:
    """Values as a few groups."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        found = values.cat.remove_unused_categories()
    elif pd.api.types.is_numeric_dtype(values) and values.nunique() > MOST:
        found = _quartiles(values)
    else:
        found = values.astype("category")
    if len(found.cat.categories) > MOST:
        raise ValueError(
            f"by= {_title(by)!r} has {len(found.cat.categories)} groups, more than {MOST}. Join some of them."
        )
    return found


def _quartiles(values: pd.Series) -> pd.Series:
    cut = pd.qcut(values, 4, duplicates="drop")
    ends = values.groupby(cut, observed=True).agg(["min", "max"])
    words = {i: f"{_short(low)} to {_short(high)}" for i, low, high in ends.itertuples()}
    return cut.cat.remove_unused_categories().cat.rename_categories(words)


def _short(value: float) -> str:
    """About four digits, without zeros at the end."""
    text = number(float(value))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _aligned(by: pd.Series, people: Any) -> pd.Series:
    if by.index.has_duplicates:
        raise ValueError("by= holds a person more than once. Index it by person, one row each.")
    lost = people.difference(by.index)
    if len(lost):
        raise ValueError(f"by= has no value for {len(lost)} people, among them {lost[0]!r}.")
    return by.reindex(people)
