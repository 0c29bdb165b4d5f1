"""Levels of items with an order: as they are declared, as data show them, and what is wrong with them."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from iclv_jax._base._types import Given, Level
from iclv_jax._spec import _names as names
from iclv_jax._spec._values import is_number

MOST_LEVELS = 50
"""An item with more levels than these, read from the data, was hardly meant to be ordered."""


def declared(
    column: str, levels: Given[Sequence[Level] | None], missing: Given[Sequence[Level]]
) -> tuple[Level, ...] | None:
    """Levels as a user gives them, checked."""
    if levels is None:
        return None
    found = names.as_tuple(levels)
    for level in found:
        if not names.is_label(level):
            raise ValueError(f"Item {column!r}: levels= holds numbers or text, not {level!r}.")
    if len(set(found)) < max(2, len(found)):
        raise ValueError(
            f"Item {column!r}: levels= lists at least two different levels in order, not {list(found)!r}."
        )
    both = [level for level in found if level in missing]
    if both:
        raise ValueError(
            f"Item {column!r} has {both[0]!r} in levels= and in missing=. Keep it in one of them."
        )
    return found


def check_members(
    column: str, levels: Given[Sequence[Level] | None], values: Sequence[Level], people: Sequence[Level]
) -> None:
    """Refuse an answer that is none of the declared levels."""
    if levels is None:
        return
    for value, person in zip(values, people, strict=True):
        if value not in levels:
            raise ValueError(
                f"Item {column!r} has the value {value!r} for person {person!r}, which is none of "
                f"its levels {list(levels)!r}. Codes that mean 'no answer' go into `missing=`."
            )


def in_order(
    column: str,
    levels: Given[Sequence[Level] | None],
    values: Sequence[Level],
    categories: Sequence[Level] | None,
) -> tuple[Level, ...]:
    """The declared levels, the categories of an ordered column, or the numbers that occur, sorted."""
    if levels is not None:
        return tuple(levels)
    if categories is not None:
        return tuple(categories)
    found = set(values)
    if any(isinstance(v, str) for v in found):
        raise ValueError(
            f"Item {column!r} holds labels whose order is not known. Give it `levels=[...]` in "
            "order, or make the column an ordered categorical."
        )
    wrong = [v for v in found if not (is_number(v) and np.isfinite(float(v)))]
    if wrong:
        raise ValueError(
            f"Item {column!r} has the value {wrong[0]!r}, which is neither a finite number nor a "
            "label. Codes that mean 'no answer' go into `missing=`."
        )
    # Whole numbers that a missing answer elsewhere in the column has turned into floats.
    whole = (int(v) if isinstance(v, float) and v.is_integer() else v for v in found)
    return tuple(sorted(whole, key=float))  # pyright: ignore[reportCallIssue, reportArgumentType]


def check_several(who: str, levels: Sequence[Level]) -> None:
    """Refuse an item of which everybody gave the same answer."""
    if len(levels) < 2:
        only = f"only the level {levels[0]!r}" if levels else "no level"
        raise ValueError(f"{who} has {only}: it measures nothing. Remove it, or give it `levels=[...]`.")


def check_seen(who: str, levels: Sequence[Level], counts: Sequence[int], what: str) -> None:
    """Refuse levels that nobody has, without which `what` is not identified."""
    never = [level for level, count in zip(levels, counts, strict=True) if count == 0]
    if never:
        raise ValueError(
            f"{who} never has the level {', '.join(map(repr, never))} in these data, so {what} unidentified. Leave the "
            "level out of `levels=` (or of the categories), or join it with a neighbour."
        )


def check_gaps(who: str, levels: Sequence[Level]) -> None:
    """Refuse whole numbers between which one is missing, and more levels than an ordered item has."""
    numbers = [float(v) for v in levels if is_number(v)]
    if len(numbers) == len(levels) and all(v.is_integer() for v in numbers):
        first, last = int(numbers[0]), int(numbers[-1])
        known = set(map(int, numbers))
        absent = list(islice((v for v in range(first, last + 1) if v not in known), 6))
        if absent:
            shown = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
            raise ValueError(
                f"{who} has gaps: nobody answered {shown} between {first} and {last}. Give the levels that occur "
                "as `levels=[...]`, or name codes that mean 'no answer' in `missing=`."
            )
    if len(levels) > MOST_LEVELS:
        raise ValueError(
            f"{who} has {len(levels)} different values, from {levels[0]!r} to {levels[-1]!r}. Make "
            "it iclv.Continuous, or give it these levels as `levels=[...]`."
        )
