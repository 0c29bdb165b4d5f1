"""A search in units of the disturbances, which ends at the maximum where nothing more has to be looked for there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise._checkpoint import Checkpoint
from iclv_jax._optimise._elsewhere import has_several
from iclv_jax._optimise._examined import determined, without_limits
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._options import Optimizer, TrustRegion
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._stages import Watch, everything, interrupted, run, sequential_start
from iclv_jax._optimise._units import Units, units_of_disturbances
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._problem import Problem

SEARCH = TrustRegion(tolerance=1e-2, recentrings=1)
"""In units of the disturbances; the last stage finishes in the coordinates of the user."""
CLEAR = 2.0
"""Standard errors of a disturbance variance from zero beyond which a marker sets a scale without doubt."""


@dataclass(frozen=True)
class Searched:
    """Where a search ended, its steps, the report where it was interrupted, and the maximum where it found that."""

    params: np.ndarray
    rows: Sequence[Row]
    ended: OptimizerReport | None = None
    maximum: Outcome | None = None


def unit_start(
    problem: Problem,
    start: np.ndarray,
    staged: bool,
    optimizer: Optimizer,
    watch: Watch,
    checkpoint: Checkpoint | None,
) -> Searched | None:
    """Where the stages (if `staged`) and a search in units of the disturbances end; None where these are the user's own
    units, or a start or an end is not finite there.

    Where nothing is left to do (no stages, no finer nodes, no other maxima to look for) the search is the fit: a maximum
    does not depend on coordinates, and programs for those of the user need not be compiled."""
    units, free = units_of_disturbances(problem), everything(problem)
    if units is None:
        return None
    if not np.isfinite(np.asarray(Likelihood(problem, free, None, units).z(jnp.asarray(start)))).all():
        return None
    if _is_all(problem, optimizer):
        return _maximum(problem, start, units, optimizer, watch, checkpoint)
    params, rows = np.asarray(start), []
    if staged:
        params, rows, ended = sequential_start(problem, jnp.asarray(params), watch, checkpoint, None, units)
        if ended is not None:
            return Searched(params, rows, ended)
    label, rule = "unit disturbances", problem.rule.stages()[0]
    coarse = problem if rule == problem.rule else problem.integrate(rule)
    told, at = partial(watch, label), jnp.asarray(params)
    outcome = run(SEARCH, coarse, free, at, told, checkpoint, verify=False, units=units)
    return _searched(outcome, [*rows, *_labelled(outcome, label)])


def _is_all(problem: Problem, optimizer: Optimizer) -> bool:
    """Whether this search can be all there is to a fit."""
    usual = isinstance(optimizer, TrustRegion) and optimizer.hessian == "exact"
    whole = usual and not optimizer.trace_parameters and isinstance(optimizer.scaling, str)
    return whole and problem.core.structure.dimension == 0 and not has_several(problem)


def _maximum(
    problem: Problem,
    start: np.ndarray,
    units: Units,
    optimizer: Optimizer,
    watch: Watch,
    checkpoint: Checkpoint | None,
) -> Searched | None:
    told, at = partial(watch, "joint"), jnp.asarray(start)
    outcome = run(optimizer, problem, everything(problem), at, told, checkpoint, units=units)
    rows = _labelled(outcome, "joint")
    if outcome.report.verdict is Verdict.INTERRUPTED:
        return Searched(outcome.params, rows, outcome.report)
    searched = _searched(outcome, rows)
    if searched is None:
        return None
    looked = determined(without_limits(outcome))
    if not _is_plain(looked.report) or not _is_regular(looked, units):
        return searched
    return replace(searched, maximum=replace(looked, objective=replace(looked.objective, units=None)))


def _searched(outcome: Outcome, rows: Sequence[Row]) -> Searched | None:
    if not np.isfinite(outcome.params).all():
        return None
    was = outcome.report.verdict is Verdict.INTERRUPTED
    return Searched(outcome.params, rows, interrupted(outcome.report, rows) if was else None)


def _labelled(outcome: Outcome, label: str) -> list[Row]:
    return [{"stage": label, **row} for row in outcome.trace]


def _is_plain(report: OptimizerReport) -> bool:
    """Whether there is nothing to say of parameters, whose names in other coordinates are not those of the user."""
    said = report.active, report.flat, report.limits, report.zero, report.remarks, report.unscaled
    return report.verdict.success and not any(said)


def _is_regular(outcome: Outcome, units: Units) -> bool:
    """Whether the coordinates of the user are good ones here: no disturbance variance is near zero."""
    known = outcome.objective.known.get(outcome.params.tobytes())
    if known is None:
        return False
    names = outcome.objective.problem.table.names
    at = [i for i, name in enumerate(names) if name in units.variances]
    variances = np.diag(np.linalg.inv(-np.asarray(known)))[at]
    return bool((variances > 0.0).all() and (outcome.params[at] > CLEAR * np.sqrt(variances)).all())
