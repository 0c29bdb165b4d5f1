"""Who the people of a stream are: nobody stands in two chunks, or in two processes."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pandas as pd

from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._chunks import chunks_of
from iclv_jax._stream._source import Chunk, People


class Mark(NamedTuple):
    """By what a chunk is known again: its name, how many rows it has, and the sum of the hashes of its people."""

    name: str
    rows: int
    people: int


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
        if person is not None and len(hashes) and not chunk.frame[person].isna().any():
            kind = _kind(chunk.frame[person])
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
        if chunk is None or mark is None or _mark(people.person, chunk) != mark:
            name = next(one.name for one in (chunk, mark) if one is not None)
            raise ValueError(
                f"{name}: the people there are not those of the first reading. Files must not change while they are used, "
                "and a function must return the same frames each time."
            )
        yield chunk


def _mark(person: str | None, chunk: Chunk) -> Mark:
    return Mark(chunk.name, len(chunk.frame), int(_hashes(person, chunk)[1].sum(dtype=np.uint64)))


def _hashes(person: str | None, chunk: Chunk) -> tuple[list[object], np.ndarray]:
    """The people of a chunk and their hashes; none where each row is a person of its own."""
    if person is None or person not in chunk.frame.columns:
        return [], np.zeros(0, np.uint64)
    ids = chunk.frame[person].drop_duplicates()
    return ids.tolist(), pd.util.hash_pandas_object(ids, index=False).to_numpy()


def _kind(column: pd.Series) -> str:
    kind = column.dtype.kind
    return {"i": "whole numbers", "u": "whole numbers", "f": "numbers with a point"}.get(kind, "text")
