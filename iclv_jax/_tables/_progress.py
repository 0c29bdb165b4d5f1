"""The progress of a fit: one line that moves in terminals and notebooks, plain lines in files."""

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Protocol, runtime_checkable

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import Given

FIRST = 0.4
"""Seconds after which something is said; a fit that is done before says nothing in a file."""
AGAIN = 1.0
"""Seconds between two looks at the clock in a terminal."""
SELDOM = 10.0
"""Seconds between two lines of one stage in a file."""


@runtime_checkable
class Stream(Protocol):
    """Where words go: what a standard error stream can do."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


class Progress:
    """What a fit is doing: stage, iteration, log-likelihood and Newton decrement (or epoch and log-likelihoods per
    person), and "compiling" until there is a first step; silent when switched off.

    A terminal and a notebook have one line whose clock goes on while programs are compiled. Where the standard error
    stream is a file, whole lines are written, without control characters: at every new stage, and else every ten seconds.
    """

    def __init__(self, show: Given[bool]) -> None:
        check_switch(show, "progress")
        self._text, self._done = "compiling", Event()
        self._line: _Bar | _Lines | None = None
        if show and sys.stderr is not None:
            self._line = _Bar() if _moving(sys.stderr) else _Lines(sys.stderr)
        self._clock = Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        if self._line is not None:
            self._clock.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        if self._line is not None:
            self._clock.join()
            self._line.close()

    def __call__(self, stage: str, row: Mapping[str, object]) -> None:
        self.say(f"{stage}: {_words(row)}", stage)

    def say(self, text: str, stage: str = "") -> None:
        """One step more, with these words."""
        self._text = text
        if self._line is not None:
            self._line.write(text, stage)

    def _tick(self) -> None:
        """Says "compiling" until there is a step, and keeps the clock going."""
        line, wait = self._line, FIRST
        while line is not None and not self._done.wait(wait):
            line.tick(self._text)
            wait = AGAIN


class _Bar:
    """One line that is written over."""

    def __init__(self) -> None:
        from tqdm import TqdmWarning

        with warnings.catch_warnings():
            # In a notebook without ipywidgets the import itself warns, and then gives the plain bar.
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm

        self._bar = tqdm(unit=" steps", bar_format="{desc} [{elapsed}]", leave=False, dynamic_ncols=True)
        self.close: Callable[[], None] = self._bar.close

    def write(self, text: str, stage: str) -> None:
        self._bar.set_description_str(text)
        self._bar.update()

    def tick(self, text: str) -> None:
        self._bar.set_description_str(text)


class _Lines:
    """Whole lines, few enough for a file."""

    def __init__(self, file: Stream) -> None:
        self._file, self._begun, self._last = file, time.monotonic(), -SELDOM
        self._stage: str | None = None

    def write(self, text: str, stage: str) -> None:
        seconds = time.monotonic() - self._begun
        if seconds >= FIRST and (stage != self._stage or seconds - self._last >= SELDOM):
            self._stage = stage
            self._print(text, seconds)

    def tick(self, text: str) -> None:
        seconds = time.monotonic() - self._begun
        if seconds - self._last >= SELDOM:
            self._print(text, seconds)

    def close(self) -> None:
        """Nothing is left open."""

    def _print(self, text: str, seconds: float) -> None:
        self._last = seconds
        self._file.write(f"{text} [{int(seconds) // 60:02d}:{int(seconds) % 60:02d}]\n")
        self._file.flush()


def _moving(file: Stream) -> bool:
    """Whether a line can be written over: in a terminal, or in a notebook."""
    return file.isatty() or "ipykernel" in sys.modules


def _words(row: Mapping[str, object]) -> str:
    if "epoch" not in row:
        return f"step {row['iteration']}, log L {row['loglike']:.3f}, decrement {row['decrement']:.1e}"
    held_out = f", held out {row['validation']:.4f}" if "validation" in row else ""
    return f"epoch {row['epoch']}, log L per person {row['train']:.4f}{held_out}"
