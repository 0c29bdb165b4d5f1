"""Tasks that do not depend on each other, here or by workers: processes, or any executor.

A task has a name and says what differs from task to task; what all have in common travels beside it. The answers are those
of tasks done one after the other in this process.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._portable import packed, unpacked
from iclv_jax._base._processes import Processes, WorkerDied
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given

if TYPE_CHECKING:
    from collections.abc import Iterator

Workers: TypeAlias = int | Executor | None
Work: TypeAlias = Callable[[Any, Any], Answer]
"""A function of what all tasks have in common and of one task, at the top of a module."""
ATTEMPTS = 2
"""How often a task is begun whose worker dies."""


class Failed(NamedTuple):
    """What a task raised where it was done."""

    error: Exception


def check_workers(workers: Given[Workers]) -> None:
    """ValueError for what is neither a number of processes nor an executor."""
    if workers is None or (hasattr(workers, "submit") and hasattr(workers, "shutdown")):
        return
    if isinstance(workers, bool) or not isinstance(workers, (int, np.integer)) or workers < 1:
        what = " A Dask client gives one: client.get_executor()." if hasattr(workers, "get_executor") else ""
        raise ValueError(
            "workers= is a number of processes, or an executor in the sense of concurrent.futures, such as "
            f"ProcessPoolExecutor(4), not {workers!r}.{what}"
        )


def do_all(
    work: Work,
    common: Any,
    tasks: Mapping[str, Any],
    workers: Given[Workers] = None,
    known: Answers | None = None,
    what: str = "The model",
) -> dict[str, Answer]:
    """The answers by the names of tasks, in their order. Those in the file `known` are taken from there, and others added to
    it as they come.

    Raises what a task raises; RuntimeError where the workers of one and the same task die twice. All other tasks are then
    ended, also by Ctrl-C, and stand in the file as far as they were done.
    """
    known = Answers() if known is None else known
    open_tasks = {name: task for name, task in tasks.items() if name not in known.found}
    if workers is None:
        for name, task in open_tasks.items():
            known.add(name, one_thread(work)(common, task))
    elif open_tasks:
        content = packed((work, common), what)
        key = sha256(content).hexdigest()
        questions = {name: (key, content, packed(task, what)) for name, task in open_tasks.items()}
        with executor_of(workers) as executor:
            assert executor is not None
            _gather(executor, questions, known)
    return {name: known.found[name] for name in tasks}


@contextmanager
def executor_of(workers: Given[Workers]) -> "Iterator[Executor | None]":
    """The user's own, which stays open, or one of processes, which ends with all that it does; None for none."""
    if isinstance(workers, (int, np.integer)):
        own = Processes(int(workers))
        try:
            yield own
        finally:
            own.shutdown()
    else:
        yield workers  # pyright: ignore[reportReturnType]


def _gather(executor: Executor, questions: Mapping[str, tuple[str, bytes, bytes]], known: Answers) -> None:
    begun = dict.fromkeys(questions, 0)
    waiting: dict[Future[Any], str] = {}

    def begin(name: str) -> None:
        begun[name] += 1
        waiting[executor.submit(answer, *questions[name])] = name

    try:
        for name in questions:
            begin(name)
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                name = waiting.pop(future)
                lost = _lost(future)
                if lost is None:
                    found = future.result()
                    if isinstance(found, Failed):
                        raise found.error
                    known.add(name, found)
                elif begun[name] >= ATTEMPTS or isinstance(lost, BrokenExecutor):
                    raise _died(name, lost, known)
                else:
                    begin(name)
    finally:
        for future in waiting:
            future.cancel()


def _lost(future: Future[Any]) -> BaseException | None:
    """Why no answer came: what a task raises comes as an answer, so that all else is the worker's."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _died(name: str, error: BaseException, known: Answers) -> RuntimeError:
    reason = str(error) if isinstance(error, WorkerDied) else f"{type(error).__name__}: {error}"
    again = f"{known.path} holds what was done; the same call goes on from there" if known.path else ""
    return RuntimeError(
        f"The worker at {name} died: {reason.rstrip('.')}. "
        + (f"{again}." if again else "With resume='file' the next call goes on from what was done.")
    )


class _Common:
    """What the tasks of the last call have in common: unpacked once, not with each task."""

    key: str = ""
    value: Any = None


def answer(key: str, content: bytes, task: bytes) -> Answer | Failed:
    """A worker's side of a task."""
    try:
        if _Common.key != key:
            _Common.value, _Common.key = unpacked(content), key
        work, common = _Common.value
        return one_thread(work)(common, unpacked(task))
    except Exception as error:
        return Failed(_sendable(error))


def _sendable(error: Exception) -> Exception:
    """The error itself if it survives the journey."""
    try:
        unpacked(packed(error, ""))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
