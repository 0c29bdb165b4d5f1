"""Ratios of marginal utilities at the draws of people, over latent classes where these differ."""

from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Choice, World
from iclv_jax._integration import Nodes
from iclv_jax._panel import Person
from iclv_jax._predict._marginal import Marginal
from iclv_jax._predict._view import View
from iclv_jax._predict._worlds import Worlds, worlds

Attributes = tuple[Marginal | None, ...]
Costs = tuple[Marginal, ...]


@partial(compiled, static_argnames=("attributes", "costs"))
def trade_offs(
    view: View, params: Params, attributes: Attributes, costs: Costs
) -> tuple[Array, Array, Array]:
    """Minus the ratio of two marginal utilities and the second of them, (person, situation, node), and the weights of nodes
    in every situation. One situation stands for all where neither depends on columns, and where none says by its choice
    what was drawn in it. With a ratio for each latent class a node stands there once for each, by the probability of the
    class."""
    core, shape, block = view.core, view.core.structure, view.block
    theta, utility, by_class = core.theta(params), block.utility, len(costs) > 1
    told = bool(block.within) and not view.prior
    situational = any(m is not None and m.situational for m in (*attributes, *costs))
    several = situational or told or (by_class and not block.mixed)

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> tuple[Array, Array, Array]:
        cells = shape.cells(theta, person)[block.name]
        draws = worlds(shape, theta, view.seen, known, nodes)
        columns = person.tables[block.table]

        eta, inner = _with_inner(block, draws.eta)
        weights = _inner_weights(block, cells, known if told else None, draws)

        def both(row: Array, eta: Array, at: Array) -> tuple[Array, Array]:
            world = World(eta, known.covariates, at)
            b, lv = block.coefficients(cells, world), block.felt(world)
            per_cost = jnp.stack([m.at(utility, b, row, lv) for m in costs])
            values = [jnp.zeros(()) if m is None else m.at(utility, b, row, lv) for m in attributes]
            return -jnp.stack(values) / per_cost, per_cost

        each = jax.vmap(jax.vmap(both, in_axes=(None, 0, 0)), in_axes=(0, None, None))
        ratio, per_cost = each(columns if several else columns[:1], eta, inner)
        if by_class:
            shares = _class_shares(block, cells, person, known, draws, view.prior)
            weights = weights[:, :, None] * (shares if several else shares[:1])
            weights = weights.reshape(weights.shape[0], -1)
        return ratio.reshape(ratio.shape[0], -1), per_cost.reshape(ratio.shape[0], -1), weights

    return core.people.each(one, view.person, shared=(theta,))


def _class_shares(
    block: Choice, cells: CellTree, person: Person, known: Person, draws: Worlds, prior: bool
) -> Float[Array, "situation node class"]:
    """Probabilities of latent classes at every node, given what is known of the choices."""
    told = None if prior else known
    each = jax.vmap(lambda eta: block.classes(cells, person, World(eta, known.covariates), told))
    return jnp.moveaxis(each(draws.eta), 0, 1)


def _with_inner(block: Choice, eta: Array) -> tuple[Array, Array]:
    """Draws of eta with those of what is drawn anew in every row."""
    if not block.within:
        return eta, jnp.zeros((eta.shape[0], 0))
    points = jnp.asarray(block.inner.nodes[0])
    return jnp.repeat(eta, len(points), axis=0), jnp.tile(points, (eta.shape[0], 1))


def _inner_weights(
    block: Choice, cells: CellTree, known: Person | None, draws: Worlds
) -> Float[Array, "situation node"]:
    """Weights of the nodes that `_with_inner` gives, in the situations of a person whose choices are known: each says what
    was drawn in it. The same in all, in one row, where none is known."""
    if not block.within:
        return draws.weights[None, :]
    inner = jnp.asarray(block.inner.nodes[1])
    if known is None:
        return (draws.weights[:, None] * inner[None, :]).reshape(1, -1)
    points, data = jnp.asarray(block.inner.nodes[0]), known.data[block.at]
    density = block.kernel.log_classes if block.mixed else block.kernel.log_density

    def of_classes(eta: Array) -> Array:
        world = World(eta, known.covariates)
        return jax.nn.softmax(block.log_classes(cells, known, world, known)) if block.mixed else jnp.ones(1)

    def logs(eta: Array, at: Array) -> Array:
        v = block.utilities(cells, known, World(eta, known.covariates, at))
        each = jax.vmap(lambda *row: jnp.atleast_1d(density(cells, *row)))(v, data.outcome, data.offered)
        return jnp.where(data.occurs[:, None], each, 0.0)

    every = jax.vmap(jax.vmap(logs, in_axes=(None, 0)), in_axes=(0, None))(draws.eta, points)
    shares = jax.nn.softmax(every + jnp.log(inner)[None, :, None, None], axis=1)
    found = jnp.einsum("rktc,rc,r->trk", shares, jax.vmap(of_classes)(draws.eta), draws.weights)
    return found.reshape(found.shape[0], -1)


@partial(compiled, static_argnames=("attributes", "costs"))
def mean_trade_off(view: View, params: Params, attributes: Attributes, costs: Costs) -> Array:
    """The weighted mean over people, situations and tastes, as a vector of one."""
    ratio, _, weights = trade_offs(view, params, attributes, costs)
    each = jnp.sum(ratio * weights, axis=2)
    occurs = view.data.occurs[:, : each.shape[1]].astype(float)
    by_person = jnp.sum(each * occurs, axis=1) / jnp.maximum(jnp.sum(occurs, axis=1), 1.0)
    counted = counted_people(view)
    return (jnp.dot(counted, by_person) / counted.sum())[None]


def counted_people(view: View) -> Array:
    """Weights of the people who have a situation."""
    return view.core.weights * view.data.occurs.any(axis=1).astype(float)
