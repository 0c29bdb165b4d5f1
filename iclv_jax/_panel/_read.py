"""From data frames to padded arrays per person: the only way in."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._panel._choices import Choices, read_choices
from iclv_jax._panel._covariates import Moments, read_covariates
from iclv_jax._panel._frame import Frame, check_name, identifiers, read_frame
from iclv_jax._panel._items import read_items
from iclv_jax._panel._numbers import complete, counted, numbers
from iclv_jax._panel._person import Person
from iclv_jax._parameters import Stack
from iclv_jax._parameters._declare import stacks
from iclv_jax._spec import Level
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import all_terms


@dataclass(frozen=True, eq=False)
class Panel:
    """Checked data of all people. Compared by identity: its arrays have no single truth value.

    Attributes
    ----------
    people
        Identifiers, in the order of every array's first axis.
    person
        Arrays of the kernel with a leading axis over people.
    weights
        One per person.
    levels
        Levels of the items, () for continuous ones, and of nominal covariates.
    rows
        (people, situations): position of the data's row of every situation, -1 where padded.
    clusters
        Cluster of each person as integers, None when there are none.
    notes
        What was left out, in words.
    moments
        Centre and unit of each standardised covariate, over people.
    frame
        The user's frames, by which results are labelled.
    covariates
        Names of the covariates, in the order of their array.
    weighted_by
        The column that `weights` was given as, None for numbers.
    """

    people: tuple[Hashable, ...]
    person: Person
    weights: np.ndarray
    levels: Mapping[str, tuple[Level, ...]]
    rows: np.ndarray
    clusters: np.ndarray | None
    notes: tuple[str, ...]
    moments: Moments
    frame: Frame
    covariates: tuple[str, ...] = ()
    weighted_by: str | None = None

    @property
    def situations(self) -> int:
        return int(self.person.occurs.sum())


def read_panel(
    spec: Given[Spec],
    data: Given[Any],
    person: Given[str | None] = None,
    people: Given[Any] = None,
    weights: Given[Any] = None,
    cluster: Given[str | None] = None,
    levels: Given[Mapping[str, tuple[Level, ...]] | None] = None,
    outcomes: Given[Collection[str]] = ("items", "choices"),
    estimating: Given[bool] = True,
) -> Panel:
    """Check the data against the model and arrange them.

    `outcomes` are what is read of `"items"` and (chosen) `"choices"`: neither for the design of a simulation. Where
    the chosen alternatives are not read every row is a situation. Data that are not for `estimating` may
    hold constants and items that nobody answered.
    Raises ValueError for every kind of bad input, naming column, row or person.
    """
    frame = read_frame(data, person, people)
    covariates, nominal, moments = read_covariates(spec, frame, levels, estimating)
    items = spec.indicators if "items" in outcomes else ()
    of_items = None if levels is None else {n: v for n, v in levels.items() if n not in nominal}
    found, values = read_items(items, frame, of_items, estimating)
    choices = None if spec.choice is None else read_choices(spec.choice, frame, "choices" in outcomes)
    rows = _situations(frame, choices)
    arrays = _arrange(stacks(spec) if items else (), covariates, values, choices, rows)
    if outcomes and estimating:
        _check_everyone_counts(frame, arrays)
    return Panel(
        people=frame.people,
        person=arrays,
        weights=_read_weights(weights, frame),
        levels=found | nominal,
        rows=rows,
        clusters=_read_clusters(cluster, frame),
        notes=_notes(frame, choices),
        moments=moments,
        frame=frame,
        covariates=all_terms(spec.covariates, nominal),
        weighted_by=weights if isinstance(weights, str) else None,
    )


def _situations(frame: Frame, choices: Choices | None) -> np.ndarray:
    """(people, situations) positions of rows with a choice, -1 where there is none."""
    if choices is None:
        return np.full((len(frame.people), 1), -1)
    happened = np.flatnonzero(choices.chosen >= 0)
    owner = frame.codes[happened]
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(frame.people))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rows = np.full((len(frame.people), int(counts.max())), -1)
    rows[owner[order], np.arange(len(order)) - starts[owner[order]]] = happened[order]
    return rows


def _arrange(
    groups: Sequence[Stack],
    covariates: np.ndarray,
    values: Mapping[str, np.ndarray],
    choices: Choices | None,
    rows: np.ndarray,
) -> Person:
    occurs = rows >= 0
    stacked = [np.stack([values[q] for q in stack.items], axis=1) for stack in groups]
    observed = tuple(~np.isnan(block) for block in stacked)
    whole = tuple(_stand_in(b, o, s) for b, o, s in zip(stacked, observed, groups, strict=True))
    if choices is None:
        empty = np.zeros((*rows.shape, 0))
        return Person(
            covariates, whole, observed, empty, np.zeros(rows.shape, int), empty.astype(bool), occurs
        )
    # Padding repeats the person's last real row, or any real row for a person without choices.
    count = occurs.sum(axis=1)
    last = np.where(count > 0, rows[np.arange(len(rows)), np.maximum(count - 1, 0)], rows[occurs][0])
    take = np.where(occurs, rows, last[:, None])
    chosen = choices.chosen[take]
    return Person(covariates, whole, observed, choices.columns[take], chosen, choices.available[take], occurs)


def _stand_in(values: np.ndarray, observed: np.ndarray, stack: Stack) -> np.ndarray:
    """Missing answers replaced by a value that occurs; the mask keeps them out of the likelihood."""
    pairs = zip(values.T, observed.T, strict=True)
    valid = np.array([column[seen][0] if seen.any() else 0.0 for column, seen in pairs])
    filled = np.where(observed, values, valid)
    return filled.astype(int) if stack.family.discrete else filled


def _check_everyone_counts(frame: Frame, arrays: Person) -> None:
    answered = np.any([o.any(axis=1) for o in arrays.observed] or [np.zeros(len(frame.people), bool)], axis=0)
    idle = ~answered & ~arrays.occurs.any(axis=1)
    if idle.any():
        shown = ", ".join(repr(frame.people[i]) for i in np.flatnonzero(idle)[:5])
        raise ValueError(
            f"{counted(int(idle.sum()), 'person')} without an observed item and without a choice: {shown}"
            + (", ..." if idle.sum() > 5 else "")
            + ". They say nothing about the model; drop them."
        )


def _read_weights(weights: Any, frame: Frame) -> np.ndarray:
    if weights is None:
        return np.ones(len(frame.people))
    named = isinstance(weights, str)
    series = frame.people_of(weights, "weights=", everyone=True) if named else _given_weights(weights, frame)
    name = weights if named else "weights"
    values = numbers(series, name, "weights=", frame.people, "person")
    complete(values, name, "weights=", frame.people, "person")
    if (values < 0.0).any():
        at = int(np.argmax(values < 0.0))
        raise ValueError(
            f"weights=: person {frame.people[at]!r} has the negative weight {values[at]:g}. Weights are 0 or "
            "more."
        )
    if not (values > 0.0).any():
        raise ValueError("weights=: every person has weight zero. Give a positive weight to some.")
    return values


def _given_weights(weights: Any, frame: Frame) -> pd.Series:
    """Weights by position, or those of a Series by person where its index holds the people."""
    count, values = len(frame.people), np.asarray(weights)
    if values.shape != (count,):
        found = f"{len(values)} values" if values.ndim == 1 else f"the shape {values.shape}"
        raise ValueError(
            f"weights= has {found} for {counted(count, 'person')}. Give one number per person, or the name "
            "of a column."
        )
    if not isinstance(weights, pd.Series):
        return pd.Series(values)
    if set(weights.index) == set(frame.people):
        return weights.reindex(identifiers(frame.people))
    if not isinstance(weights.index, pd.RangeIndex):
        raise ValueError(
            "weights= is a Series whose index does not hold the people: it has "
            f"{weights.index.tolist()[0]!r}, the data have {frame.people[0]!r}. Give it their identifiers, "
            "or weights.to_numpy() for weights in their order."
        )
    return weights


def _read_clusters(cluster: str | None, frame: Frame) -> np.ndarray | None:
    if cluster is None:
        return None
    check_name(cluster, "cluster=")
    codes, _ = pd.factorize(frame.people_of(cluster, "cluster=", everyone=True))
    if (codes < 0).any():
        raise ValueError(
            f"cluster=: column {cluster!r} is missing (NaN) for person "
            f"{frame.people[int(np.argmax(codes < 0))]!r}. Give everyone a cluster."
        )
    return codes


def _notes(frame: Frame, choices: Choices | None) -> tuple[str, ...]:
    notes = []
    idle = 0 if choices is None else int((choices.chosen < 0).sum())
    if choices is not None and idle:
        notes.append(
            f"{idle} of {len(choices.chosen)} rows have no chosen alternative and are not choice situations"
        )
    if frame.absent:
        notes.append(
            f"{len(frame.absent)} of {len(frame.people)} people have no row in the person-level frame; their "
            "items in it are missing"
        )
    return tuple(notes)
