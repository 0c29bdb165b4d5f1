"""Probabilities of alternatives, and of answers to items."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import roots_hermitenorm

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Arrays, Float, Params
from iclv_jax._density._density import Structure, item_log_densities_at
from iclv_jax._density._latent import reduced_form
from iclv_jax._integration import Nodes
from iclv_jax._likelihood._likelihood import log_terms, over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE, LATENT, Stack, section
from iclv_jax._predict._posterior import given_shocks
from iclv_jax._predict._tastes import Tastes, tastes
from iclv_jax._predict._view import View

INDEX_NODES = 64
"""Gauss-Hermite nodes over the index of an item, which is normal before any answers."""


def kernel_probabilities(structure: Structure, cells: Arrays, utilities: Array, available: Array) -> Array:
    """Probability of every alternative in one situation: the density of the choice at each of them."""
    assert structure.kernel is not None
    places = jnp.arange(available.shape[0])
    logs = jax.vmap(structure.kernel.log_density, in_axes=(None, None, 0, None))(
        cells, utilities, places, available
    )
    # What the density says of an alternative that is not available may be anything finite.
    return jnp.where(available, jnp.exp(jnp.where(available, logs, 0.0)), 0.0)


def probabilities_of(
    structure: Structure, cells: Arrays, person: Person, draws: Tastes
) -> Float[Array, "situation alternative"]:
    """One person's expected choice probabilities in every situation, padding included."""
    assert structure.utility is not None
    evaluate = jax.vmap(structure.utility, in_axes=(None, 0, None))

    def at(coefficients: Array, latents: Array) -> Array:
        v = evaluate(coefficients, person.columns, latents)
        return jax.vmap(partial(kernel_probabilities, structure, cells))(v, person.available)

    each = jax.vmap(at)(draws.coefficients, draws.latents)
    return jnp.tensordot(draws.weights, each, 1)


@compiled
def choice_probabilities(view: View, params: Params) -> Float[Array, "person situation alternative"]:
    """Expected choice probabilities of all people; zero for what is not available."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    cells = shape.map.dense(theta)[CHOICE]

    def one(known: Person, person: Person, nodes) -> Array:
        return probabilities_of(shape, cells, person, tastes(shape, theta, view.prior, known, nodes))

    return over_people(one, core.batch, core.person, view.person, core.nodes)


# --- items ------------------------------------------------------------------------------------------------------


@partial(compiled, static_argnames="stack")
def level_probabilities(view: View, params: Params, stack: Stack) -> Float[Array, "person indicator level"]:
    """Probabilities of the levels of a stack of discrete items, padded with zeros to the longest scale."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    cells = shape.map.dense(theta)
    part = cells[section(stack)]

    def at(index: Array) -> Array:
        return levels_at(stack, part, index)

    def one(known: Person, nodes) -> Array:
        if view.prior and not shape.nonlinear:
            return _at_normal_indices(cells, part, known, at)
        latent, _ = given_shocks(shape, cells, known)
        weights = _weights(view, theta, known, nodes)
        each = jax.vmap(lambda u: at(part["loadings"] @ latent(u)))(nodes.shocks)
        return jnp.tensordot(weights, each, 1)

    return over_people(one, core.batch, core.person, core.nodes)


def _weights(view: View, theta: Array, known: Person, nodes: Nodes) -> Float[Array, " node"]:
    """Of the nodes, before or after what is known of a person."""
    logs = nodes.log_weights if view.prior else log_terms(view.core.structure, theta, known, nodes)
    return jax.nn.softmax(logs)


def levels_at(stack: Stack, part: Arrays, index: Array) -> Float[Array, "indicator level"]:
    """Probabilities of the levels at the items' indices."""
    count = part["thresholds"].shape[-1] + 1
    codes = jnp.broadcast_to(jnp.arange(count)[:, None], (count, len(stack.items)))
    used = codes <= part["top"].astype(int)[None, :]
    inside = jnp.where(used, codes, 0)
    logs = jax.vmap(lambda code: item_log_densities_at(stack, part, code, index))(inside)
    return jnp.where(used, jnp.exp(logs), 0.0).T


def _at_normal_indices(cells: dict[str, Arrays], part: Arrays, person: Person, function) -> Array:
    """The expectation of a function of items' indices, each normal, over their distribution."""
    points, weights = roots_hermitenorm(INDEX_NODES)
    mean, factor = reduced_form(cells[LATENT], person.covariates)
    spread = jnp.sqrt(jnp.sum((part["loadings"] @ factor) ** 2, axis=1))
    each = jax.vmap(lambda z: function(part["loadings"] @ mean + spread * z))(jnp.asarray(points))
    return jnp.tensordot(jnp.asarray(weights / weights.sum()), each, 1)


@partial(compiled, static_argnames="stack")
def item_moments(view: View, params: Params, stack: Stack) -> Float[Array, "2 person indicator"]:
    """Means and standard deviations of a stack of normal items."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    cells = shape.map.dense(theta)
    part = cells[section(stack)]

    def one(known: Person, nodes) -> tuple[Array, Array]:
        if view.prior and not shape.nonlinear:
            mean, factor = reduced_form(cells[LATENT], known.covariates)
            covariance = factor @ factor.T
        else:
            latent, rest = given_shocks(shape, cells, known)
            weights = _weights(view, theta, known, nodes)
            points = jax.vmap(latent)(nodes.shocks)
            mean = weights @ points
            away = points - mean[None, :]
            covariance = away.T @ (away * weights[:, None]) + rest
        spread = jnp.einsum("kl,lm,km->k", part["loadings"], covariance, part["loadings"])
        return part["intercept"] + part["loadings"] @ mean, jnp.sqrt(spread + part["variance"])

    return jnp.stack(over_people(one, core.batch, core.person, core.nodes))


def is_discrete(stack: Stack) -> bool:
    """Whether the items have levels; ValueError for a family that is neither discrete nor normal."""
    if not (stack.family.discrete or stack.family.normal):
        raise ValueError(f"There is no prediction for items of the family {stack.family.__name__}.")
    return stack.family.discrete


def at_rows(values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (person, situation, ...) as (row, ...) in the order of the data, and those rows' positions."""
    happened = rows >= 0
    order = np.argsort(rows[happened], kind="stable")
    return np.asarray(values)[happened][order], rows[happened][order]
