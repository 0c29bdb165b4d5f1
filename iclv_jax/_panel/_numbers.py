"""A column as numbers: what is text, infinite, missing, or no zero or one is refused by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._spec._values import LARGEST, is_number

PLACES = {"row": "in row", "person": "for person"}
"""Where an entry stands, by the unit of the column."""


def counted(count: int, unit: str) -> str:
    """`3 rows`, `1 person`."""
    many = "people" if unit == "person" else f"{unit}s"
    return f"{count} {unit if count == 1 else many}"


def numbers(values: pd.Series, name: str, what: str, labels: Sequence[Any], unit: str = "row") -> np.ndarray:
    """Floats, NaN where missing; ValueError names the first value that is text or infinite.

    `labels` name the entries, which are of a `unit` (row or person).
    """
    array = _floats(values)
    # What an alternative that is not on offer has may be anything.
    most = LARGEST if unit == "person" else np.finfo(float).max
    bad = (np.abs(array) > most) | (np.isnan(array) & values.notna().to_numpy())
    if bad.any():
        at = int(np.argmax(bad))
        found = f"{what}: column {name!r} holds {values.tolist()[at]!r} {PLACES[unit]} {labels[at]!r}"
        if np.isinf(array[at]):
            raise ValueError(f"{found}, which is not finite. Correct it, or drop the {unit}.")
        if abs(array[at]) > most:
            raise ValueError(
                f"{found}, which is too large to be squared and summed. Correct it, or count in larger units."
            )
        kind = "text and no number" if isinstance(values.tolist()[at], str) else "no number"
        raise ValueError(f"{found}, which is {kind}. Code the column as numbers first.")
    return array


def _floats(values: pd.Series) -> np.ndarray:
    """Floats, NaN for what is missing or no number; text with digits in it is no number."""
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return values.to_numpy(dtype=float, na_value=np.nan)
    present = values.notna().to_numpy()
    pairs = zip(values.tolist(), present, strict=True)
    return np.array([float(v) if p and is_number(v) else np.nan for v, p in pairs])


def complete(values: np.ndarray, name: str, what: str, labels: Sequence[Any], unit: str) -> np.ndarray:
    """The values, or a ValueError that counts the NaN and names the first."""
    missing = np.isnan(values)
    if missing.any():
        raise ValueError(
            f"{what}: column {name!r} is missing (NaN) for {counted(int(missing.sum()), unit)}, first "
            f"{PLACES[unit]} {labels[int(np.argmax(missing))]!r}. Drop or impute them before fitting."
        )
    return values


def zeros_and_ones(values: pd.Series, name: str, what: str, labels: Sequence[Any]) -> np.ndarray:
    """A complete column of zeros and ones by row, as floats."""
    found = complete(numbers(values, name, what, labels), name, what, labels, "row")
    wrong = ~np.isin(found, (0.0, 1.0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: column {name!r} holds {found[at]:g} in row {labels[at]!r}; it may hold only 0 and 1."
        )
    return found
