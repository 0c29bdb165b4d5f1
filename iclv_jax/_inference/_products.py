"""The information of named parameters where modules have too many entries for a Hessian: from its products with vectors."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._derivatives import hessian_products
from iclv_jax._problem import Problem

CLOSE = 1e-9
"""Residual of the solved equations, as a share of their right side."""
MOST = 4
"""Products per entry of a module after which the equations count as unsolvable; exact arithmetic takes one."""

Product = Callable[[np.ndarray], np.ndarray]

products = compiled(hessian_products)


class Information(NamedTuple):
    """The information of the named parameters, (a, a), conditional on modules or with them, and why it is missing."""

    matrix: np.ndarray
    reason: str | None


def information_product(problem: Problem, params: np.ndarray, penalty: np.ndarray | None) -> Product:
    """Products of the negative Hessian of the (penalised) log-likelihood with rows, (k, P) -> (k, P)."""

    def product(rows: np.ndarray) -> np.ndarray:
        found = -np.asarray(products(problem.core, jnp.asarray(params), jnp.asarray(rows)))
        return found if penalty is None else found + rows * penalty

    return product


def named_information(
    product: Product, named: np.ndarray, free: np.ndarray, size: int, diagonal: np.ndarray | None
) -> Information:
    """`A_aa`, or with the `diagonal` of a preconditioner `A_aa - A_aw A_ww^-1 A_wa`, by conjugate gradients (Hestenes and
    Stiefel 1952); these do not mind flat directions along which `A_aw` is zero."""
    rows = product(np.eye(size)[named])
    block, across = rows[:, named], rows[:, free]
    if diagonal is None or not len(free):
        return Information(0.5 * (block + block.T), None)

    def inner(x: np.ndarray) -> np.ndarray:
        whole = np.zeros((len(x), size))
        whole[:, free] = x
        return product(whole)[:, free]

    solution, reason = _solve(inner, across, np.where(diagonal > 0.0, diagonal, 1.0)[free])
    if reason:
        return Information(np.full(block.shape, np.nan), reason)
    matrix = block - across @ solution.T
    return Information(0.5 * (matrix + matrix.T), None)


def _solve(product: Product, right: np.ndarray, diagonal: np.ndarray) -> tuple[np.ndarray, str | None]:
    """`product(x) = right`, row by row and all rows at a time."""
    x, rest = np.zeros_like(right), right.copy()
    goal = CLOSE * np.linalg.norm(right, axis=1)
    step = rest / diagonal
    size: np.ndarray = np.sum(rest * step, axis=1)
    for _ in range(MOST * right.shape[1] + 1):
        open_ = np.linalg.norm(rest, axis=1) > goal
        if not open_.any():
            return x, None
        bent = product(step)
        curve = np.sum(step * bent, axis=1)
        if (curve[open_] <= 0.0).any():
            return x, "the log-likelihood curves upwards or is flat in some direction of them"
        length = np.where(open_, size / np.where(open_, curve, 1.0), 0.0)[:, None]
        x, rest = x + length * step, rest - length * bent
        scaled = rest / diagonal
        new = np.sum(rest * scaled, axis=1)
        step = scaled + (new / np.where(size > 0.0, size, 1.0))[:, None] * step
        size = new
    return x, f"the equations of their joint Hessian were not solved in {MOST} products per entry"
