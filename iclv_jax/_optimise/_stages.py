"""Stages of a fit: items and structure, the choice given them, then everything with ever more nodes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._integration import Rule
from iclv_jax._optimise._checkpoint import Checkpoint, Slot
from iclv_jax._optimise._driver import Outcome, minimise
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._options import Optimizer, Scipy, TrustRegion
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import Scale
from iclv_jax._optimise._scipy import minimise_scipy
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._suited import polished
from iclv_jax._optimise._training import Trained, Training
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import accuracy, doubling_error

ROUGH = TrustRegion("bhhh", tolerance=3.0, max_iterations=40, recentrings=0)
"""Stages only have to come close; outer products of scores are cheap and never indefinite."""

MOST_REFINEMENTS = 6
Watch = Callable[[str, Row], None]


@dataclass(frozen=True)
class Stage:
    """One stage: a name, the problem to maximise, and the parameters that may move."""

    name: str
    problem: Problem
    free: np.ndarray


def stages(problem: Problem) -> list[Stage]:
    """The stages before the joint fit; none for a model that has only items or only a choice."""
    spec = problem.spec
    if not spec.choices or not spec.indicators or not spec.latents:
        return []
    blocks = {row.name: row.parameter.block for row in problem.table.rows}
    choice = np.array([blocks[name] == "choice" for name in problem.names])
    if choice.all() or not choice.any():
        return []
    return [
        Stage("items and structure", problem.part("items"), ~choice),
        Stage("choice given items", problem, choice),
    ]


def run(
    options: Optimizer,
    problem: Problem,
    free: np.ndarray,
    start: Array,
    watch: Callable[[Row], None],
    checkpoint: Checkpoint | None,
    verify: bool = True,
    scale: Scale | None = None,
    penalties: Penalties | None = None,
) -> Outcome:
    """One optimisation of a problem over the parameters marked `free`."""
    objective = Likelihood(problem, free, penalties)
    if isinstance(options, Scipy):
        return minimise_scipy(options, objective, start, watch, verify)
    slot = None if checkpoint is None else checkpoint.slot()
    return minimise(options, objective, start, watch, slot, verify, scale)


def sequential_start(
    problem: Problem,
    start: Array,
    watch: Watch,
    checkpoint: Checkpoint | None = None,
    penalties: Penalties | None = None,
) -> tuple[np.ndarray, list[Row], OptimizerReport | None]:
    """Run the stages and return where they end, with their traces, and the report of the one that was interrupted.

    The second stage maximises the joint likelihood over the choice parameters alone, so the latent
    variables are integrated there too; no score of a person is plugged in. Of penalties the smooth ones count.
    """
    params = np.asarray(start)
    rows: list[Row] = []
    for stage in stages(problem):
        outcome = run(
            ROUGH,
            stage.problem,
            stage.free,
            jnp.asarray(params),
            lambda row, s=stage: watch(s.name, row),
            checkpoint,
            verify=False,
            penalties=None if penalties is None else penalties.smooth,
        )
        params = outcome.params
        rows += [{"stage": stage.name, **row} for row in outcome.trace]
        if outcome.report.verdict is Verdict.INTERRUPTED:
            return params, rows, _interrupted(outcome.report, rows)
    return params, rows, None


def _interrupted(report: OptimizerReport, rows: list[Row]) -> OptimizerReport:
    stage = f" in the stage '{rows[-1]['stage']}'" if rows else ""
    where = f" That was{stage}, before the last one: what follows was not begun."
    return replace(report, message=report.message + where)


def stopped(
    stage: Stage,
    params: np.ndarray,
    report: OptimizerReport,
    scale: Scale | None,
    penalties: Penalties | None,
) -> Outcome:
    """The point where an earlier stage was interrupted, with the nodes of the result."""
    problem, rule = stage.problem, stage.problem.rule.stages()[-1]
    objective = Likelihood(
        problem if rule == problem.rule else problem.integrate(rule), stage.free, penalties
    )
    z = objective.z(jnp.asarray(params))
    placed = objective.recentred(z) if objective.moves else objective
    size = len(params)
    return Outcome(params, placed, report, scale or Scale(np.ones(size), np.zeros(size, bool)), ())


def joint_stage(problem: Problem) -> Stage:
    """The last stage of a fit: everything at once."""
    return Stage("joint", problem, np.ones(len(problem.names), bool))


def refine(
    stage: Stage,
    start: np.ndarray,
    optimizer: Optimizer,
    watch: Watch,
    checkpoint: Checkpoint | None = None,
    penalties: Penalties | None = None,
    coarse: bool = True,
) -> tuple[Outcome, list[Row]]:
    """A stage taken to its maximum: with each stage of the rule of integration, coarse to fine, then with more
    nodes until the rule's `target_error` is met. Without `coarse`, with the last stage of the rule only."""
    if isinstance(optimizer, Stochastic):
        return _train(stage, start, optimizer, watch, checkpoint, penalties)
    problem, rules = stage.problem, stage.problem.rule.stages()[0 if coarse else -1 :]
    rows: list[Row] = []

    def once(
        rule: Rule, params: np.ndarray, options: Optimizer, scale: Scale | None, verify: bool
    ) -> Outcome:
        label = f"{stage.name}, {rule.describe(problem.spec.dimension)}" if len(rules) > 1 else stage.name
        target = problem if rule == problem.rule else problem.integrate(rule)
        told, at = partial(watch, label), jnp.asarray(params)
        outcome = run(options, target, stage.free, at, told, checkpoint, verify, scale, penalties)
        rows.extend({"stage": label, **row} for row in outcome.trace)
        return outcome

    def maximised(
        rule: Rule, params: np.ndarray, options: Optimizer, scale: Scale | None, verify: bool = True
    ) -> Outcome:
        outcome = once(rule, params, options, scale, verify)
        turned = _turned(stage, outcome.params, penalties)
        # Turned once: a spread near zero can end on either side of it each time.
        same = np.array_equal(turned, outcome.params) or outcome.report.verdict is Verdict.INTERRUPTED
        return outcome if same else once(rule, turned, options, None, verify)

    params, scale = start, None
    for rule in rules[:-1]:
        outcome = maximised(rule, params, _coarse(optimizer), scale, verify=False)
        params, scale = outcome.params, outcome.scale
        if outcome.report.verdict is Verdict.INTERRUPTED:
            return stopped(stage, params, _interrupted(outcome.report, rows), scale, penalties), rows
    outcome = maximised(rules[-1], params, optimizer, scale)
    for _ in range(MOST_REFINEMENTS):
        if not _too_coarse(outcome):
            break
        outcome = maximised(outcome.objective.problem.rule.finer(2), outcome.params, optimizer, outcome.scale)
    return outcome, rows


def _train(
    stage: Stage,
    start: np.ndarray,
    optimizer: Stochastic,
    watch: Watch,
    checkpoint: Checkpoint | None,
    penalties: Penalties | None,
) -> tuple[Outcome, list[Row]]:
    """Training with the nodes of the search and then, where asked for, a polish with those of the result."""

    def told(row: Row) -> None:
        watch("training", row)

    slot = Slot() if checkpoint is None else checkpoint.slot()
    trained = Training(optimizer, stage.problem, stage.free, penalties, told, slot).run(jnp.asarray(start))
    rows = [{"stage": "training", **row} for row in trained.rows]
    moving = polished(optimizer, stage.problem.table.parameters) & stage.free
    if not moving.any() or trained.verdict is Verdict.INTERRUPTED:
        return _as_trained(stage, trained, penalties), rows
    last = Stage("polish", stage.problem, moving)
    outcome, more = refine(last, trained.params, optimizer.finish, watch, checkpoint, penalties, coarse=False)
    stayed = tuple(n for n, free in zip(stage.problem.names, moving, strict=True) if not free)
    message = outcome.report.message
    if stayed:
        message += f" Over {int(moving.sum())} polished parameters; the other {len(stayed)} stayed where training stopped."
    return replace(outcome, report=replace(outcome.report, message=message, trained=stayed)), [*rows, *more]


def _as_trained(stage: Stage, trained: Trained, penalties: Penalties | None) -> Outcome:
    """The point where training stopped, with the nodes of the result."""
    trained = trained._replace(params=_turned(stage, trained.params, penalties))
    problem, rule = stage.problem, stage.problem.rule.stages()[-1]
    target = problem if rule == problem.rule else problem.integrate(rule)
    objective = Likelihood(target, stage.free, penalties)
    lower, upper = problem.bounds
    held = {
        name: float(value)
        for name, value, low, high in zip(problem.names, trained.params, lower, upper, strict=True)
        if value <= low or value >= high
    }
    report = OptimizerReport(
        trained.verdict, trained.message, len(trained.rows), trained.steps, float("nan"), 0.0, 0.0,
        float(trained.rows[-1]["seconds"]) if trained.rows else 0.0, held,
        tuple(n for n, u in zip(problem.names, trained.scale.unscaled, strict=True) if u),
    )  # fmt: skip
    z = objective.z(jnp.asarray(trained.params))
    placed = objective.recentred(z) if objective.moves else objective
    return Outcome(trained.params, placed, report, trained.scale, tuple(trained.rows))


def _coarse(optimizer: Optimizer) -> Optimizer:
    """A coarse stage only has to come close; the finer one that follows moves by more than it could tell."""
    if isinstance(optimizer, TrustRegion) and optimizer.hessian == "exact":
        return replace(optimizer, hessian="bhhh", tolerance=max(optimizer.tolerance, 1.0), recentrings=0)
    return replace(optimizer, tolerance=max(optimizer.tolerance, 0.1), recentrings=0)


def _too_coarse(outcome: Outcome) -> bool:
    problem, params = outcome.objective.problem, jnp.asarray(outcome.params)
    target = problem.rule.target_error
    if target is None or not outcome.report.verdict.usable:
        return False
    error = accuracy(problem, params).error
    return (doubling_error(problem, params) if error is None else error) > target


def _turned(stage: Stage, params: np.ndarray, penalties: Penalties | None) -> np.ndarray:
    """With positive standard deviations where the stage moves them, unless that costs more."""
    turned = np.where(stage.free, positive_spreads(stage.problem, params), params)
    dearer = penalties is not None and penalties.cost(turned) > penalties.cost(params)
    return params if dearer else turned


def positive_spreads(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Standard deviations that ended negative, turned positive where only their sign is open.

    The likelihood does not know the sign of a standard deviation that no constraint or covariance uses.
    """
    spreads = {f"{name}.sd" for name, _ in problem.spec.random}
    linked = {f"{name}.sd" for pair in problem.spec.covariances for name in pair}
    linked |= {n for group in problem.spec.equal for n in group}
    linked |= {a for d in problem.spec.define for a in d.arguments}
    lower, upper = problem.bounds
    turn = np.array(
        [
            name in spreads - linked and value < 0.0 and low < -value < high
            for name, value, low, high in zip(problem.names, params, lower, upper, strict=True)
        ]
    )
    return np.where(turn, -params, params)
