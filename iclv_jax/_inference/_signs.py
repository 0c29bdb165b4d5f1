"""What turning a latent variable around does to the parameters."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._utility import multiplied
from iclv_jax._problem import Problem
from iclv_jax._spec import Parameter

SAME = 1e-9
"""Relative difference of log-likelihoods up to which a turned model is the same model: nodes are turned with it, so
that only rounding is left."""


def turns(problem: Problem, params: np.ndarray) -> Iterator[np.ndarray]:
    """Signs of the parameters, one vector for every latent variable that can be turned around without changing
    the likelihood."""
    effects = multiplied(problem, "latents")
    here = float(problem.loglike(jnp.asarray(params)))
    for position, latent in enumerate(problem.spec.order):
        signs = np.array([sign(p, latent, effects.get(latent, ())) for p in problem.table.parameters])
        there = float(_mirrored(problem, position).loglike(jnp.asarray(signs * params)))
        if (signs < 0.0).any() and abs(there - here) <= SAME * max(1.0, abs(here)):
            yield signs


def _mirrored(problem: Problem, position: int) -> Problem:
    """The problem with the shocks of the latent variable at this position turned around."""
    shape, people = problem.core.structure, problem.core.people
    places = shape.system.places
    if position not in places:
        return problem
    signs = np.ones(shape.dimension)
    signs[places.index(position)] = -1.0
    turned = people.nodes._replace(shocks=people.nodes.shocks * signs[None, None, :])
    return problem.with_people(people.with_nodes(turned))


def sign(parameter: Parameter, latent: str, effects: tuple[str, ...]) -> float:
    """What turning a latent variable around does to a parameter."""
    involved = parameter.concerns(latent) and parameter.role != "variance"
    return -1.0 if involved or parameter.name in effects else 1.0
