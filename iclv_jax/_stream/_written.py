"""Tables by chunk in CSV files: a file for each process, or all of them in one."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from iclv_jax._base._alone import several
from iclv_jax._base._types import File, Given
from iclv_jax._base._whole import check_path, place_of, replaced, told
from iclv_jax._stream import _hosts as hosts


def write_tables(path: Given[File], tables: Iterator[pd.DataFrame], chunks: int, gather: Given[bool]) -> None:
    """One table for each of the chunks of this process, one below the other.

    Of several processes each writes its own file, with its number behind the name; with `gather` the first one writes all,
    with a column `process`. ValueError for a place that cannot be written to.
    """
    check_path(path, "predict")
    if not isinstance(gather, bool):
        raise ValueError(f"gather is True or False, not {gather!r}.")
    place = Path(path)
    if not several():
        _write(place_of(place, "predict"), tables)
    elif not gather:
        mine = place.with_name(f"{place.stem}-{hosts.mine()}{place.suffix}")
        _write(place_of(mine, "predict"), tables)
    else:
        hosts.by_first("a place for predictions", lambda: place_of(place, "predict"))
        every = _gathered(tables, max(hosts.together("the number of chunks", lambda: chunks)))
        if hosts.mine():
            for _ in every:
                pass
        else:
            _write(place, every)


def _gathered(tables: Iterator[pd.DataFrame], most: int) -> Iterator[pd.DataFrame]:
    """The tables of all processes, a chunk of each at a time."""
    for k in range(most):
        found = hosts.together(f"the table of chunk {k + 1}", lambda: next(tables, None))
        for process, table in enumerate(found):
            if table is not None:
                table.insert(0, "process", process)
                yield table


def _write(place: Path, tables: Iterator[pd.DataFrame]) -> None:
    with told(place, "The predictions"), replaced(place) as part:
        for k, table in enumerate(tables):
            table.to_csv(part, mode="a", header=not k, index=False)
