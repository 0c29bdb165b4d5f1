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
    situational = any(m is not None and m.situational for m in (*attributes, *costs))
    told = bool(block.within) and not view.prior
    several = situational or told or (by_class and not block.mixed)

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> tuple[Array, Array, Array]:
        cells = shape.cells(theta, person)[block.name]
        draws = worlds(shape, theta, view.seen, known, nodes)
        columns = person.tables[block.table]

        def both(row: Array, eta: Array, at: Array) -> tuple[Array, Array]:
            world = World(eta, known.covariates, at)
            b, lv = block.coefficients(cells, world), block.felt(world)
            per_cost = jnp.stack([m.at(utility, b, row, lv) for m in costs])
            values = [jnp.zeros(()) if m is None else m.at(utility, b, row, lv) for m in attributes]
            return -jnp.stack(values) / per_cost, per_cost

        points, _ = _inner(block)
        inside = jax.vmap(both, in_axes=(None, None, 0))
        each = jax.vmap(jax.vmap(inside, in_axes=(None, 0, None)), in_axes=(0, None, None))
        ratio, per_cost = each(columns if several else columns[:1], draws.eta, points)
        if block.within or by_class:
            weights = _weights(block, cells, person, known, draws, view.prior)
            weights = weights if by_class else weights.sum(axis=3)
        else:
            weights = draws.weights[None, :]
        weights = weights if several else weights[:1]
        return _flat(ratio), _flat(per_cost), _flat(weights)

    return core.people.each(one, view.person, shared=(theta,))


def _flat(values: Array) -> Float[Array, "situation node"]:
    """With nodes, what is drawn anew and classes in one axis."""
    return values.reshape(values.shape[0], -1)


def _inner(block: Choice) -> tuple[Float[Array, "draw size"], Float[Array, " draw"]]:
    """Draws of what is drawn anew in every row, and their weights; one where nothing is."""
    if not block.within:
        return jnp.zeros((1, 0)), jnp.ones(1)
    points, weights = block.inner.nodes
    return jnp.asarray(points), jnp.asarray(weights)


def _weights(
    block: Choice, cells: CellTree, person: Person, known: Person, draws: Worlds, prior: bool
) -> Float[Array, "situation node draw class"]:
    """Of every node, what is drawn anew there and each latent class (one where there are none), in every situation, or in
    one row where they are the same in all. What a person chose, but for the distribution before any answers, says more of
    each."""
    kernel, data = block.kernel, known.data[block.at]
    points, inner = _inner(block)
    by_row = bool(kernel.classes) and not block.mixed
    told = not prior and (by_row or bool(block.within))

    def logs(eta: Array, at: Array) -> Float[Array, "row class"]:
        if not (told or by_row):
            return jnp.zeros((1, max(len(kernel.classes), 1)))
        v = block.utilities(cells, person, World(eta, known.covariates, at))
        members = jnp.zeros((v.shape[0], max(len(kernel.classes), 1)))
        if by_row:
            members = jax.vmap(lambda row: kernel.log_membership(cells, row))(v)
        if not told:
            return members
        density = kernel.log_classes if kernel.classes else kernel.log_density
        each = jax.vmap(lambda *row: jnp.atleast_1d(density(cells, *row)))(v, data.outcome, data.offered)
        return members + jnp.where(data.occurs[:, None], each, 0.0)

    def of_class(eta: Array) -> Float[Array, " class"]:
        """Of a person who has one class in all situations."""
        world = World(eta, known.covariates)
        return jax.nn.softmax(block.log_classes(cells, person, world, None if prior else known))

    each = jax.vmap(jax.vmap(logs, in_axes=(None, 0)), in_axes=(0, None))(draws.eta, points)
    each = jax.nn.softmax(each + jnp.log(inner)[None, :, None, None], axis=(1, 3) if by_row else 1)
    if block.mixed:
        each = each * jax.vmap(of_class)(draws.eta)[:, None, None, :]
    return jnp.moveaxis(each * draws.weights[:, None, None, None], 2, 0)


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
