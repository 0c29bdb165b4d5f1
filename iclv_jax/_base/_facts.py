"""Facts: plain data that JSON holds, and where two sets of them differ.

What is kept in files and compared in other processes, years and versions says what a thing is, not how some class of this
package prints.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import jax
import numpy as np

if TYPE_CHECKING:
    Fact: TypeAlias = "bool | int | float | str | list[Fact] | dict[str, Fact] | None"
else:
    # Checks while running do not follow a type into itself.
    Fact: TypeAlias = bool | int | float | str | list[object] | dict[str, object] | None
Facts: TypeAlias = dict[str, Fact]

CLOSE = 1e-7
"""Relative difference of two numbers that count as one: releases of JAX and machines differ by some roundings."""
TINY = 1e-12
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SHOWN = 60


def fact(value: object) -> Fact:
    """A value as plain data.

    Dataclasses by the name of their kind and their fields; numbers that are not finite as text; functions by name alone;
    what is none of the usual things by its kind and its text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return _of_container(value)


def _of_container(value: object) -> Fact:
    if isinstance(value, (np.ndarray, jax.Array)):
        return [fact(v) for v in np.asarray(value).tolist()]
    if isinstance(value, (list, tuple)):
        return [fact(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__, **fields(value)}
    if isinstance(value, Mapping):
        named = all(isinstance(key, str) for key in value)
        return dict_of(value) if named else [[fact(k), fact(v)] for k, v in value.items()]
    if isinstance(value, type) or callable(value):
        return {"named": str(getattr(value, "__qualname__", type(value).__name__))}
    return {"kind": type(value).__name__, "text": _ADDRESS.sub("", str(value))}


def dict_of(mapping: Mapping[str, object]) -> Facts:
    return {name: fact(value) for name, value in mapping.items()}


def fields(instance: object, without: tuple[str, ...] = ()) -> Facts:
    """Declared fields of a dataclass by name; nothing for what is none."""
    if not dataclasses.is_dataclass(instance):
        return {}
    return {
        f.name: fact(getattr(instance, f.name)) for f in dataclasses.fields(instance) if f.name not in without
    }


def difference(
    theirs: Fact, ours: Fact, where: str = "", sides: tuple[str, str] = ("in the file", "here")
) -> str | None:
    """The first place at which two facts differ, in words, with what the two `sides` are called; None where they agree.
    Numbers agree to `CLOSE`."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return _of_dicts(theirs, ours, where, sides)
    if isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) == len(ours):
            return _first(
                lambda pair: difference(pair[1], ours[pair[0]], f"{where} {pair[0] + 1}".strip(), sides),
                enumerate(theirs),
            )
    elif _same(theirs, ours):
        return None
    return f"{where or 'the whole'} is {_shown(theirs)} {sides[0]} and {_shown(ours)} {sides[1]}"


def _of_dicts(theirs: Facts, ours: Facts, where: str, sides: tuple[str, str]) -> str | None:
    for key in (*theirs, *(k for k in ours if k not in theirs)):
        at = f"{where}, {key}" if where else key
        if key not in theirs or key not in ours:
            return f"{at} stands only {sides[0] if key in theirs else sides[1]}"
        if found := difference(theirs[key], ours[key], at, sides):
            return found
    return None


def _same(theirs: Fact, ours: Fact) -> bool:
    if isinstance(theirs, bool) or isinstance(ours, bool):
        return theirs is ours
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        whole = isinstance(theirs, int) and isinstance(ours, int)
        return theirs == ours if whole else math.isclose(theirs, ours, rel_tol=CLOSE, abs_tol=TINY)
    return theirs == ours


def _first(look: Callable[[tuple[int, Fact]], str | None], members: "enumerate[Fact]") -> str | None:
    return next((found for found in map(look, members) if found), None)


def _shown(value: Fact) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
