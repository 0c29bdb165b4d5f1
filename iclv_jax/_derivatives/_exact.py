"""The exact Hessian for the price of a few gradients.

With `w_nr` the share of node r in person n's likelihood and `s_nr` the score of the log density there,

    H_n = sum_r w_nr d2 l_nr + sum_r w_nr s_nr s_nr' - s_n s_n',    s_n = sum_r w_nr s_nr

(Louis 1982). The outer products are one matrix product. In the first term blocks meet only through eta: each says its own
second derivatives and those by eta, and the system how eta moves with the structural parameters; the chain rule does the
rest. Then `H = J' H_theta J + sum_i g_i d2 theta_i`.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from iclv_jax._base._types import Array, CellTree, Float, Params, Scalar, Theta
from iclv_jax._density import Choice, Structure
from iclv_jax._derivatives._basic import (
    Expansion,
    few,
    few_at_a_time,
    hessian_autodiff,
    slope,
    slope_by_theta,
)
from iclv_jax._derivatives._groups import marks
from iclv_jax._derivatives._layout import Layout, layout
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT

AT_ONCE = 100_000
"""As for first derivatives; there are many more arrays here. Of 328 people with 38 items the Hessian took two thirds of the
time in batches a quarter as large at 20 nodes, and nine tenths at 126."""


@lru_cache(maxsize=64)
def _layout_of(structure: Structure) -> Layout:
    return layout(structure.map, tuple(block.name for block in structure.blocks))


def expand_by_blocks(core: Core, params: Params) -> Expansion:
    """Log-likelihood, gradient and Hessian; equal to automatic differentiation up to rounding, and that itself where items
    were integrated in closed form."""
    parts = _layout_of(core.structure)
    theta = core.theta(params)
    if core.structure.system.absorbed and core.person.group is None:
        # Items meet through the posterior mean, so they cannot be taken one by one.
        return _linearised(core, params)
    if core.structure.system.absorbed:
        value, gradient, items = slope_by_theta(core, theta)
        curvature = _by_cells(core, theta, parts.live)
        return _by_parameters(core, params, parts, value, gradient[..., parts.live], curvature, items)

    lead = theta.shape[:-1]

    def batch(person: Person, nodes: Nodes, weights: Array, theta: Theta) -> tuple[Array, ...]:
        cells = partial(core.structure.cells, theta)
        return batch_expansion(core.structure, parts, cells, person, nodes, weights, lead[0] if lead else 0)

    none, live = jnp.zeros(()), len(parts.live)
    zero = none, none, jnp.zeros((*lead, live)), jnp.zeros((*lead, live, live))
    value, items, gradient, curvature = core.people.fold(batch, zero, few(core, AT_ONCE), shared=(theta,))
    return _by_parameters(core, params, parts, value, gradient, curvature, items)


def _linearised(core: Core, params: Params) -> Expansion:
    """By automatic differentiation. What one pass through the people leaves for all directions is kept where it is little:
    half as much is compiled then."""
    if core.people.size * params.shape[0] > AT_ONCE:
        found = slope(core, params)
        return Expansion(found.value, found.gradient, hessian_autodiff(core, params), found.items)
    found, along = jax.linearize(partial(slope, core), params)
    matrix = few_at_a_time(lambda direction: along(direction).gradient, jnp.eye(params.shape[0]))
    return Expansion(found.value, found.gradient, 0.5 * (matrix + matrix.T), found.items)


def _by_cells(core: Core, theta: Theta, live: np.ndarray) -> Float[Array, "group live live"]:
    """Second derivatives by the live entries of theta, group by group: one direction serves all groups."""

    def product(direction: Array) -> Array:
        along = jnp.broadcast_to(direction, theta.shape)
        return jax.jvp(lambda t: slope_by_theta(core, t)[1], (theta,), (along,))[1][..., live]

    columns = few_at_a_time(product, jnp.eye(theta.shape[-1])[live])
    return jnp.moveaxis(columns, 0, -1)


def _by_parameters(
    core: Core, params: Params, parts: Layout, value: Scalar, gradient: Array, curvature: Array, items: Scalar
) -> Expansion:
    """Derivatives by the live entries of theta as derivatives by the parameters."""

    def live_theta(p: Params) -> Array:
        return core.theta(p)[..., parts.live]

    jacobian = jax.jacfwd(live_theta)(params)
    matrix = jnp.einsum("...cp,...cd,...dq->...pq", jacobian, curvature, jacobian)
    matrix = matrix.reshape(-1, *matrix.shape[-2:]).sum(axis=0)
    if core.structure.map.definitions:
        # theta is linear in the parameters but where define= is used.
        matrix = matrix + jax.hessian(lambda p: jnp.sum(gradient * live_theta(p)))(params)
    return Expansion(value, jnp.einsum("...cp,...c->p", jacobian, gradient), 0.5 * (matrix + matrix.T), items)


class Parts(NamedTuple):
    """One person's derivatives: those of the structural part by place rather than by live entry, those of the blocks in
    their order."""

    value: Array
    items: Array
    shares: Array  # node
    structural_scores: Array  # node place
    scores: list[Array]  # node live
    structural: Array  # place place
    cross: list[Array]  # place live
    own: list[Any]


def batch_expansion(
    structure: Structure,
    parts: Layout,
    cells: Callable[[Person], CellTree],
    person: Person,
    nodes: Nodes,
    weights: Array,
    groups: int = 0,
) -> tuple[Array, ...]:
    """Value, that of the items alone, gradient and Hessian of a batch of people by the live entries of theta, by group where
    there are groups; `cells` are the arrays of the density for a person."""
    each = jax.vmap(lambda one, at: _person(structure, parts, cells(one), one, at))(person, nodes)
    covariates = jnp.concatenate([jnp.ones((weights.shape[0], 1)), person.covariates], axis=1)
    factors = covariates[:, parts.covariate]
    scores = jnp.concatenate(
        [each.structural_scores[:, :, parts.place] * factors[:, None, :], *each.scores], axis=2
    )
    mean_scores = jnp.einsum("nr,nrc->nc", each.shares, scores)

    def total(weights: Array) -> tuple[Array, Array]:
        matrix = _outer(scores, each.shares * weights[:, None], mean_scores, weights)
        return weights @ mean_scores, matrix + _assembled(structure, parts, each, covariates, weights)

    first = weights @ each.value, weights @ each.items
    if person.group is None:
        return *first, *total(weights)
    return *first, *jax.lax.map(total, marks(weights, person.group, groups))


def _outer(scores: Array, node_weights: Array, mean_scores: Array, weights: Array) -> Array:
    size = scores.shape[-1]
    rows = scores.reshape(-1, size)
    within = (rows * node_weights.reshape(-1, 1)).T @ rows
    return within - (mean_scores * weights[:, None]).T @ mean_scores


def _assembled(structure: Structure, parts: Layout, each: Parts, covariates: Array, weights: Array) -> Array:
    """The weighted sum over people of the mean second derivatives, by live entry."""
    place, size = parts.place, len(parts.live)
    weighted = covariates * weights[:, None]

    def summed(rows: Array) -> Array:
        """Of (person, place, column), times the covariate of each entry of the structural part."""
        return jnp.einsum("nk,nsc->ksc", weighted, rows)[parts.covariate, place]

    top = summed(each.structural[:, :, place] * covariates[:, None, parts.covariate])
    matrix = jnp.zeros((size, size)).at[: len(place), : len(place)].set(top)
    start = len(place)
    for block, live, cross, own in zip(structure.blocks, parts.blocks, each.cross, each.own, strict=True):
        stop, side = start + len(live), summed(cross)
        matrix = matrix.at[: len(place), start:stop].set(side).at[start:stop, : len(place)].set(side.T)
        matrix = matrix.at[start:stop, start:stop].set(block.merge(live, weights, own))
        start = stop
    return matrix


def _person(structure: Structure, parts: Layout, cells: CellTree, person: Person, nodes: Nodes) -> Parts:
    system, sections = structure.system, [cells[block.name] for block in structure.blocks]
    blocks = list(zip(structure.blocks, parts.blocks, sections, strict=True))
    moved = system.moved if len(parts.structural) else 0
    drawn, path_bend = system.expand(parts.structural, cells[LATENT], person, nodes.shocks)
    eta, basis, slopes = drawn.eta, drawn.basis, drawn.slopes[:, :moved]
    first = [
        jax.lax.optimization_barrier(block.first(live, part, person, eta)) for block, live, part in blocks
    ]
    items = nodes.log_weights
    for (block, *_), f in zip(blocks, first, strict=True):
        items = items if isinstance(block, Choice) else items + f.value
    terms = items
    for (block, *_), f in zip(blocks, first, strict=True):
        terms = terms + f.value if isinstance(block, Choice) else terms
    shares = jax.nn.softmax(terms)

    # What eta feels: slopes and curvatures of the log density along it, by node.
    pull = sum((f.pull for f in first), jnp.zeros_like(eta))[:, :moved]
    bend, own, cross = jnp.zeros((eta.shape[0], moved, moved)), [], []
    for (block, live, part), f in zip(blocks, first, strict=True):
        second = jax.lax.optimization_barrier(
            block.second(live, part, person, eta, f.memo, shares, basis, moved)
        )
        bend = bend + second.bend
        own.append(second.own)
        cross.append(jnp.einsum("bcl,bls->sc", second.cross, slopes))
    felt = jnp.einsum("rb,bls->rls", basis, slopes)
    curved = jnp.einsum("rls,rlm,rmt->st", felt, bend, felt)
    if moved:
        curved = curved + path_bend(pull * shares[:, None])
    return Parts(
        logsumexp(terms),
        logsumexp(items),
        shares,
        jnp.einsum("rl,rls->rs", pull, felt),
        [f.scores for f in first],
        curved,
        cross,
        own,
    )
