"""Covariances of the residuals of items."""

from collections.abc import Sequence
from typing import Any

from iclv_jax._base._types import Given
from iclv_jax._spec._family import Indicator
from iclv_jax._spec._names import as_tuple, duplicates

Pairs = tuple[tuple[str, str], ...]


def residual_pairs(
    pairs: Given[Sequence[tuple[str, str]]], items: Sequence[Indicator]
) -> tuple[tuple[Any, ...], Pairs]:
    """The pairs of latent variables and random coefficients, unchecked, and those of items in the items' order.

    ValueError for an item paired with something else, and for one that has no normal residual.
    """
    known = {item.column: item for item in items if not item.exact}
    others, found = [], []
    for pair in as_tuple(pairs):
        members = as_tuple(pair)
        named = all(isinstance(name, str) for name in members)
        mine = [name for name in members if name in known] if named else []
        if not mine or len(set(members)) != 2 or len(members) != 2:
            others.append(pair)
            continue
        _check_members(members, mine, known)
        first, second = sorted(mine, key=[*known].index)
        found.append((first, second))
    if twice := duplicates(found):
        raise ValueError("covariances holds the pair {!r} ~~ {!r} twice.".format(*twice[0]))
    return tuple(others), tuple(found)


def _check_members(members: tuple[str, ...], mine: list[str], known: dict[str, Indicator]) -> None:
    if len(mine) < 2:
        other = next(name for name in members if name not in known)
        raise ValueError(
            f"covariances pairs the item {mine[0]!r} with {other!r}, which is no item of the model. The residual of an item "
            "may covary with those of other continuous items."
        )
    for name in mine:
        if not known[name].normal:
            raise ValueError(
                f"covariances names the item {name!r}, which is {type(known[name]).__name__} and has no normal residual. "
                "Only residuals of Continuous items may covary; let both items measure one more latent variable instead."
            )
