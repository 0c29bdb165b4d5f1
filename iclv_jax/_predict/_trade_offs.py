"""Ratios of marginal utilities at the draws of people, over latent classes where these differ."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Choice, World
from iclv_jax._integration import Nodes
from iclv_jax._integration._sequences import normal_points
from iclv_jax._panel import Person
from iclv_jax._predict._marginal import Marginal
from iclv_jax._predict._view import View
from iclv_jax._predict._worlds import Worlds, worlds

Attributes = tuple[Marginal | None, ...]
Costs = tuple[Marginal, ...]
WITH_EACH = 16
"""Draws of what is drawn anew in every situation with each of many nodes, for quantiles."""


@partial(compiled, static_argnames=("attributes", "costs"))
def trade_offs(
    view: View, params: Params, attributes: Attributes, costs: Costs, anew: Array | None = None
) -> tuple[Array, Array, Array]:
    """Minus the ratio of two marginal utilities and the second of them, (person, situation, node), and the weights of nodes
    in every situation. One situation stands for all where neither depends on columns, and where none says by its choice
    what was drawn in it. With a ratio for each latent class a node stands there once for each, by the probability of the
    class. `anew`: draws as of `drawn_anew`, in place of the nodes of their rule."""
    one, theta = _ratios(view, attributes, costs), view.core.theta(params)
    return view.core.people.each(one, view.person, shared=(theta, anew))


@partial(compiled, static_argnames=("attributes", "costs"))
def median_trade_offs(
    view: View, params: Params, attributes: Attributes, costs: Costs, anew: Array | None
) -> Float[Array, " person"]:
    """The median over a person's nodes and situations, each of these alike; NaN where it depends on them and there is
    none."""
    one, at = _ratios(view, attributes, costs), view.block.at

    def middle(known: Person, nodes: Nodes, person: Person, theta: Theta, anew: Array | None) -> Array:
        ratio, _, weights = one(known, nodes, person, theta, anew)
        occurs = person.data[at].occurs
        real = occurs if len(ratio) == len(occurs) else jnp.ones(1, bool)
        mass = jnp.where(real[:, None], weights, 0.0)
        mass, order = jnp.broadcast_to(mass, ratio.shape).ravel(), jnp.argsort(ratio.ravel())
        reached = jnp.cumsum(mass[order])
        place = jnp.minimum(jnp.searchsorted(reached, 0.5 * reached[-1]), reached.size - 1)
        return jnp.where(real.any(), ratio.ravel()[order[place]], jnp.nan)

    people = view.core.people
    if anew is not None:
        people = people.in_batches_of(max(1, people.batch // anew.shape[1]))
    return people.each(middle, view.person, shared=(view.core.theta(params), anew))


def drawn_anew(view: View, alone: int) -> Array | None:
    """Draws of what is drawn anew in every situation, (node, draw, coefficient), alike before any choice and the same for
    everybody: a few with each of many nodes, or so many `alone`. The nodes of its rule are too few for quantiles."""
    size, nodes = view.block.inner.size, view.core.nodes.shocks.shape[1]
    draws = WITH_EACH if nodes > 1 else alone
    return jnp.asarray(normal_points("mlhs", nodes, draws, size, 0)) if size else None


def _ratios(view: View, attributes: Attributes, costs: Costs) -> Callable[..., tuple[Array, Array, Array]]:
    """What `trade_offs` says of one person."""
    shape, block, seen, prior = view.core.structure, view.block, view.seen, view.prior
    utility, by_class = block.utility, len(costs) > 1
    situational = any(m is not None and m.situational for m in (*attributes, *costs))
    told = bool(block.within) and not prior
    several = situational or told or (by_class and not block.mixed)

    def one(
        known: Person, nodes: Nodes, person: Person, theta: Theta, anew: Array | None
    ) -> tuple[Array, Array, Array]:
        cells = shape.cells(theta, person)[block.name]
        draws = worlds(shape, theta, seen, known, nodes)
        columns = person.tables[block.table]

        def both(row: Array, eta: Array, at: Array) -> tuple[Array, Array]:
            world = World(eta, known.covariates, at)
            b, lv = block.coefficients(cells, world), block.felt(world)
            per_cost = jnp.stack([m.at(utility, b, row, lv) for m in costs])
            values = [jnp.zeros(()) if m is None else m.at(utility, b, row, lv) for m in attributes]
            return -jnp.stack(values) / per_cost, per_cost

        points, axis = (_inner(block)[0], None) if anew is None else (anew, 0)
        inside = jax.vmap(both, in_axes=(None, None, 0))
        each = jax.vmap(jax.vmap(inside, in_axes=(None, 0, axis)), in_axes=(0, None, None))
        ratio, per_cost = each(columns if several else columns[:1], draws.eta, points)
        if block.within or by_class:
            weights = _weights(block, cells, person, known, draws, prior, anew)
            weights = weights if by_class else weights.sum(axis=3)
        else:
            weights = draws.weights[None, :]
        weights = weights if several else weights[:1]
        return _flat(ratio), _flat(per_cost), _flat(weights)

    return one


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
    block: Choice,
    cells: CellTree,
    person: Person,
    known: Person,
    draws: Worlds,
    prior: bool,
    anew: Array | None,
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

    inside = jax.vmap(logs, in_axes=(None, 0))
    ruled = jax.vmap(inside, in_axes=(0, None))(draws.eta, points) + jnp.log(inner)[None, :, None, None]
    total = jax.nn.logsumexp(ruled, axis=(1, 3) if by_row else 1, keepdims=True)
    if anew is not None:
        ruled = jax.vmap(inside)(draws.eta, anew) - jnp.log(float(anew.shape[1]))
    each = jnp.exp(ruled - total)
    if block.mixed:
        each = each * jax.vmap(of_class)(draws.eta)[:, None, None, :]
    each = jnp.moveaxis(each * draws.weights[:, None, None, None], 2, 0)
    return each if anew is None else each / each.sum(axis=(1, 2, 3), keepdims=True)


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
