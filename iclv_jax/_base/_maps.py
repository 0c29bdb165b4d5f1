"""A process that compiles for hundreds of shapes, kept alive.

Every program that XLA compiles keeps some dozens of memory maps, of which Linux allows a process 65,530 by default. Beyond
them the compiler dies of a segmentation fault, which no `try` catches. So every now and then the maps are counted, and old
programs are dropped in time.
"""

import gc
from collections.abc import Sequence
from pathlib import Path

import jax
from typing_extensions import Protocol, runtime_checkable

MAPS = Path("/proc/self/maps")
ALLOWED = Path("/proc/sys/vm/max_map_count")
SHARE = 0.5
"""Of the maps that are allowed, how many may be in use before programs are dropped; half of these may stay."""
EVERY = 50
"""Programs compiled between two counts. A count takes 20 ms at 30,000 maps, a compilation a tenth of a second."""
COMPILED = "/jax/core/compile/backend_compile_duration"


@runtime_checkable
class Forgetful(Protocol):
    """What drops its compiled programs when asked."""

    def forget(self) -> None: ...


class Watch:
    """Counts compilations of the whole process, also those of other libraries, and says when maps are to be counted.

    `limit` is the number of maps above which programs are dropped; 0 where the system has no such limit.
    """

    def __init__(self, limit: int, every: int = EVERY) -> None:
        self.limit, self.every = limit, every
        self.due = False
        self._compiled = self._room = 0

    def note(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        """Called by JAX at every compilation. Nothing is dropped here, in the middle of one."""
        if event == COMPILED and self.limit:
            self._compiled += 1
            self.due |= self._compiled >= self.every

    def relieve(self, functions: Sequence[Forgetful]) -> int:
        """Drop programs, those of the first functions first, while there are too many maps; how many functions did.

        Where that is not enough, others have compiled: then everything that JAX has compiled goes, which costs them
        another compilation.
        """
        self._compiled, self.due = 0, False
        if in_use() <= max(self.limit, self._room):
            return 0
        dropped = 0
        for part in _halves(functions):
            for function in part:
                function.forget()
            dropped += len(part)
            gc.collect()
            if in_use() <= self.limit // 2:
                return dropped
        if in_use() > self.limit:
            jax.clear_caches()
            gc.collect()
        # Maps that stay are not of programs: dropping again at once would only compile everything again.
        self._room = in_use() + self.limit // 4
        return dropped


def _halves(functions: Sequence[Forgetful]) -> list[Sequence[Forgetful]]:
    """The first half, the first half of the rest, and so on: a count after each of them is cheap."""
    parts = []
    while functions:
        size = (len(functions) + 1) // 2
        parts.append(functions[:size])
        functions = functions[size:]
    return parts


def in_use() -> int:
    """Memory maps of this process, 0 where the system does not tell."""
    try:
        return MAPS.read_bytes().count(b"\n")
    except OSError:
        return 0


def limit() -> int:
    """Maps from which on programs are dropped; 0 where there is no limit to keep."""
    try:
        return int(SHARE * int(ALLOWED.read_text()))
    except (OSError, ValueError):
        return 0


WATCH = Watch(limit())
jax.monitoring.register_event_duration_secs_listener(WATCH.note)
