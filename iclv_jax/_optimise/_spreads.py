"""Standard deviations of coefficients are positive in every report."""

import numpy as np

from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem


def turned(problem: Problem, free: np.ndarray, params: np.ndarray, penalties: Penalties | None) -> np.ndarray:
    """With positive standard deviations where they are free to move, unless that costs more."""
    there = np.where(free, positive_spreads(problem, params), params)
    dearer = penalties is not None and penalties.cost(there) > penalties.cost(params)
    return params if dearer else there


def positive_spreads(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Standard deviations that ended negative, turned positive where only their sign is open."""
    lower, upper = problem.bounds
    turn = signless(problem) & (params < 0.0) & (lower < -params) & (-params < upper)
    return np.where(turn, -params, params)


def signless(problem: Problem) -> np.ndarray:
    """Marks standard deviations whose sign is open: the likelihood does not know that of one that no constraint or
    covariance uses."""
    named = set(problem.spec.spreads.values())
    spreads = {r.name for r in problem.table.rows if r.parameter.base in named}
    covarying = {problem.spec.spreads.get(name) for pair in problem.spec.covariances for name in pair}
    linked = {r.name for r in problem.table.rows if r.parameter.base in covarying}
    linked |= {n for group in problem.spec.equal for n in group}
    linked |= {a for d in problem.spec.define for a in d.arguments}
    return np.array([name in spreads - linked for name in problem.names], bool)
