"""What quantities, prices and budgets may be."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._spec._names import duplicates, is_label, nearest

PROFILES = ("gamma", "alpha", "translated")
EXACT = 1e-6
"""Relative difference by which a budget may miss what was spent."""
Pairs = tuple[tuple[Hashable, str], ...]


def pairs_of(given: object, field: str) -> Pairs:
    """A mapping from goods to columns as pairs."""
    if given is None:
        return ()
    found = tuple(given.items()) if isinstance(given, Mapping) else given
    good = isinstance(found, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in found)
    if not good or not all(isinstance(column, str) for _, column in found):  # pyright: ignore[reportGeneralTypeIssues]
        raise ValueError(
            f"{field}= is a mapping from goods to columns of numbers, such as {{'leisure': 'hours_leisure'}}, not {given!r}."
        )
    return found  # pyright: ignore[reportReturnType]


def profile_of(
    profile: object, scale: object, outside: object, goods: Sequence[Hashable], prices: Pairs
) -> None:
    """Refuse what does not fit the goods."""
    if not is_word(profile, PROFILES):
        raise ValueError(
            f"profile= is {', '.join(map(repr, PROFILES))}, not {profile!r}. {nearest(str(profile), PROFILES)}"
        )
    if not isinstance(scale, bool):
        raise ValueError(f"scale= is True or False, not {scale!r}. A value goes into fixed=.")
    if len(goods) < 2 or duplicates(goods):  # pyright: ignore[reportArgumentType]
        raise ValueError("quantities= names the columns of two or more goods, each once.")
    if not is_label(outside):
        raise ValueError(f"outside= is one of the goods in quantities=, not {outside!r}.")
    for what, good in [("outside=", outside)] * (outside is not None) + [("prices=", g) for g, _ in prices]:
        if good not in goods:
            raise ValueError(
                f"{what} names {good!r}, which has no column in quantities=. {nearest(good, goods)}"
            )


def nobody(kernel: Any, most: np.ndarray) -> None:
    """Refuse goods that nobody consumes; `most` is the largest quantity of each."""
    if most.min() <= 0.0:
        at = int(np.argmin(most))
        raise ValueError(
            f"Nobody consumes {kernel.goods[at]!r}: column {kernel.columns[at]!r} is 0 in every row, so that its parameters "
            "run off. Leave the good out, or check the column."
        )


def check_quantities(
    kernel: Any,
    outcome: np.ndarray,
    columns: Mapping[str, np.ndarray],
    offered: np.ndarray,
    labels: Sequence[Any],
) -> None:
    """Refuse rows that no consumer could have."""

    def refuse(wrong: np.ndarray | np.bool_, sentence: str) -> None:
        if wrong.any():
            at, good = map(int, np.argwhere(wrong)[0])
            size = f"{outcome[at, good]:g}"
            raise ValueError(
                f"Row {labels[at]!r}: "
                + sentence.format(good=kernel.goods[good], column=kernel.columns[good], size=size)
            )

    known = {g: columns[c] for g, c in kernel.prices}
    prices = np.stack([known.get(g, np.ones(len(outcome))) for g in kernel.goods], axis=1)
    refuse(
        np.isnan(outcome),
        "the quantity of {good!r} (column {column!r}) is missing (NaN). Write 0 for what was not consumed.",
    )
    refuse(outcome < 0.0, "the quantity of {good!r} (column {column!r}) is {size}. Quantities are 0 or more.")
    refuse((outcome > 0.0) & ~offered, "{size} of {good!r} was consumed, which is not available there.")
    refuse(
        np.tile(outcome.max(axis=1, keepdims=True) <= 0.0, outcome.shape[1]),
        "nothing is consumed of any good. Drop the row, or add an outside good.",
    )
    if kernel.outside is not None:
        outside = np.array([g == kernel.outside for g in kernel.goods])
        refuse(
            (outcome <= 0.0) & outside,
            "nothing of the outside good {good!r} is consumed. Leave outside= out, or check {column!r}.",
        )
    refuse((prices <= 0.0) & offered, "the price of {good!r} is not positive.")
    if kernel.budget is not None and kernel.budget in columns:
        _check_budget(
            kernel.budget, np.where(outcome > 0.0, prices * outcome, 0.0), columns[kernel.budget], labels
        )


def _check_budget(name: str, spent: np.ndarray, budget: np.ndarray, labels: Sequence[Any]) -> None:
    total = spent.sum(axis=1)
    wrong = np.abs(total - budget) > EXACT * np.maximum(total, 1e-300)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"Row {labels[at]!r}: prices times quantities add up to {total[at]:g}, but the budget in column {name!r} is "
            f"{budget[at]:g}. All of a budget is spent; name what is left over a good of its own (outside=)."
        )
