"""The jackknife: everybody left out in turn, by one Newton step."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from iclv_jax._inference._covariance import DEFINITE, Covariance, invert
from iclv_jax._inference._people import person_hessians
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
    each = np.asarray(person_hessians(problem.core, jnp.asarray(params)))
    # Of people who are counted one is left out at a time, and as often as there are such people.
    times = panel.weights if alike else np.ones(int(groups.max()) + 1)
    own = np.ones_like(panel.weights) if alike else panel.weights
    hessians = _summed(each * own[:, None, None], groups)
    slopes = _summed(scores * own[:, None], groups)
    inverse = invert(-hessian, names, held)
    at = inverse.kept
    rest = -(hessian[np.ix_(at, at)] - hessians[:, at[:, None], at[None, :]])
    result = np.full((len(names),) * 2, np.nan)
    if reason := _not_definite(rest, groups, panel.people, panel.clusters is not None):
        return Covariance("jackknife", result, (*inverse.reasons, reason), held)
    steps = np.linalg.solve(rest, (times @ slopes - slopes - (0.0 if pull is None else pull))[:, at, None])[
        :, :, 0
    ]
    size = times.sum()
    centred = steps - times @ steps / size
    matrix = (size - 1.0) / size * (centred.T * times) @ centred
    sound = np.isin(at, inverse.sound)
    result[np.ix_(inverse.sound, inverse.sound)] = matrix[np.ix_(sound, sound)]
    said = (*notes, "one Newton step of the jackknife for everyone left out")
    return Covariance("jackknife", result, (*said, *inverse.reasons), held)


def _summed(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums


def _not_definite(matrices: np.ndarray, groups: np.ndarray, people: Sequence, clusters: bool) -> str:
    """Who must not be left out, in words."""
    if not matrices.shape[1]:
        return ""
    unit = np.sqrt(np.diagonal(matrices.mean(axis=0)))
    values = np.linalg.eigvalsh(matrices / np.outer(unit, unit))
    bad = np.flatnonzero(values[:, 0] <= DEFINITE * values[:, -1])
    if not len(bad):
        return ""
    first = ", ".join(repr(people[int(np.argmax(groups == g))]) for g in bad[:5])
    what = "the cluster of person" if clusters else "person"
    return (
        f"without {what} {first}{', ...' if len(bad) > 5 else ''} the log-likelihood is not concave at the estimates, "
        "so the jackknife has no Newton step; take the bootstrap"
    )
