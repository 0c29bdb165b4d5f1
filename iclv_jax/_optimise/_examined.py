"""What a maximum is looked at for before it is reported: parameters without a finite one, spreads that are zero."""

from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise._driver import Outcome
from iclv_jax._optimise._endings import endings, told
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._verdict import Verdict

LOOKED_AT = (
    Verdict.CONVERGED,
    Verdict.RELATIVE_FUNCTION,
    Verdict.FALSE_CONVERGENCE,
    Verdict.SINGULAR,
    Verdict.ITERATION_LIMIT,
    Verdict.NOT_FINITE,
)
SMALL = 1.0
"""Squared standard errors from zero within which a spread may be zero."""
EQUAL = 1e-3
"""Points of the log-likelihood that nodes may seem to gain with a spread where there is none."""
Again = Callable[[np.ndarray, np.ndarray], Outcome]


def without_limits(outcome: Outcome, start: np.ndarray) -> Outcome:
    """The verdict on parameters that drift, where there are any."""
    objective = outcome.objective
    if outcome.report.verdict not in LOOKED_AT or not isinstance(objective, Likelihood) or not outcome.report.iterations:
        return outcome
    z = objective.z(jnp.asarray(outcome.params))
    if not np.isfinite(np.asarray(z)).all():
        return outcome
    first = outcome.first
    if first is None:
        at = objective.z(jnp.asarray(start))
        first = find_scale(objective.recentred(at), "scores", at).values
    limits = endings(objective, z, first)
    if not limits:
        return outcome
    loglike = -objective.value(z) * objective.size
    message = told(limits, loglike, objective.size)
    return replace(outcome, report=replace(outcome.report, verdict=Verdict.DRIFTS, message=message, limits=limits))


def without_spreads(outcome: Outcome, again: Again) -> Outcome:
    """Spreads whose maximum is zero are set to it and the others maximised `again(params, free)`."""
    objective = outcome.objective
    if outcome.report.verdict not in LOOKED_AT or not isinstance(objective, Likelihood):
        return outcome
    spreads = np.array([p.role == "spread" for p in objective.problem.table.parameters])
    lower, upper = objective.problem.bounds
    open_ = spreads & objective.free & (lower <= 0.0) & (upper >= 0.0)
    if not open_.any() or objective.penalties is not None or objective.problem.spec.covariances:
        return outcome
    params = outcome.params
    scores = np.asarray(objective.problem.score_person(jnp.asarray(params)))
    information = np.asarray(objective.problem.core.weights) @ scores**2 * objective.count / objective.size
    near = open_ & (params**2 * information < SMALL)
    if not near.any():
        return outcome
    there = np.where(near, 0.0, params)
    if _fall(objective, params, there) > SMALL:
        return outcome
    found = again(there, objective.free & ~near)
    if _fall(objective, params, found.params) > EQUAL:
        return outcome
    zero = tuple(n for n, gone in zip(objective.names, near, strict=True) if gone)
    flat = tuple(d for d in found.report.flat if not set(d) & set(zero))
    return replace(found, report=replace(found.report, zero=zero, flat=flat), first=outcome.first)


def _fall(objective: Likelihood, before: np.ndarray, after: np.ndarray) -> float:
    """Points of the log-likelihood that are lost, with nodes at each, as of as many people as the weights are worth."""
    values = (objective.recentred(z).value(z) for z in (objective.z(jnp.asarray(p)) for p in (after, before)))
    return float(np.subtract(*values)) * objective.count
