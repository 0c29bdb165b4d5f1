"""The distribution of one person's latent variables and coefficients, as weighted points."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, Float, Theta
from iclv_jax._density._density import Structure
from iclv_jax._density._latent import random_coefficients, reduced_form
from iclv_jax._integration import Nodes
from iclv_jax._likelihood._likelihood import log_terms
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE, LATENT
from iclv_jax._predict._posterior import given_shocks


class Tastes(NamedTuple):
    """What utilities see of a person, at weighted points: latent variables (those in the utilities, in their
    order) and all coefficients. Weights add up to one."""

    weights: Float[Array, " node"]
    latents: Float[Array, "node latent"]
    coefficients: Float[Array, "node coefficient"]


def tastes(structure: Structure, theta: Theta, prior: bool, person: Person, nodes: Nodes) -> Tastes:
    """Before any answers (`prior`), or given the items and choices of `person` that are marked as observed."""
    cells = structure.map.dense(theta)
    if prior:
        return _before_answers(structure, cells, person, nodes)
    weights = jax.nn.softmax(log_terms(structure, theta, person, nodes))
    latent, _ = given_shocks(structure, cells, person)
    seen = np.array(structure.seen, int)
    latents = jax.vmap(lambda u: latent(u)[seen])(nodes.shocks)
    return Tastes(weights, latents, _coefficients(structure, cells, nodes.shocks[:, structure.shocks :]))


def _before_answers(structure: Structure, cells: dict[str, Arrays], person: Person, nodes: Nodes) -> Tastes:
    seen = np.array(structure.seen, int)
    if structure.nonlinear:
        latent, _ = given_shocks(structure, cells, person)
        return Tastes(
            jax.nn.softmax(nodes.log_weights),
            jax.vmap(lambda u: latent(u)[seen])(nodes.shocks),
            _coefficients(structure, cells, nodes.shocks[:, structure.latents :]),
        )
    mean, factor = reduced_form(cells[LATENT], person.covariates)
    root = factor[seen]
    if not len(seen):
        root = jnp.zeros((0, 0))
    elif len(seen) < structure.latents:
        root = jnp.linalg.cholesky(root @ root.T)
    size = root.shape[1]
    latents = mean[seen][None, :] + nodes.shocks[:, :size] @ root.T
    return Tastes(
        jax.nn.softmax(nodes.log_weights),
        latents,
        _coefficients(structure, cells, nodes.shocks[:, size:]),
    )


def _coefficients(structure: Structure, cells: dict[str, Arrays], shocks: Array) -> Array:
    take = jax.vmap(lambda u: random_coefficients(cells[CHOICE], structure.random, structure.correlated, u))
    return take(shocks)
