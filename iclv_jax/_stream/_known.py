"""The first pass over people in chunks: it checks them, and finds levels and groups over all chunks and processes."""

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
from iclv_jax._stream._chunks import chunks_of
from iclv_jax._stream._source import Chunk, People
from iclv_jax._stream._who import Mark, Who

Order: TypeAlias = tuple[Any, ...] | None
"""The categories of an ordered categorical column; None for every other."""


class Known(NamedTuple):
    """What the first pass finds: the model with its groups and with the levels of its ordered choices, the levels of its
    items and nominal covariates, and by what this process' chunks are known again."""

    spec: Spec
    levels: dict[str, tuple[Level, ...]]
    marks: tuple[Mark, ...]


class Seen(NamedTuple):
    """What one process has seen of its people: the columns, and the different answers by column, in the order in which they
    appear, with the order of ordered categories."""

    columns: set[object]
    answers: dict[str, dict[object, None]]
    orders: dict[str, Order]


def first_pass(spec: Spec, people: People) -> Known:
    """Levels over all chunks; ValueError for columns that differ, for people in two chunks, and for what a stream cannot
    have."""
    if any(choice.table is not None for choice in spec.choices):
        raise ValueError(
            "People of a stream come in one frame; choices with table= need all frames in memory."
        )
    wanted, who = _wanted(spec), Who(people)
    every = hosts.together("the first pass", lambda: _seen(people, wanted, who))
    for process, seen in enumerate(every):
        if odd := sorted(map(str, seen.columns ^ every[0].columns)):
            raise ValueError(
                f"Process {process} of {len(every)}: column {odd[0]!r} does not stand both here and in process 0. All "
                "processes have the same columns."
            )
        for name, order in every[0].orders.items():
            _check_order(
                name, seen.orders.get(name), order, f"Process {process} of {len(every)}", "process 0"
            )
    who.check_processes(len(every))
    answers = {name: dict.fromkeys(a for seen in every for a in seen.answers[name]) for name in wanted}
    longest = max([1, *map(len, answers.values())])
    held = {name: _column([*answers[name]], every[0].orders.get(name), longest) for name in wanted}
    return _levels(spec, pd.DataFrame(held, index=range(longest)), tuple(who.marks))


def _wanted(spec: Spec) -> tuple[str, ...]:
    """Columns of which every value matters."""
    discrete = [item.column for item in spec.indicators if item.discrete]
    ordered = [str(choice.chosen) for choice in spec.choices if choice.unsettled]
    groups = [spec.groups.column] if spec.groups is not None and not spec.groups.names else []
    return tuple(dict.fromkeys([*discrete, *ordered, *(c.column for c in _nominal(spec)), *groups]))


def _nominal(spec: Spec) -> list[Standardized]:
    return [c for c in spec.covariates if isinstance(c, Standardized) and c.nominal]


def _seen(people: People, wanted: tuple[str, ...], who: Who) -> Seen:
    answers: dict[str, dict[object, None]] = {name: {} for name in wanted}
    columns: tuple[str, set[object]] | None = None
    orders: dict[str, Order] = {}
    for chunk in chunks_of(people):
        columns = columns or (chunk.name, set(chunk.frame.columns))
        _check_columns(chunk, *columns)
        who.add(chunk)
        for name in (n for n in wanted if n in chunk.frame.columns):
            column: pd.Series = chunk.frame[name]
            answers[name] |= dict.fromkeys(column.dropna().unique().tolist())
            order = _order(column)
            _check_order(name, order, orders.setdefault(name, order), chunk.name, columns[0])
    assert columns is not None
    who.check_chunks()
    return Seen(columns[1], answers, orders)


def _order(column: pd.Series) -> Order:
    kind = column.dtype
    return tuple(kind.categories) if isinstance(kind, pd.CategoricalDtype) and kind.ordered else None


def _check_columns(chunk: Chunk, first: str, columns: set[object]) -> None:
    if odd := sorted(map(str, columns ^ set(chunk.frame.columns))):
        raise ValueError(
            f"{chunk.name}: column {odd[0]!r} does not stand both here and in {first}. All chunks have the same columns."
        )


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


def _levels(spec: Spec, held: pd.DataFrame, marks: tuple[Mark, ...]) -> Known:
    """Levels as they are found in a frame that holds every answer once."""
    if spec.groups is not None and not spec.groups.names:
        spec = grouped(spec, held[[spec.groups.column]].dropna(), None)
    nominal = {c.column: _nominal_levels(c, held[c.column].dropna()) for c in _nominal(spec)}
    discrete = [item for item in spec.indicators if item.discrete]
    found, _ = read_items(discrete, read_frame(held, None, None), None)
    levels = {item.column: found.get(item.column, ()) for item in spec.indicators}
    return Known(settled(spec, held, None, None), levels | nominal, marks)


def _nominal_levels(covariate: Standardized, held: pd.Series) -> tuple[Level, ...]:
    what = "The people in chunks"
    levels = declared_or_seen(covariate, held, what)
    if empty := [v for v in levels if v not in held.tolist()]:
        raise ValueError(
            f"{what}: nobody has the level {', '.join(map(repr, empty))} of column {covariate.column!r}, so its coefficient "
            "is unidentified. Leave it out of levels=."
        )
    return levels
