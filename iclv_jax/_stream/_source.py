"""Where people come from who need not be in memory together: files, or frames one after the other."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import pandas as pd

from iclv_jax._base._types import AnyFrames, File, Given
from iclv_jax._integration._rule import check_count
from iclv_jax._stream._beside import Rows, beside
from iclv_jax._stream._chunk import Chunk

Files: TypeAlias = File | Sequence[File]
Source: TypeAlias = Files | Mapping[str, Files] | Iterable[AnyFrames] | Callable[[], Iterable[AnyFrames]]
KINDS = (".parquet", ".feather", ".csv")


@final
@dataclass(frozen=True)
class People:
    """People in chunks that need never be in memory together, in place of the data of `model.fit` and `model.bind`.

    Made by `People.stream`.

    Examples
    --------
    >>> halves = [df.iloc[:150], df.iloc[150:]]
    >>> streamed = logit.fit(iclv.People.stream(halves))
    >>> bool(abs(streamed.llf - logit_fit.llf) < 1e-6)
    True
    """

    source: Any
    person: str | None
    weights: str | None
    cluster: str | None
    rows: int

    @staticmethod
    def stream(
        source: Given[Source],
        *,
        person: Given[str | None] = None,
        weights: Given[str | None] = None,
        cluster: Given[str | None] = None,
        rows: Given[int] = 100_000,
    ) -> "People":
        """People from files, or from frames one after the other.

        Parameters
        ----------
        source
            A file (`.parquet`, `.feather`, `.csv`), a pattern such as `"trips/*.parquet"`, or a list of files; or frames:
            a list or another iterable that can be gone through more than once, or a function without arguments that
            returns one. Each frame has one row per choice situation, as the data of `model.fit`. Where choices stand in
            tables of their own (`table=`), a mapping of table names to files, whose people come in the same order in all
            tables, or frames in mappings, one for the people of each chunk; items and covariates stand in the first table.
        person, weights, cluster
            Columns, as of `model.fit`. All rows of a person stand together, in one file or frame.
        rows
            How many rows of a file are read at a time, or a few more until the next person begins; of several tables so
            many of the first, and what their people have in the others. It bounds memory; results do not depend on it.

        Raises
        ------
        ValueError
            For files that do not exist or are of another kind, for a generator, which is used up after one pass, and for
            several tables without `person`.
        """
        check_count(rows, "rows=")
        for name, column in (("person", person), ("weights", weights), ("cluster", cluster)):
            if column is not None and not isinstance(column, str):
                raise ValueError(f"{name}= is the name of a column, not {column!r}.")
        if isinstance(source, Mapping) and person is None:
            raise ValueError("Several tables need person=, the column that they share.")
        return People(_checked(source), person, weights, cluster, int(rows))

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, from the beginning."""
        if isinstance(self.source, tuple):
            for path in self.source:
                yield from _named(path.name, _whole(_read(path, self.rows), self.person))
            return
        if isinstance(self.source, dict):
            yield from self._of_tables(self.source)
            return
        frames: Any = self.source() if callable(self.source) else self.source
        if not isinstance(frames, Iterable):
            raise ValueError(
                f"The function given to People.stream returns frames one after the other, not {frames!r}."
            )
        for k, frame in enumerate(frames):
            yield Chunk(f"frame {k + 1}", frame)

    def _of_tables(self, files: Mapping[str, tuple[Path, ...]]) -> Iterator[Chunk]:
        """The people of a part of the first table, with their rows of the others."""
        assert self.person is not None
        (first, paths), *others = files.items()
        whole = (c for path in paths for c in _named(path.name, _whole(_read(path, self.rows), self.person)))
        parts = {
            name: (c for path in paths for c in _named(path.name, _read(path, self.rows)))
            for name, paths in others
        }
        rows = {name: Rows(name, part, self.person) for name, part in parts.items()}
        yield from beside((first, whole), rows, self.person)


def _checked(source: Given[Source]) -> Any:
    if isinstance(source, Mapping):
        return {str(name): _files(name, files) for name, files in source.items()}
    if isinstance(source, (str, Path)):
        found = sorted(glob(str(source))) if any(c in str(source) for c in "*?[") else [source]
        if not found:
            raise ValueError(f"No file is called like {str(source)!r}.")
        return tuple(map(_file, found))
    if isinstance(source, pd.DataFrame):
        raise ValueError("A frame that is in memory needs no stream: give it to model.fit itself.")
    if isinstance(source, (type, bytes)):
        raise ValueError(f"People.stream takes files or frames, not {source!r}.")
    if callable(source):
        return source
    if not isinstance(source, Iterable) or getattr(source, "ndim", None) == 0:
        raise ValueError(f"People.stream takes files or frames, not {source!r}.")
    if iter(source) is source:
        raise ValueError(
            "People are gone through more than once, and a generator is used up after the first time. Give the function "
            "that makes it, without calling it, or a list."
        )
    if isinstance(source, Sequence) and source and all(isinstance(s, (str, Path)) for s in source):
        return tuple(_file(s) for s in source if isinstance(s, (str, Path)))
    # Kept apart from a tuple of files.
    return list(source) if isinstance(source, tuple) else source


def _files(name: object, files: Given[Files]) -> tuple[Path, ...]:
    """The files of a table."""
    found = () if isinstance(files, Mapping) else _checked(files)
    if not isinstance(found, tuple) or not found:
        raise ValueError(
            f"Table {name!r} of the stream is a file, a pattern or a list of files, not {type(files).__name__}. Frames come "
            "in mappings, one for each chunk of people: [{...}, {...}]."
        )
    return found


def _file(path: Given[File]) -> Path:
    found = Path(path)
    if not os.path.isfile(found):  # nor where its name is too long
        raise ValueError(f"The file {str(path)!r} does not exist.")
    if found.suffix not in KINDS:
        raise ValueError(f"The file {str(path)!r} is none of {', '.join(KINDS)}. Convert it, or give frames.")
    return found


def _read(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Parts of a file; ValueError that names it where it cannot be read."""
    try:
        if path.suffix == ".csv":
            with pd.read_csv(path, chunksize=rows) as parts:
                yield from parts
        else:
            yield from _arrow(path, rows)
    except ImportError as error:
        raise ImportError(f"To read {path.name}, install pyarrow (pip install pyarrow).") from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"The file {str(path)!r} cannot be read: {error}") from error


def _arrow(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            total = file.metadata.num_rows
            # Parts of about one size: all chunks are as large as the largest.
            size = -(-total // max(1, -(-total // rows)))
            for batch in file.iter_batches(batch_size=max(1, size)):
                yield batch.to_pandas()
        return
    import pyarrow as pa

    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        for k in range(file.num_record_batches):
            yield file.get_batch(k).to_pandas()


def _whole(parts: Iterator[pd.DataFrame], person: str | None) -> Iterator[pd.DataFrame]:
    """The parts with each person in one of them: rows with which a part goes on with the last person of the one before
    move there."""
    before: pd.DataFrame | None = None
    for part in parts:
        if not len(part):
            continue
        if before is not None and person is not None and person in part.columns:
            others = (part[person] != before[person].iloc[-1]).to_numpy()
            first = int(np.argmax(others)) if others.any() else len(part)
            if first:
                before = pd.concat([before, part.iloc[:first]], ignore_index=True)
                part = part.iloc[first:]
        if before is not None and len(part):
            yield before
        before = part if len(part) else before
    # A file without rows is refused, as a frame without them is.
    yield before if before is not None else pd.DataFrame()


def _named(name: str, frames: Iterator[pd.DataFrame]) -> Iterator[Chunk]:
    first = 0
    for frame in frames:
        rows = f", rows {first:,} to {first + len(frame) - 1:,}" if len(frame) else ""
        yield Chunk(name + rows, frame.reset_index(drop=True))
        first += len(frame)
