"""Log-sums in units of cost: consumer surplus up to a constant (Small and Rosen 1981)."""

from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Choice, World
from iclv_jax._integration import Nodes
from iclv_jax._panel import Person
from iclv_jax._predict._marginal import Marginal
from iclv_jax._predict._responses import shares, situation_weights
from iclv_jax._predict._view import View
from iclv_jax._predict._worlds import worlds


@partial(compiled, static_argnames=("cost", "pooled"))
def surplus(
    view: View, params: Params, cost: tuple[Marginal, ...], pooled: bool
) -> Float[Array, "person situation"]:
    """The expected log-sum over the marginal utility of money (minus that of `cost`, one for each latent class), which vary
    together over classes, latent variables and random coefficients; the log-sum itself where the division is `pooled`."""
    core, block = view.core, view.block
    theta, shape = core.theta(params), core.structure

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> Array:
        cells = shape.cells(theta, person)[block.name]
        told = None if view.prior else known

        def of_class(world: World) -> Array:
            sums = block.log_sums(cells, person, world)
            return sums if pooled else -sums / _costs(block, cells, cost, person, world)

        def at(world: World) -> Array:
            return block.over_classes(of_class, cells, person, world, told)

        return worlds(shape, theta, view.seen, known, nodes).expected(at, known.covariates)

    return core.people.each(one, view.person, shared=(theta,))


@partial(compiled, static_argnames="cost")
def mean_worth(view: View, params: Params, cost: tuple[Marginal, ...]) -> Array:
    """The marginal utility of money, averaged over people, situations and tastes."""
    core, block = view.core, view.block
    theta, shape = core.theta(params), core.structure

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> Array:
        cells = shape.cells(theta, person)[block.name]
        draws, told = worlds(shape, theta, view.seen, known, nodes), None if view.prior else known

        def at(world: World) -> Array:
            return block.over_classes(
                lambda world: -_costs(block, cells, cost, person, world), cells, person, world, told
            )

        return draws.expected(at, known.covariates)

    weights = situation_weights(view)
    return jnp.sum(weights * core.people.each(one, view.person, shared=(theta,))) / weights.sum()


def _costs(
    block: Choice, cells: CellTree, cost: tuple[Marginal, ...], person: Person, world: World
) -> Float[Array, "row class"]:
    """Marginal utilities of cost in every situation."""
    b, lv = block.coefficients(cells, world), block.felt(world)

    def of_row(row: Array) -> Array:
        return jnp.stack([one.at(block.utility, b, row, lv) for one in cost])

    return jax.vmap(of_row)(person.tables[block.table])


@partial(compiled, static_argnames=("cost", "pooled"))
def scenario_totals(
    first: View, second: View, params: Params, cost: tuple[Marginal, ...] | None, pooled: bool
) -> Array:
    """Shares in both, their difference, and (with a cost) the mean change of the surplus, in one vector."""
    a, b = shares(first, params), shares(second, params)
    parts = [a, b, b - a]
    if cost is not None:
        means = []
        for view in (first, second):
            weights = situation_weights(view)
            means.append(jnp.sum(weights * surplus(view, params, cost, pooled)) / weights.sum())
        worth = mean_worth(first, params, cost) if pooled else 1.0
        parts.append(((means[1] - means[0]) / worth)[None])
    return jnp.concatenate(parts)


@compiled
def compensations(first: View, second: View, params: Params) -> Float[Array, "person situation"]:
    """The money that makes up for a change, of kernels that share out a budget, for the same people, with
    latent classes the average over these."""
    core, block = first.core, first.block
    theta, shape = core.theta(params), core.structure

    def one(known: Person, nodes: Nodes, before: Person, after: Person, theta: Theta) -> Array:
        cells, told = shape.cells(theta, before)[block.name], None if first.prior else known

        def at(world: World) -> Array:
            def of_class(world: World) -> Array:
                return block.compensations(cells, before, after, world)

            return block.over_classes(of_class, cells, before, world, told)

        return worlds(shape, theta, first.seen, known, nodes).expected(at, known.covariates)

    return core.people.each(one, first.person, second.person, shared=(theta,))


@compiled
def compensated_totals(first: View, second: View, params: Params) -> Array:
    """As `scenario_totals`, with the mean compensation."""
    weights = situation_weights(first)
    mean = jnp.sum(weights * compensations(first, second, params)) / weights.sum()
    return jnp.concatenate([scenario_totals(first, second, params, None, False), mean[None]])
