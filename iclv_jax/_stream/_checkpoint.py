"""The state of a fit of people in chunks: one file, written and read by process 0."""

from typing import Any

import numpy as np

from iclv_jax._base._facts import Facts, fact
from iclv_jax._base._types import Given
from iclv_jax._optimise import Checkpoint, Kept, Optimizer
from iclv_jax._optimise._checkpoint import RunState, Slot, State, Trace, TrainingState
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem._fingerprint import fingerprints, of_data
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._problem import StreamedProblem


def checkpoint_of(
    path: Given[Any],
    problem: StreamedProblem,
    optimizer: Optimizer,
    begun: np.ndarray,
    penalties: Penalties | None,
) -> Kept | None:
    """Where the steps over all people are kept. What the first chunk gives by itself is worked out again."""
    if path is None:
        return None
    about = of_people(problem)
    own: list[Checkpoint] = []

    def opened() -> None:
        first = problem.first
        facts: Facts = fingerprints(first, optimizer, begun, "chunks", penalties)
        facts["data"] = about
        own.append(Checkpoint(path, facts))

    hosts.by_first("opening the checkpoint", opened)
    return _Shared(own[0] if own else None)


def of_people(problem: StreamedProblem) -> Facts:
    """What tells these people in chunks from others; in several processes that of the first one, which writes."""
    sizes = hosts.together("sizes of chunks", lambda: problem.passed.sizes)
    return {
        "the first chunk": of_data(problem.first),
        "chunks": fact(sizes),
        "weights": fact(problem.weight_sums),
    }


class _Shared:
    """The checkpoint of process 0, whose states all processes go on from."""

    def __init__(self, own: Checkpoint | None) -> None:
        self._own = own

    def slot(self) -> Slot:
        slot = Slot() if self._own is None else self._own.slot()
        return _SharedSlot(slot, hosts.by_first("a slot of the checkpoint", lambda: slot.saved))


class _SharedSlot(Slot):
    """A slot of process 0."""

    def __init__(self, own: Slot, saved: bool) -> None:
        self._own, self._saved = own, saved

    @property
    def wanted(self) -> bool:
        return self._own.wanted

    @property
    def saved(self) -> bool:
        return self._saved

    def save(self, state: RunState | TrainingState, trace: Trace) -> None:
        self._own.save(state, trace)

    def restored(self, kind: type[State]) -> tuple[State, Trace]:
        return hosts.by_first("reading the checkpoint", lambda: self._own.restored(kind))

    def check_value(self, saved: float, found: float) -> None:
        hosts.by_first("the value of the checkpoint", lambda: self._own.check_value(saved, found))
