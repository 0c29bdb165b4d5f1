"""From data frames to padded arrays per person: the only way in."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given
from iclv_jax._panel._choices import Choices, read_all
from iclv_jax._panel._covariates import Moments, read_covariates
from iclv_jax._panel._frame import Frame, check_name, identifiers, read_frames
from iclv_jax._panel._groups import check_groups, read_groups
from iclv_jax._panel._items import check_levels, known_levels, read_items
from iclv_jax._panel._numbers import complete, counted, numbers
from iclv_jax._panel._person import Data, Person, first_outcome
from iclv_jax._parameters import Stack
from iclv_jax._parameters._declare import stacks
from iclv_jax._spec import Level
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest
from iclv_jax._spec._standardized import all_terms

WeightsAre = Literal["sampling", "frequency"]
FAR = 5.0
"""Standard deviations from zero beyond which a covariate is far from it: Newton steps of a factor model with four items were
8 at 3, 20 at 10, 118 at 130 standard deviations."""


@dataclass(frozen=True, eq=False)
class Table:
    """The situations of one choice.

    `choice` is its name, `frame` the frame that holds its rows, and `rows` (people, situations) their positions in it, -1
    where padded. `masked`: its utilities are cut off where they do not count before they are differentiated.
    """

    choice: str
    frame: Frame
    rows: np.ndarray
    masked: bool = False


class Situations(NamedTuple):
    """Those of one choice, without padding: columns, outcomes, what was offered, and whose they are."""

    columns: np.ndarray
    outcome: np.ndarray
    offered: np.ndarray
    person: np.ndarray

    @property
    def chosen(self) -> np.ndarray:
        """The outcomes, the first ones where a situation has several."""
        return first_outcome(self.outcome, self.offered)


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
    tables
        The situations of every choice, in the order of the model.
    clusters
        Cluster of each person as integers, None when there are none.
    notes
        What was left out, in words.
    moments
        Centre and unit of each standardised covariate, over people.
    frame
        The user's frame with items and covariates, by which results are labelled.
    covariates
        Names of the covariates, in the order of their array.
    weighted_by
        The column that `weights` was given as, None for numbers.
    weights_are
        What the weights are: `"sampling"` weights, by which people who were asked stand for others who were not, or
        `"frequency"` weights, by which they stand for others who were asked and answered the same.
    far_of_all
        `far` of all people, where these are some of them.
    """

    people: tuple[Hashable, ...]
    person: Person
    weights: np.ndarray
    levels: Mapping[str, tuple[Level, ...]]
    tables: tuple[Table, ...]
    clusters: np.ndarray | None
    notes: tuple[str, ...]
    moments: Moments
    frame: Frame
    covariates: tuple[str, ...] = ()
    weighted_by: str | None = None
    weights_are: WeightsAre = "sampling"
    far_of_all: Mapping[str, float] | None = None

    @cached_property
    def far(self) -> dict[str, float]:
        """Means of the covariates that lie many standard deviations from zero."""
        if self.far_of_all is not None:
            return dict(self.far_of_all)
        columns = np.asarray(self.person.covariates)
        mean, spread = columns.mean(axis=0), columns.std(axis=0)
        far = (np.abs(mean) > FAR * spread) & (spread > 0.0)
        return {n: float(m) for n, m, is_far in zip(self.covariates, mean, far, strict=True) if is_far}

    @property
    def weights_count(self) -> bool:
        """Whether weights count people who were asked."""
        return self.weights_are == "frequency"

    @property
    def size(self) -> int:
        """The number of independent observations: people, counted by frequency weights where there are such."""
        return round(float(self.weights.sum())) if self.weights_count else len(self.people)

    @property
    def situations(self) -> int:
        """Of all choices together."""
        return sum(int((table.rows >= 0).sum()) for table in self.tables)

    @property
    def person_situations(self) -> np.ndarray:
        """Situations of every person, of all choices together."""
        counts = [(table.rows >= 0).sum(axis=1) for table in self.tables]
        return np.sum([np.zeros(len(self.people), int), *counts], axis=0)

    def take(self, at: np.ndarray) -> "Panel":
        """Some of the people, by position."""
        return replace(
            self,
            people=tuple(self.people[i] for i in at),
            person=jax.tree.map(lambda a: a[at], self.person),
            weights=self.weights[at],
            tables=tuple(replace(table, rows=table.rows[at]) for table in self.tables),
            clusters=None if self.clusters is None else self.clusters[at],
        )

    def situations_of(self, choice: str) -> "Situations":
        """The situations of a choice one below the other, person by person."""
        at = next(i for i, table in enumerate(self.tables) if table.choice == choice)
        data = self.person.data[len(self.person.data) - len(self.tables) + at]
        occurs = np.asarray(data.occurs)
        person = np.broadcast_to(np.arange(len(occurs))[:, None], occurs.shape)[occurs]
        columns, outcome, offered = (
            np.asarray(a)[occurs] for a in (self.person.tables[at], data.outcome, data.offered)
        )
        return Situations(columns, outcome, offered, person)

    def table(self, choice: str) -> Table:
        """The situations of the choice of this name."""
        return next(table for table in self.tables if table.choice == choice)


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
    asked: Given[Collection[str] | None] = None,
) -> Panel:
    """Check the data against the model and arrange them.

    `outcomes` are what is read of `"items"` and (chosen) `"choices"`: neither for the design of a simulation. Where
    the chosen alternatives are not read every row is a situation. Data that are not for `estimating` may
    hold constants and items that nobody answered. `asked` names the choices that are read, None: all; of others there is no
    situation.
    Raises ValueError for every kind of bad input, naming column, row or person.
    """
    check_levels(levels)
    frames = read_frames(data, person, people)
    frame = frames[None]
    group = read_groups(spec.groups, frame) if spec.groups is not None and spec.groups.names else None
    covariates, nominal, moments = read_covariates(spec, frame, levels, estimating)
    items = spec.indicators if "items" in outcomes else ()
    of_items = known_levels(levels, nominal)
    found, values = read_items(items, frame, of_items, estimating)
    # Items that are not read have been answered by nobody.
    values |= {
        i.column: np.full(len(frame.people), np.nan) for i in spec.indicators if i.column not in values
    }
    names = all_terms(spec.covariates, nominal)
    if group is not None and "items" in outcomes and levels is None:
        check_groups(spec, frame, group, found, values, dict(zip(names, covariates.T, strict=True)))
    choices = read_all(spec.choices, frames, "choices" in outcomes, estimating, asked)
    tables = _tables(spec, choices)
    arrays = _arrange(stacks(spec), covariates, values, choices, tables)._replace(group=group)
    if outcomes and estimating:
        _check_everyone_counts(frame, arrays)
    return Panel(
        people=frame.people,
        person=arrays,
        weights=_read_weights(weights, frame),
        levels=found | nominal,
        tables=tables,
        clusters=_read_clusters(cluster, frame),
        notes=_notes(frame, spec, choices),
        moments=moments,
        frame=frame,
        covariates=names,
        weighted_by=weights if isinstance(weights, str) else None,
    )


def _tables(spec: Spec, choices: Sequence[Choices]) -> tuple[Table, ...]:
    return tuple(
        Table(kernel.name, read.frame, _situations(read), read.masked)
        for kernel, read in zip(spec.choices, choices, strict=True)
    )


def _situations(choices: Choices) -> np.ndarray:
    """(people, situations) positions of rows with a choice, -1 where there is none."""
    people = len(choices.frame.people)
    happened = np.flatnonzero(choices.happened)
    owner = choices.frame.codes[happened]
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=people)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rows = np.full((people, max(int(counts.max()), 1)), -1)
    rows[owner[order], np.arange(len(order)) - starts[owner[order]]] = happened[order]
    return rows


def _arrange(
    groups: Sequence[Stack],
    covariates: np.ndarray,
    values: Mapping[str, np.ndarray],
    choices: Sequence[Choices],
    tables: Sequence[Table],
) -> Person:
    items = [_answers(np.stack([values[q] for q in stack.items], axis=1), stack) for stack in groups]
    placed = [_placed(read, table.rows) for read, table in zip(choices, tables, strict=True)]
    return Person(
        covariates, tuple(columns for columns, _ in placed), (*items, *(data for _, data in placed))
    )


def _placed(choices: Choices, rows: np.ndarray) -> tuple[np.ndarray, Data]:
    """Columns and outcomes of a choice by person and situation."""
    occurs = rows >= 0
    # Padding repeats the person's last real row, or any real row for a person without choices.
    count = occurs.sum(axis=1)
    real = rows[occurs][0] if occurs.any() else 0
    last = np.where(count > 0, rows[np.arange(len(rows)), np.maximum(count - 1, 0)], real)
    take = np.where(occurs, rows, last[:, None])
    return choices.columns[take], Data(choices.outcome[take], choices.available[take], occurs)


def _answers(values: np.ndarray, stack: Stack) -> Data:
    observed = ~np.isnan(values)
    whole = _stand_in(values, observed, stack)
    return Data(whole, np.zeros((*values.shape, 0), bool), observed)


def _stand_in(values: np.ndarray, observed: np.ndarray, stack: Stack) -> np.ndarray:
    """Missing answers replaced by a value that occurs; the mask keeps them out of the likelihood."""
    pairs = zip(values.T, observed.T, strict=True)
    valid = np.array([column[seen][0] if seen.any() else 0.0 for column, seen in pairs])
    filled = np.where(observed, values, valid)
    return filled.astype(int) if stack.family.discrete else filled


def _check_everyone_counts(frame: Frame, arrays: Person) -> None:
    idle = ~np.any([data.occurs.any(axis=1) for data in arrays.data], axis=0)
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


def weighted_as(panel: Panel, weights_are: Given[WeightsAre]) -> Panel:
    """The panel with what its weights are; ValueError for another word, and for counts that are none."""
    if not is_word(weights_are, get_args(WeightsAre)):
        raise ValueError(
            f"weights_are= is {' or '.join(map(repr, get_args(WeightsAre)))}, not {weights_are!r}. "
            f"{nearest(str(weights_are), get_args(WeightsAre))}"
        )
    broken = np.flatnonzero(panel.weights != np.round(panel.weights))
    if weights_are == "frequency" and len(broken):
        raise ValueError(
            f"weights_are='frequency': person {panel.people[broken[0]]!r} has the weight "
            f"{panel.weights[broken[0]]:g}, which is no number of people. Weights that correct for who was asked are "
            "'sampling'."
        )
    return replace(panel, weights_are=weights_are)


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


def _read_clusters(cluster: Given[str | None], frame: Frame) -> np.ndarray | None:
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


def _notes(frame: Frame, spec: Spec, choices: Sequence[Choices]) -> tuple[str, ...]:
    notes = []
    for kernel, read in zip(spec.choices, choices, strict=True):
        idle = int((read.asked & ~read.happened).sum())
        if idle:
            of = f" of {kernel.name}" if len(choices) > 1 else ""
            notes.append(
                f"{idle} of {int(read.asked.sum())} rows{of} have no chosen alternative and are not choice situations"
            )
    if frame.absent:
        notes.append(
            f"{len(frame.absent)} of {len(frame.people)} people have no row in the person-level frame; their "
            "items in it are missing"
        )
    return tuple(notes)
