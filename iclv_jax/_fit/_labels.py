"""Labels of people in files: read again as they were, or not at all."""

import datetime
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from iclv_jax._base._facts import Fact, fact

PLAIN = (bool, int, float, str)


def packed_label(label: Hashable) -> Fact:
    """Numbers and text as they are; dates, tuples and others with their kind."""
    if isinstance(label, np.datetime64):
        label = pd.Timestamp(label)
    if isinstance(label, (*PLAIN, np.generic)):
        return fact(label)
    if isinstance(label, tuple):
        return {"kind": "tuple", "value": [packed_label(part) for part in label]}
    if isinstance(label, (pd.Timestamp, datetime.datetime, datetime.date)):
        return {"kind": type(label).__name__, "value": label.isoformat()}
    return {"kind": "other", "value": repr(label)}


def unpacked_label(found: object) -> Hashable:
    """The label as it was; ValueError for a kind that no file can hold."""
    if not isinstance(found, Mapping):
        return found  # pyright: ignore[reportReturnType]
    kind, value = found["kind"], found["value"]
    if kind == "tuple":
        return tuple(map(unpacked_label, value))
    kinds = {"Timestamp": pd.Timestamp, "datetime": datetime.datetime.fromisoformat}
    kinds["date"] = datetime.date.fromisoformat
    if kind not in kinds:
        raise ValueError(
            f"The people of this fit have labels such as {value}, which a file cannot hold. Load it with its model and data."
        )
    return kinds[kind](value)
