"""Cross-validation over people: what a model says of those who were left out when it was fitted."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._inference._refits import Refit, refit
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem


class Parts(NamedTuple):
    """Unweighted log-likelihoods of every person: of items and choices together, of the choices alone, of the items
    alone; each with nodes of its own."""

    joint: np.ndarray
    choices: np.ndarray
    items: np.ndarray


def draw_folds(problem: Problem, folds: int, seed: int) -> np.ndarray:
    """The fold of every person, from 0; whole clusters fall into one. Folds differ by one person (cluster) at most.

    Raises ValueError for less than two folds, and more folds than people or clusters.
    """
    panel = problem.panel
    groups = np.arange(len(panel.people)) if panel.clusters is None else panel.clusters
    count = int(groups.max()) + 1
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= count:
        what = "people" if panel.clusters is None else "clusters"
        raise ValueError(f"folds= is a whole number from 2 to {count}, the number of {what}, not {folds!r}.")
    place = np.empty(count, int)
    place[np.random.default_rng(seed).permutation(count)] = np.arange(count) % folds
    return place[groups]


def parts(problem: Problem, params: np.ndarray) -> Parts:
    """Log-likelihoods at given parameters; a part that the model does not have is zero."""
    at, spec = jnp.asarray(params), problem.spec
    joint = np.asarray(problem.recentre(at).loglike_person(at))
    none = np.zeros_like(joint)
    if not spec.choices:
        return Parts(joint, none, joint)
    if not spec.indicators:
        return Parts(joint, joint, none)
    choices, items = (
        np.asarray(problem.part(k).recentre(at).loglike_person(at)) for k in ("choices", "items")
    )
    return Parts(joint, choices, items)


def cross_validate(
    problem: Problem,
    params: np.ndarray,
    information: np.ndarray,
    fold: np.ndarray,
    penalties: Penalties | None = None,
) -> tuple[Parts, list[Refit]]:
    """What the fit to the other folds says of every person, and these fits, begun at `params` with the weights of those
    left out at zero. `information` is minus the Hessian at `params`, penalties included."""
    weights = np.asarray(problem.core.weights)
    fits, size = [], len(weights)
    found = Parts(*(np.full(size, np.nan) for _ in Parts._fields))
    for k in range(int(fold.max()) + 1):
        others = problem.with_weights(jnp.asarray(np.where(fold == k, 0.0, weights)))
        trained = refit(others, params, information, penalties)
        fits.append(trained)
        for into, values in zip(found, parts(problem, trained.params), strict=True):
            into[fold == k] = values[fold == k]
    return found, fits
