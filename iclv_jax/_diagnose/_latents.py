"""Signs and scales of latent variables: what only a convention gives, and what nothing measures."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Params
from iclv_jax._density import Items, reduced_form
from iclv_jax._diagnose._point import Point, quoted
from iclv_jax._likelihood import Core
from iclv_jax._panel import Data
from iclv_jax._parameters import LATENT
from iclv_jax._spec import _names as names

LEAST = 0.05
"""Share of a latent variable's variance that its items must reveal to measure it at all."""


def sign_notes(point: Point) -> list[str]:
    """Latent variables whose sign follows a convention only."""
    loose = [v.name for v in point.spec.latents if _sign_is_free(point, v.name)]
    if not loose:
        return []
    first = next((i.column for i in point.spec.indicators if i.of[:1] == (loose[0],)), None)
    hint = (
        f", for example fixed={{{names.loading(loose[0], first)!r}: 1.0}} with scale='loading'"
        if first
        else ""
    )
    return [
        f"The sign of {quoted(loose)} follows a convention only (at the start the first item loads positively): "
        f"turning loadings, paths and effects around gives the same log-likelihood. A fixed loading settles it{hint}."
    ]


def _sign_is_free(point: Point, latent: str) -> bool:
    """Whether no constraint on a loading, path or effect of a latent variable tells its sign."""
    spec = point.spec
    bound = {n for group in spec.equal for n in group}
    bound |= {n for d in spec.define for n in (d.name, *d.arguments)}
    effects = point.latent_effects.get(latent, ())
    for row in point.table.rows:
        what = row.parameter
        mine = what.concerns(latent) and what.role in ("intercept", "path", "slope", "loading")
        if not (mine or row.name in effects):
            continue
        held = row.status == "fixed" and row.value != 0.0
        if row.name in bound or held or row.lower >= 0.0 or row.upper <= 0.0:
            return False
    return True


def measured(point: Point) -> dict[str, float]:
    """Share of each latent variable's variance that its items reveal here, `i / (1 + i)` with
    `i = Var(eta) sum_k lambda_k^2 E[(d log f_k / d index)^2]`; only those with items, and
    where all equations are linear."""
    problem = point.problem
    if point.spec.nonlinear:
        return {}
    found = np.asarray(_information(problem.core, jnp.asarray(point.params)))
    shares = found / (1.0 + found)
    position = point.spec.positions
    with_items = {name for item in point.spec.indicators for name in item.of}
    return {name: float(shares[position[name]]) for name in position if name in with_items}


@compiled
def _information(core: Core, params: Params) -> Array:
    structure, people = core.structure, core.person
    cells, size = structure.map.dense(core.theta(params)), core.structure.system.latents
    means, factors = jax.vmap(lambda x: reduced_form(cells[LATENT], x))(people.covariates)
    means, factor = means[:, :size], factors[0, :size]
    variances = jnp.sum(factor**2, axis=1) + jnp.var(means, axis=0)
    total = jnp.zeros(size)
    for block in structure.items:
        own, data = cells[block.name], people.data[block.at]

        def slopes(one: Data, eta: Array, x: Array, block: Items = block, own: CellTree = own) -> Array:
            index = block.index(own, eta, x)
            # Items do not meet, so the derivative of their sum holds every item's own.
            felt = jax.grad(lambda i: jnp.sum(block.each_at(own, one, i)))(index)
            shape = (len(block.items), block.indices or 1, size)
            return jnp.einsum("km,kml->kl", felt.reshape(shape[:2]), own["loadings"].reshape(shape))

        squares = jax.vmap(slopes)(data, means, people.covariates) ** 2
        squares = jnp.where(data.occurs[..., None], squares, 0.0).sum(axis=0)
        answered = jnp.maximum(data.occurs.astype(float).sum(axis=0), 1.0)
        total = total + variances * jnp.sum(squares / answered[:, None], axis=0)
    return total


def measurement_sentences(point: Point) -> list[str]:
    return [
        f"The items of {name!r} reveal only {100.0 * share:.2g} % of its variance: all of its loadings are near zero (or "
        "its variance is), so its scale, its sign and its effects are not determined. Check the coding of its "
        "items and `of=`, start its loadings away from zero, or leave it out."
        for name, share in measured(point).items()
        if share < LEAST
    ]
