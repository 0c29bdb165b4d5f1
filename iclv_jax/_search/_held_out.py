"""The value of one trial: fits without each fold, and what they say of the people left out."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._archive import digest
from iclv_jax._base._facts import dict_of
from iclv_jax._base._types import Given
from iclv_jax._base._workers import Workers, do_all
from iclv_jax._inference._cross_validation import draw_folds, parts
from iclv_jax._model import Model
from iclv_jax._problem import Problem
from iclv_jax._problem._fingerprint import of_data, of_model, of_rule
from iclv_jax._search._space import Settings
from iclv_jax._search._trial import Fold, State, Trial

Measure = Literal["choices", "choices given items", "joint"]
OURS = ("data", "person", "people", "weights", "cluster", "progress", "checkpoint")
"""Keywords of `Model.fit` that are the search's own."""
FEWEST = 4
"""Complete trials before any is pruned: a median of fewer says little."""


@dataclass(frozen=True)
class Task:
    """What every trial has in common; `who` are the keywords person, people, weights and cluster."""

    build: Callable[[Settings], object]
    data: pd.DataFrame
    who: Mapping[str, Any]
    folds: int
    seed: int
    measure: Measure | None
    prune: bool


def evaluate(
    task: Task,
    settings: Settings,
    earlier: Sequence[Trial],
    workers: Given[Workers] = None,
    known: Answers | None = None,
) -> Trial:
    """Fit without one fold after the other, as long as the trial is no worse than the median of the complete ones; with
    workers without all folds at once, of which those are left out that this process would not have come to."""
    begin, keywords = time.perf_counter(), _built(task.build, settings)
    model: Model = keywords.pop("model")
    folds: list[Fold] = []

    def ended(state: State, note: str = "") -> Trial:
        return Trial(settings, tuple(folds), state, time.perf_counter() - begin, note)

    try:
        for k, fold in enumerate(_folds(task, model, keywords, settings, workers, known)):
            folds.append(fold)
            if not np.isfinite(ended("failed").value):
                return ended("failed", f"the log-likelihood of those in fold {k + 1} is not finite")
            if task.prune and k + 1 < task.folds and _worse(ended("pruned"), earlier):
                return ended("pruned")
    except ValueError as error:
        return ended("failed", str(error))
    return ended("complete")


class Part(NamedTuple):
    """One fold of one trial: the people left out, the weights of all, and what counts."""

    settings: Settings
    out: np.ndarray
    weights: np.ndarray
    measure: Measure


def _folds(
    task: Task,
    model: Model,
    keywords: Mapping[str, Any],
    settings: Settings,
    workers: Given[Workers],
    known: Answers | None,
) -> Iterator[Fold]:
    """What fits without each fold say of those in it. ValueError for the first of them that cannot be fitted."""
    problem = model.bind(task.data, **task.who)
    measure = task.measure or ("choices" if problem.spec.choices else "joint")
    _check_measure(measure, problem)
    place, weights = draw_folds(problem, task.folds, task.seed), problem.panel.weights
    known = Answers() if known is None else known
    about = _about(problem, keywords) if known.path else repr(settings)
    parts = {
        f"fold {k + 1} of the trial {about}": Part(settings, place == k, weights, measure)
        for k in range(task.folds)
    }
    if workers is not None:
        do_all(hold_out, task, parts, workers, known, "What build= is")
    for name, part in parts.items():
        found = do_all(hold_out, task, {name: part}, None, known)[name]
        if error := str(found["error"]):
            raise ValueError(error)
        yield Fold(found["loglike"], float(found["count"]), bool(found["converged"]))


def _about(problem: Problem, keywords: Mapping[str, Any]) -> str:
    """What a fold depends on, for the file of answers."""
    of = of_model(problem), of_data(problem), of_rule(problem.rule), dict_of(keywords)
    return digest(json.dumps(of))


def hold_out(task: Task, part: Part) -> Answer:
    """A fold, or in words why there is none."""
    try:
        keywords = _built(task.build, part.settings)
        model: Model = keywords.pop("model")
        found = _fold(task, model, keywords, part.weights, part.out, part.measure)
    except ValueError as error:
        return {"error": np.asarray(str(error))}
    return {key: np.asarray(value) for key, value in (found._asdict() | {"error": ""}).items()}


def _built(build: Callable[[Settings], object], settings: Settings) -> dict[str, Any]:
    """What the user's function returns, checked as far as it can be without fitting."""
    found = build(dict(settings))
    if isinstance(found, Model):
        return {"model": found}
    if not isinstance(found, Mapping) or not isinstance(found.get("model"), Model):
        raise ValueError(
            "build(settings) returns a dict with a model and keywords of model.fit, such as dict(model=iclv.Model(...), "
            f"optimizer=...), not {found!r}."
        )
    if taken := [name for name in found if name in OURS]:
        raise ValueError(
            f"build(settings) returns {', '.join(map(repr, taken))}, which the search sets itself. Give data, person, "
            "people, weights and cluster to search(...)."
        )
    return dict(found)


def _check_measure(measure: Measure, problem: Problem) -> None:
    spec = problem.spec
    if measure != "joint" and not spec.choices:
        raise ValueError(f"measure={measure!r} needs a model with a choice; take 'joint'.")
    if measure == "choices given items" and not spec.indicators:
        raise ValueError("measure='choices given items' needs a model with items; take 'choices'.")


def _fold(
    task: Task,
    model: Model,
    keywords: Mapping[str, Any],
    weights: np.ndarray,
    out: np.ndarray,
    measure: Measure,
) -> Fold:
    # Those left out keep their places with a weight of zero, so that all folds are of one shape and compile once.
    given = dict(task.who) | {"weights": np.where(out, 0.0, weights)}
    given.pop("cluster", None)
    fit = model.fit(task.data, **given, progress=False, **keywords)
    found = parts(fit.problem, fit.estimates)
    each = {"joint": found.joint, "choices": found.choices, "choices given items": found.joint - found.items}
    counted = out & (weights > 0.0)
    happened = fit.problem.panel.person_situations
    per = happened if fit.problem.spec.choices else np.ones(len(out))
    count = float(weights[counted] @ per[counted])
    if count == 0.0:
        raise ValueError("A fold has nobody with a weight and a choice. Take fewer folds.")
    return Fold(np.where(counted, weights * each[measure], 0.0), count, fit.converged)


def _worse(trial: Trial, earlier: Sequence[Trial]) -> bool:
    """The median rule (Golovin et al. 2017): whether the trial is below the median of complete ones after as many folds."""
    done = len(trial.folds)
    others = [t.running[done - 1] for t in earlier if t.state == "complete"]
    return len(others) >= FEWEST and bool(trial.value < np.median(others))
