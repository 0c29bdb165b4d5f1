"""Interrupts (Ctrl-C) that nobody swallows.

Python raises KeyboardInterrupt between any two of its instructions. Where these are called back from a library in C++ (a
comparison of keys in JAX's caches, the end of an object) the exception may be dropped there, and the work goes on as if
nobody had asked. A mark is left beside it, and whoever works in turns looks at it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether an interrupt came and has not been answered."""

    def __init__(self) -> None:
        self.pending = False

    def check(self) -> None:
        """Raise KeyboardInterrupt where one was dropped."""
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Notes interrupts while inside, beside what Python does with them. Other handlers than Python's own stay, and only the
    main thread has any."""
    mine = Interrupts()
    usual = signal.default_int_handler
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not usual
    ):
        yield mine
        return

    def noted(number: int, frame: FrameType | None) -> None:
        mine.pending = True
        usual(number, frame)

    signal.signal(signal.SIGINT, noted)
    try:
        yield mine
    finally:
        signal.signal(signal.SIGINT, usual)
