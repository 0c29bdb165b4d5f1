"""Checkpoints of a fit: one file, replaced whole, that a killed run is resumed from.

The file is numpy's `.npz` without pickles. `about` holds JSON: the format, the fingerprints of model, data, rule
and optimiser, and per run its counters and trace. The arrays `K/name` are those of run K: the point, the point
at which nodes were placed, the scales, and the memory of the method.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

FORMAT = "iclv_jax checkpoint 1"
WHAT = {
    "model": "another model (names, fixed values, bounds or utility differ)",
    "data": "other data (values, people, weights or their order differ)",
    "integration": "another rule of integration",
    "optimizer": "another optimiser",
    "penalties": "other penalties",
    "start": "other start values",
}
KEPT = (
    "lagged", "evaluations", "recentrings", "quiet", "movement", "tolerance", "noise", "frozen", "bad", "unscaled",
)  # fmt: skip
"""Attributes of a run that a checkpoint keeps."""


class Slot:
    """Where one run of the optimiser keeps its state; this one keeps nothing."""

    wanted = False
    saved = False

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> None:
        pass

    def restored(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        raise NotImplementedError


class Checkpoint:
    """A file with the runs of one fit. Runs ask for their slots in the order in which they happen."""

    def __init__(self, path: str | os.PathLike[str], fingerprints: Mapping[str, str]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise ValueError(f"checkpoint={str(path)!r} lies in a folder that does not exist. Make it first.")
        self.fingerprints = dict(fingerprints)
        self.arrays: dict[str, np.ndarray] = {}
        self.facts: dict[str, Any] = {}
        self.count = 0
        if self.path.exists():
            self._load()

    def slot(self) -> Slot:
        number = str(self.count)
        self.count += 1
        return _FileSlot(self, number)

    def write(self) -> None:
        """Written beside the old file and put in its place, so that there is always a whole one."""
        about = {"format": FORMAT, "fingerprints": self.fingerprints, "runs": self.facts}
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, about=text, **self.arrays)  # pyright: ignore[reportArgumentType]
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _load(self) -> None:
        hint = "Give another path, or delete the file to start anew."
        try:
            with np.load(self.path, allow_pickle=False) as file:
                held = dict(file)
            about = json.loads(held.pop("about").tobytes())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as trouble:
            raise ValueError(
                f"checkpoint={str(self.path)!r} is not a checkpoint of iclv_jax. {hint}"
            ) from trouble
        if about.get("format") != FORMAT:
            raise ValueError(f"checkpoint={str(self.path)!r} has the format {about.get('format')!r}. {hint}")
        for key, mine in self.fingerprints.items():
            if about["fingerprints"].get(key) != mine:
                raise ValueError(f"checkpoint={str(self.path)!r} belongs to {WHAT[key]}. {hint}")
        self.arrays, self.facts = held, about["runs"]


class _FileSlot(Slot):
    wanted = True

    def __init__(self, checkpoint: Checkpoint, number: str) -> None:
        self.checkpoint, self.number = checkpoint, number

    @property
    def saved(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.number in self.checkpoint.facts

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> None:
        held = self.checkpoint.arrays
        for key in [k for k in held if k.startswith(f"{self.number}/")]:
            del held[key]
        held.update({f"{self.number}/{k}": v for k, v in arrays.items()})
        self.checkpoint.facts[self.number] = dict(facts)
        self.checkpoint.write()

    def restored(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        start = f"{self.number}/"
        held = self.checkpoint.arrays
        arrays = {k.removeprefix(start): v for k, v in held.items() if k.startswith(start)}
        return arrays, self.checkpoint.facts[self.number]
