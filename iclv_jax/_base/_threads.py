"""Linear algebra in one thread."""

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


class OneThread(ContextDecorator):
    """One thread of BLAS for as long as anybody is inside, in any thread of Python; then as many as before.

    Libraries of linear algebra know one number of threads for the whole process. If each fit noted what it found and
    put that back, of two at once the later would note, and restore, the 1 of the earlier. So the first one in sets the
    number, and the last one out restores it. Where the process limits it by threadpoolctl itself, that limit holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: list[threadpool_limits] = []

    def __enter__(self) -> "OneThread":
        with self._lock:
            if not self._inside:
                _apart(lambda: self._limits.append(threadpool_limits(limits=1, user_api="blas")))
            self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _apart(lambda: self._limits.pop().restore_original_limits())


def _apart(work: Callable[[], object]) -> None:
    """Done by a thread that does nothing else. threadpoolctl obeys the thread alone that has set a number first, while
    that lives; here the first one in and the last one out are often two that live on."""
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


_ALL = OneThread()


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one thread of BLAS.

    Matrices here are small: threads of the linear algebra would only wait for each other, and where the cores are
    shared an eigendecomposition that takes 6 ms takes 300.
    """
    return _ALL(function)
