"""Maximum likelihood with people in chunks, and in several processes."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from iclv_jax._base._alone import several
from iclv_jax._base._arguments import check_switch
from iclv_jax._base._facts import Facts, dict_of, fact, fields
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._fit._fit import (
    How,
    check_nodes,
    checked_accuracy,
    checked_optimizer,
    checked_penalties,
    estimated,
    start_values,
    timed,
)
from iclv_jax._fit._many_starts import check_starts
from iclv_jax._integration import Rule
from iclv_jax._integration._rule import check_rule
from iclv_jax._likelihood import Devices, mesh_of
from iclv_jax._optimise import (
    Kept,
    Optimizer,
    OptimizerReport,
    Outcome,
    Scipy,
    Stage,
    Stochastic,
    Verdict,
    maximise,
    probed,
    stopped,
)
from iclv_jax._optimise._row import Row
from iclv_jax._panel import WeightsAre
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._memory import MEMORY, parse_memory
from iclv_jax._problem._target import ACCURACY, check_accuracy
from iclv_jax._spec._facts import facts_of
from iclv_jax._spec._model import Spec
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._checkpoint import checkpoint_of
from iclv_jax._stream._known import first_pass
from iclv_jax._stream._many_starts import ManyStarts
from iclv_jax._stream._passes import Settings, second_pass
from iclv_jax._stream._problem import StreamedProblem
from iclv_jax._stream._result import StreamedFit
from iclv_jax._stream._source import People
from iclv_jax._tables import Progress

IN_MEMORY = {"people": None, "levels": None, "batch_people": None}
"""Keywords that hold for people in memory alone, with their defaults."""
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
OF_STREAM = ("person", "weights", "cluster")


def in_chunks(data: Given[Any]) -> bool:
    """Whether people come in chunks: as a stream, or because each of several processes has some of them."""
    return isinstance(data, People) or several()


def bind_people(spec: Spec, data: Given[Any], keywords: Mapping[str, Any]) -> Any:
    """`bind` of people in chunks; ValueError for keywords that they do not have."""
    people, allowed = _allowed(data, keywords)
    return bind_streamed(spec, people, **allowed)


def fit_people(spec: Spec, data: Given[Any], keywords: Mapping[str, Any]) -> Any:
    """`fit` of people in chunks; ValueError for keywords that they do not have."""
    people, allowed = _allowed(data, keywords)
    return fit_streamed(spec, people, **allowed)


def _allowed(data: Given[Any], keywords: Mapping[str, Any]) -> tuple[People, dict[str, Any]]:
    """The stream of people, a frame of one of several processes among them, and the keywords that are left."""
    left = {name: value for name, value in keywords.items() if name not in IN_MEMORY}
    if not isinstance(data, People):
        about = {name: left.pop(name, None) for name in OF_STREAM}
        data = _of_process(data, about)
    else:
        for name in OF_STREAM:
            if left.pop(name, None) is not None:
                raise ValueError(f"{name}= is not for a stream of people. Give it to iclv.People.stream.")
    for name, usual in IN_MEMORY.items():
        value = keywords.get(name, usual)
        if value is not usual and not (isinstance(value, int) and value == usual):
            raise ValueError(f"{name}= is not for people in chunks or in several processes. Leave it out.")
    return data, left


def _of_process(data: Given[Any], about: Mapping[str, Any]) -> People:
    return People.stream([data], **about)


def bind_streamed(
    spec: Spec,
    people: People,
    integration: Given[Rule | None] = None,
    memory: Given[str | float] = MEMORY,
    weights_are: Given[WeightsAre] = "sampling",
    devices: Given[Devices] = None,
) -> StreamedProblem:
    """Two passes over the stream."""
    if integration is not None:
        check_rule(integration, "integration=")
    if integration is not None and integration.quartered is not None:
        raise ValueError(
            "quartered= has a number for every person in memory. Leave it out where people come in chunks."
        )
    how = Settings(integration, parse_memory(memory), weights_are, mesh_of(devices))
    about = {"weights": people.weights, "cluster": people.cluster, "weights_are": weights_are}
    hosts.check_same(lambda: {"model": facts_of(spec), "integration": fact(integration), **dict_of(about)})
    passed = second_pass(first_pass(spec, people), people, how)
    return StreamedProblem(people, passed).integrate(passed.first.rule)


@one_thread
def fit_streamed(
    spec: Spec,
    people: People,
    *,
    integration: Given[Rule | None] = None,
    accuracy: Given[float | None] = ACCURACY,
    optimizer: Given[Optimizer | None] = None,
    penalties: Given[Any] = None,
    start: Given[Any] = "sequential",
    starts: Given[int] = 1,
    progress: Given[bool] = True,
    checkpoint: Given[Any] = None,
    memory: Given[str | float] = MEMORY,
    weights_are: Given[WeightsAre] = "sampling",
    devices: Given[Devices] = None,
) -> StreamedFit:
    """The first chunk by itself, then everybody from there."""
    begin = time.perf_counter()
    check_switch(progress, "progress")
    optimizer = checked_optimizer(optimizer)
    _check_optimizer(optimizer)
    check_accuracy(accuracy)
    problem = bind_streamed(spec, people, integration, memory, weights_are, devices)
    applied = checked_penalties(problem.first, penalties, optimizer)
    check_starts(starts, optimizer, applied)
    hosts.check_same(lambda: _settings(optimizer, applied, accuracy, start, starts))
    target = accuracy if integration is None else None
    with Progress(progress and not hosts.mine()) as bar:
        alone = _Alone(optimizer, bar, applied)
        begun = hosts.by_first("the start", lambda: alone.begun(problem.first, start))
        if begun.ended is None:
            problem.coarse.recentre(begun.params).check_start(begun.params)
        kept = checkpoint_of(checkpoint, problem, optimizer, begun.params, applied)
        outcome, rows = _of_everybody(problem, begun, starts, optimizer, bar, kept, applied, target)
    found, known = outcome.objective.problem, outcome.objective.known.get(outcome.params.tobytes())
    precision = outcome.precision
    if outcome.report.verdict is Verdict.INTERRUPTED:
        # Whoever interrupts does not wait for more passes over everybody.
        precision = Accuracy(found.first.core.people.node_count, None, None)
    precision = in_short(checked_accuracy(found, outcome.params, precision, accuracy))
    report = timed(outcome.report, begin)
    fit = StreamedFit(found, outcome.params, report, precision, tuple(rows), applied, known)
    return fit.settled() if several() else fit


def _of_everybody(
    problem: StreamedProblem,
    begun: "Begun",
    starts: int,
    optimizer: Optimizer,
    bar: Progress,
    kept: Kept | None,
    penalties: Penalties | None,
    target: float | None,
) -> tuple[Outcome, list[Row]]:
    """Maximised over all people, examined and probed as a fit in memory is, or from several starts, with every step."""
    stage = Stage("everybody", problem, np.ones(len(problem.names), bool))
    if begun.ended is not None:
        return stopped(stage, begun.params, begun.ended, None, penalties), []
    outcome, rows = maximise(
        stage, begun.params, optimizer, bar, kept, penalties, target, coarse=False, near=begun.near
    )
    if starts > 1:
        many = ManyStarts(stage, starts, optimizer, bar, target)
        return many.best(outcome), [*rows, *many.rows]
    # The first chunk was searched as a fit in memory is; over everybody that would cost several times the fit.
    outcome, more = probed(stage, outcome, optimizer, bar, target, steps=len(rows))
    return outcome, [*rows, *more]


def in_short(precision: Accuracy) -> Accuracy:
    """With the quartiles and ends of the effective sample sizes in their place: those of millions are of no use."""
    sizes = precision.sizes
    return precision if sizes is None else replace(precision, sizes=np.quantile(sizes, QUARTILES))


def _check_optimizer(optimizer: Optimizer) -> None:
    if isinstance(optimizer, (Scipy, Stochastic)):
        raise ValueError(
            f"{type(optimizer).__name__} needs people in memory. Of a stream take TrustRegion, LBFGSB or BHHH."
        )
    if several() and optimizer.time_limit < float("inf"):
        raise ValueError(
            f"{type(optimizer).__name__}: time_limit is by the clock of one process, and several do not end at the same "
            "step by it. Take max_iterations, or a checkpoint= and end all of them."
        )


def _settings(
    optimizer: Optimizer, penalties: Penalties | None, accuracy: float | None, start: Any, starts: int
) -> Facts:
    """What a fit depends on beside people and model."""
    named = isinstance(start, (Mapping, pd.Series))
    return {
        "optimizer": {"kind": type(optimizer).__name__, **fields(optimizer)},
        "penalties": [] if penalties is None else fact(penalties.applied),
        "accuracy": fact(accuracy),
        "starts": starts,
        "start": fact(dict(start))
        if named
        else fact(start if isinstance(start, str) else type(start).__name__),
    }


class Begun(NamedTuple):
    """Where everybody begins, whether that is near the maximum, and the report where the first chunk was interrupted."""

    params: np.ndarray
    near: bool = False
    ended: OptimizerReport | None = None


class _Alone(NamedTuple):
    """A fit of the first chunk, by itself: where that of everybody begins."""

    optimizer: Optimizer
    bar: Progress
    penalties: Penalties | None

    def begun(self, first: Problem, start: Given[Any]) -> Begun:
        """The estimates from the first chunk alone, unless the start is given."""
        check_nodes(first)
        default, staged = start_values(first, start)
        if not isinstance(start, str):
            return Begun(default)
        # How many nodes it takes shows with everybody.
        how = How(staged, True, 1, None)
        _, outcome, _ = estimated(first, default, how, self.optimizer, self.bar, None, self.penalties)
        report = outcome.report
        if report.verdict is Verdict.INTERRUPTED:
            message = f"{report.message} That was in the fit of the first chunk, with which the others were to begin."
            return Begun(outcome.params, False, replace(report, message=message))
        # So few people may have no maximum, and estimates that run away are no place to begin. Penalties count for a few as
        # for all, so that they hold back the more.
        return Begun(outcome.params, True) if report.verdict.success else Begun(default)
