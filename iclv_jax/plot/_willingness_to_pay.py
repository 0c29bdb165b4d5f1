"""Willingness to pay: intervals by method, or its distribution over people."""

from typing import Any

import numpy as np

from iclv_jax._base._arguments import check_text
from iclv_jax._base._types import Given
from iclv_jax._fit import Fit
from iclv_jax._predict._willingness_to_pay import willingness_to_pay as worth
from iclv_jax.plot._style import BLUE, COLOURS, GREY, INK, VERMILION, Axes, canvas, check_fit, rows

BARS = 30
ALIKE = 1e-9
"""Differences between people, relative to their size, that are those of rounding."""
METHODS = {"delta": "Delta method", "fieller": "Fieller", "krinsky-robb": "Krinsky and Robb"}


def willingness_to_pay(
    fit: Given[Fit],
    name: Given[str],
    cost: Given[str],
    ax: Given[Axes | None] = None,
    *,
    unit: Given[str | None] = None,
    **options: Any,
) -> Axes:
    """What one more unit of `name` is worth, in units of `cost`.

    Where it is the ratio of two coefficients: the estimate with its interval by each method; an arrow points to where
    an interval has no end. Where it varies: a histogram of people's posterior means given items and choices (medians where
    there is no mean), with the median over people before answers, and lines at its 5 and 95 per cent quantiles.

    Parameters
    ----------
    fit
        A fit with a choice.
    name, cost
        Coefficients or columns of the utility function, as of `fit.choices.willingness_to_pay`.
    ax
        Axes to draw on.
    unit
        What the axis counts, `"EUR per hour"` say: the units of the columns, which only you know.
    options
        What `fit.choices.willingness_to_pay` takes beside them: `alternative`, `level`, `draws`, `seed`, `cov`, `choice`.

    Raises
    ------
    ValueError
        As `fit.choices.willingness_to_pay`.

    Examples
    --------
    >>> axes = iclv.plot.willingness_to_pay(logit_fit, "time", cost="cost", unit="EUR per hour")
    """
    found = worth(check_fit(fit, "willingness_to_pay", "problem", "all_params"), name, cost, **options)
    if found.people is None:
        ax = canvas(ax, 6.0, 1.9)
        _intervals(ax, found)
    else:
        ax = canvas(ax, 6.0, 3.2)
        _distribution(ax, found)
    check_text(unit, "unit=")
    counted = f"units of {cost} per unit of {name}" if unit is None else unit
    ax.set_xlabel(f"Willingness to pay for {name} ({counted})", fontsize=9, parse_math=False)
    return ax


def _intervals(ax: Axes, found: Any) -> None:
    table = found.intervals
    ends = table[["lower", "upper"]].to_numpy(float)
    finite = np.append(ends[np.isfinite(ends)], found.estimate)
    margin = 0.08 * max(float(np.ptp(finite)), 1e-3 * abs(found.estimate), 1e-12)
    edges = float(finite.min()) - margin, float(finite.max()) + margin
    ax.set_xlim(edges)
    for place, ((lower, upper), colour) in enumerate(zip(ends, COLOURS, strict=False)):
        for a, b in _pieces(lower, upper, edges):
            ax.hlines(place, a, b, color=colour, linewidth=2.0)
            _arrows(ax, place, (a, b), edges, colour)
        ax.plot([found.estimate], [place], "o", color=colour, markersize=5)
    rows(ax, [METHODS.get(str(k), str(k)) for k in table.index], range(len(table)))


def _pieces(lower: float, upper: float, edges: tuple[float, float]) -> list[tuple[float, float]]:
    """What is seen of an interval; one whose lower end lies above the upper one is all that lies outside of them."""
    if np.isnan(lower) or np.isnan(upper):
        return []
    if lower > upper:
        return [(edges[0], upper), (lower, edges[1])]
    return [(max(lower, edges[0]), min(upper, edges[1]))]


def _arrows(
    ax: Axes, place: int, piece: tuple[float, float], edges: tuple[float, float], colour: str
) -> None:
    for end, edge, marker in zip(piece, edges, "<>", strict=True):
        if end == edge:
            ax.plot([edge], [place], marker, color=colour, clip_on=False, markersize=6)


def _distribution(ax: Axes, found: Any) -> None:
    values = found.people.dropna().to_numpy()
    low, high = np.quantile(values, [0.005, 0.995])
    inside = values[(values >= low) & (values <= high)]
    alike = np.ptp(inside) <= ALIKE * np.abs(inside).max()
    # Bars of no width cannot be drawn: what is the same for everybody stands in one.
    edges = (
        np.linspace(low - 0.5, high + 0.5, 2) if alike else np.linspace(inside.min(), inside.max(), BARS + 1)
    )
    ax.hist(inside, bins=edges.tolist(), color=BLUE, edgecolor="white", linewidth=0.5)
    quantiles = found.distribution
    for label, colour in (("5 %", GREY), ("50 %", VERMILION), ("95 %", GREY)):
        ax.axvline(quantiles[label], color=colour, linewidth=1.2, linestyle="-" if label == "50 %" else "--")
        words = "median" if label == "50 %" else label
        ax.text(
            quantiles[label],
            1.01,
            words,
            color=colour,
            ha="center",
            fontsize=8,
            transform=ax.get_xaxis_transform(),
        )
    outside = len(values) - len(inside)
    ax.set_ylabel("People" + (f" ({outside} in the tails not shown)" if outside else ""), fontsize=9)
    ax.axvline(0.0, color=INK, linewidth=0.4, zorder=0)
