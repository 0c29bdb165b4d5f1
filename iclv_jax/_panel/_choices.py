"""Choice situations by row: what was chosen, what was available, and the attributes."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._panel._frame import Frame
from iclv_jax._panel._numbers import counted, numbers, zeros_and_ones
from iclv_jax._panel._person import first_outcome
from iclv_jax._panel._reach import settled
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import nearest


@dataclass(frozen=True)
class Choices:
    """One entry per row of the frame; `outcome` are positions by row, or by row and answer where there are several; it is
    -1 where nothing was observed. Of a kernel that explains numbers they are those, NaN where missing. `asked` marks where
    something should be, `happened` where it is.

    `masked`: utilities have to be cut off where they do not count before anything is differentiated.
    """

    frame: Frame
    columns: np.ndarray
    outcome: np.ndarray
    available: np.ndarray
    asked: np.ndarray
    happened: np.ndarray
    masked: bool = False


def read_all(
    kernels: Sequence[Kernel],
    frames: Mapping[str | None, Frame],
    outcomes: bool,
    estimating: bool,
    asked: Given[Collection[str] | None],
) -> list[Choices]:
    """Every choice in the frame of its table; of those that `asked` does not name nothing is read."""
    _check_used(kernels, frames)
    return [
        read_choices(kernel, _frame_of(kernel, frames), outcomes, estimating)
        if asked is None or kernel.name in asked
        else _unasked(kernel, frames[None])
        for kernel in kernels
    ]


def _check_used(kernels: Sequence[Kernel], frames: Mapping[str | None, Frame]) -> None:
    """ValueError for a frame beside the first, which holds items and covariates, that is the table of no choice."""
    tables = [kernel.table for kernel in kernels if kernel.table is not None]
    names = [name for name in frames if name is not None]
    for name in names[1:]:
        if name not in tables:
            raise ValueError(
                f"The data have a frame {name!r}, which no choice has as its table=, so that nothing in it would be used. "
                f"Leave it out, or name it in table=. {nearest(name, tables)}"
            )


def _frame_of(choice: Kernel, frames: Mapping[str | None, Frame]) -> Frame:
    if choice.table in frames:
        return frames[choice.table]
    known = [name for name in frames if name is not None]
    if not known:
        raise ValueError(
            f"The choice {choice.name!r} stands in the table {choice.table!r}, but the data are a single frame. Give a "
            f"mapping of frames, such as {{{choice.table!r}: frame}}, or leave table= out."
        )
    raise ValueError(
        f"The choice {choice.name!r} stands in the table {choice.table!r}, which the data do not have. "
        f"{nearest(choice.table, known)}"
    )


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
    columns = _columns(kernel, frame, outcomes)
    outcome = (_outcome if kernel.discrete else _numbers)(kernel, frame, asked, outcomes)
    happened = np.asarray(
        first_outcome(outcome, available) >= 0 if kernel.discrete else ~np.isnan(outcome).all(axis=1)
    )
    if not happened.any():
        where = "every row" if kernel.rows is None else f"every row with {kernel.rows!r} = 1"
        raise ValueError(
            f"chosen=: column {kernel.chosen!r} is missing (NaN) in {where}. Leave choice= out of the "
            "model, or check the column."
        )
    if outcomes and kernel.discrete:
        _check_chosen_available(kernel, outcome, available, labels)
        at = np.flatnonzero((outcome.reshape(count, -1) >= 0).any(axis=1))
        kernel.check_outcomes(outcome[at], available[at], [labels[i] for i in at])
        if estimating:
            kernel.check_sample(outcome[at])
    elif outcomes:
        at = np.flatnonzero(happened)
        named = dict(zip(utility.columns, columns[at].T, strict=True))
        kernel.check_numbers(outcome[at], named, available[at], [labels[i] for i in at])
    for name in kernel.constant:
        _check_constant(frame, name, columns[:, utility.columns.index(name)], happened)
    needed = kernel.needed(available) & happened[:, None]
    filled, masked = settled(columns, utility, needed, labels, estimating)
    return Choices(frame, filled, outcome, available, asked, happened, masked)


def _unasked(kernel: Kernel, frame: Frame) -> Choices:
    """A choice that is not read: the rows of a frame, none of which is a situation."""
    count, answers = len(frame.data), len(kernel.columns)
    nowhere = np.zeros(count, bool)
    outcome = np.zeros((count, answers), int if kernel.discrete else float)
    return Choices(
        frame,
        np.ones((count, len(kernel.utility.columns))),
        outcome[:, 0] if kernel.discrete and answers == 1 else outcome,
        np.ones((count, len(kernel.outcomes)), bool),
        nowhere,
        nowhere,
    )


def _columns(kernel: Kernel, frame: Frame, outcomes: bool) -> np.ndarray:
    """Columns of the utilities; those that are explained themselves are not read before they are known."""
    names = kernel.utility.columns
    columns = np.ones((len(frame.data), len(names)))
    for i, name in enumerate(names):
        if kernel.discrete or outcomes or name not in kernel.columns:
            columns[:, i] = numbers(frame.rows_of(name, "The utility"), name, "The utility", frame.rows)
    return columns


def _numbers(kernel: Kernel, frame: Frame, asked: np.ndarray, observed: bool) -> np.ndarray:
    """What a kernel explains that is no choice of one alternative, (row, column), NaN where it is missing."""
    found = np.ones((len(asked), len(kernel.columns)))
    for i, name in enumerate(kernel.columns if observed else ()):
        what = f"The choice {kernel.name!r}"
        found[:, i] = numbers(frame.rows_of(name, what), name, what, frame.rows)
    return np.where(asked[:, None], found, np.nan)


def _check_constant(frame: Frame, name: str, values: np.ndarray, happened: np.ndarray) -> None:
    """Refuse a column of a person that varies over situations."""
    first: dict[int, float] = {}
    for person, value in zip(frame.codes[happened].tolist(), values[happened].tolist(), strict=True):
        if first.setdefault(person, value) != value:
            raise ValueError(
                f"Membership of latent classes uses the column {name!r}, which varies within person "
                f"{frame.people[person]!r}. Use one that does not, or of='situation'."
            )


def _available(kernel: Kernel, frame: Frame) -> np.ndarray:
    alternatives = kernel.outcomes
    available = np.ones((len(frame.data), len(alternatives)), bool)
    for alternative, name in kernel.available:
        what = f"available[{alternative!r}]"
        values = zeros_and_ones(frame.rows_of(name, what), name, what, frame.rows)
        available[:, alternatives.index(alternative)] = values == 1.0
    return available


def _outcome(kernel: Kernel, frame: Frame, asked: np.ndarray, observed: bool) -> np.ndarray:
    """Positions of what was chosen, one column of the frame or several; of what might be, where nothing is observed."""
    if observed:
        each = [_chosen(name, frame, kernel.outcomes, asked) for name in kernel.columns]
    else:
        each = [np.where(asked, min(i, len(kernel.outcomes) - 1), -1) for i in range(len(kernel.columns))]
    return each[0] if len(each) == 1 else np.stack(each, axis=1)


def _chosen(name: str, frame: Frame, alternatives: tuple[Hashable, ...], asked: np.ndarray) -> np.ndarray:
    column = frame.rows_of(name, "chosen=")
    place = {alternative: i for i, alternative in enumerate(alternatives)}
    missing = column.isna().to_numpy() | ~asked
    chosen = np.full(len(column), -1)
    for at, value in enumerate(column.tolist()):
        if missing[at]:
            continue
        if value not in place:
            raise ValueError(
                f"chosen=: column {name!r} holds {value!r} in row {frame.rows[at]!r}, which is no "
                f"alternative of the utility function. {nearest(value, alternatives)}"
            )
        chosen[at] = place[value]
    return chosen


def _check_chosen_available(
    kernel: Kernel, outcome: np.ndarray, available: np.ndarray, labels: Sequence[Any]
) -> None:
    each = outcome.reshape(len(outcome), -1)
    offered = np.take_along_axis(available, np.maximum(each, 0), axis=1)
    wrong = np.argwhere((each >= 0) & ~offered)
    if len(wrong):
        at, name = int(wrong[0][0]), kernel.outcomes[each[tuple(wrong[0])]]
        # What is not offered has a column that says so.
        column = dict(kernel.available)[name]
        raise ValueError(
            f"Row {labels[at]!r} chose {name!r}, which is not available there"
            + (f" (and so in {counted(len(wrong) - 1, 'more row')})" if len(wrong) > 1 else "")
            + f". Correct the choice or its column {column!r} in available=, or drop the row."
        )
