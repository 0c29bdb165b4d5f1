"""The jackknife: everybody left out in turn, by one Newton step."""

from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np

from iclv_jax._inference._covariance import DEFINITE, Covariance, invert
from iclv_jax._inference._people import hessians_in_turn
from iclv_jax._problem import Problem


def jackknife(
    problem: Problem,
    params: np.ndarray,
    hessian: np.ndarray,
    scores: np.ndarray,
    held: np.ndarray,
    notes: Sequence[str] = (),
    pull: np.ndarray | None = None,
) -> Covariance:
    """Covariance `(G - 1) / G sum (theta_g - mean)(theta_g - mean)'` over the estimates without person (or
    cluster) g, each one Newton step from the estimates with the Hessian of those who remain:
    `theta_g = theta - (H - H_g)^-1 (s - s_g)`.

    `notes` say why parameters are `held`. The `pull` of penalties is taken from the scores; their second derivatives are
    part of `hessian`.
    """
    names, panel = problem.names, problem.panel
    alike = panel.weights_count and panel.clusters is None
    groups = np.arange(len(panel.people)) if panel.clusters is None else panel.clusters
    # Of people who are counted one is left out at a time, and as often as there are such people.
    times = panel.weights if alike else np.ones(int(groups.max()) + 1)
    own = np.ones_like(panel.weights) if alike else panel.weights
    slopes = _summed(scores * own[:, None], groups)
    gradient = times @ slopes - (0.0 if pull is None else pull)
    inverse = invert(-hessian, names, held)
    at = inverse.kept
    result, steps = np.full((len(names),) * 2, np.nan), np.zeros((len(slopes), len(at)))
    bad: list[int] = []
    for some, hessians in _by_group(problem, params, own, groups, panel.clusters is not None):
        rest = -(hessian[np.ix_(at, at)] - hessians[:, at[:, None], at[None, :]])
        if lost := _not_definite(rest, -hessian[np.ix_(at, at)]):
            bad += [int(some[k]) for k in lost]
        elif not bad:
            steps[some] = np.linalg.solve(rest, (gradient - slopes[some])[:, at, None])[:, :, 0]
    if bad:
        reason = _in_words(bad, groups, panel.people, panel.clusters is not None)
        return Covariance("jackknife", result, (*inverse.reasons, reason), held)
    size = times.sum()
    centred = steps - times @ steps / size
    matrix = (size - 1.0) / size * (centred.T * times) @ centred
    sound = np.isin(at, inverse.sound)
    result[np.ix_(inverse.sound, inverse.sound)] = matrix[np.ix_(sound, sound)]
    said = (*notes, "one Newton step of the jackknife for everyone left out")
    return Covariance("jackknife", result, (*said, *inverse.reasons), held)


def _by_group(
    problem: Problem, params: np.ndarray, own: np.ndarray, groups: np.ndarray, clustered: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Groups and their Hessians: people one after the other as memory allows, clusters all at once."""
    each = hessians_in_turn(problem, jnp.asarray(params))
    if not clustered:
        for at, hessians in each:
            yield at, hessians * own[at, None, None]
        return
    size = len(params)
    total = np.zeros((int(groups.max()) + 1, size, size))
    for at, hessians in each:
        np.add.at(total, groups[at], hessians * own[at, None, None])
    yield np.arange(len(total)), total


def _summed(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums


def _not_definite(matrices: np.ndarray, whole: np.ndarray) -> list[int]:
    """Which of the matrices are not positive definite, in the units of that of all people."""
    if not matrices.shape[1]:
        return []
    unit = np.sqrt(np.where(np.diagonal(whole) > 0.0, np.diagonal(whole), 1.0))
    values = np.linalg.eigvalsh(matrices / np.outer(unit, unit))
    return np.flatnonzero(values[:, 0] <= DEFINITE * values[:, -1]).tolist()


def _in_words(bad: Sequence[int], groups: np.ndarray, people: Sequence, clusters: bool) -> str:
    """Who must not be left out."""
    first = ", ".join(repr(people[int(np.argmax(groups == g))]) for g in bad[:5])
    what = "the cluster of person" if clusters else "person"
    return (
        f"without {what} {first}{', ...' if len(bad) > 5 else ''} the log-likelihood is not concave at the estimates, "
        "so the jackknife has no Newton step; take the bootstrap"
    )
