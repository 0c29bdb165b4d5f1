"""Two passes over a stream: the first checks it and finds levels and sizes, the second keeps the arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from iclv_jax._density import steady_columns
from iclv_jax._integration import Rule
from iclv_jax._panel import Data, Panel, WeightsAre, read_panel, settled, weighted_as
from iclv_jax._panel._frame import checked_frame, read_frame
from iclv_jax._panel._items import read_items
from iclv_jax._problem import Problem
from iclv_jax._problem._bind import of_panel
from iclv_jax._spec import Level
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import Standardized, column_of
from iclv_jax._stream._scratch import Scratch, Stored
from iclv_jax._stream._source import Chunk, People


class Known(NamedTuple):
    """What the first pass finds: the model with the levels of its ordered choices, and the levels of its items."""

    spec: Spec
    levels: dict[str, tuple[Level, ...]]


@dataclass(frozen=True, eq=False)
class Passed:
    """What the second pass leaves: a problem of the first chunk, the names of chunks and of their files, how many people
    each has, sums of their weights and of the squares of these, and clusters by person, from 0."""

    first: Problem
    known: Known
    scratch: Scratch
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    weight: float
    squares: float
    clusters: np.ndarray | None
    weighted: bool
    weights_are: WeightsAre


def chunks_of(people: People) -> Iterator[Chunk]:
    """The chunks with frames that can be read; ValueError for a stream without any."""
    none = True
    for chunk in people.chunks():
        none = False
        try:
            frame = checked_frame(chunk.frame, "it")
        except ValueError as error:
            raise ValueError(f"{chunk.name}: {error}") from None
        yield chunk._replace(frame=frame)
    if none:
        raise ValueError("The stream of people has nothing in it.")


def first_pass(spec: Spec, people: People) -> Known:
    """Levels over all chunks; ValueError for columns that differ, for people in two chunks, and for what a stream cannot
    have."""
    if scaled := [c for c in spec.covariates if isinstance(c, Standardized)]:
        name = column_of(scaled[0])
        raise ValueError(
            f"iclv.Standardized({name!r}) needs the mean over all people first, which a stream does not have. "
            "Standardize the column beforehand."
        )
    if spec.groups is not None:
        raise ValueError(
            "Parameters by group (group=) need people in memory, where every group is seen at once."
        )
    if any(choice.table is not None for choice in spec.choices):
        raise ValueError(
            "People of a stream come in one frame; choices with table= need all frames in memory."
        )
    discrete = [item for item in spec.indicators if item.discrete]
    ordered = [choice for choice in spec.choices if choice.unsettled]
    wanted = dict.fromkeys([item.column for item in discrete] + [str(c.chosen) for c in ordered])
    answers: dict[str, dict[object, None]] = {name: {} for name in wanted}
    seen, columns = np.zeros(0, np.uint64), None
    for chunk in chunks_of(people):
        columns = columns or (chunk.name, set(chunk.frame.columns))
        _check_columns(chunk, *columns)
        seen = _check_new(chunk, people.person, seen)
        for name in wanted:
            if name in chunk.frame.columns:
                answers[name] |= dict.fromkeys(chunk.frame[name].dropna().unique().tolist())
    return _levels(spec, answers)


def _check_columns(chunk: Chunk, first: str, columns: set[str]) -> None:
    if odd := sorted(map(str, columns ^ set(chunk.frame.columns))):
        raise ValueError(
            f"{chunk.name}: column {odd[0]!r} does not stand both here and in {first}. All chunks have the same columns."
        )


def _check_new(chunk: Chunk, person: str | None, seen: np.ndarray) -> np.ndarray:
    """The people so far, by hashes of 64 bits; ValueError for one who has been in an earlier chunk."""
    if person is None or person not in chunk.frame.columns:
        return seen
    ids = chunk.frame[person].drop_duplicates()
    mine = pd.util.hash_pandas_object(ids, index=False).to_numpy()
    again = np.isin(mine, seen)
    if again.any():
        who = ids.tolist()[int(np.argmax(again))]
        raise ValueError(
            f"{chunk.name}: person {who!r} stands in an earlier chunk too. All rows of a person stand together: sort "
            "the data by person."
        )
    return np.union1d(seen, mine)


def _levels(spec: Spec, answers: dict[str, dict[object, None]]) -> Known:
    """Levels as they are found in a frame that holds every answer once."""
    discrete = [item for item in spec.indicators if item.discrete]
    longest = max([1, *map(len, answers.values())])
    columns = {
        name: pd.Series([*found, *[None] * (longest - len(found))], dtype=object)
        for name, found in answers.items()
    }
    frame = pd.DataFrame(columns, index=range(longest))
    held = frame.infer_objects()
    found, _ = read_items(discrete, read_frame(held, None, None), None)
    levels = {item.column: found.get(item.column, ()) for item in spec.indicators}
    return Known(settled(spec, held, None, None), levels)


def second_pass(
    known: Known, people: People, integration: Rule | None, memory: float, weights_are: WeightsAre
) -> Passed:
    """Arrays of one shape in files, with a problem that stands for all of them."""
    scratch, panels = Scratch(), _Panels()
    first: Panel | None = None
    for k, chunk in enumerate(chunks_of(people)):
        panel = _panel(known, people, chunk, weights_are)
        first = first or panel
        scratch.put(f"read {k}", Stored(panel.person, panel.weights))
        panels.add(chunk, panel, people.cluster)
    assert first is not None
    problem = of_panel(
        known.spec, first, integration, None, memory, steady=panels.steady, masked=panels.masked, patterns=()
    )
    most = max(panels.sizes)
    for k in range(len(panels.sizes)):
        stored = scratch.get(f"read {k}")
        assert isinstance(stored, Stored)
        scratch.put(f"chunk {k}", _filled(stored, most, panels.rows))
        scratch.forget(f"read {k}")
    return Passed(
        problem,
        known,
        scratch,
        tuple(panels.names),
        tuple(panels.sizes),
        panels.weight,
        panels.squares,
        panels.of_clusters,
        people.weights is not None,
        weights_are,
    )


def _panel(known: Known, people: People, chunk: Chunk, weights_are: WeightsAre) -> Panel:
    about = people.person, None, people.weights, people.cluster, known.levels
    try:
        panel = weighted_as(read_panel(known.spec, chunk.frame, *about, estimating=False), weights_are)
        occurs = [data.occurs.any(axis=1) for data in panel.person.data]
        if not (said := np.any(occurs, axis=0)).all():
            idle = panel.people[int(np.argmin(said))]
            raise ValueError(f"person {idle!r} has neither an observed item nor a choice. Drop such people.")
    except ValueError as error:
        raise ValueError(f"{chunk.name}: {error}") from error
    return panel


class _Panels:
    """What is known of all chunks together."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.rows: tuple[int, ...] = ()
        self.steady: tuple[tuple[int, ...], ...] = ()
        self.masked: tuple[bool, ...] = ()
        self.weight = self.squares = 0.0
        self._clusters: list[np.ndarray] = []
        self._codes: dict[object, int] = {}

    def add(self, chunk: Chunk, panel: Panel, cluster: str | None) -> None:
        tables = panel.person.tables
        rows = tuple(t.shape[1] for t in tables)
        steady = tuple(steady_columns(t) for t in tables)
        masked = tuple(t.masked for t in panel.tables)
        if self.names:
            rows = tuple(map(max, rows, self.rows))
            steady = tuple(
                tuple(i for i in one if i in two) for one, two in zip(steady, self.steady, strict=True)
            )
            masked = tuple(a or b for a, b in zip(masked, self.masked, strict=True))
        self.rows, self.steady, self.masked = rows, steady, masked
        self.names.append(chunk.name)
        self.sizes.append(len(panel.people))
        self.weight += float(panel.weights.sum())
        self.squares += float((panel.weights**2).sum())
        if cluster is not None:
            values = panel.frame.people_of(cluster, "cluster=", everyone=True).tolist()
            codes = [self._codes.setdefault(value, len(self._codes)) for value in values]
            self._clusters.append(np.array(codes))

    @property
    def of_clusters(self) -> np.ndarray | None:
        return np.concatenate(self._clusters) if self._clusters else None


def _filled(stored: Stored, people: int, rows: tuple[int, ...]) -> Stored:
    """With copies of the last person, of weight zero, and of last rows, that do not occur."""
    short = people - len(stored.weights)
    person = stored.person
    first = len(person.data) - len(rows)
    tables = tuple(_longer(t, n) for t, n in zip(person.tables, rows, strict=True))
    data = (*person.data[:first], *map(_longer_data, person.data[first:], rows))
    whole = person._replace(tables=tables, data=data)
    whole = jax.tree.map(lambda a: np.concatenate([a, np.repeat(a[-1:], short, axis=0)]), whole)
    return stored._replace(person=whole, weights=np.concatenate([stored.weights, np.zeros(short)]))


def _longer(array: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([array, np.repeat(array[:, -1:], rows - array.shape[1], axis=1)], axis=1)


def _longer_data(data: Data, rows: int) -> Data:
    longer = Data(*(_longer(np.asarray(a), rows) for a in data))
    longer.occurs[:, data.occurs.shape[1] :] = False
    return longer
