"""Survey items by person: levels, codes, and which answers are missing."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._panel._frame import Frame
from iclv_jax._panel._numbers import numbers
from iclv_jax._spec import Indicator, Level
from iclv_jax._spec._names import nearest
from iclv_jax._spec._values import is_number

Levels = dict[str, tuple[Level, ...]]


def read_items(
    indicators: Sequence[Indicator],
    frame: Frame,
    frozen: Mapping[str, tuple[Level, ...]] | None,
    estimating: bool = True,
) -> tuple[Levels, dict[str, np.ndarray]]:
    """Levels per item, and its values per person: floats, or codes, NaN where missing.

    With `frozen` levels (those of another data set) nothing needs to be observed at every level; data that are not
    for `estimating` may lack all answers to an item.
    """
    raw = {item.column: _observed(item, frame, estimating) for item in indicators}
    levels = _find_levels(indicators, raw) if frozen is None else _frozen(indicators, frozen)
    values = {item.column: _encode(item, raw[item.column], levels[item.column]) for item in indicators}
    for item in indicators:
        if item.flag is not None:
            values[item.column] = _flagged(item, item.flag, frame, values[item.column], estimating)
    if frozen is None:
        _check_levels(indicators, levels, values)
    return levels, values


def _observed(item: Indicator, frame: Frame, estimating: bool) -> pd.Series:
    """Answers by person with the codes for `no answer` turned into None; checked against the family."""
    column = frame.people_of(item.column, f"Item {item.column!r}")
    categories = _categories(column)
    answers = column.astype(object)
    missing = column.isna().to_numpy(copy=True)
    # Only values that are present are compared: `pd.NA == 6` is neither true nor false.
    missing[~missing] = [v in item.missing for v in answers[~missing]]
    answers.iloc[np.flatnonzero(missing)] = None
    if missing.all() and estimating:
        raise ValueError(f"Item {item.column!r} is missing for everyone. Remove it from the model.")
    seen = answers[~missing]
    _check_blanks(item, seen)
    if estimating:
        item.check(seen.tolist(), seen.index.tolist())
    elif not item.discrete:
        numbers(seen, item.column, f"Item {item.column!r}", seen.index.tolist(), "person")
    answers.attrs["categories"] = categories
    return answers


def _flagged(item: Indicator, flag: str, frame: Frame, values: np.ndarray, estimating: bool) -> np.ndarray:
    """Answers together with a column of zeros and ones, which counts where there is an answer."""
    what, answered = f"Item {item.column!r}", ~np.isnan(values)
    flags = numbers(frame.people_of(flag, what), flag, what, frame.people, "person")
    wrong = np.flatnonzero(answered & ~np.isin(flags, (0.0, 1.0)))
    if len(wrong):
        shown = "missing (NaN)" if np.isnan(flags[wrong[0]]) else f"{flags[wrong[0]]:g}"
        raise ValueError(
            f"{what}: column {flag!r} is {shown} for person {frame.people[wrong[0]]!r}. It is 1 where the end was seen and "
            "0 where it was not."
        )
    if estimating and answered.any() and not (flags[answered] == 1.0).any():
        raise ValueError(
            f"{what}: column {flag!r} is 0 for everyone, so that no end was seen. Remove the item, or turn the codes around."
        )
    return item.flagged(values, flags)


def _check_blanks(item: Indicator, seen: pd.Series) -> None:
    """Refuse empty text among numbers, as files leave it where nobody answered."""
    blank = [isinstance(v, str) and not v.strip() for v in seen.tolist()]
    if any(blank) and any(is_number(v) for v in seen.tolist()):
        at = blank.index(True)
        value, person = seen.tolist()[at], seen.index.tolist()[at]
        raise ValueError(
            f"Item {item.column!r} holds the empty text {value!r} among numbers, first for person {person!r}. "
            f"If that means 'no answer', say so by missing=[{value!r}]."
        )


def check_levels(levels: object) -> None:
    """Raise ValueError for what are no levels of another data set."""
    if levels is not None and not isinstance(levels, Mapping):
        raise ValueError(
            f"levels= is a mapping from items to their levels, such as panel.levels, not {levels!r}."
        )


def known_levels(
    levels: Mapping[str, tuple[Level, ...]] | None, nominal: Collection[str]
) -> dict[str, tuple[Level, ...]] | None:
    """Those of items, given by another data set."""
    return None if levels is None else {n: v for n, v in levels.items() if n not in nominal}


def _frozen(
    indicators: Sequence[Indicator], given: Mapping[str, tuple[Level, ...]]
) -> dict[str, tuple[Level, ...]]:
    """Levels of other data, checked to be those of this model's items."""
    columns = [item.column for item in indicators]
    for name in given:
        if name not in columns:
            raise ValueError(
                f"levels= names {name!r}, which is no item of the model. {nearest(name, columns)}"
            )
    for item in indicators:
        if item.discrete and item.column not in given:
            raise ValueError(
                f"levels= lacks the item {item.column!r}. Give the levels of all ordered items, as "
                "`panel.levels` of the other problem does."
            )
    return {name: tuple(given.get(name, ())) for name in columns}


def _categories(column: pd.Series) -> tuple[Hashable, ...] | None:
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return tuple(column.cat.categories)
    return None


def _find_levels(indicators: Sequence[Indicator], raw: Mapping[str, pd.Series]) -> Levels:
    found: Levels = {}
    for item in indicators:
        answers = raw[item.column]
        categories = answers.attrs["categories"]
        if categories is not None:
            categories = tuple(c for c in categories if c not in item.missing)
        found[item.column] = item.find_levels(answers.dropna().tolist(), categories)
    for name in dict.fromkeys(i.shared for i in indicators if i.shared):
        members = [i.column for i in indicators if i.shared == name]
        common = _join([found[m] for m in members], name)
        found.update(dict.fromkeys(members, common))
    return found


def _join(parts: list[tuple[Any, ...]], name: str | None) -> tuple[Level, ...]:
    """Levels of items that share thresholds: the union of numbers, or one common list of labels."""
    if all(part == parts[0] for part in parts):
        return parts[0]
    union = {level for part in parts for level in part}
    if any(isinstance(level, str) for level in union) or any(list(part) != sorted(part) for part in parts):
        raise ValueError(
            f"The items that share {name!r} have different levels, or levels in different orders. Give all "
            "of them the same `levels=`."
        )
    return tuple(sorted(union))


def _encode(item: Indicator, answers: pd.Series, levels: tuple[Level, ...]) -> np.ndarray:
    present = answers.notna().to_numpy()
    values = np.full(len(answers), np.nan)
    if not item.discrete:
        values[present] = [float(v) for v in answers[present]]
        return values
    code: dict[Any, int] = {level: i for i, level in enumerate(levels)}
    codes = [code.get(value, -1) for value in answers[present].tolist()]
    if -1 in codes:
        position = np.flatnonzero(present)[codes.index(-1)]
        raise ValueError(
            f"Item {item.column!r} has the value {answers.iloc[position]!r} for person {answers.index[position]!r}, "
            f"which is none of its levels {list(levels)!r}. Codes that mean 'no answer' go into `missing=`."
        )
    values[present] = codes
    return values


def _check_levels(indicators: Sequence[Indicator], levels: Levels, values: Mapping[str, np.ndarray]) -> None:
    for item in indicators:
        if not item.discrete:
            continue
        group = [i.column for i in indicators if i.shared == item.shared] if item.shared else [item.column]
        pooled = np.concatenate([values[q] for q in group])
        codes = pooled[~np.isnan(pooled)].astype(int)
        item.check_levels(
            levels[item.column], np.bincount(codes, minlength=len(levels[item.column])).tolist()
        )
