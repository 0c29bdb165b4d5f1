"""Covariances of estimates that were found in two steps."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._inference._covariance import (
    DEFINITE,
    INVOLVED,
    Covariance,
    bound_notes,
    check_clusters,
    invert,
    summed_scores,
)
from iclv_jax._spec._names import nearest

TwoStepKind = Literal["uncorrected", "murphy-topel", "robust", "cluster"]
TWO_STEP_KINDS: tuple[str, ...] = get_args(TwoStepKind)
STEPS = ("step 1 (items and structure)", "step 2 (choice given items)")


class Step(NamedTuple):
    """One step at the estimates: the parameters that moved in it, marked, and Hessian (P, P) and people's scores
    (N, P), unweighted, of the log-likelihood that it maximised, with respect to the parameters of both steps."""

    free: np.ndarray
    hessian: np.ndarray
    scores: np.ndarray


def two_step_covariance(
    kind: str,
    first: Step,
    second: Step,
    weights: np.ndarray,
    names: Sequence[str],
    held: np.ndarray,
    clusters: np.ndarray | None = None,
    frequency: bool = False,
) -> Covariance:
    """Covariance of estimates of which the second step took those of the first as given.

    Both steps together solve `sum_n w_n (s_1n, s_2n) = 0`, s_1 the scores of the first log-likelihood by the
    parameters of the first step, s_2 those of the second by the parameters of the second. The derivative of this
    system is `-A`, `A = [[I_1, 0], [C, I_2]]`, with the negative Hessians `I_1`, `I_2` of each step and the negative
    cross-derivative C of the second. The covariance is `A^-1 B A^-T` (Newey and McFadden 1994, section 6.1).

    Parameters
    ----------
    kind
        `"uncorrected"`: C = 0 and B holds I_1 and I_2: each step on its own. `"murphy-topel"`: B holds I_1 and I_2 on
        its diagonal and `R = sum_n w_n s_2n s_1n'` off it, so that the second step has
        `V_2 + V_2 (C V_1 C' - R V_1 C' - C V_1 R') V_2` (Murphy and Topel 1985), V the inverse of I. Given the items
        the second step's scores average to zero, so that R estimates zero here; its sampling error can leave a
        standard error a hair below the uncorrected one.
        `"robust"`: `B = sum_n w_n^2 s_n s_n'`. `"cluster"`: the same with scores summed within clusters first.
    held
        Marks parameters at a bound: they have no variance and count as known.
    clusters
        Cluster of each person as integers from 0.
    frequency
        Whether weights count people.

    Raises
    ------
    ValueError
        For an unknown kind, for `"cluster"` without clusters, and naming the parameters where an information matrix
        or the corrected covariance is not positive definite.
    """
    _check_kind(kind)
    if kind == "cluster":
        check_clusters(clusters)
    parts = [np.flatnonzero(step.free & ~held) for step in (first, second)]
    inverses = [_inverse(step, names, held, what) for step, what in zip((first, second), STEPS, strict=True)]
    scores = [step.scores[:, at] for step, at in zip((first, second), parts, strict=True)]
    information = [-step.hessian[np.ix_(at, at)] for step, at in zip((first, second), parts, strict=True)]
    cross = -second.hessian[np.ix_(parts[1], parts[0])]
    if kind in ("uncorrected", "murphy-topel"):
        products = (scores[1].T * weights) @ scores[0]
        off = np.zeros_like(cross) if kind == "uncorrected" else products
        cross = np.zeros_like(cross) if kind == "uncorrected" else cross
        meat = np.block([[information[0], off.T], [off, information[1]]])
    else:
        groups = clusters if kind == "cluster" else None
        summed = summed_scores(np.hstack(scores), weights, groups, frequency)
        meat = summed.T @ summed
    bread = _inverse_of_triangle(inverses[0], cross, inverses[1])
    found = bread @ meat @ bread.T
    order = np.concatenate(parts)
    if kind == "murphy-topel":
        _check_definite(found, [names[int(i)] for i in order])
    matrix = np.full((len(names), len(names)), np.nan)
    matrix[np.ix_(order, order)] = 0.5 * (found + found.T)
    return Covariance(kind, matrix, tuple(bound_notes(names, held)), held)


def _check_kind(kind: str) -> None:
    if not is_word(kind, TWO_STEP_KINDS):
        raise ValueError(
            f"The kind of covariance after two steps is one of {', '.join(map(repr, TWO_STEP_KINDS))}, not {kind!r}. "
            f"{nearest(kind, TWO_STEP_KINDS)}"
        )


def _inverse(step: Step, names: Sequence[str], held: np.ndarray, what: str) -> np.ndarray:
    found = invert(-step.hessian, names, held | ~step.free)
    if found.reasons:
        raise ValueError(
            f"The information matrix of {what} is not positive definite: {'; '.join(found.reasons)}. Fix or remove "
            "one of them."
        )
    return found.matrix


def _inverse_of_triangle(first: np.ndarray, cross: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`[[I_1, 0], [C, I_2]]^-1` from the inverses of its diagonal blocks."""
    return np.block([[first, np.zeros(cross.T.shape)], [-second @ cross @ first, second]])


def _check_definite(matrix: np.ndarray, names: Sequence[str]) -> None:
    """The outer products R are an estimate, and with few people they can outweigh the information."""
    variances = np.diag(matrix)
    if not np.isfinite(matrix).all() or not (variances > 0.0).all():
        involved = [n for n, v in zip(names, variances, strict=True) if not v > 0.0]
    else:
        unit = np.sqrt(variances)
        values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
        weak = np.abs(vectors[:, values <= DEFINITE * values[-1]]) > INVOLVED
        involved = [names[int(i)] for i in np.flatnonzero(weak.any(axis=1))]
    if involved:
        raise ValueError(
            f"The Murphy-Topel covariance is not positive definite for {', '.join(involved)}: with so few people per "
            "parameter the products of the two steps' scores outweigh the information. Take kind='robust'."
        )
