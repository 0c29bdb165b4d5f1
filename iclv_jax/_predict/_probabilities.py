"""Probabilities of alternatives, and what is expected of items."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._distributions import hermite
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Items, reduced_form
from iclv_jax._integration import GaussHermite, MonteCarlo, Nodes
from iclv_jax._likelihood import log_terms
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT
from iclv_jax._predict._view import PRIOR_DRAWS, PRIOR_NODES, View
from iclv_jax._predict._worlds import worlds
from iclv_jax._spec import Expected

INDEX_NODES = 64
"""Gauss-Hermite nodes over the index of an item, which is normal before any answers."""


@compiled
def choice_probabilities(view: View, params: Params) -> Float[Array, "person situation alternative"]:
    """Expected choice probabilities of all people; zero for what is not available."""
    return in_situations(view, params, view.block.expected)


def in_situations(
    view: View, params: Params, quantity: Callable[..., Array]
) -> Float[Array, "person situation _"]:
    """The expectation of `quantity(cells, person, world, given)` in every situation, over what the view does not know."""
    core, block = view.core, view.block
    theta, shape = core.theta(params), core.structure

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> Array:
        cells = shape.cells(theta, person)[block.name]
        draws = worlds(shape, theta, view.seen, known, nodes)
        given = None if view.prior else known
        return draws.expected(lambda world: quantity(cells, person, world, given), known.covariates)

    return core.people.each(one, view.person, shared=(theta,))


# --- items ------------------------------------------------------------------------------------------------------


@partial(compiled, static_argnames="place")
def expected_items(view: View, params: Params, place: int) -> Expected:
    """What is expected of the items of the stack at this place, arrays over people."""
    core, shape = view.core, view.core.structure
    theta, block = core.theta(params), shape.items[place]

    def one(known: Person, nodes: Nodes, theta: Theta) -> Expected:
        cells = shape.cells(theta, known)
        part = cells[block.name]

        def moments(index: Array) -> Expected:
            found = block.expected_at(part, index)
            return found._replace(variance=found.variance + found.mean**2)

        if view.prior and shape.system.linear:
            mean, factor = reduced_form(cells[LATENT], known.covariates)
            found = _before_answers(block, part, mean, factor, known.covariates, moments)
        else:
            found = _at_nodes(view, theta, block, known, nodes, moments)
        return found._replace(variance=found.variance - found.mean**2)

    return core.people.each(one, shared=(theta,))


def _before_answers(
    block: Items, part: CellTree, mean: Array, factor: Array, x: Array, moments: Callable[[Array], Expected]
) -> Expected:
    """The expectation over latent variables that are normal: over each item's index where it has one."""
    if block.indices is None:
        spread = jnp.sqrt(jnp.sum(block.by_latents(part, factor.T) ** 2, axis=0))
        return _over_normal(moments, block.index(part, mean, x), spread)
    size = block.latents
    points, logs = latent_points(size)
    eta = mean[None, :size] + points @ factor[:size, :size].T
    each = jax.vmap(lambda at: moments(block.index(part, at, x)))(eta)
    return jax.tree.map(lambda a: jnp.tensordot(jnp.exp(logs), a, 1), each)


def latent_points(size: int) -> tuple[Array, Array]:
    """Standard normal points for the integral over this many latent variables, and the logs of their weights."""
    rule = GaussHermite(PRIOR_NODES[size], adaptive=False) if size in PRIOR_NODES else None
    standard = (rule or MonteCarlo(PRIOR_DRAWS, "sobol")).standard(1, size)
    points = np.asarray(standard.points)
    return jnp.asarray(points.reshape(points.shape[-2], size)), jnp.asarray(standard.log_weights).reshape(-1)


def item_columns(view: View, params: Params, place: int) -> Float[Array, "person indicator column"]:
    """What is said of the items of a stack: probabilities of their levels, or mean and standard deviation."""
    found = expected_items(view, params, place)
    if view.core.structure.items[place].family.discrete:
        return found.levels
    return jnp.stack([found.mean, jnp.sqrt(found.variance)], axis=-1)


def _at_nodes(
    view: View, theta: Theta, block: Items, known: Person, nodes: Nodes, moments: Callable[[Array], Expected]
) -> Expected:
    """The expectation over a person's nodes, and over what they leave uncertain."""
    shape = view.core.structure
    cells, system = shape.cells(theta, known), shape.system
    part = cells[block.name]
    logs = nodes.log_weights if view.prior else log_terms(shape, theta, known, nodes)
    if system.absorbed:
        rest = system.uncertain(cells, known)
        spread = jnp.sqrt(
            jnp.einsum("kl,lm,km->k", *(_widened(part, system.size), rest, _widened(part, system.size)))
        )

    def at(shocks: Array) -> Expected:
        index = block.index(part, system.mean(cells, known, shocks), known.covariates)
        return _over_normal(moments, index, spread) if system.absorbed else moments(index)

    each, weights = jax.vmap(at)(nodes.shocks), jax.nn.softmax(logs)
    return jax.tree.map(lambda a: jnp.tensordot(weights, a, 1), each)


def _widened(part: CellTree, size: int) -> Array:
    """Loadings with zeros for the drivers."""
    loadings = part["loadings"]
    return jnp.pad(loadings, ((0, 0), (0, size - loadings.shape[1])))


def _over_normal(function: Callable[[Array], Expected], mean: Array, spread: Array) -> Expected:
    """The expectation of a function of normal indices."""
    points, weights = hermite(INDEX_NODES)
    each = jax.vmap(lambda z: function(mean + spread * z))(jnp.asarray(points))
    return jax.tree.map(lambda a: jnp.tensordot(jnp.asarray(weights), a, 1), each)


def at_rows(values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (person, situation, ...) as (row, ...) in the order of the data, and those rows' positions."""
    happened = rows >= 0
    order = np.argsort(rows[happened], kind="stable")
    return np.asarray(values)[happened][order], rows[happened][order]
