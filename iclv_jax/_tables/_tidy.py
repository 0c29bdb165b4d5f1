"""Tables as data frames and as CSV, and data frames as tables."""

import io
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from iclv_jax._base._types import File, Given
from iclv_jax._base._whole import place_of, replaced, told, write_whole
from iclv_jax._tables._format import number, probability
from iclv_jax._tables._section import Section


def tidy(
    facts: Sequence[tuple[str, str]], columns: Sequence[str], sections: Sequence[Section]
) -> pd.DataFrame:
    """One row per row of the table, after the heading it stands under; the facts where there is no table."""
    if not sections:
        return pd.DataFrame(list(facts), columns=["name", "value"], dtype=str)
    named = [c or ("name" if i == 0 else f"column {i + 1}") for i, c in enumerate(columns)]
    headed = any(s.heading for s in sections)
    rows = [([s.heading] if headed else []) + list(row) for s in sections for row in s.rows]
    return pd.DataFrame(rows, columns=(["section"] if headed else []) + named, dtype=str)


def workbook(path: Given[File], sheets: Mapping[str, pd.DataFrame]) -> None:
    """Frames as the sheets of a workbook; ImportError with the way out where openpyxl is not installed."""
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Workbooks are written with openpyxl, which is not installed: pip install "iclv-jax[excel]".'
        ) from error
    book = path if isinstance(path, io.IOBase) else io.BytesIO()
    with pd.ExcelWriter(book, engine="openpyxl") as writer:  # pyright: ignore[reportArgumentType]
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=not isinstance(frame.index, pd.RangeIndex))
    if isinstance(book, io.BytesIO) and book is not path:
        write_whole(path, book.getvalue(), "to_excel")


def csv(frame: pd.DataFrame, path: Given[File | None], index: bool = True) -> str | None:
    """A frame as CSV: written to `path`, or returned as text when None. `"table.csv.gz"` is packed."""
    if path is None or isinstance(path, io.IOBase):
        return frame.to_csv(path, index=index)  # pyright: ignore[reportCallIssue, reportArgumentType]
    place = place_of(path, "to_csv")
    with told(place, "The file"), replaced(place) as part:
        frame.to_csv(part, index=index)
    return None


def as_grid(
    frame: pd.DataFrame | pd.Series,
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Columns, rows of text, and which columns are words. The levels of the index come first; columns called `p` are
    shown as probabilities."""
    table = (
        frame.to_frame("value" if frame.name is None else frame.name)
        if isinstance(frame, pd.Series)
        else frame
    )
    width = table.index.nlevels
    # An index with one level may hold tuples as labels.
    labels = [tuple(i) if width > 1 else (i,) for i in table.index.tolist()]
    heads = [("" if n is None else str(n)) for n in table.index.names]
    names = [_joined(c) for c in table.columns]
    columns = [table.iloc[:, i].tolist() for i in range(table.shape[1])]
    cells = [[_cell(v, name == "p") for v in values] for name, values in zip(names, columns, strict=True)]
    rows = tuple(
        (*(_cell(v, False) for v in label), *(column[i] for column in cells))
        for i, label in enumerate(labels)
    )
    words = tuple(range(width)) + tuple(width + i for i, values in enumerate(columns) if _is_text(values))
    return (*heads, *names), rows, words


def _joined(name: Hashable) -> str:
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _is_text(values: Sequence[object]) -> bool:
    return any(isinstance(v, str) for v in values)


def _cell(value: object, is_probability: bool) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return probability(float(value)) if is_probability else number(float(value))
    return str(value)
