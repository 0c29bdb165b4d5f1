"""Covariance matrices of the estimates from scores and Hessian, and what else follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["hessian", "bhhh", "robust"]
KINDS: tuple[str, ...] = get_args(Kind)

DEFINITE = 1e-12
"""Smallest eigenvalue, as a share of the largest, of a matrix scaled to a unit diagonal that counts as
positive."""
INVOLVED = 1e-4
"""Weight in a flat direction above which a parameter is part of it."""
CROWDED = 0.2
"""Parameters per person above which outer products of scores misstate standard errors."""


@dataclass(frozen=True, eq=False)
class Covariance:
    """A covariance matrix of the free parameters.

    `matrix` has NaN in the rows and columns of parameters without a variance; `notes` says why, by
    name, and whatever else a reader must know.
    """

    kind: str
    matrix: np.ndarray
    notes: tuple[str, ...]


def covariance(
    kind: str,
    hessian: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    held: np.ndarray,
) -> Covariance:
    """Covariance of the maximum likelihood estimates.

    Parameters
    ----------
    kind
        `"hessian"`: inverse of the negative Hessian; `"bhhh"`: inverse of the sum of outer products
        of scores; `"robust"`: `H^-1 (sum w^2 s s') H^-1` (White 1982).
    hessian
        Hessian of the log-likelihood, (P, P).
    scores
        Scores of the people, unweighted, (N, P).
    held
        Marks parameters at a bound: they have no variance and count as known.
    """
    if kind not in KINDS:
        raise ValueError(f"The kind of covariance is one of {', '.join(map(repr, KINDS))}, not {kind!r}.")
    notes = [f"{n} is at its bound and has no standard error" for n in _named(names, held)]
    if kind == "bhhh":
        information = (scores.T * weights) @ scores
        if len(names) > CROWDED * len(weights):
            notes.append(
                f"outer products of scores are a poor guide with {len(names)} parameters and {len(weights)} people"
            )
    else:
        information = -hessian
    inverse, reasons = invert(information, names, held)
    if kind == "robust":
        known = ~np.isnan(np.diag(inverse))
        bread = inverse[np.ix_(known, known)]
        weighted = scores[:, known] * weights[:, None]
        inverse[np.ix_(known, known)] = bread @ (weighted.T @ weighted) @ bread
    return Covariance(kind, inverse, (*notes, *reasons))


def invert(
    information: np.ndarray, names: Sequence[str], held: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Inverse of an information matrix where it exists, NaN elsewhere, with the reasons by name.

    Where the matrix is flat or curves the wrong way in some direction, the parameters of that
    direction get NaN; the variances of the others do not depend on them and are given.
    """
    size = len(names)
    result = np.full((size, size), np.nan)
    free = np.flatnonzero(~held)
    if not len(free):
        return result, ()
    matrix = information[np.ix_(free, free)]
    if not np.isfinite(matrix).all():
        return result, ("the Hessian is not finite, so there are no standard errors",)
    unit = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    weak = values <= DEFINITE * values[-1]
    involved = (np.abs(vectors[:, weak]) > INVOLVED).any(axis=1)
    reasons = [
        _reason(value, v, [names[int(i)] for i in free])
        for value, v in zip(values[weak], vectors.T[weak], strict=True)
    ]
    sound = free[~involved]
    if len(sound):
        pivots = _pivots(vectors[:, weak])
        keep = np.setdiff1d(np.arange(len(free)), pivots)
        inverse = np.linalg.inv(matrix[np.ix_(keep, keep)])
        place = {int(free[k]): i for i, k in enumerate(keep)}
        at = [place[int(s)] for s in sound]
        result[np.ix_(sound, sound)] = inverse[np.ix_(at, at)]
    return result, tuple(reasons)


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
    what = "is flat" if value > -1e-8 else "curves upwards (this is not a maximum)"
    return f"the log-likelihood {what} in the direction {direction}: no standard errors for its parameters"


def _named(names: Sequence[str], mask: np.ndarray) -> list[str]:
    return [n for n, m in zip(names, mask, strict=True) if m]
