"""Choice situations by row: what was chosen, what was available, and the attributes."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iclv_jax._panel._frame import Frame
from iclv_jax._panel._numbers import counted, numbers, zeros_and_ones
from iclv_jax._panel._reach import settled
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import nearest


@dataclass(frozen=True)
class Choices:
    """One entry per row of the frame; `chosen` is -1 where no choice was observed, `asked` marks where one should be.

    `masked`: utilities have to be cut off where they do not count before anything is differentiated.
    """

    frame: Frame
    columns: np.ndarray
    chosen: np.ndarray
    available: np.ndarray
    asked: np.ndarray
    masked: bool = False


def read_choices(kernel: Kernel, frame: Frame, outcomes: bool, estimating: bool = True) -> Choices:
    """Read and check every choice column; without `outcomes` (simulation) each row that was asked is a situation.

    Data that are not for `estimating` may offer an alternative to nobody.
    """
    utility: Utility = kernel.utility
    labels = frame.rows
    count = len(frame.data)
    asked = np.ones(count, bool)
    if kernel.rows is not None:
        values = zeros_and_ones(frame.rows_of(kernel.rows, "rows="), kernel.rows, "rows=", labels)
        asked = values == 1.0
        if not asked.any():
            raise ValueError(
                f"rows=: column {kernel.rows!r} is 0 in every row, so the choice {kernel.name!r} was never asked."
            )
    available = _available(kernel, frame)
    columns = np.empty((count, len(utility.columns)))
    for i, name in enumerate(utility.columns):
        columns[:, i] = numbers(frame.rows_of(name, "The utility"), name, "The utility", labels)
    chosen = _chosen(kernel, frame, utility.alternatives, asked) if outcomes else np.where(asked, 0, -1)
    happened = chosen >= 0
    if not happened.any():
        where = "every row" if kernel.rows is None else f"every row with {kernel.rows!r} = 1"
        raise ValueError(
            f"chosen=: column {kernel.chosen!r} is missing (NaN) in {where}. Leave choice= out of the "
            "model, or check the column."
        )
    if outcomes:
        _check_chosen_available(kernel, chosen, available, labels)
    filled, masked = settled(columns, utility, available & happened[:, None], labels, estimating)
    return Choices(frame, filled, chosen, available, asked, masked)


def _available(kernel: Kernel, frame: Frame) -> np.ndarray:
    alternatives = kernel.utility.alternatives
    available = np.ones((len(frame.data), len(alternatives)), bool)
    for alternative, name in kernel.available:
        what = f"available[{alternative!r}]"
        values = zeros_and_ones(frame.rows_of(name, what), name, what, frame.rows)
        available[:, alternatives.index(alternative)] = values == 1.0
    return available


def _chosen(
    kernel: Kernel, frame: Frame, alternatives: tuple[Hashable, ...], asked: np.ndarray
) -> np.ndarray:
    column = frame.rows_of(kernel.chosen, "chosen=")
    place = {alternative: i for i, alternative in enumerate(alternatives)}
    missing = column.isna().to_numpy() | ~asked
    chosen = np.full(len(column), -1)
    for at, value in enumerate(column.tolist()):
        if missing[at]:
            continue
        if value not in place:
            raise ValueError(
                f"chosen=: column {kernel.chosen!r} holds {value!r} in row {frame.rows[at]!r}, which is no "
                f"alternative of the utility function. {nearest(value, alternatives)}"
            )
        chosen[at] = place[value]
    return chosen


def _check_chosen_available(
    kernel: Kernel, chosen: np.ndarray, available: np.ndarray, labels: Sequence[Any]
) -> None:
    happened = np.flatnonzero(chosen >= 0)
    wrong = happened[~available[happened, chosen[happened]]]
    if len(wrong):
        at = int(wrong[0])
        name = kernel.utility.alternatives[chosen[at]]
        raise ValueError(
            f"Row {labels[at]!r} chose {name!r}, which is not available there"
            + (f" (and so in {counted(len(wrong) - 1, 'more row')})" if len(wrong) > 1 else "")
            + ". Correct the choice or the column in available=, or drop the row."
        )
