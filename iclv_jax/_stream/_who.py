"""Who the people of a stream are: nobody stands in two chunks, or in two processes."""

import numpy as np
import pandas as pd

from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._chunks import chunks_of
from iclv_jax._stream._source import Chunk, People


class Who:
    """People by hashes of 64 bits, eight bytes for each."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.found: list[np.ndarray] = []

    def add(self, chunk: Chunk) -> None:
        self.found.append(self._of(chunk)[1])

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
            ids, mine = self._of(chunk)
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
            ids, mine = self._of(chunk)
            if (mine == wanted).any():
                return ids[int(np.argmax(mine == wanted))]
        return None

    def _of(self, chunk: Chunk) -> tuple[list[object], np.ndarray]:
        """The people of a chunk and their hashes; none where each row is a person of its own."""
        person = self.people.person
        if person is None or person not in chunk.frame.columns:
            return [], np.zeros(0, np.uint64)
        ids = chunk.frame[person].drop_duplicates()
        return ids.tolist(), pd.util.hash_pandas_object(ids, index=False).to_numpy()
