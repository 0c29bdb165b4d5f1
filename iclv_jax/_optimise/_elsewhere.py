"""Where another maximum may be: points that the shape of a model suggests, some steps away from its estimates.

Classes that differ in another coefficient than those found, allocations at the other end of their range, covariances and
cross-loadings of the other sign.
"""

from collections.abc import Iterator
from itertools import pairwise

import jax.numpy as jnp
import numpy as np

from iclv_jax._families._class_starts import members, own_coefficients
from iclv_jax._optimise._objective import Bound, Likelihood
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Normal

APART = (0.4, 1.6)
"""Factors by which a coefficient of one class, and that of another, differ from their mean."""
CONTRASTS = 5
"""Coefficients at most that are tried so: on 100 people of three kinds, to whom two classes are fitted, six of ten such
starts climb to the higher of two maxima, two of eight random departures do, and none that exchanges coefficients."""
DEPARTED = (0.4, 0.8, 0.8)
"""Standard deviations of random departures, in units of one over the root mean squared score: many standard errors."""
FAR = 0.85
"""Place within its bounds, from the other end, at which an allocation is tried."""
SEED = 20_241


def has_several(problem: Problem) -> bool:
    """Whether the log-likelihood of such a model is known to have several maxima, or long ridges: classes, alternatives in
    several nests, coefficients that are not normal, utilities that are not linear in the parameters, items of several
    latent variables. That of a logit has one (McFadden 1974), those of a factor model with simple structure and of normal
    coefficients hardly ever have others than mirror images."""
    spec = problem.spec
    return (
        any(choice.classes or not choice.utility.linear for choice in spec.choices)
        or any(p.role == "allocation" for p in problem.table.parameters)
        or any(not isinstance(kind, Normal) for _, kind in spec.random)
        or _is_crossed(problem)
    )


def _is_crossed(problem: Problem) -> bool:
    return any(len(item.of) > 1 for item in problem.spec.indicators)


def elsewhere(objective: Likelihood[Bound], params: np.ndarray, scale: np.ndarray) -> list[np.ndarray]:
    """Points (parameters in natural units) to climb from, the most promising first."""
    problem = objective.problem.first
    at = {name: i for i, name in enumerate(problem.names)}
    found: list[np.ndarray] = []
    for choice in problem.spec.choices:
        if choice.classes:
            found += _classes(choice, params, at)
    found += [*_allocations(problem, params), *_covariances(problem, params), *_crossed(problem, params, at)]
    if any(choice.classes for choice in problem.spec.choices) or _is_crossed(problem):
        found += _departures(objective, params, scale)
    return [point for point in found if _inside(objective, point)]


def _classes(choice: Kernel, params: np.ndarray, at: dict[str, int]) -> list[np.ndarray]:
    """Two classes, of equal size, that differ in one coefficient alone and share the means of the others."""
    own = [[at[n] for n in names if n in at] for names in own_coefficients(choice)]
    found = []
    for first, second in pairwise(own):
        if len(first) != len(second):
            continue
        equal = params.copy()
        equal[[at[n] for n in members(choice) if n in at]] = 0.0
        means = 0.5 * (params[first] + params[second])
        equal[first], equal[second] = means, means
        for i, j, mean in zip(first, second, means, strict=True):
            point = equal.copy()
            point[i], point[j] = APART[0] * mean, APART[1] * mean
            found.append(point)
    some = np.unique(np.linspace(0, len(found) - 1, min(len(found), CONTRASTS)).astype(int))
    return [found[i] for i in some]


def _allocations(problem: Problem, params: np.ndarray) -> Iterator[np.ndarray]:
    """Nests as they may be before anything is known of them, in the middle of their ranges; each allocation near the other
    end of its own; logsum coefficients exchanged between nests."""
    rows, (lower, upper) = problem.table.parameters, problem.bounds
    shares = [i for i, p in enumerate(rows) if p.role == "allocation" and np.isfinite(lower[i] + upper[i])]
    nests = [i for i, p in enumerate(rows) if p.role == "logsum" and np.isfinite(lower[i] + upper[i])]
    if not shares:
        return
    middle, both = params.copy(), np.array([*shares, *nests])
    middle[both] = 0.5 * (lower[both] + upper[both])
    yield middle
    for i in shares:
        point, low = params.copy(), params[i] < 0.5 * (lower[i] + upper[i])
        point[i] = lower[i] + (FAR if low else 1.0 - FAR) * (upper[i] - lower[i])
        yield point
    if len(nests) > 1:
        point = params.copy()
        point[nests] = np.roll(params[nests], 1)
        yield point


def _covariances(problem: Problem, params: np.ndarray) -> Iterator[np.ndarray]:
    """Covariances of random coefficients with the other sign; with several, one at a time."""
    random = {name for name, _ in problem.spec.random}
    for i, p in enumerate(problem.table.parameters):
        if p.role == "covariance" and random & {p.owner, p.argument} and params[i] != 0.0:
            point = params.copy()
            point[i] = -params[i]
            yield point


def _crossed(problem: Problem, params: np.ndarray, at: dict[str, int]) -> Iterator[np.ndarray]:
    """Loadings of items of several latent variables: with the other sign, and exchanged."""
    cross: list[list[int]] = []
    rows = [(i, p) for i, p in enumerate(problem.table.parameters) if p.role == "loading"]
    for item in problem.spec.indicators:
        mine = [i for i, p in rows if p.argument == item.column]
        if len(item.of) > 1 and mine:
            cross.append(mine)
    if not cross:
        return
    turned, exchanged = params.copy(), params.copy()
    for mine in cross:
        turned[mine[-1]] = -params[mine[-1]]
        exchanged[mine] = params[mine[::-1]]
    yield turned
    yield exchanged


def _departures(objective: Likelihood[Bound], params: np.ndarray, scale: np.ndarray) -> Iterator[np.ndarray]:
    z = np.asarray(objective.z(jnp.asarray(params)))
    steps = np.random.default_rng(SEED).standard_normal((len(DEPARTED), len(z)))
    lower, upper = objective.bounds()
    for size, step in zip(DEPARTED, steps, strict=True):
        moved = np.where(objective.free, z + size * scale * step, z)
        yield np.asarray(objective.params(jnp.asarray(np.clip(moved, lower, upper))))


def _inside(objective: Likelihood[Bound], point: np.ndarray) -> bool:
    """Within bounds and domains."""
    lower, upper = objective.problem.first.bounds
    kept = bool(((point >= lower) & (point <= upper)).all())
    return kept and bool(np.isfinite(np.asarray(objective.z(jnp.asarray(point)))).all())
