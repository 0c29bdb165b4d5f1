"""Effects along the paths of the structural equations, and estimates in standard units.

With `eta = B eta + Gamma x + zeta` and `T = (I - B)^-1`, the total effects are `T - I` among latent variables, `T Gamma`
of covariates, `Lambda T` and `Lambda T Gamma + Delta` on the (latent responses of) items, with direct effects `Delta`
(Bollen 1987). The covariance of the
latent variables is `T (Gamma C Gamma' + Psi) T'` with C that of the covariates in the sample.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import block_diag

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params
from iclv_jax._density import Items, Structure, check_linear
from iclv_jax._parameters import EFFECTS, LATENT, RESIDUAL


class Matrices(NamedTuple):
    """The arrays of the linear equations, items in the order of the stacks."""

    paths: Float[Array, "latent latent"]
    slopes: Float[Array, "latent covariate"]
    disturbance: Float[Array, "latent latent"]
    loadings: Float[Array, "indicator latent"]
    direct: Float[Array, "indicator covariate"]
    errors: Float[Array, " indicator"]
    residuals: Float[Array, "indicator indicator"]
    """Covariances of the residuals, with an empty diagonal."""


class Moments(NamedTuple):
    """Covariance of the latent variables, variances of the items, and implied covariances of the items with each other
    and with the covariates."""

    latent: Float[Array, "latent latent"]
    items: Float[Array, "indicator indicator"]
    crossed: Float[Array, "indicator covariate"]


def matrices(structure: Structure, constants: Array, params: Params) -> Matrices:
    cells = structure.map.dense(structure.map.theta(constants, params))
    check_linear(cells[LATENT], "This")
    latent, parts = cells[LATENT], [(block, cells[block.name]) for block in structure.items]
    size, psi = latent["intercepts"].shape[0], latent["disturbance"]
    loadings, outside = [part["loadings"] for _, part in parts], latent["slopes"].shape[1]
    return Matrices(
        latent["paths"],
        latent["slopes"],
        psi[:size, :size] if psi.ndim == 2 else jnp.diag(psi),
        jnp.concatenate([*loadings, jnp.zeros((0, size))]),
        jnp.concatenate([*(_direct(block, part, outside) for block, part in parts), jnp.zeros((0, outside))]),
        jnp.concatenate([*(_errors(block, part) for block, part in parts), jnp.zeros(0)]),
        block_diag(jnp.zeros((0, 0)), *(_residuals(block, part) for block, part in parts)),
    )


def _direct(block: Items, part: CellTree, covariates: int) -> Array:
    """Direct effects of covariates on the items of a stack."""
    return part[EFFECTS] if EFFECTS in part else jnp.zeros((len(block.items), covariates))


def _errors(block: Items, part: CellTree) -> Array:
    """Variances of the responses behind items about their indices; NaN for a family that has no such response."""
    found = block.family.response_variance(part)
    return jnp.full(len(block.items), jnp.nan) if found is None else found


def _residuals(block: Items, part: CellTree) -> Array:
    size = len(block.items)
    return part.get(RESIDUAL, jnp.zeros((size, size)))


def _total(paths: Array) -> Array:
    return jnp.linalg.inv(jnp.eye(paths.shape[0]) - paths)


def effects(structure: Structure, constants: Array, params: Params) -> Array:
    """Direct and total effects, (2, entries): of latent variables on latent variables, of covariates on them, of latent
    variables on items, of covariates on items, each matrix row by row."""
    m = matrices(structure, constants, params)
    total = _total(m.paths)
    direct = [m.paths, m.slopes, m.loadings, m.direct]
    totals = [
        total - jnp.eye(total.shape[0]),
        total @ m.slopes,
        m.loadings @ total,
        m.loadings @ total @ m.slopes + m.direct,
    ]
    return jnp.stack([jnp.concatenate([a.reshape(-1) for a in group]) for group in (direct, totals)])


def implied(m: Matrices, covariates: Float[Array, "covariate covariate"]) -> Moments:
    """Moments that the model implies at a covariance of the covariates."""
    total = _total(m.paths)
    latent = total @ (m.slopes @ covariates @ m.slopes.T + m.disturbance) @ total.T
    crossed = (m.loadings @ total @ m.slopes + m.direct) @ covariates
    both = m.loadings @ total @ m.slopes @ covariates @ m.direct.T
    items = m.loadings @ latent @ m.loadings.T + both + both.T + m.direct @ covariates @ m.direct.T
    return Moments(latent, items + jnp.diag(m.errors) + m.residuals, crossed)


def units(structure: Structure, constants: Array, covariates: Array, params: Params) -> Array:
    """Standard deviations in one vector: of latent variables, items, covariates, disturbances and residuals of items."""
    m = matrices(structure, constants, params)
    moments = implied(m, covariates)
    variances = [jnp.diagonal(a) for a in (moments.latent, moments.items, covariates, m.disturbance)]
    return jnp.sqrt(jnp.concatenate([*variances, m.errors]))


def standardised(
    structure: Structure, constants: Array, covariates: Array, powers: Array, params: Params
) -> Array:
    """Every parameter of the table times the standard deviations of `units` to the `powers` (..., row, unit)."""
    full = structure.map.full(constants, params)
    scales = units(structure, constants, covariates, params)
    factors = jnp.where(powers == 0.0, 1.0, jnp.broadcast_to(scales, powers.shape) ** powers).prod(axis=-1)
    return jnp.broadcast_to(full, factors.shape) * factors


def explained(structure: Structure, constants: Array, covariates: Array, params: Params) -> Array:
    """R2 of the latent variables and of the items."""
    m = matrices(structure, constants, params)
    moments = implied(m, covariates)
    latent = 1.0 - jnp.diagonal(m.disturbance) / jnp.diagonal(moments.latent)
    return jnp.concatenate([latent, 1.0 - m.errors / jnp.diagonal(moments.items)])


def reliabilities(
    structure: Structure, constants: Array, covariates: Array, own: Array, raw: Array, params: Params
) -> Array:
    """Composite reliability (omega) and average variance extracted, (2, latent); `own` (indicator, latent) marks the items
    that measure this latent variable alone, `raw` the latent variables whose composite is of the items' own units."""
    m = matrices(structure, constants, params)
    moments = implied(m, covariates)
    variance = jnp.diagonal(moments.latent)
    spread = jnp.sqrt(jnp.diagonal(moments.items))[:, None]
    scale = jnp.where(raw[None, :], 1.0, 1.0 / spread)
    common = jnp.sum(own * jnp.abs(m.loadings) * scale, axis=0) ** 2 * variance
    signed = own * jnp.sign(m.loadings) * scale
    beside = jnp.einsum("kl,km,ml->l", signed, m.residuals, signed)
    omega = common / (common + jnp.sum(own * m.errors[:, None] * scale**2, axis=0) + beside)
    shared = jnp.sum(own * (m.loadings / spread) ** 2, axis=0) * variance
    return jnp.stack([omega, shared / jnp.sum(own, axis=0)])


@partial(compiled, static_argnums=(0, 1))
def with_slopes(function, structure: Structure, *arguments: Array) -> tuple[Array, Array]:
    """A function of this module and its derivatives with respect to the parameters, its last argument."""
    *rest, params = arguments
    return function(structure, *rest, params), jax.jacfwd(lambda p: function(structure, *rest, p))(params)
