"""Who the people of a stream are: nobody stands in two chunks, or in two processes."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pandas as pd

from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._chunk import Chunk
from iclv_jax._stream._chunks import chunks_of
from iclv_jax._stream._source import People

STEADY = "Files must not change while they are used, and a function must return the same frames each time."


class Mark(NamedTuple):
    """By what a chunk is known again: its name, how many rows it has, the sum of the hashes of its people, and a hash of the
    values of every column."""

    name: str
    rows: int
    people: int
    columns: Mapping[str, bytes]


class Who:
    """People by hashes of 64 bits, eight bytes for each; what their names are, and the marks of their chunks."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.found: list[np.ndarray] = []
        self.marks: list[Mark] = []
        self.kinds: dict[str, str] = {}

    def add(self, chunk: Chunk) -> None:
        """ValueError for people who are called by numbers here and by texts elsewhere, whom nobody could tell apart."""
        person, hashes = self.people.person, _hashes(self.people.person, chunk)[1]
        self.found.append(hashes)
        self.marks.append(_mark(person, chunk))
        # People without a name are refused where their data are read.
        for frame in chunk.frames.values() if person is not None else ():
            if person not in frame.columns or frame[person].isna().any():
                continue
            kind = _kind(frame[person])
            self.kinds.setdefault(kind, chunk.name)
            if len(self.kinds) > 1:
                (before, first), *_ = self.kinds.items()
                raise ValueError(
                    f"{chunk.name}: column {person!r} holds {kind}, and {before} in {first}. Call people in one way "
                    "everywhere, so that rows of the same person are known as such."
                )

    @property
    def seen(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.uint64), *self.found])

    def check_chunks(self) -> None:
        """ValueError for people who are in two chunks, which names the second."""
        seen = np.sort(self.seen)
        again = seen[1:][seen[1:] == seen[:-1]]
        if not len(again):
            return
        met = False
        for chunk in chunks_of(self.people):
            ids, mine = _hashes(self.people.person, chunk)
            here = mine == again[0]
            if here.any() and met:
                raise ValueError(
                    f"{chunk.name}: person {ids[int(np.argmax(here))]!r} stands in an earlier chunk too. All rows of a "
                    "person stand together: sort the data by person."
                )
            met = met or bool(here.any())

    def check_processes(self, count: int) -> None:
        """ValueError for people who are in two processes. A part of the hashes travels at a time."""
        seen = self.seen
        for part in range(count if count > 1 else 0):
            mine = seen[seen % np.uint64(count) == part]
            every = hosts.together("who the people are", lambda mine=mine: mine)
            for process in range(1, count):
                again = np.intersect1d(every[process], np.concatenate(every[:process]))
                if len(again):
                    ids = hosts.together("who is there twice", lambda one=again[0]: self._called(one))
                    raise ValueError(
                        f"Process {process} of {count}: person {ids[process]!r} stands in an earlier process too. All rows "
                        "of a person stand in one process."
                    )

    def _called(self, wanted: np.uint64) -> object:
        """The person with this hash, from another look at the chunks; None where nobody has it."""
        for chunk in chunks_of(self.people):
            ids, mine = _hashes(self.people.person, chunk)
            if (mine == wanted).any():
                return ids[int(np.argmax(mine == wanted))]
        return None


def once_more(people: People, marks: tuple[Mark, ...]) -> Iterator[Chunk]:
    """The chunks read again; ValueError where they are not those of the first time."""
    for chunk, mark in zip_longest(chunks_of(people), marks):
        if chunk is None or mark is None:
            name = next(one.name for one in (chunk, mark) if one is not None)
            raise ValueError(f"{name}: the people there are not those of the first reading. {STEADY}")
        if changed := _changed(_mark(people.person, chunk), mark):
            raise ValueError(f"{chunk.name}: {changed} not those of the first reading. {STEADY}")
        yield chunk


def _changed(now: Mark, before: Mark) -> str:
    """What is not as it was at the first reading; empty where everything is."""
    if now[:3] != before[:3]:
        return "the people there are"
    if now.columns.keys() != before.columns.keys():
        return "the columns there are"
    other = [name for name, known in now.columns.items() if known != before.columns[name]]
    return f"the values of column {other[0]!r} are" if other else ""


def _mark(person: str | None, chunk: Chunk) -> Mark:
    hashes, rows = _hashes(person, chunk)[1], sum(map(len, chunk.frames.values()))
    columns = {
        str(name) if table is None else f"{name} of {table}": _digest(column)
        for table, frame in chunk.frames.items()
        for name, column in frame.items()
    }
    return Mark(chunk.name, rows, int(hashes.sum(dtype=np.uint64)), columns)


def _digest(column: pd.Series) -> bytes:
    """A hash of the values in their order; that of nothing for objects that have none, which no model reads."""
    kind = column.dtype
    try:
        plain = isinstance(kind, np.dtype) and kind.kind in "biuf"
        values = column.to_numpy() if plain else pd.util.hash_pandas_object(column, index=False).to_numpy()
    except (TypeError, ValueError):
        return b""
    return sha256(np.ascontiguousarray(values).data).digest()[:8]


def _hashes(person: str | None, chunk: Chunk) -> tuple[list[object], np.ndarray]:
    """The people of a chunk and their hashes; none where each row is a person of its own."""
    there = [frame[person] for frame in chunk.frames.values() if person in frame.columns]
    if person is None or not there:
        return [], np.zeros(0, np.uint64)
    ids = pd.concat([ids.drop_duplicates() for ids in there]).drop_duplicates()
    return ids.tolist(), pd.util.hash_pandas_object(ids, index=False).to_numpy()


def _kind(column: pd.Series) -> str:
    kind = column.dtype.kind
    return {"i": "whole numbers", "u": "whole numbers", "f": "numbers with a point"}.get(kind, "text")
