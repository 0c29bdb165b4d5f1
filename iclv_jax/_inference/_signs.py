"""What turning a latent variable around does to the parameters."""

from collections.abc import Iterator

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._utility import multiplied
from iclv_jax._problem import Problem

SAME = 1e-9
"""Relative difference of log-likelihoods up to which a turned model is the same model: nodes are turned with it, so
that only rounding is left."""


def turns(problem: Problem, params: np.ndarray) -> Iterator[np.ndarray]:
    """Signs of the parameters, one vector for every latent variable that can be turned around without changing
    the likelihood."""
    effects = multiplied(problem, "latents")
    here = float(problem.loglike(jnp.asarray(params)))
    for position, latent in enumerate(problem.spec.order):
        signs = np.array([sign(name, latent, effects.get(latent, ())) for name in problem.names])
        there = float(_mirrored(problem, position).loglike(jnp.asarray(signs * params)))
        if (signs < 0.0).any() and abs(there - here) <= SAME * max(1.0, abs(here)):
            yield signs


def _mirrored(problem: Problem, position: int) -> Problem:
    """The problem with the shocks of the latent variable at this position turned around."""
    shape = problem.core.structure
    places = list(shape.seen) if shape.conditioned else list(range(shape.latents))
    if position not in places:
        return problem
    signs = np.ones(shape.dimension)
    signs[places.index(position)] = -1.0
    return eqx.tree_at(
        lambda p: p.core.nodes.shocks, problem, problem.core.nodes.shocks * signs[None, None, :]
    )


def sign(name: str, latent: str, effects: tuple[str, ...]) -> float:
    """What turning a latent variable around does to a parameter."""
    left, right = _sides(name)
    involved = name in effects or left == latent or right == latent
    return -1.0 if involved and left != right else 1.0


def _sides(name: str) -> tuple[str, str]:
    for separator in (" =~ ", " ~~ ", " ~ "):
        if separator in name:
            left, _, right = name.partition(separator)
            return left, right
    return name, ""
