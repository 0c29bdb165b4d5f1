"""The search as users call it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from iclv_jax._base._alone import refuse_several
from iclv_jax._base._answers import Answers
from iclv_jax._base._arguments import check_seed, check_switch, is_real, is_word
from iclv_jax._base._facts import dict_of
from iclv_jax._base._types import AnyFrame, AnyFrames, File, Given
from iclv_jax._base._workers import Workers, check_workers, executor_of
from iclv_jax._integration._rule import check_count
from iclv_jax._panel._door import as_pandas_frames
from iclv_jax._search._held_out import Measure, Task, evaluate
from iclv_jax._search._methods import CoarseToFine, Grid, Method, Random, best_of, combinations
from iclv_jax._search._optuna import Optuna
from iclv_jax._search._result import Search, collected
from iclv_jax._search._space import Dimension, Settings, read_space
from iclv_jax._search._trial import Trial
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import check_arguments
from iclv_jax._tables import Progress

METHODS = ("random", "grid", "coarse-to-fine", "optuna")
USUAL = 20


def search(
    build: Given[Callable[[Settings], object]],
    space: Given[Mapping[str, object]],
    data: Given[AnyFrames],
    *,
    person: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
    weights: Given[str | Sequence[float] | np.ndarray | pd.Series | None] = None,
    cluster: Given[str | None] = None,
    method: Given[Any] = "random",
    trials: Given[int | None] = None,
    points: Given[int] = 5,
    folds: Given[int] = 5,
    measure: Given[Measure | None] = None,
    prune: Given[bool] = True,
    time_limit: Given[float] = float("inf"),
    seed: Given[int] = 0,
    progress: Given[bool] = True,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> Search:
    """Choose settings of a model, its optimiser or its penalties by what people who were left out say of them.

    For every setting that is tried the model is fitted without each fold of people, from its usual start, and asked about
    those left out. They keep their places with a weight of zero, so that nothing is compiled from fold to fold; levels of
    items and the usual start values are those of all people. Nothing else knows of them.

    Parameters
    ----------
    build
        A function of the settings, a dict, that returns a model, or a dict of a model and further keywords of `model.fit`:
        `lambda s: dict(model=iclv.Model(..., fixed={"power": s["power"]}), optimizer=...)`. A setting that changes a number
        (a `fixed` value, say) compiles nothing anew; one that changes the shape of the model does, once for each shape.
    space
        What is varied, by name: a list of values; `(low, high)`; `(low, high, "log")` for a number that is searched on the
        scale of its logarithm. Ranges between whole numbers hold whole numbers.
    data, person, people, weights, cluster
        As of `model.fit`. With `cluster` whole clusters are left out.
    method
        `"random"`: independent draws. `"grid"`: every combination, ranges at so many `points`. `"coarse-to-fine"`: such a
        grid, then one between the neighbours of the best trial, and so on. `"optuna"`, or a sampler of Optuna: each trial
        learns from those before it; this needs the extra `search`, the others do without.
    trials
        How many settings; None: 20, or the whole grid.
    points
        Of a range on a grid.
    folds, seed
        Folds of people and the seed of their assignment, the same for every trial; the seed is also that of the settings
        drawn.
    measure
        What counts: the log-likelihood of the `"choices"` (nothing known but columns; the usual one with a choice), of the
        `"choices given items"`, or `"joint"`, of items and choices together; per choice, or per person without a choice.
    prune
        Whether a trial stops when after some folds it is below the median of the complete trials after as many; from the
        fifth trial on.
    time_limit
        Seconds; the trial that passes it is the last.
    progress
        Whether to show a progress bar.
    workers, resume
        As of `fit.uncertainty.bootstrap`: who fits the folds of a trial, and a file to which every fold is added, that an
        interrupted search goes on from. Trials and values do not depend on them.

    Returns
    -------
    Search
        The trials with settings, values, times and states; `.best`, the settings to fit with; prints as a table.

    Raises
    ------
    ValueError
        For a space, method or measure that cannot be; for what `build` returns when it is no model; and when no trial has a
        value. A trial whose data or fit raises ValueError has failed and is listed with the message.
    ImportError
        For `"optuna"` where it is not installed.

    Notes
    -----
    The value of the best of many trials flatters it: report that of people in no fold, or repeat the search with other
    seeds. Differences below their standard error (`se` in the table) choose by luck.

    Examples
    --------
    >>> def build(settings):
    ...     return {"model": logit, "penalties": {"age_bus": iclv.L2(settings["strength"])}}
    >>> found = iclv.search(build, {"strength": [0.1, 10.0]}, df, method="grid", folds=2)
    >>> len(found.trials)
    2
    """
    refuse_several("search")
    check_seed(seed)
    check_workers(workers)
    dimensions = read_space(space)
    _check_build(build)
    if measure is not None and not is_word(measure, get_args(Measure)):
        known = get_args(Measure)
        raise ValueError(f"measure= is one of {', '.join(map(repr, known))}, not {measure!r}.")
    _check_course(prune, progress, time_limit)
    for name, value in (("points", points), ("folds", folds)):
        check_count(value, name)
    frames, of_people = as_pandas_frames(data), as_pandas_frames(people, "people")
    most = _most(trials, method, dimensions, points)
    proposer = _method(method, dimensions, points, seed)
    who = {"person": person, "people": of_people, "weights": weights, "cluster": cluster}
    task = Task(build, frames, who, folds, seed, measure, prune)
    about = {"answers": "search", "folds": folds, "seed": seed, "measure": measure}
    known = Answers(resume, dict_of(about))
    with executor_of(workers) as executor:
        found = _run(task, proposer, most, time_limit, progress, executor, known)
    if best_of(found) is None:
        raise ValueError(f"None of the {len(found)} trials has a value. The first: {found[0].note}")
    return collected(found, dimensions, measure, folds, seed)


def _check_build(build: Given[Callable[[Settings], object]]) -> None:
    if not callable(build):
        raise ValueError(f"build= is a function of the settings, not {build!r}.")
    check_arguments(build, ("settings",), "build=")


def _check_course(prune: Given[bool], progress: Given[bool], time_limit: Given[float]) -> None:
    check_switch(prune, "prune")
    check_switch(progress, "progress")
    if not (is_real(time_limit) and time_limit > 0.0):
        raise ValueError(f"time_limit= is a positive number of seconds, not {time_limit!r}.")


def _run(
    task: Task,
    proposer: Method,
    most: int,
    time_limit: float,
    progress: bool,
    workers: Workers,
    known: Answers,
) -> list[Trial]:
    found: list[Trial] = []
    begin = time.perf_counter()
    with Progress(progress) as bar:
        while len(found) < most and (not found or time.perf_counter() - begin < time_limit):
            settings = proposer.ask()
            if settings is None:
                break
            trial = evaluate(task, settings, found, workers, known)
            found.append(trial)
            proposer.tell(trial)
            best = best_of(found)
            bar.say(
                f"trial {len(found)} of {most}: {trial.value:.4f}, best {best.value if best else np.nan:.4f}"
            )
    return found


def _most(
    trials: Given[int | None], method: Given[Any], space: Given[Mapping[str, Dimension]], points: Given[int]
) -> int:
    if trials is not None:
        check_count(trials, "trials")
    size = len(combinations(space, points)) if is_word(method, ("grid",)) else 0
    if trials is not None and size > trials:
        raise ValueError(
            f"The grid has {size} combinations, more than trials={trials}. Leave trials= out, take fewer points=, or "
            "method='random'."
        )
    return trials or size or USUAL


def _method(
    method: Given[Any], space: Given[Mapping[str, Dimension]], points: Given[int], seed: Given[int]
) -> Method:
    word = method if isinstance(method, str) else None  # an array would be compared entry by entry
    if word == "random":
        return Random(space, seed)
    if word == "grid":
        return Grid(space, points)
    if word == "coarse-to-fine":
        return CoarseToFine(space, points)
    if word == "optuna":
        return Optuna(space, seed)
    if hasattr(method, "sample_relative"):
        return Optuna(space, seed, method)
    known = ", ".join(map(repr, METHODS))
    raise ValueError(
        f"method= is one of {known}, or a sampler of Optuna, not {method!r}. {nearest(str(method), METHODS)}"
    )
