"""Estimation in two steps: items and structure, then the choice with those estimates held."""

import time
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._alone import refuse_several
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._fit._fit import checked_accuracy, checked_optimizer, checked_start, checkpoint_of, timed
from iclv_jax._fit._two_step import SequentialFit
from iclv_jax._integration import Rule
from iclv_jax._likelihood import Devices
from iclv_jax._optimise import (
    Checkpoint,
    Optimizer,
    OptimizerReport,
    Stage,
    Stochastic,
    Verdict,
    refine,
    sequential_start,
    stages,
    stopped,
)
from iclv_jax._optimise._driver import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._panel import WeightsAre
from iclv_jax._problem import Problem, bind
from iclv_jax._problem._target import ACCURACY
from iclv_jax._spec import Parameter
from iclv_jax._spec._model import Spec
from iclv_jax._tables import Progress

INSTEAD = "Use model.fit(...), which estimates everything at once."


@one_thread
def fit_sequential(
    spec: Given[Spec],
    data: Given[Any],
    *,
    person: Given[str | None] = None,
    people: Given[Any] = None,
    weights: Given[Any] = None,
    cluster: Given[str | None] = None,
    integration: Given[Rule | None] = None,
    optimizer: Given[Optimizer | None] = None,
    start: Given[Any] = "sequential",
    progress: Given[bool] = True,
    checkpoint: Given[Any] = None,
    memory: Given[str | float] = "2GB",
    weights_are: Given[WeightsAre] = "sampling",
    devices: Given[Devices] = None,
) -> SequentialFit:
    """Bind, start, and take the two stages of a sequential start each to its maximum."""
    begin, optimizer = time.perf_counter(), _checked(spec, optimizer)
    who: dict[str, Any] = {"person": person, "people": people, "weights": weights, "cluster": cluster}
    problem = bind(
        spec,
        data,
        **who,
        integration=integration,
        memory=memory,
        weights_are=weights_are,
        devices=devices,
    )
    one, two = _steps(problem)
    first, staged = checked_start(problem, start)
    file = checkpoint_of(checkpoint, problem, optimizer, first, ("two steps", staged))
    with Progress(progress) as bar:
        begun = sequential_start(problem, jnp.asarray(first), bar, file) if staged else (first, [], None)
        items, choice, rows = _both(one, two, begun, optimizer, bar, file, None if integration else ACCURACY)
    joint = choice.objective.problem
    return SequentialFit(
        problem=joint,
        items=items.objective.problem,
        estimates=choice.params,
        reports=(items.report, timed(choice.report, begin)),
        moved=two.free,
        start=np.asarray(first),
        accuracy=checked_accuracy(joint, choice.params),
        _rows=rows,
    )


def _both(
    one: Stage,
    two: Stage,
    staged: tuple[np.ndarray, list[Row], OptimizerReport | None],
    optimizer: Optimizer,
    bar: Progress,
    file: Checkpoint | None,
    target: float | None,
) -> tuple[Outcome, Outcome, tuple[Row, ...]]:
    """The two steps, from where the stages of the start ended, and every row of the trace."""
    params, rows, ended = staged
    items, of_items = _step(one, np.asarray(params), ended, optimizer, bar, file)
    if items.report.verdict is Verdict.INTERRUPTED:
        ended = items.report
    begin = np.where(two.free, params, items.params)
    choice, of_choice = _step(two, begin, ended, optimizer, bar, file, target)
    return items, choice, (*rows, *of_items, *of_choice)


def _step(
    stage: Stage,
    start: np.ndarray,
    ended: OptimizerReport | None,
    optimizer: Optimizer,
    bar: Progress,
    file: Checkpoint | None,
    target: float | None = None,
) -> tuple[Outcome, list[Row]]:
    """A step to its maximum; not begun where an earlier one was interrupted."""
    if ended is not None:
        return stopped(stage, start, ended, None, None), []
    return refine(stage, start, optimizer, bar, file, target=target)


def _checked(spec: Spec, optimizer: Optimizer | None) -> Optimizer:
    """The optimiser, of a model that has two steps; ValueError where there is nothing to do for one or the other."""
    refuse_several("fit_sequential")
    _check_parts(spec)
    optimizer = checked_optimizer(optimizer)
    _check_maximises(optimizer)
    return optimizer


def _check_maximises(optimizer: Optimizer) -> None:
    if isinstance(optimizer, Stochastic):
        raise ValueError(
            "fit_sequential takes each step to its maximum, where training does not end. Take TrustRegion, LBFGSB, BHHH or "
            "Scipy; or model.fit(..., optimizer=iclv.Stochastic(...))."
        )


def _check_parts(spec: Spec) -> None:
    """Raise ValueError for a model that has no two steps."""
    if not spec.choices:
        raise ValueError(
            f"The model has no choice, so there is no second step and nothing to correct. {INSTEAD}"
        )
    if not spec.latents or not spec.indicators:
        lacking = "latent variable" if not spec.latents else "indicator"
        raise ValueError(f"The model has no {lacking}, so there is no first step. {INSTEAD}")


def _steps(problem: Problem) -> list[Stage]:
    """The two stages; ValueError, with names, where the parameters cannot be divided between them."""
    _check_shared(problem)
    _check_measured(problem)
    found = stages(problem)
    if not found:
        free = {row.parameter.block == "choice" for row in problem.table.rows if row.status == "free"}
        lacking = "choice" if True not in free else "items and the latent variables"
        raise ValueError(f"No parameter of the {lacking} is free, so there is one step only. {INSTEAD}")
    return found


def _check_shared(problem: Problem) -> None:
    choices = {choice.name for choice in problem.spec.choices}
    covariances = {row.name for row in problem.table.rows if row.parameter.role in ("covariance", "spread")}
    sections = zip(problem.names, problem.table.map.sections, strict=True)
    # What makes random coefficients covary stands in the structural part, but says nothing of the items.
    shared = [
        name for name, used in sections if used & choices and used - choices and name not in covariances
    ]
    if not shared:
        return
    shown = ", ".join(_with_aliases(problem, name) for name in shared)
    raise ValueError(
        f"The choice shares parameters with the items or the structural equations, so that there are no two steps: {shown}. "
        f"Untie them (equal=, define=, and names in the utility function). {INSTEAD}"
    )


def _with_aliases(problem: Problem, name: str) -> str:
    """A parameter with those that follow it."""
    tied = [row.name for row in problem.table.rows if row.tied == name]
    defined = [d.name for d in problem.spec.define if {name, *tied} & set(d.arguments)]
    also = ", ".join(map(repr, dict.fromkeys((*tied, *defined))))
    return f"{name!r} (also as {also})" if also else repr(name)


def _check_measured(problem: Problem) -> None:
    """No item tells anything of a latent variable that has none and leads to none that has."""
    spec = problem.spec
    measured = {name for item in spec.indicators for name in item.of}
    parents = {
        v.name: {p for p in v.predictors if isinstance(p, str) and p in spec.order} for v in spec.latents
    }
    for name in reversed(spec.order):
        if name in measured:
            measured |= parents[name]
    lost = [parameter.name for parameter in problem.table.parameters if _speaks_of(parameter, spec, measured)]
    if lost:
        raise ValueError(
            f"No item measures what these parameters are about, so that the first step cannot estimate them: "
            f"{', '.join(lost)}. Add indicators. {INSTEAD}"
        )


def _speaks_of(parameter: Parameter, spec: Spec, measured: set[str]) -> bool:
    """Whether a parameter belongs to a latent variable outside `measured`."""
    if parameter.block != "structural":
        return False
    involved = {parameter.owner} | ({parameter.argument} if parameter.role == "covariance" else set())
    return bool(involved & (set(spec.order) - measured))
