"""Factors of small matrices in plain array operations.

One person's latent variables are few, and these run for all people at once. The batched LAPACK calls behind
`jnp.linalg` wait for XLA's pool of threads from inside it: two of them at a time on two cores can wait for each
other for ever, which the derivative of a Cholesky factor (three triangular solves) makes likely.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import AnyArray, Array, Float


def eigh(matrix: Float[AnyArray, "n n"]) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Eigenvalues and eigenvectors of a symmetric matrix; of a single number without a call of LAPACK for each person."""
    if matrix.shape[0] == 1:
        return matrix[0], jnp.ones((1, 1))
    return tuple(jnp.linalg.eigh(matrix))


def cholesky(matrix: Float[AnyArray, "n n"]) -> Float[Array, "n n"]:
    """The lower Cholesky factor, from the lower triangle; NaN where the matrix is not positive definite."""
    size = matrix.shape[0]
    if size == 0:
        return matrix
    columns = []
    for k in range(size):
        column = jnp.where(np.arange(size) >= k, matrix[:, k] / jnp.sqrt(matrix[k, k]), 0.0)
        matrix = matrix - jnp.outer(column, column)
        columns.append(column)
    return jnp.stack(columns, axis=1)


def solve_lower(lower: Float[AnyArray, "n n"], right: Float[AnyArray, "n ..."]) -> Float[Array, "n ..."]:
    """`lower^-1 right` by forward substitution."""
    if lower.shape[0] == 0:
        return right
    rows: list[Array] = []
    for i in range(lower.shape[0]):
        known = lower[i, :i] @ jnp.stack(rows) if rows else 0.0
        rows.append((right[i] - known) / lower[i, i])
    return jnp.stack(rows)


def solve_upper(upper: Float[AnyArray, "n n"], right: Float[AnyArray, "n ..."]) -> Float[Array, "n ..."]:
    """`upper^-1 right` by backward substitution."""
    return solve_lower(upper[::-1, ::-1], right[::-1])[::-1]


@jax.custom_jvp
def effects(paths: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """`(I - paths)^-1` of a strictly lower triangular matrix, the sum of its powers."""
    size = paths.shape[0]
    total, power = jnp.eye(size) + paths, paths
    # (I + B)(I + B^2)(I + B^4) ... ends where B^(2^k) is zero.
    for _ in range(1, (size - 1).bit_length()):
        power = power @ power
        total = total + power @ total
    return total


@effects.defjvp
def _effects_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # One product of three in place of the derivatives of every step above: a smaller program to compile.
    total = effects(*primals)
    return total, total @ tangents[0] @ total


@jax.custom_jvp
def precision(matrix: Float[AnyArray, "n n"]) -> tuple[Float[Array, "n n"], Array]:
    """The inverse of a covariance matrix and the log of its determinant; NaN where it is not positive definite."""
    swept, log_determinant = _swept(jnp.asarray(matrix), matrix.shape[0])
    return -swept, log_determinant


def _swept(matrix: Array, pivots: int) -> tuple[Array, Array]:
    """The matrix after sweeps of its first pivots, and the sum of their logs."""
    places = np.arange(matrix.shape[0])

    def sweep(k: Array, known: tuple[Array, Array]) -> tuple[Array, Array]:
        # Sweeping every pivot once leaves minus the inverse (Beaton 1964); pivots multiply to the determinant.
        matrix, log_determinant = known
        here = places == k
        line = jnp.sum(jnp.where(here[:, None], matrix, 0.0), axis=0)
        pivot = jnp.sum(jnp.where(here, line, 0.0))
        pivot = jnp.where(pivot > 0.0, pivot, jnp.nan)
        over = jnp.where(here, -1.0, line) / pivot
        cross, corner = here[:, None] | here[None, :], here[:, None] & here[None, :]
        swept = jnp.where(
            cross, jnp.where(here[:, None], over[None, :], over[:, None]), matrix - jnp.outer(over, line)
        )
        return jnp.where(corner, -1.0 / pivot, swept), log_determinant + jnp.log(pivot)

    # A loop, so that the program does not grow with the matrix: it is never differentiated.
    return jax.lax.fori_loop(0, pivots, sweep, (matrix, jnp.zeros(())))


@precision.defjvp
def _precision_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    # Products of what is known: derivatives of the sweeps would be a program many times as long.
    inverse, log_determinant = precision(*primals)
    moved = inverse @ tangents[0]
    return (inverse, log_determinant), (-moved @ inverse, jnp.trace(moved))


class Regressed(NamedTuple):
    """Of a positive definite matrix P and a vector b: the inverse of P, the log of its determinant, `P^-1 b` and
    `b' P^-1 b`."""

    inverse: Array
    log_determinant: Array
    solution: Array
    square: Array


@jax.custom_jvp
def regressed(matrix: Float[AnyArray, "n n"], right: Float[AnyArray, " n"]) -> Regressed:
    """`Regressed` of them; NaN where the matrix is not positive definite.

    Sweeps of both together add squares up to `b' P^-1 b`. By products with the inverse it would lose a digit for every digit
    that the matrix is ill-conditioned by, twice: with a residual variance of 1e-8, and so b of 1e8, all of them.
    """
    count = matrix.shape[0]
    border = jnp.concatenate([right, jnp.zeros(1)])
    whole = jnp.concatenate([jnp.concatenate([matrix, right[:, None]], axis=1), border[None, :]])
    swept, log_determinant = _swept(whole, count)
    return Regressed(-swept[:count, :count], log_determinant, swept[:count, count], -swept[count, count])


@regressed.defjvp
def _regressed_jvp(
    primals: tuple[AnyArray, AnyArray], tangents: tuple[AnyArray, AnyArray]
) -> tuple[Regressed, Regressed]:
    found, (matrix, right) = regressed(*primals), tangents
    moved, pulled = found.inverse @ matrix, right - matrix @ found.solution
    return found, Regressed(
        -moved @ found.inverse,
        jnp.trace(moved),
        found.inverse @ pulled,
        jnp.dot(found.solution, right + pulled),
    )
