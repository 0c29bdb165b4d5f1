"""Checkpoints of a fit: one file, replaced whole, that a killed run is resumed from.

The file is one of `_base._archive`. Its facts: those of model, data, rule and optimiser that a run must agree with, and per
run its counters and its trace. The arrays `K/name` are those of run K.
"""

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base import _archive as archive
from iclv_jax._base._facts import Facts
from iclv_jax._base._types import Array, Given
from iclv_jax._base._whole import check_place
from iclv_jax._problem._fingerprint import mismatch

FORMAT = archive.Format("checkpoint", 2, "Delete it to start anew, or give another path.")
HINT = "Give another path, or delete the file to start anew."
AGREE = 1e-6
"""Relative difference from the file's value that another machine or release of JAX may make."""
Trace = list[dict[str, Any]]


class RunState(NamedTuple):
    """All that a run of the optimiser needs to go on from a turn as if nothing had happened.

    `z` is the point, with its `value`; `placed` the point at which nodes were placed, `previous` the point before, `hessian`
    that of an earlier point where it stands in (`lagged`); `memory` the arrays of the method. The rest are the counters and
    marks of `Run`.
    """

    z: Array
    value: float
    scale: np.ndarray
    zero: np.ndarray
    placed: Array | None
    previous: Array | None
    hessian: Array | None
    memory: tuple[Array, ...]
    lagged: bool
    evaluations: int
    recentrings: int
    quiet: int
    movement: float
    tolerance: float
    noise: float | None
    frozen: bool
    bad: bool
    silent: np.ndarray | None = None


class TrainingState(NamedTuple):
    """All that training needs to go on after an epoch: the point, its average, the arrays of the transformation, the steps
    so far, and the best point for people held out, with its log-likelihood and its epoch."""

    point: Array
    average: Array
    leaves: tuple[Array, ...]
    steps: Array
    kept: Array
    best: float
    best_epoch: int


State = TypeVar("State", RunState, TrainingState)


class Slot:
    """Where one run keeps its state, and its trace as information beside it; this one keeps nothing."""

    @property
    def wanted(self) -> bool:
        return False

    @property
    def saved(self) -> bool:
        return False

    def save(self, state: RunState | TrainingState, trace: Trace) -> None:
        pass

    def restored(self, kind: type[State]) -> tuple[State, Trace]:
        raise NotImplementedError

    def check_value(self, saved: float, found: float) -> None:
        """ValueError where the objective at the restored point is not what it was."""
        raise NotImplementedError


class Checkpoint:
    """A file with the runs of one fit. Runs ask for their slots in the order in which they happen.

    Raises ValueError, before anything is fitted, for a place that cannot be written to, and for a file that is none of
    this fit. A disk that later takes no more is a warning, once: the fit goes on, and the last whole file stays.
    """

    def __init__(self, path: Given[str | os.PathLike[str]], facts: Facts) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"checkpoint= is the path of a file, such as 'fit.npz', not {path!r}.")
        self.path = Path(path)
        self.name = f"checkpoint={str(path)!r}"
        check_place(self.path, self.name)
        self.facts = facts
        self.arrays: dict[str, np.ndarray] = {}
        self.runs: dict[str, Any] = {}
        self.count = 0
        self.warned = False
        if self.path.exists():
            self._load()

    def slot(self) -> Slot:
        number = str(self.count)
        self.count += 1
        return _FileSlot(self, number)

    def write(self) -> None:
        facts = {"belongs to": self.facts, "runs": self.runs}
        try:
            archive.write(self.path, FORMAT, facts, self.arrays, pack=False)
        except OSError as trouble:
            self._warn(trouble)

    def _warn(self, trouble: OSError) -> None:
        if self.warned:
            return
        self.warned = True
        left = "still holds an earlier state" if self.path.exists() else "does not exist yet"
        warnings.warn(
            f"{self.name} could not be written ({trouble.strerror or trouble}). The fit goes on; the file {left}, and is "
            "tried again after every step. Make room on the disk.",
            UserWarning,
            stacklevel=2,
        )

    def _load(self) -> None:
        try:
            about, self.arrays = archive.read(self.path, FORMAT)
            theirs, runs = about["belongs to"], about["runs"]
            if not isinstance(theirs, dict) or not isinstance(runs, dict):
                raise archive.Unreadable("is damaged: it does not say what it belongs to.")
            self.runs = runs
        except KeyError as trouble:
            raise ValueError(f"{self.name} is damaged: it lacks {trouble}. {HINT}") from trouble
        except archive.Unreadable as trouble:
            raise ValueError(f"{self.name} {trouble} {HINT}") from trouble
        if different := mismatch(theirs, self.facts):
            raise ValueError(f"{self.name} belongs to {different}. {HINT}")


class _FileSlot(Slot):
    def __init__(self, checkpoint: Checkpoint, number: str) -> None:
        self.checkpoint, self.number = checkpoint, number

    @property
    def wanted(self) -> bool:
        return True

    @property
    def saved(self) -> bool:
        return self.number in self.checkpoint.runs

    def save(self, state: RunState | TrainingState, trace: Trace) -> None:
        held = self.checkpoint.arrays
        for key in [k for k in held if k.startswith(f"{self.number}/")]:
            del held[key]
        facts, arrays = _apart(state)
        held.update({f"{self.number}/{name}": array for name, array in arrays.items()})
        self.checkpoint.runs[self.number] = {"state": facts, "trace": trace}
        self.checkpoint.write()

    def restored(self, kind: type[State]) -> tuple[State, Trace]:
        start = f"{self.number}/"
        held = self.checkpoint.arrays
        arrays = {k.removeprefix(start): v for k, v in held.items() if k.startswith(start)}
        try:
            run = self.checkpoint.runs[self.number]
            return _together(kind, run["state"], arrays), list(run["trace"])
        except (KeyError, TypeError) as trouble:
            raise ValueError(f"{self.checkpoint.name} is damaged: it lacks {trouble}. {HINT}") from trouble

    def check_value(self, saved: float, found: float) -> None:
        if math.isfinite(saved) and not math.isclose(saved, found, rel_tol=AGREE, abs_tol=AGREE):
            raise ValueError(
                f"{self.checkpoint.name} belongs to another model: the objective at its point is {saved:.9g} in the "
                f"file and {found:.9g} here. The utility differs in a way that shows on the data alone. {HINT}"
            )


def _apart(state: RunState | TrainingState) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Plain values and arrays of a state; arrays of a tuple are numbered, and the plain value is how many."""
    facts: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in state._asdict().items():
        if isinstance(value, (np.ndarray, jax.Array)):
            arrays[name] = np.asarray(value)
        elif isinstance(value, tuple) and name in _TUPLES:
            facts[name] = len(value)
            arrays |= {f"{name} {i}": np.asarray(array) for i, array in enumerate(value)}
        else:
            facts[name] = value
    return facts, arrays


def _together(kind: type[State], facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> State:
    def value(name: str) -> Any:
        if name in _TUPLES:
            return tuple(jnp.asarray(arrays[f"{name} {i}"]) for i in range(facts[name]))
        if name in arrays:
            return arrays[name] if name in _ON_HOST else jnp.asarray(arrays[name])
        found = facts[name]
        return tuple(found) if isinstance(found, list) else found

    return kind(*map(value, kind._fields))


_TUPLES = ("memory", "leaves")
_ON_HOST = ("scale", "zero")
