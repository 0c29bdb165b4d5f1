"""Rows under a heading."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Rows under a heading; cells are text."""

    heading: str
    rows: tuple[tuple[str, ...], ...]
