"""Covariance matrices of the estimates from scores and Hessian, and what else follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

Kind = Literal["hessian", "bhhh", "robust", "cluster", "bootstrap", "jackknife", "conditional", "joint"]
KINDS: tuple[str, ...] = get_args(Kind)
MORE = ("bootstrap", "jackknife", "conditional", "joint")
"""Kinds that take more than scores and Hessian."""

DEFINITE = 1e-12
"""Smallest eigenvalue, as a share of the largest, of a matrix scaled to a unit diagonal that counts as
positive."""
UPWARDS = -1e-8
"""Eigenvalue of such a matrix above which a direction without curvature is flat, and not curved the wrong way."""
INVOLVED = 1e-4
"""Weight in a flat direction above which a parameter is part of it."""
ENOUGH_CLUSTERS = 30
"""Fewer give standard errors that are too small (Cameron, Gelbach and Miller 2008)."""
CROWDED = 0.2
"""Parameters per person above which outer products of scores misstate standard errors."""


@dataclass(frozen=True, eq=False)
class Covariance:
    """A covariance matrix of the free parameters.

    `matrix` has NaN in the rows and columns of parameters without a variance; `notes` says why, by
    name, and whatever else a reader must know. `known` marks those of them that count as known: parameters at a
    bound, where training stopped, or in modules that are taken as they are. None: there are none.
    """

    kind: str
    matrix: np.ndarray
    notes: tuple[str, ...]
    known: np.ndarray | None = None

    @property
    def of_functions(self) -> np.ndarray:
        """The matrix behind errors of functions of the estimates, in which a parameter that counts as known has the
        variance 0."""
        if self.known is None:
            return self.matrix
        return np.where(self.known[:, None] | self.known, 0.0, self.matrix)


def covariance(
    kind: str,
    hessian: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    held: np.ndarray,
    clusters: np.ndarray | None = None,
    precision: np.ndarray | None = None,
    notes: Sequence[str] | None = None,
    frequency: bool = False,
) -> Covariance:
    """Covariance of the maximum likelihood estimates.

    Parameters
    ----------
    kind
        `"hessian"`: inverse of the negative Hessian; `"bhhh"`: inverse of the sum of outer products
        of scores; `"robust"`: `H^-1 (sum w^2 s s') H^-1` (White 1982); `"cluster"`: the same with the
        weighted scores summed within clusters first, without a correction for their number.
    hessian
        Hessian of the log-likelihood, (P, P).
    scores
        Scores of the people, unweighted, (N, P).
    held
        Marks parameters at a bound: they have no variance and count as known.
    clusters
        Cluster of each person as integers from 0, for `"cluster"`.
    precision
        Minus the second derivatives of penalties, (P,): they are added to the information.
    notes
        Why parameters are held; None: they are at their bounds.
    frequency
        Whether weights count people: a row of weight 3 is then three, in the sandwich too.
    """
    if kind not in KINDS or kind in MORE:
        raise ValueError(f"The kind of covariance is one of {', '.join(map(repr, KINDS))}, not {kind!r}.")
    if kind == "cluster":
        check_clusters(clusters)
    notes = bound_notes(names, held) if notes is None else list(notes)
    if kind == "bhhh":
        information = (scores.T * weights) @ scores
        people = round(float(weights.sum())) if frequency else len(weights)
        if len(names) > CROWDED * people:
            notes.append(
                f"outer products of scores are a poor guide with {len(names)} parameters and {people} people"
            )
    else:
        information = -hessian
    if precision is not None:
        information = information + np.diag(precision)
    inverse = invert(information, names, held)
    matrix = inverse.matrix
    if kind in ("robust", "cluster"):
        groups = clusters if kind == "cluster" else None
        weighted = summed_scores(scores[:, inverse.kept], weights, groups, frequency)
        matrix = matrix @ (weighted.T @ weighted) @ matrix
        if groups is not None:
            few, known = few_clusters(weighted, len(np.unique(groups)))
            notes += few
            matrix = matrix if known else np.full_like(matrix, np.nan)
    result = np.full((len(names), len(names)), np.nan)
    sound = np.isin(inverse.kept, inverse.sound)
    result[np.ix_(inverse.sound, inverse.sound)] = matrix[np.ix_(sound, sound)]
    return Covariance(kind, result, (*notes, *inverse.reasons), held)


def bound_notes(names: Sequence[str], held: np.ndarray) -> list[str]:
    """A sentence for every parameter at its bound."""
    return [
        f"{n} is at its bound and has no standard error; those of others, and of functions, take it as known"
        for n, h in zip(names, held, strict=True)
        if h
    ]


def check_clusters(clusters: np.ndarray | None) -> None:
    if clusters is None:
        raise ValueError(
            "Covariances by cluster need the column of the clusters: fit(..., cluster='column')."
        )


def few_clusters(sums: np.ndarray, count: int) -> tuple[list[str], bool]:
    """What is wrong with so many clusters, whose scores are summed in `sums`, and whether they give a variance at all.

    At a maximum the sums add up to zero, so that their outer products have rank `count` - 1 at most.
    """
    if count < 2:
        return [
            "one cluster has no variance between clusters, so there are no standard errors by cluster"
        ], False
    size = np.linalg.norm(sums, axis=0)
    rank = min(int(np.linalg.matrix_rank(sums / np.where(size > 0.0, size, 1.0))), count - 1)
    if rank < sums.shape[1]:
        return [
            f"{count} clusters are too few for {sums.shape[1]} parameters: the covariance has rank {rank}, some combination "
            "of parameters has variance zero, and standard errors are too small"
        ], True
    if count < ENOUGH_CLUSTERS:
        return [f"standard errors by cluster are too small with so few as {count} clusters"], True
    return [], True


def summed_scores(
    scores: np.ndarray, weights: np.ndarray, clusters: np.ndarray | None, frequency: bool = False
) -> np.ndarray:
    """Weighted scores, summed within clusters where there are any: (people or clusters, P). Of `frequency` weights the
    outer products of the rows are those of as many people."""
    if frequency and clusters is None:
        return scores * np.sqrt(weights)[:, None]
    weighted = scores * weights[:, None]
    if clusters is None:
        return weighted
    sums = np.zeros((int(clusters.max()) + 1, weighted.shape[1]))
    np.add.at(sums, clusters, weighted)
    return sums


class Inverse(NamedTuple):
    """Inverse of an information matrix on the parameters `kept`; the variances of those in `sound` do not
    depend on which others were left out. `weak` holds the directions (over all parameters, scaled) in which it is flat or
    curves the wrong way, `values` their eigenvalues, and `reasons` a sentence for each."""

    matrix: np.ndarray
    kept: np.ndarray
    sound: np.ndarray
    reasons: tuple[str, ...]
    weak: np.ndarray
    values: np.ndarray


def invert(information: np.ndarray, names: Sequence[str], held: np.ndarray) -> Inverse:
    """Inverse of an information matrix as far as it exists, with the reasons where it does not.

    Where the matrix is flat or curves the wrong way in some direction, one parameter of it is left
    out, and none of the direction's parameters is sound.
    """
    nothing, none = np.zeros(0, int), (np.zeros((0, len(names))), np.zeros(0))
    free = np.flatnonzero(~held)
    if not len(free):
        return Inverse(np.zeros((0, 0)), nothing, nothing, (), *none)
    matrix = information[np.ix_(free, free)]
    if not np.isfinite(matrix).all():
        reason = "the Hessian is not finite, so there are no standard errors"
        return Inverse(np.zeros((0, 0)), nothing, nothing, (reason,), *none)
    unit = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    weak = values <= DEFINITE * values[-1]
    involved = (np.abs(vectors[:, weak]) > INVOLVED).any(axis=1)
    reasons = [
        _reason(value, v, [names[int(i)] for i in free])
        for value, v in zip(values[weak], vectors.T[weak], strict=True)
    ]
    kept = np.setdiff1d(np.arange(len(free)), _pivots(vectors[:, weak]))
    # In the scale in which it has been judged: in its own a matrix of very different sizes can seem singular.
    sizes = np.outer(unit[kept], unit[kept])
    try:
        inverse = np.linalg.inv(matrix[np.ix_(kept, kept)] / sizes) / sizes
    except np.linalg.LinAlgError:
        reason = "the Hessian has no inverse in double precision, so there are no standard errors"
        return Inverse(np.zeros((0, 0)), nothing, nothing, (*reasons, reason), *none)
    directions = np.zeros((int(weak.sum()), len(names)))
    directions[:, free] = vectors.T[weak]
    return Inverse(inverse, free[kept], free[~involved], tuple(reasons), directions, values[weak])


def _pivots(directions: np.ndarray) -> list[int]:
    """One parameter for each flat direction, such that fixing them leaves no flat direction."""
    pivots: list[int] = []
    remaining = directions.copy()
    for _ in range(directions.shape[1]):
        row, column = np.unravel_index(np.argmax(np.abs(remaining)), remaining.shape)
        pivots.append(int(row))
        remaining = remaining - np.outer(remaining[:, column], remaining[row]) / remaining[row, column]
    return pivots


def _reason(value: float, vector: np.ndarray, names: Sequence[str]) -> str:
    order = [i for i in np.argsort(-np.abs(vector)) if abs(vector[i]) > 0.1][:6]
    direction = ", ".join(f"{names[i]} ({vector[i]:+.2f})" for i in order)
    what = "is flat" if value > UPWARDS else "curves upwards (this is not a maximum)"
    return f"the log-likelihood {what} in the direction {direction}: no standard errors for its parameters"
