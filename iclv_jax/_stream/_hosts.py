"""Several processes, each with people of its own: what they tell each other, in the order of their numbers.

Every process runs the same script, so that all of them tell something at the same places. Whatever is put together here is
the same in all of them to the last digit, and what goes wrong in one of them is an error in all.
"""

import pickle
from collections import Counter
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from iclv_jax._base._alone import several
from iclv_jax._base._facts import Facts, difference

Found = TypeVar("Found")


class Told(NamedTuple):
    """What one process tells: where in the script it is, and what it found there or what went wrong."""

    place: str
    found: Any
    error: str | None
    refused: bool


def mine() -> int:
    """The number of this process, from 0. Process 0 writes files and shows progress."""
    return jax.process_index()


def together(place: str, function: Callable[[], Found]) -> list[Found]:
    """What `function` gives in each process.

    `place` says where in the script they are. Raises in all processes what is raised in one: ValueError for what a user can
    mend, RuntimeError for everything else, processes at different places among it.
    """
    if not several():
        return [function()]
    cause = None
    try:
        here = Told(place, function(), None, False)
    except Exception as error:
        cause, here = error, Told(place, None, str(error), isinstance(error, ValueError))
    # Nothing is unpickled but what processes of the same job have written.
    every: list[Told] = [pickle.loads(told) for told in _exchanged(pickle.dumps(here))]
    for process, told in enumerate(every):
        if told.error is not None:
            kind = ValueError if told.refused else RuntimeError
            raise kind(f"Process {process} of {len(every)}: {told.error}") from cause
    if astray := [k for k, told in enumerate(every) if told.place != every[0].place]:
        raise RuntimeError(
            f"Process {astray[0]} of {len(every)} is at {every[astray[0]].place!r} where process 0 is at "
            f"{every[0].place!r}. All processes run the same script, on machines of one kind and with the same releases."
        )
    return [told.found for told in every]


def by_first(place: str, function: Callable[[], Found]) -> Found:
    """What `function` gives in process 0, which alone calls it."""
    # The others have nothing to add.
    found: Any = together(place, _nothing if mine() else function)
    return found[0]


def _nothing() -> Any:
    return None


def summed(place: str, function: Callable[[], Found]) -> Found:
    """The sum over processes of trees of arrays."""
    if not several():
        return function()
    parts = together(place, lambda: jax.tree.map(np.asarray, function()))
    total: Any = reduce(lambda one, two: jax.tree.map(np.add, one, two), parts)
    return jax.device_put(total)


def check_same(facts: Callable[[], Facts]) -> None:
    """ValueError that says in what another process differs: all need the same model and settings, and as many devices."""
    if not several():
        return
    counts = Counter(device.process_index for device in jax.devices())
    if odd := [k for k in sorted(counts) if counts[k] != counts[0]]:
        raise ValueError(
            f"Process {odd[0]} of {len(counts)} has {counts[odd[0]]} devices and process 0 has {counts[0]}. Sums travel "
            "between equally many: give each the same number by local_device_ids= of jax.distributed.initialize."
        )
    every = together("the model and the settings", facts)
    for process, theirs in enumerate(every):
        if found := difference(theirs, every[0], sides=("there", "in process 0")):
            raise ValueError(
                f"Process {process} of {len(every)} has another model or other settings than process 0: {found}. All "
                "processes run the same script, each with people of its own."
            )


def _exchanged(sent: bytes) -> list[bytes]:
    """What every process has sent."""
    from jax.experimental import multihost_utils

    try:
        sizes = multihost_utils.process_allgather(np.array(len(sent))).tolist()
        padded = np.zeros(max(sizes), np.uint8)
        padded[: len(sent)] = np.frombuffer(sent, np.uint8)
        rows = multihost_utils.process_allgather(padded)
    except Exception as error:
        # Which kind it is depends on what carries the collectives.
        raise RuntimeError(
            f"Another process has ended, or cannot be reached: {str(error).splitlines()[0]}. Start all of them again; with "
            "checkpoint= a fit goes on where it was."
        ) from error
    return [row[:size].tobytes() for row, size in zip(np.asarray(rows), sizes, strict=True)]
