"""Randomised quantile residuals of items: where an answer stands in the distribution that the model has for it.

Under a true model they are standard normal for items of every family (Dunn and Smyth 1996). A level, a count or a limit
takes an interval of the distribution, in which a point is drawn.
"""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed, is_word
from iclv_jax._base._compiled import compiled
from iclv_jax._base._distributions import quantile
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Array, CellTree, Float, Given, Params, Theta
from iclv_jax._density import Items, World, conditionable
from iclv_jax._density._correlated import Correlated, precision_of
from iclv_jax._inference._estimated import Estimated
from iclv_jax._integration import GaussHermite, Nodes, default_rule
from iclv_jax._likelihood import Core, log_terms
from iclv_jax._panel import Data, Person
from iclv_jax._panel._frame import identifiers
from iclv_jax._predict._normal_residuals import normal_tails
from iclv_jax._predict._prior_nodes import prior_nodes, world_at
from iclv_jax._problem import Problem, spread_nodes
from iclv_jax._problem._memory import batch_size
from iclv_jax._spec import Indicator, Tails

Knowing = Literal["others", "nothing"]
NODES = {1: 41, 2: 21}
"""Adaptive Gauss-Hermite nodes per latent variable: without one of its items a posterior is wider than where they stand."""


class Placed(NamedTuple):
    """By person and item: where the answer stands, and what was expected of it."""

    tails: Tails
    mean: Float[Array, "*person item"]


def item_residuals(fit: Estimated, *, given: Given[Knowing] = "others", seed: Given[int] = 0) -> pd.DataFrame:
    """Randomised quantile residuals of the answers to items (Dunn and Smyth 1996), of every family.

    If the model is true, those of an item are independent standard normal numbers over people, whatever its family: what
    is seen in them (curves against a covariate or a score, heavy tails, a spread that changes) is what the model lacks. A
    residual is the standard normal quantile of the probability of a lower answer than the one that was given, plus a
    uniformly drawn part of the probability of that answer itself where it has one: a level, a count, a value at a limit. Of
    a duration that did not end it is a part of all that is longer. Residuals of one person's items are not independent of
    each other.

    Parameters
    ----------
    given
        What an answer is compared with: its distribution given the person's covariates and answers to the `"others"` among
        the items, or given `"nothing"` but the covariates. The former sees how an item goes with the others, the latter
        only how it goes with covariates. Choices are not used.
    seed
        Of the uniform draws. Two seeds differ by what is random in the residuals.

    Returns
    -------
    DataFrame
        (people, items), items in the order of the model; NaN where there was no answer. Levels of a nominal item are taken
        in their order.

    Raises
    ------
    ValueError
        For a model without items, an unknown `given`, and a family of one's own without levels and without the method
        `tails`.

    Notes
    -----
    Of continuous items with linear equations distributions are exact. Otherwise they are sums over nodes: with `"others"`
    over those at the person's posterior (41 per latent variable for one, 21 for two, the rule of the fit beyond), of which
    each loses the item's own density, so that an item that says much more than all others together asks for more of them.

    Examples
    --------
    >>> fit.measurement.item_residuals().shape
    (300, 3)
    """
    tails, _ = answers_placed(fit, given, seed)
    return people_by_item(fit, residuals(tails, seed))


def residuals(tails: Tails, seed: int) -> np.ndarray:
    """From where answers stand; through the nearer tail, so that far ones are not rounded to infinity."""
    drawn = np.random.default_rng(seed).uniform(size=tails.mass.shape)
    below, mass, above = map(np.asarray, tails)
    below, above = below + drawn * mass, above + (1.0 - drawn) * mass
    return np.where(below < above, quantile(below), -quantile(above))


def people_by_item(fit: Estimated, values: np.ndarray) -> pd.DataFrame:
    """Arrays (person, item of the stacks) with items in the order of the model."""
    problem = fit.problem
    stacked = [name for stack in problem.table.stacks for name in stack.items]
    frame = pd.DataFrame(values, index=identifiers(problem.panel.people), columns=stacked)
    return frame[[item.column for item in problem.spec.indicators]]


@one_thread
def answers_placed(fit: Estimated, given: Given[Knowing], seed: Given[int]) -> tuple[Tails, np.ndarray]:
    """Where all answers stand and what was expected of them, (person, item of the stacks); NaN where there is none."""
    problem, params = fit.problem, jnp.asarray(fit.estimates)
    check_seed(seed)
    _check(problem, given)
    if conditionable(problem.spec):
        tails, mean, answered = normal_tails(fit, given == "others")
    else:
        known = _with_nodes(problem, params, given == "others")
        found = placed(known.core, params, given == "others")
        answered = np.concatenate([np.asarray(d.occurs) for d in _data(problem)], axis=1)
        tails, mean = found.tails, found.mean
    nan = np.where(answered, 0.0, np.nan)
    return jax.tree.map(lambda part: part + nan, tails), np.asarray(mean) + nan


def _data(problem: Problem) -> list[Data]:
    return [problem.core.person.data[block.at] for block in problem.core.structure.items]


def _check(problem: Problem, given: object) -> None:
    if not is_word(given, get_args(Knowing)):
        raise ValueError(f"given= is 'others' or 'nothing', not {given!r}.")
    if not problem.spec.indicators:
        raise ValueError("item_residuals: the model has no items.")
    for item in problem.spec.indicators:
        if not item.discrete and type(item).tails is Indicator.tails:
            raise ValueError(
                f"item_residuals: the family {type(item).__name__} of item {item.column!r} does not say where an answer "
                "stands in its distribution. Give it the method tails."
            )


def _with_nodes(problem: Problem, params: Params, others: bool) -> Problem:
    """The items alone, with nodes at their posteriors, or before any answers."""
    known, size = problem.part("items"), problem.core.people.size
    dimension = problem.core.structure.dimension
    if others:
        rule = problem.rule if problem.rule.centred else default_rule(dimension)[0].stages()[-1]
        return known.integrate(GaussHermite(NODES[dimension]) if dimension in NODES else rule).recentre(
            params
        )
    points, weights = prior_nodes(problem.core.structure.system.latents, size)
    nodes = spread_nodes(points[None], np.log(weights), size)
    batch = min(size, batch_size(problem.core, len(weights), problem.memory))
    return known.with_people(known.core.people.with_nodes(nodes).in_batches_of(batch))


def _placed_by(core: Core, params: Params, others: bool) -> Placed:
    theta, shape = core.theta(params), core.structure

    def one(person: Person, nodes: Nodes, theta: Theta) -> Placed:
        cells = shape.cells(theta, person)

        def at(shocks: Array) -> tuple[Placed, Array]:
            world = (
                shape.system.world(cells, person, shocks)[0]
                if others
                else world_at(shape, theta, person, shocks)
            )
            each = [_of_block(b, cells[b.name], person.data[b.at], world, others) for b in shape.items]
            return jax.tree.map(lambda *parts: jnp.concatenate(parts), *each)

        found, logs = jax.vmap(at)(nodes.shocks)
        if others:
            terms = log_terms(shape, theta, person, nodes)
            # The posterior without the item: its own density leaves the product.
            shares = jax.nn.softmax(terms[:, None] - logs, axis=0)
        else:
            shares = jnp.broadcast_to(jax.nn.softmax(nodes.log_weights)[:, None], logs.shape)
        return jax.tree.map(lambda a: jnp.sum(shares * a, axis=0), found)

    return core.people.each(one, shared=(theta,))


placed = compiled(_placed_by, static_argnames="others")


def _of_block(
    block: Items, part: CellTree, data: Data, world: World, others: bool
) -> tuple[Placed, Float[Array, " item"]]:
    """Where answers stand given the latent variables, what is expected of them, and their log densities, zero where there
    is no answer. Residuals that covary are given those of the others."""
    index = block.index(part, world.eta, world.covariates)
    mean = block.expected_at(part, index).mean
    if others and isinstance(block, Correlated):
        inverse, _ = precision_of(part, data.occurs)
        own = 1.0 / jnp.diagonal(inverse)
        away = own * (inverse @ jnp.where(data.occurs, data.outcome - mean, 0.0))
        mean, part = data.outcome - away, {**part, "variance": own}
        index = mean - part["intercept"]
    tails = block.family.tails(part, data.outcome, index)
    assert tails is not None
    logs = jnp.where(data.occurs, block.family.log_density(part, data.outcome, index), 0.0)
    return Placed(tails, mean), logs
