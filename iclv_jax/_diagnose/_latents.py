"""Signs and scales of latent variables: what only a convention gives, and what nothing measures."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._density import Items, reduced_form
from iclv_jax._diagnose._point import Point, quoted
from iclv_jax._likelihood import Core
from iclv_jax._panel import Person
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
        if not (mine or what.base in effects):
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
    with_items = {name for item in point.spec.indicators if not item.exact for name in item.of}
    with_items -= {item.column for item in point.spec.indicators if item.exact}
    return {name: float(shares[position[name]]) for name in position if name in with_items}


@compiled
def _information(core: Core, params: Params) -> Array:
    structure, people, theta = core.structure, core.person, core.theta(params)
    size = structure.system.latents

    def moments(person: Person) -> tuple[Array, Array]:
        mean, factor = reduced_form(structure.cells(theta, person)[LATENT], person.covariates)
        return mean[:size], jnp.sum(factor[:size] ** 2, axis=1)

    means, spreads = jax.vmap(moments)(people)
    variances = spreads.mean(axis=0) + jnp.var(means, axis=0)
    total = jnp.zeros(size)
    for block in structure.items:

        def squares(person: Person, eta: Array, block: Items = block) -> Float[Array, "item latent"]:
            own, data = structure.cells(theta, person)[block.name], person.data[block.at]
            index = block.index(own, eta, person.covariates)
            # Items do not meet, so the derivative of their sum holds every item's own.
            felt = jax.grad(lambda i: jnp.sum(block.each_at(own, data, i)))(index)
            shape = (len(block.items), block.indices or 1, size)
            slopes = jnp.einsum("km,kml->kl", felt.reshape(shape[:2]), own["loadings"].reshape(shape))
            return jnp.where(data.occurs[:, None], slopes**2, 0.0)

        seen = jnp.maximum(people.data[block.at].occurs.astype(float).sum(axis=0), 1.0)
        total = total + variances * jnp.sum(
            jax.vmap(squares)(people, means).sum(axis=0) / seen[:, None], axis=0
        )
    return total


def measurement_sentences(point: Point) -> list[str]:
    return [
        f"The items of {name!r} reveal only {100.0 * share:.2g} % of its variance: all of its loadings are near zero (or "
        "its variance is), so its scale, its sign and its effects are not determined. Check the coding of its "
        "items and `of=`, start its loadings away from zero, or leave it out."
        for name, share in measured(point).items()
        if share < LEAST
    ]
