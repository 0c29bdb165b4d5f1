"""How parameters are called, and how an unknown name is answered."""

import difflib
from collections.abc import Iterable


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


def spread(coefficient: str) -> str:
    return f"{coefficient}.sd"


def nearest(name: object, known: Iterable[object]) -> str:
    """A half sentence that suggests the nearest known name, or lists a few."""
    texts = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), texts, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not texts:
        return "There are none."
    shown = ", ".join(repr(t) for t in texts[:8]) + (", ..." if len(texts) > 8 else "")
    return f"Known names: {shown}."


def duplicates(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, in order of appearance."""
    seen: set[str] = set()
    twice: list[str] = []
    for name in names:
        if name in seen and name not in twice:
            twice.append(name)
        seen.add(name)
    return twice


def as_tuple(value: object) -> tuple:
    """A single name or several, as a tuple."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return (value,)
