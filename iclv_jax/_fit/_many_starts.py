"""Several starts of one fit: which maximum is the highest, and how many of them find it."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._inference._multistart import SAME, multistart
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import Optimizer, Outcome, Stochastic, joint_stage, maximise
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import accuracy
from iclv_jax._tables import Progress

Steps = tuple[dict[str, Any], ...]


def check_starts(starts: Given[int], optimizer: Optimizer, penalties: Penalties | None) -> None:
    """ValueError for counts that are none, and for what cannot be started many times."""
    check_count(starts, "starts")
    if starts > 1 and (isinstance(optimizer, Stochastic) or penalties is not None):
        what = "Stochastic" if isinstance(optimizer, Stochastic) else "penalties="
        raise ValueError(
            f"starts={starts} compares maxima of the log-likelihood, which {what} does not give. Leave one out."
        )


def from_many(
    problem: Problem, outcome: Outcome, steps: Steps, starts: int, optimizer: Optimizer, bar: Progress
) -> tuple[Outcome, Steps]:
    """The best of these maxima; with one start the outcome as it is."""
    if starts == 1:
        return outcome, steps
    found = multistart(problem, starts)
    best = np.array([found.best[name] for name in problem.names])
    here = _loglike(outcome.objective.problem, outcome.params)
    same = max(SAME, 2.0 * (accuracy(outcome.objective.problem, jnp.asarray(outcome.params)).error or 0.0))
    highest = float(found.table["loglike"].max())
    remark = ""
    if highest > here + same:
        other, more = maximise(joint_stage(problem), best, optimizer, bar)
        if _loglike(other.objective.problem, other.params) > here + same:
            outcome, steps = other, (*steps, *more)
            remark = f"; the first start ended at {here:.3f}, another maximum"
    top = _loglike(outcome.objective.problem, outcome.params)
    # The first of these is the default start, which the fit went on from.
    others = found.table[found.table["start"] > 0]
    agree = int((others["converged"] & (others["loglike"] > top - same)).sum()) + (not remark)
    said = f"{agree} of {starts} starts agree on log L {top:.3f}{remark}"
    report = outcome.report
    return replace(outcome, report=replace(report, remarks=(*report.remarks, said))), steps


def _loglike(problem: Problem, params: np.ndarray) -> float:
    return float(problem.loglike(jnp.asarray(params)))
