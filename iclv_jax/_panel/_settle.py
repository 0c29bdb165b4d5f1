"""What a model reads from the data before anything else: the levels of an ordered choice, and the groups."""

from dataclasses import replace
from typing import Any

import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._panel._frame import Frame, read_frames
from iclv_jax._panel._groups import find_groups
from iclv_jax._panel._numbers import zeros_and_ones
from iclv_jax._spec import Kernel
from iclv_jax._spec._model import Spec


def settled(spec: Given[Spec], data: Given[Any], person: Given[str | None], people: Given[Any]) -> Spec:
    """The model with what its choices and groups read from the data; itself where they read nothing."""
    spec = grouped(spec, data, person, people)
    if not any(choice.unsettled for choice in spec.choices):
        return spec
    frames = read_frames(data, person, people)
    return replace(spec, choices=tuple(_settled(c, frames.get(c.table, frames[None])) for c in spec.choices))


def grouped(
    spec: Given[Spec], data: Given[Any], person: Given[str | None], people: Given[Any] = None
) -> Spec:
    """The model with the names of its groups; itself where it has none, or knows them."""
    if spec.groups is None or spec.groups.names:
        return spec
    return replace(spec, groups=find_groups(spec.groups, read_frames(data, person, people)[None]))


def _settled(choice: Kernel, frame: Frame) -> Kernel:
    if not choice.unsettled:
        return choice
    column = frame.rows_of(choice.chosen, "chosen=")
    if choice.rows is not None:
        asked = zeros_and_ones(frame.rows_of(choice.rows, "rows="), choice.rows, "rows=", frame.rows)
        column = column[asked == 1.0]
    ordered = column.cat.categories.tolist() if isinstance(column.dtype, pd.CategoricalDtype) else None
    if ordered is not None and not column.cat.ordered:
        ordered = None
    return choice.settled(column.dropna().unique().tolist(), ordered)
