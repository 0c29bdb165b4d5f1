"""Maximum likelihood with people in chunks."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._fit._fit import checked_optimizer, start_values
from iclv_jax._integration import Rule
from iclv_jax._optimise import Optimizer, Scipy, Stochastic, joint_stage, maximise, sequential_start
from iclv_jax._optimise._driver import minimise
from iclv_jax._panel import WeightsAre
from iclv_jax._problem._memory import MEMORY, parse_memory
from iclv_jax._problem._target import ACCURACY, check_accuracy
from iclv_jax._spec._model import Spec
from iclv_jax._stream._objective import StreamedLikelihood
from iclv_jax._stream._passes import first_pass, second_pass
from iclv_jax._stream._problem import StreamedProblem
from iclv_jax._stream._result import StreamedFit
from iclv_jax._stream._source import People
from iclv_jax._tables import Progress

IN_MEMORY = {
    "person": None,
    "people": None,
    "weights": None,
    "cluster": None,
    "levels": None,
    "batch_people": None,
    "penalties": None,
    "starts": 1,
    "checkpoint": None,
    "devices": None,
}
"""Keywords that hold for people in memory alone, with their defaults."""
OF_STREAM = ("person", "weights", "cluster")


def bind_people(spec: Spec, people: People, keywords: Mapping[str, Any]) -> Any:
    """`bind` of people in chunks; ValueError for keywords that they do not have."""
    return bind_streamed(spec, people, **_allowed(keywords))


def fit_people(spec: Spec, people: People, keywords: Mapping[str, Any]) -> Any:
    """`fit` of people in chunks; ValueError for keywords that they do not have."""
    return fit_streamed(spec, people, **_allowed(keywords))


def _allowed(keywords: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in keywords.items():
        if name in IN_MEMORY and value is not IN_MEMORY[name] and value != IN_MEMORY[name]:
            instead = "Give it to iclv.People.stream." if name in OF_STREAM else "Leave it out."
            raise ValueError(f"{name}= is not for a stream of people. {instead}")
    return {name: value for name, value in keywords.items() if name not in IN_MEMORY}


def bind_streamed(
    spec: Spec,
    people: People,
    integration: Given[Rule | None] = None,
    memory: Given[str | float] = MEMORY,
    weights_are: Given[WeightsAre] = "sampling",
) -> StreamedProblem:
    """Two passes over the stream."""
    if integration is not None and not isinstance(integration, Rule):
        raise ValueError(
            f"integration= is a rule such as iclv.GaussHermite(15) or iclv.MonteCarlo(500), not {integration!r}."
        )
    bytes_allowed, known = parse_memory(memory), first_pass(spec, people)
    passed = second_pass(known, people, integration, bytes_allowed, weights_are)
    return StreamedProblem(people, passed).integrate(passed.first.rule)


@one_thread
def fit_streamed(
    spec: Spec,
    people: People,
    *,
    integration: Given[Rule | None] = None,
    accuracy: Given[float | None] = ACCURACY,
    optimizer: Given[Optimizer | None] = None,
    start: Given[Any] = "sequential",
    progress: Given[bool] = True,
    memory: Given[str | float] = MEMORY,
    weights_are: Given[WeightsAre] = "sampling",
) -> StreamedFit:
    """The first chunk by itself, then everybody from there."""
    optimizer = checked_optimizer(optimizer)
    if isinstance(optimizer, (Scipy, Stochastic)):
        raise ValueError(
            f"{type(optimizer).__name__} needs people in memory. Of a stream take TrustRegion, LBFGSB or BHHH."
        )
    check_accuracy(accuracy)
    problem = bind_streamed(spec, people, integration, memory, weights_are)
    target = accuracy if integration is None else None
    rows: list[Mapping[str, Any]] = []
    with Progress(progress) as bar:
        begun, rule = _begun(problem, start, optimizer, target, bar)
        problem = problem.integrate(rule)
        problem.recentre(begun).check_start(begun)
        objective = StreamedLikelihood(problem)
        outcome = minimise(optimizer, objective, jnp.asarray(begun), rows.append)
    return StreamedFit(outcome.objective.problem, outcome.params, outcome.report, tuple(rows))


def _begun(
    problem: StreamedProblem, start: Given[Any], optimizer: Optimizer, target: float | None, bar: Progress
) -> tuple[np.ndarray, Rule]:
    """Where to begin, and the rule that is accurate enough: the estimates from the first chunk alone, unless the start is
    given."""
    first = problem.first
    begun, staged = start_values(first, start)
    default = begun
    if not isinstance(start, str):
        return begun, first.rule.stages()[-1]
    if staged:
        begun, _, ended = sequential_start(first, jnp.asarray(begun), bar, None, None)
        if ended is not None:
            return default, first.rule.stages()[-1]
    # Errors of a rule add up over chunks, so that the first may have its share of them.
    share = problem.passed.first.panel.weights.sum() / problem.passed.weight
    aim = None if target is None else float(target * share)
    outcome, _ = maximise(joint_stage(first), np.asarray(begun), optimizer, bar, None, None, aim)
    found = outcome.report.verdict.success
    # So few people may have no maximum, and estimates that run away are no place to begin.
    return outcome.params if found else default, outcome.objective.problem.rule
