"""From data to estimates in a straight line."""

import sys
import warnings
from collections.abc import Mapping
from types import FrameType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._fit._result import Fit
from iclv_jax._inference._estimated import has
from iclv_jax._integration import Rule
from iclv_jax._optimise import (
    Checkpoint,
    Optimizer,
    TrustRegion,
    check_suited,
    joint_stage,
    refine,
    sequential_start,
    stopped,
)
from iclv_jax._optimise._driver import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._panel import WeightsAre
from iclv_jax._parameters._penalties import Penalties, resolve
from iclv_jax._problem import Problem, bind
from iclv_jax._problem._accuracy import Accuracy, accuracy
from iclv_jax._problem._fingerprint import fingerprints
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
    optimizer: Given[Optimizer | None] = None,
    penalties: Given[Any] = None,
    start: Given[Any] = "sequential",
    progress: Given[bool] = True,
    checkpoint: Given[Any] = None,
    memory: Given[str | float] = "2GB",
    weights_are: Given[WeightsAre] = "sampling",
) -> Fit:
    """Bind, start, maximise with every stage of the rule of integration."""
    optimizer = checked_optimizer(optimizer)
    problem = bind(
        spec,
        data,
        person=person,
        people=people,
        weights=weights,
        cluster=cluster,
        integration=integration,
        memory=memory,
        weights_are=weights_are,
    )
    applied = checked_penalties(problem, penalties, optimizer)
    first, staged = checked_start(problem, start)
    file = None
    if checkpoint is not None:
        file = Checkpoint(checkpoint, fingerprints(problem, optimizer, first, staged, applied))
    with Progress(progress) as bar:
        first, outcome, steps = _maximised(problem, first, staged, optimizer, bar, file, applied)
    problem, params = outcome.objective.problem, outcome.params
    precision, known = checked_accuracy(problem, params), outcome.objective.known.get(params.tobytes())
    return Fit(problem, params, outcome.report, first, precision, steps, known, applied)


def _maximised(
    problem: Problem,
    first: np.ndarray,
    staged: bool,
    optimizer: Optimizer,
    bar: Progress,
    file: Checkpoint | None,
    applied: Penalties | None,
) -> tuple[np.ndarray, Outcome, tuple[Row, ...]]:
    """Where the last stage begins, where the fit ends, and all steps; nothing is begun after an interrupt."""
    rows: list[Row] = []
    ended = None
    if staged:
        first, rows, ended = sequential_start(problem, jnp.asarray(first), bar, file, applied)
    last, first = joint_stage(problem), np.asarray(first)
    if ended is not None:
        return first, stopped(last, first, ended, None, applied), tuple(rows)
    outcome, more = refine(last, first, optimizer, bar, file, applied)
    return first, outcome, (*rows, *more)


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
    _check_nodes(problem)
    first, staged = start_values(problem, start)
    problem.recentre(jnp.asarray(first)).check_start(jnp.asarray(first))
    return first, staged


def _inside(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in INSIDE or frame.f_code.co_filename.startswith("<")


def checked_accuracy(problem: Problem, params: np.ndarray) -> Accuracy:
    """The accuracy of the integral at the estimates, with a warning where it is too low for use."""
    precision = accuracy(problem, jnp.asarray(params))
    if few := precision.warning():
        # At the line of the user: past those of the package, and of what wraps them.
        frame, level = sys._getframe(), 1
        while frame.f_back is not None and _inside(frame):
            frame, level = frame.f_back, level + 1
        warnings.warn(few, UserWarning, stacklevel=level)
    return precision


def _check_nodes(problem: Problem) -> None:
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

    `start` is `"sequential"`, `"default"`, a mapping of some or all names, or an earlier fit.
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
