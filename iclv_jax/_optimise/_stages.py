"""Stages of a fit: items and structure, the choice given them, then everything with ever more nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic

import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import Array
from iclv_jax._integration import Rule
from iclv_jax._optimise._checkpoint import Checkpoint, Slot
from iclv_jax._optimise._driver import minimise
from iclv_jax._optimise._objective import Bound, Likelihood
from iclv_jax._optimise._options import Optimizer, Scipy, TrustRegion
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import Scale
from iclv_jax._optimise._scipy import minimise_scipy
from iclv_jax._optimise._spreads import turned
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._suited import polished
from iclv_jax._optimise._training import Trained, Training
from iclv_jax._optimise._units import Units
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy, accuracy, accuracy_near
from iclv_jax._problem._elsewhere import Elsewhere
from iclv_jax._problem._target import before, better, enough, suited

ROUGH = TrustRegion("bhhh", tolerance=3.0, max_iterations=40, recentrings=0)
"""Stages only have to come close; outer products of scores are cheap and never indefinite."""

CLOSE = 0.05
"""Newton decrement at which a stage ends that is followed by one with very many nodes."""
MOST_REFINEMENTS = 6
Watch = Callable[[str, Row], None]


@dataclass(frozen=True)
class Stage(Generic[Bound]):
    """One stage: a name, the problem to maximise, and the parameters that may move."""

    name: str
    problem: Bound
    free: np.ndarray


@runtime_checkable
class Kept(Protocol):
    """A `Checkpoint`, or what gives its slots to several processes."""

    def slot(self) -> Slot: ...


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
    problem: Bound,
    free: np.ndarray,
    start: Array,
    watch: Callable[[Row], None],
    checkpoint: Kept | None,
    verify: bool = True,
    scale: Scale | None = None,
    penalties: Penalties | None = None,
    units: Units | None = None,
) -> Outcome:
    """One optimisation of a problem over the parameters marked `free`."""
    objective = Likelihood(problem, free, penalties, units)
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
    units: Units | None = None,
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
            units=units,
        )
        params = outcome.params
        rows += [{"stage": stage.name, **row} for row in outcome.trace]
        if outcome.report.verdict is Verdict.INTERRUPTED:
            return params, rows, interrupted(outcome.report, rows)
    return params, rows, None


def everything(problem: Problem) -> np.ndarray:
    """All parameters may move."""
    return np.ones(len(problem.names), bool)


def halted(outcome: Outcome, where: str) -> Outcome:
    """What is known where an interrupt came after its last step."""
    message = f"{Verdict.INTERRUPTED.sentence} {where}".rstrip()
    return replace(outcome, report=replace(outcome.report, verdict=Verdict.INTERRUPTED, message=message))


def interrupted(report: OptimizerReport, rows: Sequence[Row]) -> OptimizerReport:
    """The report of a stage before the last one."""
    stage = f" in the stage '{rows[-1]['stage']}'" if rows else ""
    where = f" That was{stage}, before the last one: what follows was not begun."
    return replace(report, message=report.message + where)


def stopped(
    stage: Stage[Bound],
    params: np.ndarray,
    report: OptimizerReport,
    scale: Scale | None,
    penalties: Penalties | None,
) -> Outcome:
    """The point where an earlier stage was interrupted, with the nodes of the result."""
    objective = Likelihood(
        _with_nodes_of(stage, stage.problem.first.rule.stages()[-1]), stage.free, penalties
    )
    z = objective.z(jnp.asarray(params))
    placed = objective.recentred(z) if objective.moves else objective
    size = len(params)
    return Outcome(params, placed, report, scale or Scale(np.ones(size), np.zeros(size, bool)), ())


def _with_nodes_of(stage: Stage[Bound], rule: Rule) -> Bound:
    problem = stage.problem
    return problem if rule == problem.first.rule else problem.integrate(rule)


def joint_stage(problem: Problem) -> Stage:
    """The last stage of a fit: everything at once."""
    return Stage("joint", problem, everything(problem))


def refine(
    stage: Stage[Bound],
    start: np.ndarray,
    optimizer: Optimizer,
    watch: Watch,
    checkpoint: Kept | None = None,
    penalties: Penalties | None = None,
    coarse: bool = True,
    target: float | None = None,
    near: bool = False,
) -> tuple[Outcome, list[Row]]:
    """A stage taken to its maximum: with each stage of the rule of integration, coarse to fine, then with more nodes.

    With a `target`, the last stage has a rule whose stated error of log L is below it; without, nodes are raised until the
    `target_error` of the rule itself is met, if it has one. Without `coarse`, with the last stage of the rule only. Of a
    start that is `near` the maximum the rule that meets the target is known before the first step.
    """
    if isinstance(optimizer, Stochastic):
        assert isinstance(stage.problem, Problem)  # _stream refuses the others
        mine = Stage(stage.name, stage.problem, stage.free)
        return _train(mine, start, optimizer, watch, checkpoint, penalties, target)
    rules = stage.problem.first.rule.stages()[0 if coarse else -1 :]
    passes = _Passes(stage, watch, checkpoint, penalties, len(rules) > 1)
    try:
        return _climbed(passes, rules, start, optimizer, target, near), passes.rows
    except KeyboardInterrupt:
        if passes.last is None:
            raise
        return passes.cut(rules[-1]), passes.rows


def _climbed(
    passes: "_Passes[Bound]",
    rules: Sequence[Rule],
    start: np.ndarray,
    optimizer: Optimizer,
    target: float | None,
    near: bool,
) -> Outcome:
    params, scale, searching = start, None, _coarse(optimizer)
    for rule in rules[:-1]:
        outcome = passes.run(rule, params, searching, scale, verify=False)
        params, scale = outcome.params, outcome.scale
        if _was_interrupted(outcome):
            return passes.stopped(outcome)
    final, known = rules[-1], None
    if target is not None and (near or len(rules) > 1):
        final, known = suited(passes.stage.problem, final, jnp.asarray(params), target)
    if (closer := before(final)) is not None and target is not None:
        outcome = passes.run(closer, params, replace(searching, tolerance=CLOSE), scale, verify=False)
        params, scale = outcome.params, outcome.scale
        if _was_interrupted(outcome):
            return passes.stopped(outcome)
    outcome = passes.run(final, params, optimizer, scale)
    for _ in range(MOST_REFINEMENTS):
        if _was_interrupted(outcome):
            break
        outcome = replace(outcome, precision=_precision(outcome, known))
        finer = _finer(outcome, target)
        if finer is None:
            break
        outcome, known = passes.run(finer, outcome.params, optimizer, outcome.scale), None
    return outcome


@dataclass
class _Passes(Generic[Bound]):
    """Optimisations of one stage, each with a rule of integration; their steps in `rows`."""

    stage: Stage[Bound]
    watch: Watch
    checkpoint: Kept | None
    penalties: Penalties | None
    labelled: bool
    rows: list[Row] = field(default_factory=list)
    last: Outcome | None = None
    """Where the last pass that came to an end did."""

    def run(
        self, rule: Rule, params: np.ndarray, options: Optimizer, scale: Scale | None, verify: bool = True
    ) -> Outcome:
        self.last = self._once(rule, params, options, scale, verify)
        there = turned(self.stage.problem.first, self.stage.free, self.last.params, self.penalties)
        # Turned once: a spread near zero can end on either side of it each time.
        if not np.array_equal(there, self.last.params) and not _was_interrupted(self.last):
            self.last = self._once(rule, there, options, None, verify)
        return self.last

    def cut(self, final: Rule) -> Outcome:
        """Where the last pass ended, of an interrupt between two passes."""
        assert self.last is not None
        if self.last.objective.problem.first.rule == final:
            return halted(self.last, "The accuracy of the integral was not looked at.")
        return self.stopped(halted(self.last, ""))

    def stopped(self, outcome: Outcome) -> Outcome:
        """Where an interrupt stopped an earlier pass, with the nodes of the result."""
        report = interrupted(outcome.report, self.rows)
        return stopped(self.stage, outcome.params, report, outcome.scale, self.penalties)

    def _once(
        self, rule: Rule, params: np.ndarray, options: Optimizer, scale: Scale | None, verify: bool
    ) -> Outcome:
        stage, dimension = self.stage, self.stage.problem.first.spec.dimension
        label = f"{stage.name}, {rule.describe(dimension)}" if self.labelled else stage.name
        target = _with_nodes_of(stage, rule)
        told, at = partial(self.watch, label), jnp.asarray(params)
        outcome = run(options, target, stage.free, at, told, self.checkpoint, verify, scale, self.penalties)
        self.rows.extend({"stage": label, **row} for row in outcome.trace)
        return outcome


def _precision(outcome: Outcome, known: Accuracy | None) -> Accuracy:
    at = outcome.objective.problem, jnp.asarray(outcome.params)
    return accuracy(*at) if known is None else accuracy_near(*at, known)


def _was_interrupted(outcome: Outcome) -> bool:
    return outcome.report.verdict is Verdict.INTERRUPTED


def _train(
    stage: Stage,
    start: np.ndarray,
    optimizer: Stochastic,
    watch: Watch,
    checkpoint: Kept | None,
    penalties: Penalties | None,
    target: float | None,
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
    outcome, more = refine(
        last, trained.params, optimizer.finish, watch, checkpoint, penalties, False, target
    )
    stayed = tuple(n for n, free in zip(stage.problem.names, moving, strict=True) if not free)
    message = outcome.report.message
    if stayed:
        message += f" Over {int(moving.sum())} polished parameters; the other {len(stayed)} stayed where training stopped."
    return replace(outcome, report=replace(outcome.report, message=message, trained=stayed)), [*rows, *more]


def _as_trained(stage: Stage, trained: Trained, penalties: Penalties | None) -> Outcome:
    """The point where training stopped, with the nodes of the result."""
    trained = trained._replace(params=turned(stage.problem.first, stage.free, trained.params, penalties))
    problem = stage.problem
    objective = Likelihood(_with_nodes_of(stage, problem.rule.stages()[-1]), stage.free, penalties)
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


def _finer(outcome: Outcome, target: float | None) -> Rule | None:
    """The rule to go on with; None where the target is met, or memory is at its end."""
    problem, params, precision = outcome.objective.problem, jnp.asarray(outcome.params), outcome.precision
    rule = problem.first.rule
    wanted = rule.target_error if target is None else target
    if wanted is None or precision is None or not outcome.report.verdict.usable:
        return None
    if precision.error is None or precision.error <= wanted:
        return None
    following = (
        enough(Elsewhere(problem, params), rule, precision.error, wanted)
        if target is None
        else better(problem, rule, params, precision.error, target)
    )
    return None if following == rule else following
