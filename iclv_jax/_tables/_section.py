"""Rows under a heading."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Rows under a heading; cells are text. What is not `shown` is not printed: only the frame and the CSV hold it."""

    heading: str
    rows: tuple[tuple[str, ...], ...]
    shown: bool = True
