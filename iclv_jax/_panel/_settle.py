"""What a choice reads from the data before anything else: the levels of an ordered one."""

from dataclasses import replace
from typing import Any

import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._panel._frame import Frame, read_frames
from iclv_jax._spec import Kernel
from iclv_jax._spec._model import Spec


def settled(spec: Given[Spec], data: Given[Any], person: Given[str | None], people: Given[Any]) -> Spec:
    """The model with what its choices read from the data; itself where they read nothing."""
    if not any(choice.unsettled for choice in spec.choices):
        return spec
    frames = read_frames(data, person, people)
    return replace(spec, choices=tuple(_settled(c, frames.get(c.table, frames[None])) for c in spec.choices))


def _settled(choice: Kernel, frame: Frame) -> Kernel:
    if not choice.unsettled:
        return choice
    column = frame.rows_of(choice.chosen, "chosen=")
    ordered = column.cat.categories.tolist() if isinstance(column.dtype, pd.CategoricalDtype) else None
    if ordered is not None and not column.cat.ordered:
        ordered = None
    return choice.settled(column.dropna().unique().tolist(), ordered)
