"""Combinations of parameters that the data hardly tell apart."""

from dataclasses import dataclass

import numpy as np

from iclv_jax._diagnose._point import Point
from iclv_jax._spec import Parameter

FLAT = 1e-6
"""Eigenvalue of the information scaled to a unit diagonal below which a direction counts as flat: standard errors
are a thousand times those with the other parameters known."""
SHOWN = 3
LEAST = 0.1
"""Weight in a direction above which a parameter is named."""


@dataclass(frozen=True)
class Direction:
    """An eigenvector of the scaled information with a small eigenvalue.

    `weights` are in scaled units and have length one; `changes` are in natural units, the largest 1.
    """

    eigenvalue: float
    names: tuple[str, ...]
    weights: tuple[float, ...]
    changes: tuple[float, ...]


def directions(point: Point) -> tuple[list[Direction], list[str]]:
    """The directions with the smallest eigenvalues, and sentences on the flat and the wrong ones."""
    kept = np.flatnonzero(~point.silent)
    if not len(kept):
        return [], []
    if not np.isfinite(point.information).all():
        return [], [
            "The Hessian is not finite here. Look for a utility that is not smooth (a root or logarithm of zero), "
            "or move to other parameters."
        ]
    values, vectors, unit = _spectrum(point, kept)
    flat = np.abs(values) <= FLAT
    basis = _sparse(vectors[:, flat])
    shown = [_direction(point, kept, unit, float(v), d) for v, d in zip(values[flat], basis.T, strict=True)]
    sentences = [_flat(point, d) for d in shown]
    others = [i for i in np.argsort(values) if not flat[i]][: max(0, SHOWN - len(shown))]
    shown += [_direction(point, kept, unit, float(values[i]), vectors[:, i]) for i in others]
    if point.settled and (~flat & (values < 0.0)).any():
        worst = min(shown, key=lambda d: d.eigenvalue)
        sentences.append(
            f"The gradient is zero but the log-likelihood curves upwards in the direction {_listed(worst)}: this is a "
            "saddle point and no maximum. Start again from other values, moved along this direction."
        )
    return shown, sentences


def _spectrum(point: Point, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors in the optimiser's parameters scaled to a unit diagonal, and the units."""
    stretch = point.stretch
    matrix = (stretch.T @ point.information @ stretch)[np.ix_(kept, kept)]
    fallback = point.units[kept] * np.sqrt(point.total)
    diagonal = np.diag(matrix)
    # Below the information of the scores a diagonal is the rounding of zero, or curves the wrong way.
    unit = np.where(diagonal > 1e-8 * fallback**2, np.sqrt(np.abs(diagonal)), fallback)
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    return values, vectors, unit


def _sparse(vectors: np.ndarray) -> np.ndarray:
    """Another basis of the same space with as many zeros as elimination gives."""
    basis = vectors.copy()
    for k in range(basis.shape[1]):
        free = basis[:, k:]
        row, column = np.unravel_index(np.argmax(np.abs(free)), free.shape)
        basis[:, [k, k + int(column)]] = basis[:, [k + int(column), k]]
        pivot = basis[:, k] / basis[row, k]
        basis = basis - np.outer(pivot, basis[row])
        basis[:, k] = pivot
    return basis / np.linalg.norm(basis, axis=0)


def _direction(
    point: Point, kept: np.ndarray, unit: np.ndarray, value: float, vector: np.ndarray
) -> Direction:
    step = np.zeros(len(point.params))
    step[kept] = vector / unit
    change = point.stretch @ step
    # Where the curvature is not positive the outer products of the scores give the size.
    diagonal, squares = np.diag(point.information), (point.scores**2).sum(axis=0)
    weight = change * np.sqrt(np.where(diagonal > 1e-8 * squares, diagonal, squares))
    weight = weight / max(float(np.linalg.norm(weight)), 1e-300)
    # Rounded, so that equal weights keep the order of the parameters.
    order = np.argsort(-np.round(np.abs(weight), 6), kind="stable")
    order = [int(i) for i in order if abs(weight[i]) > LEAST]
    first = change[order[0]]
    return Direction(
        float(value),
        tuple(point.names[i] for i in order),
        tuple(float(weight[i] * np.sign(first)) for i in order),
        tuple(float(change[i] / first) for i in order),
    )


def _listed(direction: Direction) -> str:
    pairs = [f"{n} ({w:+.2f})" for n, w in zip(direction.names, direction.weights, strict=True)]
    return ", ".join(pairs[:6]) + (f" and {len(pairs) - 6} more" if len(pairs) > 6 else "")


def _flat(point: Point, direction: Direction) -> str:
    what = f"The log-likelihood is flat in the direction {_listed(direction)}"
    first = next(iter(direction.names), "")
    latent = _scale_of(point, direction)
    if latent is not None:
        return (
            f"{what}: this is the scale of the latent variable {latent!r}, which nothing determines. Fix one of its "
            "loadings, or its variance."
        )
    if len(direction.names) == 1:
        return f"{what}: the data say nothing about this parameter. Fix it, or take it out."
    pairs = [f"{n} by {c:+.3g}" for n, c in zip(direction.names, direction.changes, strict=True)]
    moves = ", ".join(pairs[:4]) + (" (and so on)" if len(pairs) > 4 else "")
    return (
        f"{what}: moving {moves} changes almost nothing. Fix one of them, for example "
        f"fixed={{{first!r}: 0.0}}, or take one out."
    )


def _scale_of(point: Point, direction: Direction) -> str | None:
    """The latent variable whose scale a flat direction is, if it is one's."""
    position = {n: i for i, n in enumerate(point.names)}
    at = [position[n] for n in direction.names]
    unit = np.array(direction.weights) / np.array(direction.changes)
    # Parameters that exist only inside define= are free to follow.
    used = sorted(set(point.table.map.columns))
    reach = point.reach[used]
    for latent in point.spec.latents:
        tangent = _scale_tangent(point, latent.name)[used]
        step, *_ = np.linalg.lstsq(reach, tangent, rcond=None)
        size = float(np.linalg.norm(tangent))
        if size == 0.0 or np.linalg.norm(reach @ step - tangent) > 1e-6 * size:
            continue
        own = step[at] * unit
        cosine = abs(own @ np.array(direction.weights)) / max(
            float(np.linalg.norm(own) * np.linalg.norm(direction.weights)), 1e-300
        )
        if cosine > 0.99:
            return latent.name
    return None


def _scale_tangent(point: Point, latent: str) -> np.ndarray:
    """How all parameters move when a latent variable is measured in another unit."""
    effects = point.latent_effects.get(latent, ())
    found = []
    for row in point.table.rows:
        found.append(unit_power(row.parameter, latent, effects) * point.values[row.name])
    return np.array(found)


def unit_power(parameter: Parameter, latent: str, effects: tuple[str, ...]) -> float:
    """The power of the unit of a latent variable that a parameter is in."""
    own = parameter.owner == latent
    if own and parameter.role == "variance":
        return 2.0
    if (own and parameter.role in ("intercept", "path", "slope")) or (
        parameter.role == "covariance" and parameter.concerns(latent)
    ):
        return 1.0
    measures = own and parameter.role == "loading"
    follows = parameter.role == "path" and parameter.argument == latent
    return -1.0 if measures or follows or parameter.base in effects else 0.0
