"""Python processes on this machine as an executor.

Each is a new interpreter: a fork of a process in which JAX has begun its threads hangs. What a script says at its top does
not run again in them, so that it needs no guard. One that dies takes its own task with it and nothing else, and is
replaced.
"""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

BEGIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from iclv_jax._base._processes import serve
serve()
"""
ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""Several processes share an accelerator, whose whole memory the first would otherwise take."""


class WorkerDied(RuntimeError):
    """A process ended before it answered."""


class Process:
    """One interpreter, that answers one question after the other."""

    def __init__(self) -> None:
        path = json.dumps([os.path.abspath(folder) if folder else os.getcwd() for folder in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**ENVIRONMENT, **os.environ},
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """What the function returns there, or raises. WorkerDied where no answer comes."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        try:
            pickle.dump((function, arguments), questions)
            questions.flush()
            good, answer = pickle.load(answers)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            self.end()
            raise WorkerDied(_ending(self._process.returncode)) from error
        if good:
            return answer
        raise answer

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                # What was to be sent is lost with the process.
                assert pipe is not None
                pipe.close()


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"its process ended with code {code}"
    short = " (the machine may be short of memory)" if -code == getattr(signal, "SIGKILL", 0) else ""
    return f"its process was ended by signal {-code}{short}"


class Processes(Executor):
    """So many processes, begun when there is something to do."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "iclv_jax worker")
        self._own, self._lock, self._closed = threading.local(), threading.Lock(), False
        self._all: list[Process] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert not kwargs, "arguments by position alone"
        return self._threads.submit(self._ask, fn, args)

    def _ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        # Each thread has a process of its own, and waits for it.
        process: Process | None = getattr(self._own, "process", None)
        if process is None or not process.alive:
            with self._lock:
                if self._closed:
                    raise WorkerDied("the processes have been ended")
                process = self._own.process = Process()
                self._all.append(process)
        return process.ask(function, arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes, also those that are at work."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._closed = True
            for process in self._all:
                process.end()
        self._threads.shutdown(wait=wait)


def serve() -> None:
    """Answer questions from the standard input until it ends. What is printed goes where errors go."""
    # Ctrl-C reaches all processes of a terminal; the one that asks ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            function, arguments = pickle.load(questions)
        except EOFError:
            return
        try:
            reply = True, function(*arguments)
        except Exception as error:
            reply = False, error
        try:
            content = pickle.dumps(reply)
        except Exception as error:
            content = pickle.dumps((False, RuntimeError(f"{reply[1]!r} cannot be sent: {error}")))
        answers.write(content)
        answers.flush()
