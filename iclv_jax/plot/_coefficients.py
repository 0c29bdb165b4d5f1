"""Estimates with their intervals, several fits side by side."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_share, is_word, names_of
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._types import Given
from iclv_jax._spec._names import nearest
from iclv_jax._spec._values import finite
from iclv_jax.plot._style import COLOURS, GREY, ROW, Axes, canvas, check_fit, key, rows

BLOCKS = {"structural": "structural", "measurement": "measurement", "choice": "choice"}


def coefficients(
    fits: Given[Any],
    names: Given[Sequence[str] | None] = None,
    block: Given[str | None] = None,
    level: Given[float] = 0.95,
    cov: Given[str | None] = None,
    ax: Given[Axes | None] = None,
    *,
    without: Given[Sequence[str]] = (),
    scale: Given[Mapping[str, float] | Literal["errors"] | None] = None,
) -> Axes:
    """Estimates with symmetric intervals, `estimate +- z * standard error`.

    Parameters
    ----------
    fits
        A fit, also one that was loaded without its model, or several by name, `{"logit": a, "hybrid": b}`.
    names
        Parameters, from top to bottom. None: all of `block`.
    block
        `"structural"`, `"measurement"` or `"choice"`. None: all of them. Thresholds are left out unless named.
    level
        Coverage of the intervals.
    cov
        Kind of covariance, as of `fit.cov_params`. Loaded fits know those from the Hessian and the scores.
    ax
        Axes to draw on.
    without
        Parameters to leave out, such as constants that make slopes look small.
    scale
        Numbers to multiply estimates and intervals by, `{"cost": 100}`, which stand beside the names; or `"errors"`: every
        estimate over its standard error, so that all intervals are equally long.

    Returns
    -------
    The Axes. Estimates are in the units of the table of results; hollow ones have no standard error, because they are
    fixed or none could be computed.

    Raises
    ------
    ValueError
        For what is no fit, names and blocks that no fit has, and a level outside (0, 1).

    Examples
    --------
    >>> axes = iclv.plot.coefficients({"logit": logit_fit, "hybrid": fit}, names=["time", "cost"])
    >>> axes.figure.savefig("coefficients.png")
    """
    check_share(level)
    tables = {label: fit.table(cov) for label, fit in _by_name(fits).items()}
    chosen = _without(_chosen(tables, names, block), without)
    tables = {label: _scaled(table, chosen, scale) for label, table in tables.items()}
    ax = canvas(ax, 6.0, 0.9 + ROW * len(chosen) * max(1.0, 0.6 * len(tables)))
    reach, step = reach_of(level), 0.7 / len(tables)
    for i, (label, table) in enumerate(tables.items()):
        found = table.reindex(chosen)
        at = np.arange(len(chosen)) + step * (i - (len(tables) - 1) / 2.0)
        _intervals(ax, found, at, reach, COLOURS[i % len(COLOURS)], label)
    ax.axvline(0.0, color=GREY, linewidth=0.6, zorder=0)
    factors = dict(scale) if isinstance(scale, Mapping) else {}
    rows(ax, [f"{n} (x {factors[n]:g})" if n in factors else n for n in chosen], range(len(chosen)))
    what = "Estimate over its standard error" if is_word(scale, ("errors",)) else "Estimate"
    ax.set_xlabel(f"{what} with {100 * level:g} % interval", fontsize=9)
    if len(tables) > 1:
        key(ax, min(len(tables), 4))
    return ax


def _without(chosen: list[str], without: Given[Sequence[str]]) -> list[str]:
    left = names_of(without, "without=")
    for name in left:
        if name not in chosen:
            raise ValueError(
                f"without= names {name!r}, which would not be shown anyway. {nearest(name, chosen)}"
            )
    kept = [name for name in chosen if name not in left]
    if not kept:
        raise ValueError("without= leaves no parameter to show.")
    return kept


def _scaled(
    table: pd.DataFrame, chosen: list[str], scale: Given[Mapping[str, float] | str | None]
) -> pd.DataFrame:
    """Estimates and standard errors in the units that were asked for."""
    if scale is None:
        return table
    if is_word(scale, ("errors",)):
        return table.assign(estimate=table["estimate"] / table["se"], se=table["se"] / table["se"])
    if not isinstance(scale, Mapping):
        raise ValueError(f"scale= is 'errors' or a mapping of names to numbers, not {scale!r}.")
    for name, factor in scale.items():
        if name not in chosen:
            raise ValueError(f"scale= names {name!r}, which is not shown. {nearest(name, chosen)}")
        finite(name, factor, "scale")
    factors = pd.Series(dict(scale), dtype=float).reindex(table.index).fillna(1.0)
    return table.assign(estimate=table["estimate"] * factors, se=table["se"] * factors.abs())


def _intervals(ax: Axes, table: pd.DataFrame, at: np.ndarray, reach: float, colour: str, label: str) -> None:
    estimate, error = table["estimate"].to_numpy(float), table["se"].to_numpy(float)
    known = np.isfinite(error)
    ax.hlines(
        at[known], *((estimate + s * reach * error)[known] for s in (-1, 1)), color=colour, linewidth=1.4
    )
    ax.plot(estimate[known], at[known], "o", color=colour, markersize=4, label=label)
    bare = ~known & np.isfinite(estimate)
    # Empty too: the line of hollow points keeps its place behind that of the full ones.
    ax.plot(estimate[bare], at[bare], "o", markerfacecolor="white", markeredgecolor=colour, markersize=4)


def _by_name(fits: Any) -> dict[str, Any]:
    given = fits if isinstance(fits, Mapping) else {"": fits}
    if not given:
        raise ValueError("plot.coefficients takes a fit, or fits by name; the mapping is empty.")
    return {str(label): check_fit(fit, "coefficients", "table") for label, fit in given.items()}


def _chosen(
    tables: dict[str, pd.DataFrame], names: Given[Sequence[str] | None], block: Given[str | None]
) -> list[str]:
    """Names of the parameters to show, those of the first fit first."""
    columns = ["block", "role"]
    both = pd.concat([t[columns] for t in tables.values()])
    both = both[~both.index.duplicated()]
    if names is not None:
        return _known(names_of(names, "names="), list(both.index))
    if block is not None and not is_word(block, tuple(BLOCKS)):
        raise ValueError(f"block is one of {', '.join(map(repr, BLOCKS))}, not {block!r}.")
    kept = both[~both["role"].isin(["threshold", "weight"])]
    kept = kept if block is None else kept[kept["block"] == block]
    if kept.empty:
        raise ValueError(f"No fit has parameters to show in the block {block!r}. Give names=[...].")
    return [str(name) for name in kept.index]


def _known(names: list[str], known: list[Any]) -> list[str]:
    if not names:
        raise ValueError("names= is empty. Leave it out to show all parameters.")
    for name in names:
        if name not in known:
            raise ValueError(f"No fit has a parameter {name!r}. {nearest(name, known)}")
    return names
