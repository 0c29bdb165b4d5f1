"""What an item is expected to be answered, and how much its answer tells, by a latent variable that it measures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import check_name, is_word
from iclv_jax._base._types import Array, CellTree, Float, Given
from iclv_jax._density import Items, reduced_form
from iclv_jax._inference._estimated import Estimated
from iclv_jax._parameters import LATENT
from iclv_jax._spec import Expected
from iclv_jax._spec._names import nearest

POINTS = 201
REACH = 3.0
"""Standard deviations to both sides of the mean."""


class Curves(NamedTuple):
    """Of one item, at values of a latent variable: mean and standard deviation of the answer (of codes where there are
    levels), probabilities of the levels (none for a family without them), and Fisher information on the latent variable,
    None for a family that does not say."""

    values: Float[np.ndarray, " value"]
    mean: Float[np.ndarray, " value"]
    sd: Float[np.ndarray, " value"]
    levels: Float[np.ndarray, "value level"]
    information: Float[np.ndarray, " value"] | None


def measured_by(fit: Estimated, item: Given[str], latent: Given[str | None], what: str) -> str:
    """The latent variable that is asked for, or the first one of an item; ValueError for names that do not fit."""
    check_name(item, what)
    items = {i.column: i for i in fit.problem.spec.indicators if i.of}
    if item not in items:
        raise ValueError(
            f"{what}: {item!r} is no item that measures a latent variable. {nearest(item, items)}"
        )
    of = items[item].of
    if latent is not None and not is_word(latent, of):
        raise ValueError(f"Item {item!r} does not measure {latent!r}. {nearest(latent, of)}")
    return of[0] if latent is None else latent


def item_curves(fit: Estimated, item: str, latent: str, group: int | None = None) -> Curves:
    """Curves over three standard deviations to both sides of the latent variable's mean over the sample, as the structural
    equations have them; other latent variables and covariates are at their means. `group` is the place of a group of
    people, None where there are none."""
    core, table = fit.problem.core, fit.problem.table
    structure = core.structure.of_group(group or 0)
    cells = structure.map.dense(structure.map.theta(core.constants, jnp.asarray(fit.estimates)))
    people = slice(None) if group is None else np.flatnonzero(np.asarray(core.person.group) == group)
    covariates = jnp.asarray(core.person.covariates)[people]
    place = next(i for i, stack in enumerate(table.stacks) if item in stack.items)
    block, which = structure.items[place], fit.problem.spec.positions[latent]
    part, row = cells[block.name], block.items.index(item)
    mean, values = _axis(cells, covariates, block.latents, which)
    points = jnp.broadcast_to(mean, (POINTS, len(mean))).at[:, which].set(values)
    x = covariates.mean(axis=0)

    def answer(eta: Array) -> Expected:
        return jax.tree.map(lambda a: a[row], block.expected_at(part, block.index(part, eta, x)))

    found = jax.vmap(answer)(points)
    count = len(fit.problem.panel.levels[item])
    if block.family.discrete:
        unit = jnp.eye(len(mean))[which]
        slopes = jax.vmap(lambda eta: jax.jvp(lambda e: answer(e).levels, (eta,), (unit,))[1])(points)
        levels, slopes = found.levels[:, :count], slopes[:, :count]
        told = jnp.sum(slopes**2 / jnp.maximum(levels, 1e-300), axis=1)
    else:
        levels, told = found.levels, _without_levels(block, part, points, x, row, which)
    return Curves(
        *(np.asarray(a) for a in (values, found.mean, jnp.sqrt(found.variance), levels)),
        information=None if told is None else np.asarray(told),
    )


def _axis(cells: CellTree, covariates: Array, size: int, which: int) -> tuple[Array, Array]:
    """Means of the latent variables over the sample, and values of one of them."""
    means, factors = jax.vmap(lambda x: reduced_form(cells[LATENT], x))(covariates)
    means, factors = means[:, :size], factors[:, :size]
    mean = means.mean(axis=0)
    spread = jnp.sqrt((factors[:, which] ** 2).sum(axis=-1).mean() + means[:, which].var())
    return mean, mean[which] + spread * jnp.linspace(-REACH, REACH, POINTS)


def _without_levels(
    block: Items, part: CellTree, points: Array, x: Array, row: int, which: int
) -> Array | None:
    """Information of an item without levels: that on its index, times the squared loading."""

    def at(eta: Array) -> Array | None:
        return block.family.information(part, block.index(part, eta, x))

    if at(points[0]) is None:
        return None
    found = jax.vmap(at)(points)
    assert found is not None
    return found[:, row] * part["loadings"][row, which] ** 2
