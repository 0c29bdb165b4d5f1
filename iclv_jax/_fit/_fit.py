"""From data to estimates in a straight line."""

import datetime
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from types import FrameType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._base._version import __version__
from iclv_jax._fit._many_starts import check_starts, from_many
from iclv_jax._fit._result import Fit
from iclv_jax._fit._start_files import Start
from iclv_jax._inference._estimated import has
from iclv_jax._integration import Rule
from iclv_jax._likelihood import Devices
from iclv_jax._optimise import (
    Checkpoint,
    Optimizer,
    OptimizerReport,
    Outcome,
    Stochastic,
    TrustRegion,
    against_plain,
    check_suited,
    joint_stage,
    maximise,
    plain_start,
    probed,
    sequential_start,
    stopped,
    unit_start,
)
from iclv_jax._panel import WeightsAre
from iclv_jax._parameters._penalties import Penalties, resolve
from iclv_jax._problem import Problem, bind
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._accuracy import accuracy as accuracy_at
from iclv_jax._problem._fingerprint import fingerprints
from iclv_jax._problem._sums import Sums
from iclv_jax._problem._target import ACCURACY, check_accuracy
from iclv_jax._spec import expand
from iclv_jax._spec._model import Spec
from iclv_jax._tables import Progress

INSIDE = ("iclv_jax", "contextlib", "jaxtyping", "beartype")
"""Packages whose lines are not the user's."""


@one_thread
def fit(
    spec: Given[Spec],
    data: Given[Any],
    *,
    person: Given[str | None] = None,
    people: Given[Any] = None,
    weights: Given[Any] = None,
    cluster: Given[str | None] = None,
    integration: Given[Rule | None] = None,
    accuracy: Given[float | None] = ACCURACY,
    optimizer: Given[Optimizer | None] = None,
    penalties: Given[Any] = None,
    start: Given[Any] = "sequential",
    starts: Given[int] = 1,
    progress: Given[bool] = True,
    checkpoint: Given[Any] = None,
    memory: Given[str | float] = "2GB",
    weights_are: Given[WeightsAre] = "sampling",
    devices: Given[Devices] = None,
) -> Fit:
    """Bind, start, maximise with every stage of the rule of integration."""
    begin = time.perf_counter()
    optimizer = checked_optimizer(optimizer)
    check_accuracy(accuracy)
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
    applied = checked_penalties(problem, penalties, optimizer)
    check_starts(starts, optimizer, applied)
    first, staged = checked_start(problem, start)
    file = checkpoint_of(checkpoint, problem, optimizer, first, staged, applied)
    with Progress(progress) as bar:
        how = How(staged, isinstance(start, str), starts, accuracy if integration is None else None)
        first, outcome, steps = estimated(problem, first, how, optimizer, bar, file, applied)
    problem, params, known = outcome.objective.problem, outcome.params, outcome.objective.known
    precision = checked_accuracy(problem, params, outcome.precision, accuracy)
    known = known.get(params.tobytes())
    report = timed(outcome.report, begin)
    return Fit(problem, params, report, np.asarray(first), precision, steps, known, applied)


def timed(report: OptimizerReport, begin: float) -> OptimizerReport:
    """The report with how long the fit took, and when it ended."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return replace(report, waited=time.perf_counter() - begin, finished=now, version=__version__)


def checkpoint_of(
    file: Any,
    problem: Problem,
    optimizer: Optimizer,
    first: np.ndarray,
    staged: object,
    penalties: Penalties | None = None,
) -> Checkpoint | None:
    """The file that keeps the state of a fit, with all that the fit depends on; None where there is none."""
    if file is None:
        return None
    return Checkpoint(file, fingerprints(problem, optimizer, first, staged, penalties))


class How(NamedTuple):
    """Whether in stages, whether from a start of ours, how often, and the error of log L to be reached."""

    staged: bool
    default: bool
    starts: int
    target: float | None


def estimated(
    problem: Problem,
    first: np.ndarray,
    how: How,
    optimizer: Optimizer,
    bar: Progress,
    file: Checkpoint | None,
    penalties: Penalties | None,
) -> tuple[np.ndarray, Outcome, tuple[dict[str, Any], ...]]:
    """Where the joint stage started, where it ended, and every step."""
    staged, default, starts, target = how
    rows: list[dict[str, Any]] = []
    plain = plain_start(problem, first, bar) if staged else None
    if plain is not None:
        first, rows = plain.start, list(plain.rows)
    searched, ended = None, plain and plain.ended
    if ended is None and default and penalties is None and not isinstance(optimizer, Stochastic):
        searched = unit_start(problem, first, staged, optimizer, bar, file)
    if searched is not None:
        first = first if searched.maximum else searched.params
        ended = searched.ended
        rows += searched.rows
    elif ended is None and staged:
        first, stepped, ended = sequential_start(problem, jnp.asarray(first), bar, file, penalties)
        rows += stepped
    if ended is not None:
        return first, stopped(joint_stage(problem), np.asarray(first), ended, None, penalties), tuple(rows)
    if searched is not None and searched.maximum is not None:
        outcome, more = searched.maximum, []
    else:
        outcome, more = maximise(
            joint_stage(problem), np.asarray(first), optimizer, bar, file, penalties, target
        )
    if starts == 1:
        outcome, looked = probed(joint_stage(problem), outcome, optimizer, bar, target)
        more += looked
    outcome = outcome if plain is None else against_plain(plain, outcome)
    return first, *from_many(problem, outcome, (*rows, *more), starts, optimizer, bar)


def checked_penalties(problem: Problem, penalties: Any, optimizer: Optimizer) -> Penalties | None:
    """Penalties by parameter, that the optimiser can take."""
    standing = {row.name: row.standing for row in problem.table.rows if row.status != "free"}
    applied = resolve(penalties, problem.names, standing)
    check_suited(optimizer, problem, applied)
    return applied


def checked_optimizer(optimizer: Given[Optimizer | None]) -> Optimizer:
    """The optimiser that was asked for, or the usual one."""
    optimizer = TrustRegion() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer= is an optimiser such as iclv.TrustRegion(), not {optimizer!r}.")
    return optimizer


def checked_start(problem: Problem, start: Any) -> tuple[np.ndarray, bool]:
    """`start_values` at which the log-likelihood is finite, of a problem that can be maximised."""
    check_nodes(problem)
    first, staged = start_values(problem, start)
    problem.coarse.recentre(jnp.asarray(first)).check_start(jnp.asarray(first))
    return first, staged


def _inside(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in INSIDE or frame.f_code.co_filename.startswith("<")


def checked_accuracy(
    problem: Sums, params: np.ndarray, known: Accuracy | None = None, target: float | None = ACCURACY
) -> Accuracy:
    """The accuracy of the integral at the estimates, with a warning where it is too low for use."""
    precision = replace(known or accuracy_at(problem, jnp.asarray(params)), target=target)
    if few := precision.warning():
        warnings.warn(few, UserWarning, stacklevel=_users_line(sys._getframe()))
    return precision


def _users_line(frame: FrameType) -> int:
    """How far above `frame` the line of the user is: past those of the package, and of what wraps them."""
    level = 1
    while frame.f_back is not None and _inside(frame):
        frame, level = frame.f_back, level + 1
    return level


def check_nodes(problem: Problem) -> None:
    """Refuse one node at each person's posterior: held in place, it does not see how the posterior's width changes."""
    shape = problem.core.structure
    if shape.dimension and problem.rule.centred and problem.core.people.node_count == 1:
        raise ValueError(
            f"{problem.rule!r} has one node per person, which gives values of the log-likelihood but cannot be "
            "maximised: held in place, it does not see how the width of the posterior changes with the parameters. "
            "For a quick fit take iclv.Adaptive(10, final_draws=10); for values, "
            "model.bind(..., integration=...).recentre(params).loglike(params)."
        )


def start_values(problem: Problem, start: Any) -> tuple[np.ndarray, bool]:
    """Start values, and whether the stages of a sequential start are to follow.

    `start` is `"sequential"`, `"default"`, a mapping of some or all names, an earlier fit, or what `read_start` has read.
    """
    if not problem.names:
        raise ValueError(
            "The model has no free parameter, so there is nothing to estimate. Free one, or evaluate "
            "model.bind(...).loglike."
        )
    values, staged = _chosen_start(problem, start)
    problem.table.check_domain(values)
    return values, staged


def _chosen_start(problem: Problem, start: Any) -> tuple[np.ndarray, bool]:
    default = np.asarray(problem.start())
    if isinstance(start, str):
        if start not in ("sequential", "default"):
            raise ValueError(
                f"start= is 'sequential', 'default', a mapping of names to values, or a fit, not {start!r}."
            )
        return default, start == "sequential"
    if isinstance(start, Start):
        values, said = start.for_names(problem.names)
        if said:
            warnings.warn(said, UserWarning, stacklevel=_users_line(sys._getframe()))
        return _named_start(problem, values, default), False
    if has(start, "covariance") and has(start, "params"):
        known = dict(start.params)
        return np.array([known.get(n, d) for n, d in zip(problem.names, default, strict=True)]), False
    if not isinstance(start, (Mapping, pd.Series)):
        raise ValueError(
            f"start= is 'sequential', 'default', a mapping of names to values, or a fit, not {start!r}."
        )
    return _named_start(problem, dict(start), default), False


def _named_start(problem: Problem, given: dict[str, Any], default: np.ndarray) -> np.ndarray:
    values = dict(zip(problem.names, default, strict=True))
    lower, upper = problem.bounds
    for name, value in expand(problem.spec.modules, given.items(), "start").items():
        values[name] = problem.table.check_start(name, value)
    return np.clip(np.array(list(values.values())), lower, upper)
