"""Tables of the same people in files of their own, read side by side."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from iclv_jax._stream._chunk import Chunk


def beside(first: tuple[str, Iterator[Chunk]], others: Mapping[str, "Rows"], person: str) -> Iterator[Chunk]:
    """Chunks of the first table with the rows that their people have in the others. ValueError for people of these who
    come in another order, or are not in the first."""
    name, chunks = first
    for chunk in chunks:
        frame: pd.DataFrame = chunk.frame
        if person not in frame.columns:
            raise ValueError(f"{chunk.name}: it has no column {person!r}, which all tables share.")
        rows = {other: table.of(frame[person], chunk.name) for other, table in others.items()}
        yield Chunk(chunk.name, {name: frame, **rows})
    for table in others.values():
        table.check_end(name)


class Rows:
    """What is left of a table whose `parts` are read one after the other."""

    def __init__(self, name: str, parts: Iterator[Chunk], person: str) -> None:
        self.name, self.parts, self.person = name, parts, person
        self.left: pd.DataFrame | None = None
        self.where = f"table {name!r}"

    def of(self, people: pd.Series, chunk: str) -> pd.DataFrame:
        """The rows of the people of a chunk, who come next; ValueError where none of them does."""
        found: list[pd.DataFrame] = []
        while self._more():
            assert self.left is not None
            mine = self.left[self.person].isin(people).to_numpy()
            count = len(mine) if mine.all() else int(np.argmin(mine))
            found.append(self.left.iloc[:count])
            self.left = self.left.iloc[count:]
            if count < len(mine):
                break
        whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
        if len(whole):
            return whole
        ends = self.left is None or not len(self.left)
        there = "it ends" if ends else f"person {self._next()!r} comes next"
        raise ValueError(
            f"{chunk}: none of its people comes next in {self.where}, where {there}. Sort all tables by person in the same "
            "way; where many people have no rows in a table, take a larger rows=."
        )

    def check_end(self, first: str) -> None:
        """ValueError where rows are left."""
        if self._more():
            raise ValueError(
                f"{self.where}: person {self._next()!r} does not come there in the order of the table {first!r}, or is not "
                "in it. Sort all tables by person in the same way."
            )

    def _next(self) -> object:
        assert self.left is not None
        return self.left[self.person].tolist()[0]

    def _more(self) -> bool:
        """Whether there are rows, of the next part where the last one is used up."""
        while self.left is None or not len(self.left):
            part = next(self.parts, None)
            if part is None:
                return False
            self.where, self.left = f"table {self.name!r}, {part.name}", part.frame
            if self.person not in part.frame.columns:
                raise ValueError(f"{self.where}: it has no column {self.person!r}, which all tables share.")
        return True
