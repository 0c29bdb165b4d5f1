"""A maximum that is looked at before it is reported: parameters without a finite one, spreads that are zero."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._count import uncounted
from iclv_jax._optimise._dead import dead_networks
from iclv_jax._optimise._endings import endings, told
from iclv_jax._optimise._objective import Bound, Likelihood
from iclv_jax._optimise._options import Optimizer
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._rough import widest
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._stages import Kept, Stage, Watch, halted, refine, run
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._verdict import Verdict
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem

LOOKED_AT = (
    Verdict.CONVERGED,
    Verdict.RELATIVE_FUNCTION,
    Verdict.FALSE_CONVERGENCE,
    Verdict.SINGULAR,
    Verdict.ROUGH,
    Verdict.ITERATION_LIMIT,
    Verdict.NOT_FINITE,
)
SMALL = 1.0
"""Squared standard errors from zero within which a spread may be zero."""
EQUAL = 1e-3
"""Points of the log-likelihood that nodes may seem to gain with a spread where there is none."""
Again = Callable[[np.ndarray, np.ndarray], Outcome]


def maximise(
    stage: Stage[Bound],
    start: np.ndarray,
    optimizer: Optimizer,
    watch: Watch,
    checkpoint: Kept | None = None,
    penalties: Penalties | None = None,
    target: float | None = None,
    coarse: bool = True,
    near: bool = False,
) -> tuple[Outcome, list[Row]]:
    """A stage `refine`d, and the maximum examined."""
    outcome, rows = refine(stage, start, optimizer, watch, checkpoint, penalties, coarse, target, near)
    if isinstance(optimizer, Stochastic):
        dead = dead_networks(outcome.objective.problem, outcome.params)
        return replace(
            outcome, report=replace(outcome.report, remarks=(*outcome.report.remarks, *dead))
        ), rows

    def again(params: np.ndarray, free: np.ndarray) -> Outcome:
        watching = partial(watch, stage.name)
        return run(optimizer, outcome.objective.problem, free, jnp.asarray(params), watching, None)

    try:
        examined = without_limits(outcome)
        if not examined.report.limits:
            examined = without_spreads(outcome, again)
        return determined(_named(examined)), rows
    except KeyboardInterrupt:
        return halted(outcome, "Whether they are a maximum was not looked at."), rows


def _named(outcome: Outcome) -> Outcome:
    """With the random coefficients that make the log-likelihood rough by name."""
    report, objective = outcome.report, outcome.objective
    if report.verdict is not Verdict.ROUGH or not isinstance(objective, Likelihood):
        return outcome
    message = report.message + widest(objective.problem, outcome.params)
    return replace(outcome, report=replace(report, message=message))


def determined(outcome: Outcome) -> Outcome:
    """No success where the items cannot determine all parameters, however curved the log-likelihood looks at its nodes."""
    found, report = uncounted(outcome.objective.problem.first), outcome.report
    if not found or report.verdict not in LOOKED_AT:
        return outcome
    message = " ".join(f.sentence for f in found)
    return replace(outcome, report=replace(report, verdict=Verdict.SINGULAR, message=message))


def without_limits(outcome: Outcome) -> Outcome:
    """The verdict on parameters that drift, where there are any."""
    objective = outcome.objective
    if outcome.report.verdict not in LOOKED_AT or not isinstance(objective, Likelihood):
        return outcome
    z, usual = (objective.z(jnp.asarray(p)) for p in (outcome.params, objective.problem.start()))
    if not (np.isfinite(np.asarray(z)).all() and np.isfinite(objective.value(z))):
        return outcome
    coarse = replace(objective, problem=objective.problem.coarse, known={}, each={})
    first = find_scale(coarse.recentred(usual), "scores", usual).values
    verdict, flat = outcome.report.verdict, outcome.report.flat
    limits, silent = endings(objective, z, first, verdict.success)
    ways = objective.drifting(z)
    limits |= {name: way for r in ways for name, way in r.goes.items()}
    # The spread of a coefficient that is gone changes nothing.
    gone = (
        p.name for p in objective.problem.first.table.parameters if p.role == "spread" and p.owner in limits
    )
    silent = {*silent, *gone} - {*limits, *(n for d in flat if len(d) == 1 for n in d)}
    report = replace(outcome.report, flat=(*flat, *({n: 1.0} for n in objective.names if n in silent)))
    if limits:
        message = told(limits, -objective.value(z) * objective.size, objective.size, ways)
        report = replace(report, verdict=Verdict.DRIFTS, message=message, limits=limits)
    elif silent and verdict.success:
        report = replace(report, verdict=Verdict.SINGULAR, message=Verdict.SINGULAR.sentence)
    return replace(outcome, report=report)


def without_spreads(outcome: Outcome, again: Again) -> Outcome:
    """Spreads whose maximum is zero are set to it and the others maximised `again(params, free)`."""
    objective = outcome.objective
    if outcome.report.verdict not in LOOKED_AT or not isinstance(objective, Likelihood):
        return outcome
    first = objective.problem.first
    spreads = np.array([p.role == "spread" for p in first.table.parameters])
    lower, upper = first.bounds
    open_ = spreads & objective.free & (lower <= 0.0) & (upper >= 0.0)
    if not open_.any() or objective.penalties is not None or first.spec.covariances:
        return outcome
    params = outcome.params

    def squares(part: Problem) -> np.ndarray:
        return np.asarray(part.core.weights) @ np.asarray(part.score_person(jnp.asarray(params))) ** 2

    information = np.asarray(objective.problem.summed(squares)) * objective.count / objective.size
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
    return replace(found, report=replace(found.report, zero=zero, flat=flat))


def _fall(objective: Likelihood, before: np.ndarray, after: np.ndarray) -> float:
    """Points of the log-likelihood that are lost, with nodes at each, as of as many people as the weights are worth."""
    lost, had = (
        objective.recentred(z).value(z) for z in (objective.z(jnp.asarray(p)) for p in (after, before))
    )
    return (lost - had) * objective.count
