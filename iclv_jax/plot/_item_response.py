"""What people answer, by their latent variable."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Given, Level
from iclv_jax._density import reduced_form
from iclv_jax._fit import Fit
from iclv_jax._parameters import LATENT, Stack
from iclv_jax._spec._groups import chosen_group
from iclv_jax._spec._names import nearest
from iclv_jax.plot._style import Axes, canvas, check_fit

POINTS = 201
REACH = 3.0
"""Standard deviations to both sides of the mean."""


def item_response(
    fit: Given[Fit],
    item: Given[str],
    latent: Given[str | None] = None,
    ax: Given[Axes | None] = None,
    group: Given[Level | None] = None,
) -> Axes:
    """Probabilities of an ordered item's levels by the latent variable that it measures.

    The axis reaches three standard deviations to both sides of the latent variable's mean over the sample, as the
    structural equations have them. Where the item measures several, the others are at their means.

    Parameters
    ----------
    fit
        A fit.
    item
        An ordered item.
    latent
        Of several latent variables that it measures, the one on the axis; the first by default.
    ax
        Axes to draw on.
    group
        Of a model with groups, the one whose answers are drawn.

    Raises
    ------
    ValueError
        For a name that is no ordered item, a latent variable that it does not measure, and a group that is none.
    """
    stack, of = _place(check_fit(fit, "item_response", "problem"), item)
    latent = of[0] if latent is None else latent
    if latent not in of:
        raise ValueError(f"Item {item!r} does not measure {latent!r}. {nearest(latent, of)}")
    at = chosen_group(fit.problem.spec.groups, group, "plot.item_response")
    values, chances = _curves(fit, stack, item, latent, at)
    ax = canvas(ax, 5.6, 3.4)
    from matplotlib import colormaps

    levels = fit.problem.panel.levels[item]
    shades = colormaps["cividis"](np.linspace(0.0, 0.75, len(levels)))
    for level, curve, colour in zip(levels, chances.T, shades, strict=True):
        ax.plot(values, curve, color=colour, linewidth=1.6, label=str(level))
        top = int(np.argmax(curve))
        side = {0: "left", len(values) - 1: "right"}.get(top, "center")
        top = min(max(top, 2), len(values) - 3)
        ax.text(
            values[top], curve[top] + 0.02, str(level), color=colour, ha=side, fontsize=8, parse_math=False
        )
    ax.set_xlim(values[0], values[-1])
    ax.set_ylim(0.0, max(1.0, float(chances.max()) + 0.06))
    ax.set_xlabel(latent, fontsize=9, parse_math=False)
    ax.set_ylabel(f"Probability of each answer to {item}", fontsize=9, parse_math=False)
    return ax


def _place(fit: Given[Fit], item: str) -> tuple[Stack, Sequence[str]]:
    discrete = {i.column: i for i in fit.problem.spec.indicators if i.discrete}
    if item not in discrete:
        raise ValueError(f"plot.item_response: {item!r} is no ordered item. {nearest(item, discrete)}")
    stack = next(s for s in fit.problem.table.stacks if item in s.items)
    return stack, discrete[item].of


def _curves(
    fit: Given[Fit], stack: Stack, item: str, latent: str, at: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the latent variable, and the probabilities of the levels at them, (value, level)."""
    core = fit.problem.core
    structure = core.structure.of_group(at or 0)
    block = structure.items[fit.problem.table.stacks.index(stack)]
    cells = structure.map.dense(structure.map.theta(core.constants, jnp.asarray(fit.estimates)))
    people = slice(None) if at is None else np.flatnonzero(np.asarray(core.person.group) == at)
    size, covariates = structure.system.latents, jnp.asarray(core.person.covariates)[people]
    means, factors = jax.vmap(lambda x: reduced_form(cells[LATENT], x))(covariates)
    means, factors = means[:, :size], factors[:, :size]
    which = fit.problem.spec.positions[latent]
    mean = means.mean(axis=0)
    spread = jnp.sqrt((factors[:, which] ** 2).sum(axis=-1).mean() + means[:, which].var())
    values = mean[which] + spread * jnp.linspace(-REACH, REACH, POINTS)
    part, count = cells[block.name], len(fit.problem.panel.levels[item])
    row = stack.items.index(item)
    points = jnp.broadcast_to(mean, (POINTS, len(mean))).at[:, which].set(values)
    chances = jax.vmap(lambda eta: block.expected_at(part, block.index(part, eta)).levels[row, :count])
    return np.asarray(values), np.asarray(chances(points))
