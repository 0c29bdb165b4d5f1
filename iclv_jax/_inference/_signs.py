"""What turning a latent variable around does to the parameters."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._utility import multiplied
from iclv_jax._problem import Problem

SAME = 1e-6
"""Relative difference of log-likelihoods below which a turned model is the same model."""


def turns(problem: Problem, params: np.ndarray) -> Iterator[np.ndarray]:
    """Signs of the parameters, one vector for every latent variable that can be turned around without changing
    the likelihood."""
    effects = multiplied(problem, "latents")
    here = float(problem.recentre(jnp.asarray(params)).loglike(jnp.asarray(params)))
    for latent in problem.spec.order:
        signs = np.array([sign(name, latent, effects.get(latent, ())) for name in problem.names])
        if (signs > 0.0).all():
            continue
        turned = jnp.asarray(signs * params)
        if abs(float(problem.recentre(turned).loglike(turned)) - here) <= SAME * max(1.0, abs(here)):
            yield signs


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
