"""What the utilities do with parameters, columns and latent variables, found by differentiation."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._problem import Problem
from iclv_jax._spec._utility import Utility

ROWS = 256
"""Situations that are looked at; enough to meet every branch of a utility."""


def situations(problem: Problem, most: int | None = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Columns and availability of real situations, at most so many, evenly spread."""
    person = problem.panel.person
    occurs = np.asarray(person.occurs)
    columns, available = np.asarray(person.columns)[occurs], np.asarray(person.available)[occurs]
    if most is not None and len(columns) > most:
        kept = np.linspace(0, len(columns) - 1, most).astype(int)
        columns, available = columns[kept], available[kept]
    return columns, available


def generic(count: int, size: int, seed: int) -> np.ndarray:
    """Values at which nothing vanishes by accident; positive, for logarithms and roots."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, (count, size))


def multiplied(problem: Problem, what: str) -> dict[str, tuple[str, ...]]:
    """For every column (`what="columns"`) or latent variable (`"latents"`) of the utilities the coefficients
    that multiply it: those whose marginal utility depends on it."""
    utility = problem.spec.utility
    if utility is None:
        return {}
    names = getattr(utility, what)
    if not names or not utility.coefficients:
        return dict.fromkeys(names, ())
    at = {"columns": 1, "latents": 2}[what]

    def mixed(b: Array, x: Array, lv: Array) -> Array:
        return jax.jacfwd(jax.jacrev(utility, argnums=0), argnums=at)(b, x, lv)

    columns = situations(problem)[0]
    columns = np.concatenate([columns, generic(4, columns.shape[1], 0)])
    count = len(columns)
    found = jax.jit(jax.vmap(mixed))(
        generic(count, len(utility.coefficients), 1), columns, generic(count, len(utility.latents), 2)
    )
    # NaN (a square root of a negative column, say) differs from zero too.
    meets = (np.asarray(found) != 0.0).any(axis=(0, 1))
    return {
        name: tuple(p for p, m in zip(utility.coefficients, meets[:, i], strict=True) if m)
        for i, name in enumerate(names)
    }


def marginal(
    utility: Utility, coefficients: np.ndarray, columns: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Change of the utilities, (rows, alternatives), along a direction of the coefficients."""
    latents = generic(1, len(utility.latents), 2)[0]

    def one(row: Array) -> Array:
        return jax.jvp(lambda b: utility(b, row, latents), (coefficients,), (direction,))[1]

    return np.asarray(jax.vmap(one)(jnp.asarray(columns)))
