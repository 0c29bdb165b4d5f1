"""Randomised quantile residuals of items: against the normal distribution, and against what is known of people."""

from collections.abc import Sequence

import numpy as np

from iclv_jax._base._arguments import check_name, check_text, names_of
from iclv_jax._base._distributions import quantile
from iclv_jax._base._types import Given
from iclv_jax._fit import Fit
from iclv_jax._predict._latent_scores import latent_scores
from iclv_jax._predict._quantile_residuals import (
    Knowing,
    answers_placed,
    item_residuals,
    people_by_item,
    residuals,
)
from iclv_jax._spec._names import nearest
from iclv_jax.plot._style import BLUE, COLOURS, GREY, PALE, VERMILION, Axes, canvas, check_fit, key

PARTS = 10
"""Groups of people, by what stands on the axis, whose mean residual is drawn."""
FEWEST = 5
"""People in each of them at least."""
LEVEL = 0.95
LEGEND = 72
"""Letters in a line of the legend, with six for each line's sample."""
FONT = 9


def residual_quantiles(
    fit: Given[Fit],
    items: Given[Sequence[str] | None] = None,
    ax: Given[Axes | None] = None,
    *,
    given: Given[Knowing] = "others",
    seed: Given[int] = 0,
) -> Axes:
    """Residuals of items in order against the quantiles of a standard normal distribution (a QQ plot), as differences from
    them: a true model leaves every line about zero, nineteen out of twenty of its points within the grey band.

    Differences make visible what a diagonal would hide; a line that rises has residuals that vary too much.

    Parameters
    ----------
    fit
        A fit of a model with items.
    items
        Which; None: all of them.
    ax
        Axes to draw on.
    given, seed
        As of `fit.measurement.item_residuals`.

    Raises
    ------
    ValueError
        As of `fit.measurement.item_residuals`, and for unknown items.

    Examples
    --------
    >>> axes = iclv.plot.residual_quantiles(fit)
    """
    fit = check_fit(fit, "residual_quantiles", "problem", "all_params")
    names = None if items is None else names_of(items, "items=")
    if names == []:
        raise ValueError("plot.residual_quantiles: items= names no item; None takes all of them.")
    _check_items(fit, names or [], "residual_quantiles")
    frame = item_residuals(fit, given=given, seed=seed)
    names = list(frame.columns) if names is None else names
    ax, most = canvas(ax, 5.6, 3.4), int(frame[names].notna().sum().max())
    place, low, high = _band(most)
    ax.fill_between(place, low - place, high - place, color=PALE, linewidth=0)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    for i, name in enumerate(names):
        values = np.sort(frame[name].dropna().to_numpy())
        at = _band(len(values))[0]
        style = ("-", "--", ":", "-.")[i // len(COLOURS) % 4]
        ax.plot(at, values - at, color=COLOURS[i % len(COLOURS)], linestyle=style, linewidth=1.1, label=name)
    key(ax, max(1, LEGEND // (max(map(len, names)) + 6)))
    ax.set_xlabel("Quantile of the normal distribution", fontsize=FONT)
    ax.set_ylabel("Residual less its quantile", fontsize=FONT)
    return ax


def _band(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Medians of so many ordered normal numbers, and the interval of each: order statistics of uniform ones are beta."""
    from scipy.special import betaincinv

    rank = np.arange(1, count + 1)
    shares = (0.5, (1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0)
    middle, low, high = (quantile(betaincinv(rank, count - rank + 1, share)) for share in shares)
    return middle, low, high


def residuals_against(
    fit: Given[Fit],
    item: Given[str],
    against: Given[str | None] = None,
    ax: Given[Axes | None] = None,
    *,
    given: Given[Knowing] = "others",
    seed: Given[int] = 0,
) -> Axes:
    """Residuals of one item against what was expected of it, a latent variable or a covariate, with the means of ten equally
    large groups of people and their 95 % intervals: a true model leaves them at zero everywhere.

    Parameters
    ----------
    fit
        A fit of a model with items.
    item
        The item.
    against
        A latent variable (its posterior means, which know the item itself) or a covariate of the model; None: the
        expected answer, the place of the level where there are levels.
    ax
        Axes to draw on.
    given, seed
        As of `fit.measurement.item_residuals`.

    Raises
    ------
    ValueError
        As of `fit.measurement.item_residuals`, and for unknown names.

    Examples
    --------
    >>> axes = iclv.plot.residuals_against(fit, "q1", against="age")
    """
    fit = check_fit(fit, "residuals_against", "problem", "all_params")
    check_name(item, "item=")
    check_text(against, "against=")
    _check_items(fit, [item], "residuals_against")
    _check_against(fit, against)
    tails, mean = answers_placed(fit, given, seed)
    frame, expected = people_by_item(fit, residuals(tails, seed)), people_by_item(fit, mean)
    values, at = frame[item].to_numpy(), _against(fit, against, expected[item].to_numpy())
    known = np.isfinite(values) & np.isfinite(at)
    values, at = values[known], at[known]
    ax = canvas(ax, 5.6, 3.4)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.scatter(at, values, s=8, color=BLUE, alpha=0.35, linewidths=0)
    for part in np.array_split(np.argsort(at, kind="stable"), max(1, min(PARTS, len(at) // FEWEST))):
        centre, middle = at[part].mean(), values[part].mean()
        error = -quantile((1.0 - LEVEL) / 2.0) / len(part) ** 0.5
        ax.plot([centre, centre], [middle - error, middle + error], color=VERMILION, linewidth=1.2)
        ax.plot([centre], [middle], marker="o", markersize=4, color=VERMILION)
    name = f"Expected answer to {item}" if against is None else against
    ax.set_xlabel(name, fontsize=FONT, parse_math=False)
    ax.set_ylabel(f"Residual of {item}", fontsize=FONT, parse_math=False)
    return ax


def _check_items(fit: Fit, names: Sequence[str], what: str) -> None:
    """Before anything is computed; that a model has no items is said by the residuals themselves."""
    items = [item.column for item in fit.problem.spec.indicators]
    for name in names if items else ():
        if name not in items:
            raise ValueError(f"plot.{what}: {name!r} is no item. {nearest(name, items)}")


def _check_against(fit: Fit, against: str | None) -> None:
    known = [*fit.problem.spec.order, *fit.problem.panel.covariates]
    if against is not None and against not in known:
        raise ValueError(
            f"plot.residuals_against: {against!r} is no latent variable or covariate of the model. {nearest(against, known)}"
        )


def _against(fit: Fit, against: str | None, expected: np.ndarray) -> np.ndarray:
    """What stands on the axis, by person."""
    if against is None:
        return expected
    panel, order = fit.problem.panel, fit.problem.spec.order
    if against in order:
        return latent_scores(fit)[against].to_numpy()
    return np.asarray(panel.person.covariates)[:, panel.covariates.index(against)]
