"""What people answer, and how much that tells, by their latent variable."""

from collections.abc import Sequence

import numpy as np

from iclv_jax._base._arguments import is_word, names_of
from iclv_jax._base._types import Given, Level
from iclv_jax._fit import Fit
from iclv_jax._predict._item_curves import Curves, item_curves, measured_by
from iclv_jax._spec._groups import chosen_group
from iclv_jax._spec._names import nearest
from iclv_jax.plot._style import BLUE, COLOURS, INK, Axes, canvas, check_fit, key, word

CLEAR = 0.08
"""Probability between a label and the next curve that is far enough."""
MOST_NAMED = 12
"""Items that are named one by one in a legend."""


def item_response(
    fit: Given[Fit],
    item: Given[str],
    latent: Given[str | None] = None,
    ax: Given[Axes | None] = None,
    group: Given[Level | None] = None,
) -> Axes:
    """What is answered to an item by the latent variable that it measures: probabilities of its levels (its item
    characteristic curves), or of a family without levels the mean and one standard deviation to both sides.

    The axis reaches three standard deviations to both sides of the latent variable's mean over the sample, as the
    structural equations have them. Where the item measures several, the others are at their means, and so are covariates.

    Parameters
    ----------
    fit
        A fit.
    item
        An item.
    latent
        Of several latent variables that it measures, the one on the axis; the first by default.
    ax
        Axes to draw on.
    group
        Of a model with groups, the one whose answers are drawn.

    Raises
    ------
    ValueError
        For a name that is no item with a latent variable, a latent variable that it does not measure, and a group that is
        none.

    Examples
    --------
    >>> axes = iclv.plot.item_response(fit, "q1")
    """
    fit = check_fit(fit, "item_response", "problem", "all_params")
    latent = measured_by(fit, item, latent, "plot.item_response")
    found = item_curves(fit, item, latent, chosen_group(fit.problem.spec.groups, group, "plot.item_response"))
    ax = canvas(ax, 5.6, 3.4)
    levels = fit.problem.panel.levels[item]
    if levels:
        _levels(ax, found, levels)
    else:
        ax.plot(found.values, found.mean, color=BLUE, linewidth=1.6)
        ax.fill_between(
            found.values, found.mean - found.sd, found.mean + found.sd, color=BLUE, alpha=0.15, linewidth=0
        )
    ax.set_xlim(found.values[0], found.values[-1])
    ax.set_xlabel(latent, fontsize=9, parse_math=False)
    what = f"Probability of each answer to {item}" if levels else f"Mean and standard deviation of {item}"
    ax.set_ylabel(what, fontsize=9, parse_math=False)
    return ax


def _levels(ax: Axes, found: Curves, levels: Sequence[object]) -> None:
    from matplotlib import colormaps

    values = found.values
    shades = colormaps["cividis"](np.linspace(0.0, 0.75, len(levels)))
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
    for i, (level, curve, colour) in enumerate(zip(levels, found.levels.T, shades, strict=True)):
        ax.plot(values, curve, color=colour, linewidth=1.6, label=word(level))
        at = _free(found.levels, i)
        ax.text(
            values[at], curve[at], word(level), color=colour, ha="center", va="center", fontsize=8, parse_math=False,
            bbox=white, zorder=5, fontweight="bold",
        )  # fmt: skip
    ax.set_ylim(0.0, max(1.0, float(found.levels.max()) + 0.06))


def _free(chances: np.ndarray, level: int) -> int:
    """Where a curve is best labelled: high, and away from all others."""
    curve = chances[:, level]
    others = np.abs(np.delete(chances, level, axis=1) - curve[:, None]).min(axis=1)
    edge = len(curve) // 40
    worth = np.minimum(others, CLEAR) + 0.3 * curve / curve.max()
    return edge + int(np.argmax(worth[edge : len(curve) - edge]))


def item_information(
    fit: Given[Fit],
    latent: Given[str | None] = None,
    items: Given[Sequence[str] | None] = None,
    ax: Given[Axes | None] = None,
    group: Given[Level | None] = None,
) -> Axes:
    """How much items tell of a latent variable where it stands: the Fisher information of each, and of all together (the
    test information, of which one over the square root is the standard error of a score).

    Parameters
    ----------
    fit
        A fit.
    latent
        The latent variable; may be left out where there is one only.
    items
        Items to draw; those that measure it by default. The sum is over all that are drawn.
    ax
        Axes to draw on.
    group
        Of a model with groups, the one for which is drawn.

    Raises
    ------
    ValueError
        For unknown names, for items that do not measure the latent variable, and where no item says how much it tells: a
        family of one's own without levels needs the method `information`.

    Notes
    -----
    `sum_c P_c'^2 / P_c` over the levels (Samejima 1969), in the units of the latent variable; durations as if all were seen
    to their end.

    Examples
    --------
    >>> axes = iclv.plot.item_information(fit, "green")
    """
    spec = check_fit(fit, "item_information", "problem", "all_params").problem.spec
    latent = _latent(latent, spec.order)
    own = [i.column for i in spec.indicators if latent in i.of]
    names = own if items is None else names_of(items, "items=")
    for name in names:
        measured_by(fit, name, latent, "plot.item_information")
    at = chosen_group(spec.groups, group, "plot.item_information")
    curves = {name: item_curves(fit, name, latent, at) for name in names}
    known = {name: c.information for name, c in curves.items() if c.information is not None}
    if not known:
        raise ValueError(f"plot.item_information: no item of {latent!r} says how much it tells of it.")
    ax, values = canvas(ax, 5.6, 3.4), next(iter(curves.values())).values
    for i, (name, told) in enumerate(known.items()):
        style = ("-", "--", ":", "-.")[i // len(COLOURS) % 4]
        label = name if len(known) <= MOST_NAMED else None
        ax.plot(values, told, color=COLOURS[i % len(COLOURS)], linestyle=style, linewidth=1.2, label=label)
    if len(known) > 1:
        ax.plot(values, sum(known.values()), color=INK, linewidth=2.2, label="together")
    key(ax, 4)
    ax.set_xlim(values[0], values[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(latent, fontsize=9, parse_math=False)
    ax.set_ylabel("Information", fontsize=9)
    return ax


def _latent(latent: Given[str | None], order: tuple[str, ...]) -> str:
    if latent is None and len(order) == 1:
        return order[0]
    if latent is None or not is_word(latent, order):
        what = "has several latent variables: name one." if latent is None else f"has no {latent!r}."
        raise ValueError(
            f"plot.item_information: the model {what} {nearest(str(latent), order)}"
            if order
            else "plot.item_information: the model has no latent variables."
        )
    return latent
