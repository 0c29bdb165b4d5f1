"""What the utilities do with parameters, columns and latent variables, found by differentiation."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Utility

AT_ONCE = 256
"""Situations that are differentiated at a time."""
SETS = 4
"""Arbitrary coefficients and latent variables, which situations take in turn."""


def situations(problem: Problem, choice: Kernel, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Columns and availability of real situations of a choice, at most so many, evenly spread."""
    found = problem.panel.situations_of(choice.name)
    columns, available = found.columns, found.offered
    if most is not None and len(columns) > most:
        kept = np.linspace(0, len(columns) - 1, most).astype(int)
        columns, available = columns[kept], available[kept]
    return columns, available


def generic(count: int, size: int, seed: int) -> np.ndarray:
    """Values at which nothing vanishes by accident; positive, for logarithms and roots."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, (count, size))


def multiplied(problem: Problem, what: Literal["columns", "latents"]) -> dict[str, tuple[str, ...]]:
    """For every column or latent variable of the utilities the coefficients that multiply it: those whose marginal utility
    depends on it, in some situation of the data or elsewhere."""
    found: dict[str, tuple[str, ...]] = {}
    for choice in problem.spec.choices:
        for name, those in _multiplied(problem, choice, what).items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *those)))
    return found


def _multiplied(problem: Problem, choice: Kernel, what: str) -> dict[str, tuple[str, ...]]:
    utility: Utility = choice.utility
    names: tuple[str, ...] = {"columns": utility.columns, "latents": utility.latents}[what]
    if not names or not utility.coefficients:
        return dict.fromkeys(names, ())
    at = {"columns": 1, "latents": 2}[what]

    columns = situations(problem, choice)[0]
    columns = np.concatenate([generic(SETS, columns.shape[1], 0), columns])
    points = [
        jnp.asarray(generic(SETS, len(n), i)) for n, i in ((utility.coefficients, 1), (utility.latents, 2))
    ]
    weights = jnp.asarray(generic(1, len(utility.alternatives), 3)[0])

    size = -(-len(columns) // AT_ONCE)
    rows = np.resize(columns, (size * AT_ONCE, columns.shape[1])).reshape(size, AT_ONCE, -1)
    which = np.arange(size * AT_ONCE).reshape(size, AT_ONCE) % SETS
    meets = np.any(
        [_meets(utility, at, points, weights, r, w) for r, w in zip(rows, which, strict=True)], axis=0
    )
    return {
        name: tuple(p for p, m in zip(utility.coefficients, meets[:, i], strict=True) if m)
        for i, name in enumerate(names)
    }


@partial(compiled, static_argnames=("utility", "at"))
def _meets(
    utility: Utility, at: int, points: list[Array], weights: Array, rows: Array, which: Array
) -> Array:
    """Which columns or latent variables meet which coefficients in any of these rows."""

    def total(b: Array, x: Array, lv: Array) -> Array:
        # In a weighted sum of the alternatives nothing cancels by accident, and there is one of it.
        return jnp.dot(weights, utility(b, x, lv))

    def mixed(x: Array, which: Array) -> Array:
        b, lv = (p[which] for p in points)
        # Where a situation gives no value (a root of a negative column, say) the arbitrary ones do.
        return jnp.nan_to_num(jax.jacfwd(jax.grad(total), argnums=at)(b, x, lv), nan=0.0) != 0.0

    return jax.vmap(mixed)(rows, which).any(axis=0)


def marginal(
    utility: Utility, coefficients: np.ndarray, columns: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Change of the utilities, (rows, alternatives), along a direction of the coefficients."""
    latents = jnp.asarray(generic(1, len(utility.latents), 2)[0])
    at, along = jnp.asarray(coefficients), jnp.asarray(direction)

    def one(row: Array) -> Array:
        return jax.jvp(lambda b: utility(b, row, latents), (at,), (along,))[1]

    return np.asarray(jax.vmap(one)(jnp.asarray(columns)))
