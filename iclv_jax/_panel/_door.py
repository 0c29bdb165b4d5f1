"""Data frames of any library as pandas', at the door: what narwhals reads is converted column by column."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from iclv_jax._base._types import Given

if TYPE_CHECKING:
    import narwhals as nw

KNOWN = "a data frame of pandas, polars, pyarrow or another library that narwhals reads"
WHOLE = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
"""Kinds of whole numbers, by the names that narwhals and the nullable ones of pandas share."""


def as_pandas(frame: Given[Any], argument: str) -> pd.DataFrame:
    """The frame as one of pandas, whose own come back as they are; ValueError for what is no data frame.

    Numbers and truth values with gaps become the nullable ones of pandas, enumerations become ordered categories, and
    text stays text. Categories without an order of their own come in the order of the alphabet. Frames that are computed
    on demand are computed. Rows are numbered from 0.
    """
    if isinstance(frame, pd.DataFrame):
        return _plain_categories(frame)
    import narwhals as nw  # Here, because it takes 0.2 s that users of pandas need not wait.

    try:
        found = nw.from_native(frame)
    except TypeError:
        raise ValueError(f"{argument} is {KNOWN}, not {type(frame).__name__}.") from None
    table = found.collect() if isinstance(found, nw.LazyFrame) else found
    if table.implementation.is_pandas_like():
        return table.to_pandas()
    if not table.columns:
        return pd.DataFrame(index=range(len(table)))
    return pd.DataFrame({name: _column(table[name], nw) for name in table.columns})


def as_pandas_frames(data: Given[Any], argument: str = "data") -> Any:
    """A frame, or the frames of a mapping, as pandas' own; None stays."""
    if data is None:
        return None
    if isinstance(data, Mapping):
        return {name: _named(name, frame, argument) for name, frame in data.items()}
    return as_pandas(data, argument)


def _named(name: str, frame: Any, argument: str) -> pd.DataFrame:
    try:
        return as_pandas(frame, argument)
    except ValueError as error:
        raise ValueError(f"The frame {name!r}: {error}") from None


def _column(values: "nw.Series[Any]", nw: Any) -> pd.Series:
    kind: Any = values.dtype
    gaps = values.null_count() > 0
    if isinstance(kind, nw.Enum):
        return pd.Series(pd.Categorical(values.to_list(), categories=list(kind.categories), ordered=True))
    if isinstance(kind, nw.Categorical):
        return _categories(values)
    if isinstance(kind, nw.Decimal):
        return pd.Series(values.cast(nw.Float64).to_numpy())
    if kind.is_float() or (not gaps and (str(kind) in WHOLE or isinstance(kind, nw.Boolean))):
        return pd.Series(values.to_numpy())
    if str(kind) in WHOLE:
        return pd.Series(values.to_list(), dtype=str(kind))
    if isinstance(kind, nw.Boolean):
        return pd.Series(values.to_list(), dtype="boolean")
    return pd.Series(values.to_list(), dtype=object).infer_objects()


def _categories(values: "nw.Series[Any]") -> pd.Series:
    """Arrow keeps categories with their order; where a library does not, that of a process would depend on what it read
    before."""
    if values.implementation.is_pyarrow():
        # By pyarrow itself: narwhals 2.29 turns missing values into the last category on this way.
        return pd.Series(values.to_native().to_pandas().array)
    return pd.Series(values.to_list(), dtype=object).astype("category")


def _plain_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories that pandas keeps as Arrow's, as its own."""
    arrow = getattr(pd, "ArrowDtype", ())
    found = {
        name: frame[name].astype(pd.CategoricalDtype(_dictionary(frame[name]), ordered=kind.pyarrow_dtype.ordered))
        for name, kind in frame.dtypes.items()
        if isinstance(kind, arrow) and hasattr(kind.pyarrow_dtype, "ordered")
    }  # fmt: skip
    return frame.assign(**{str(k): v for k, v in found.items()}) if found else frame


def _dictionary(column: pd.Series) -> list[Any]:
    array = column.array.__arrow_array__().combine_chunks()  # pyright: ignore[reportAttributeAccessIssue]
    return array.dictionary.to_pylist()
