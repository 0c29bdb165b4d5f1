"""The first pass over people in chunks: it checks them, and finds levels and groups over all chunks and processes."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from iclv_jax._panel import settled
from iclv_jax._panel._covariates import declared_or_seen
from iclv_jax._panel._frame import read_frame
from iclv_jax._panel._items import read_items
from iclv_jax._panel._settle import grouped
from iclv_jax._spec import Level, Standardized
from iclv_jax._spec._model import Spec
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._chunk import Chunk
from iclv_jax._stream._chunks import chunks_of
from iclv_jax._stream._source import People
from iclv_jax._stream._who import Mark, Who

Order: TypeAlias = tuple[Any, ...] | None
"""The categories of an ordered categorical column; None for every other."""


class Known(NamedTuple):
    """What the first pass finds: the model with its groups and with the levels of its ordered choices, the levels of its
    items and nominal covariates, and by what this process' chunks are known again."""

    spec: Spec
    levels: dict[str, tuple[Level, ...]]
    marks: tuple[Mark, ...]


class Column(NamedTuple):
    """A column of which every value matters: its table (None: the first, or only one), its name, and the column that says
    which rows count, where there is one."""

    table: str | None
    name: str
    rows: str | None = None


class Seen(NamedTuple):
    """What one process has seen of its people: the columns of every table, and the different answers by column, in the order
    in which they appear, with the order of ordered categories."""

    columns: dict[str | None, set[object]]
    answers: dict[Column, dict[object, None]]
    orders: dict[Column, Order]


def first_pass(spec: Spec, people: People) -> Known:
    """Levels over all chunks; ValueError for columns that differ, and for people in two chunks."""
    wanted, who = _wanted(spec), Who(people)
    every = hosts.together("the first pass", lambda: _seen(people, wanted, who))
    for process, seen in enumerate(every):
        if odd := _odd(seen.columns, every[0].columns):
            raise ValueError(
                f"Process {process} of {len(every)}: {odd} does not stand both here and in process 0. All processes have "
                "the same columns."
            )
        for column, order in every[0].orders.items():
            where = f"Process {process} of {len(every)}"
            _check_order(column.name, seen.orders.get(column), order, where, "process 0")
    who.check_processes(len(every))
    answers = {column: dict.fromkeys(a for seen in every for a in seen.answers[column]) for column in wanted}
    held = _held(answers, every[0], people.person)
    return _levels(spec, held, people.person, tuple(who.marks))


def _held(
    answers: Mapping[Column, Iterable[object]], seen: Seen, person: str | None
) -> dict[str | None, pd.DataFrame]:
    """Frames by table that hold every answer once."""
    longest = max([1, *(len(list(a)) for a in answers.values())])
    first = next(iter(seen.columns))
    columns: dict[str | None, dict[str, Any]] = {
        t: {} if person is None else {person: range(longest)} for t in seen.columns
    }
    for column, found in answers.items():
        mine = columns.get(first if column.table is None else column.table, {})
        mine[column.name] = _column([*found], seen.orders.get(column), longest)
        if column.rows is not None:
            mine[column.rows] = 1
    return {table: pd.DataFrame(held, index=range(longest)) for table, held in columns.items()}


def _wanted(spec: Spec) -> tuple[Column, ...]:
    """Columns of which every value matters."""
    discrete = [Column(None, item.column) for item in spec.indicators if item.discrete]
    ordered = [Column(c.table, str(c.chosen), c.rows) for c in spec.choices if c.unsettled]
    groups = [Column(None, spec.groups.column)] if spec.groups is not None and not spec.groups.names else []
    return tuple(
        dict.fromkeys([*discrete, *ordered, *(Column(None, c.column) for c in _nominal(spec)), *groups])
    )


def _nominal(spec: Spec) -> list[Standardized]:
    return [c for c in spec.covariates if isinstance(c, Standardized) and c.nominal]


def _seen(people: People, wanted: tuple[Column, ...], who: Who) -> Seen:
    answers: dict[Column, dict[object, None]] = {column: {} for column in wanted}
    first: tuple[str, dict[str | None, set[object]]] | None = None
    orders: dict[Column, Order] = {}
    for chunk in chunks_of(people):
        columns = {table: set[object](frame.columns) for table, frame in chunk.frames.items()}
        first = first or (chunk.name, columns)
        if odd := _odd(columns, first[1]):
            raise ValueError(
                f"{chunk.name}: {odd} does not stand both here and in {first[0]}. All chunks have the same columns."
            )
        who.add(chunk)
        for column in wanted:
            found = _values(chunk, column)
            if found is not None:
                answers[column] |= dict.fromkeys(found.dropna().unique().tolist())
                order = _order(found)
                _check_order(column.name, order, orders.setdefault(column, order), chunk.name, first[0])
    assert first is not None
    who.check_chunks()
    return Seen(first[1], answers, orders)


def _values(chunk: Chunk, column: Column) -> pd.Series | None:
    """The column where its rows count; None where there is none, which is said where it is read."""
    frame = chunk.of(column.table)
    if frame is None or column.name not in frame.columns:
        return None
    found = frame[column.name]
    return found[frame[column.rows] == 1] if column.rows in frame.columns else found


def _order(column: pd.Series) -> Order:
    kind = column.dtype
    return tuple(kind.categories) if isinstance(kind, pd.CategoricalDtype) and kind.ordered else None


def _odd(one: Mapping[str | None, set[object]], other: Mapping[str | None, set[object]]) -> str:
    """A table or a column that only one of them has, in words; empty where there is none."""
    if tables := sorted(map(str, one.keys() ^ other.keys())):
        return f"the table {tables[0]!r}"
    for table, columns in one.items():
        if odd := sorted(map(str, columns ^ other[table])):
            return f"column {odd[0]!r}" + ("" if table is None else f" of the table {table!r}")
    return ""


def _check_order(name: str, order: Order, first: Order, where: str, before: str) -> None:
    if order != first:
        raise ValueError(
            f"{where}: the ordered categories of column {name!r} are {order!r}, and {first!r} in {before}. Give the column "
            "the same categories everywhere."
        )


def _column(answers: list[object], order: Order, length: int) -> pd.Series:
    """Every answer once, as a column that has what was seen; the rest of it is missing."""
    whole = [*answers, *[None] * (length - len(answers))]
    if order is not None:
        return pd.Series(pd.Categorical(whole, list(order), ordered=True))
    return pd.Series(whole, dtype=object).infer_objects()


def _levels(
    spec: Spec, frames: dict[str | None, pd.DataFrame], person: str | None, marks: tuple[Mark, ...]
) -> Known:
    """Levels as they are found in frames that hold every answer once."""
    held: pd.DataFrame = next(iter(frames.values()))
    if spec.groups is not None and not spec.groups.names:
        spec = grouped(spec, held[[spec.groups.column]].dropna(), None)
    nominal = {c.column: _nominal_levels(c, held[c.column].dropna()) for c in _nominal(spec)}
    discrete = [item for item in spec.indicators if item.discrete]
    found, _ = read_items(discrete, read_frame(held, None, None), None)
    levels = {item.column: found.get(item.column, ()) for item in spec.indicators}
    data = held if None in frames else frames
    return Known(settled(spec, data, None if None in frames else person, None), levels | nominal, marks)


def _nominal_levels(covariate: Standardized, held: pd.Series) -> tuple[Level, ...]:
    what = "The people in chunks"
    levels = declared_or_seen(covariate, held, what)
    if empty := [v for v in levels if v not in held.tolist()]:
        raise ValueError(
            f"{what}: nobody has the level {', '.join(map(repr, empty))} of column {covariate.column!r}, so its coefficient "
            "is unidentified. Leave it out of levels=."
        )
    return levels
