"""How parameters are called, and how an unknown name is answered."""

import difflib
from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)


def slope(latent: str, predictor: str) -> str:
    return f"{latent} ~ {predictor}"


def intercept(name: str) -> str:
    return f"{name} ~ 1"


def loading(latent: str, column: str) -> str:
    return f"{latent} =~ {column}"


def threshold(item: str, number: int) -> str:
    return f"{item} | {number}"


def covariance(first: str, second: str) -> str:
    return f"{first} ~~ {second}"


def variance(name: str) -> str:
    return f"{name} ~~ {name}"


def nearest(name: object, known: Iterable[object]) -> str:
    """A half sentence that suggests the nearest known name, or lists a few.

    Names are compared as text and shown as they are, so that 1 and `'1'` can be told apart.
    """
    names = {str(k): k for k in known}
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {names[close[0]]!r}?"
    if not names:
        return "There are none."
    shown = ", ".join(map(repr, [*names.values()][:8])) + (", ..." if len(names) > 8 else "")
    return f"Known names: {shown}."


def is_label(value: object) -> bool:
    """Whether a value can be a level, an alternative or a code: it has a hash, and is equal to something or not. Lists have
    none, and with the missing value of pandas nothing is equal or unequal."""
    return has_hash(value) and isinstance(value == "", (bool, np.bool_))


def is_code(value: object) -> bool:
    """Whether a value can stand in a column: it is None, or a label that equals others of its kind. A function, a class and
    most objects are equal to themselves alone."""
    own = type(value).__eq__ is not object.__eq__ and not callable(value)
    return value is None or (is_label(value) and own)


def has_hash(value: object) -> bool:
    """Whether a value can be looked up. A tuple has a hash where all that it holds has one."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def duplicates(names: Iterable[Name]) -> list[Name]:
    """Names that occur more than once, in order of appearance."""
    seen: set[Name] = set()
    twice: list[Name] = []
    for name in names:
        if name in seen and name not in twice:
            twice.append(name)
        seen.add(name)
    return twice


def as_tuple(value: object) -> tuple:
    """Nothing, a single value (text is one) or several, as a tuple."""
    if value is None:
        return ()
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(value, key=str))  # the same order in every run
    if getattr(value, "ndim", None) == 0:
        return (np.asarray(value)[()],)  # an array that holds one value
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return tuple(value)
    return (value,)
