"""A file of answers, one a line, to which each is added as it comes: what was done before a crash need not be done again.

The first line says what the answers are of; each of the others holds the name of a task and its arrays as JSON, whose
numbers come back to the last digit. A last line that was cut off is none.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from iclv_jax._base._facts import Facts, difference
from iclv_jax._base._types import File, Given
from iclv_jax._base._whole import check_place

Answer: TypeAlias = Mapping[str, np.ndarray]
"""Arrays of numbers, truth values or text, by name."""
KIND = "iclv_jax answers 1"
HINT = "Give another path, or delete the file to start anew."


class Answers:
    """Answers by the names of tasks; without a path they are kept in memory alone.

    Raises ValueError, before anything is done, for a place that cannot be written to, and for a file of something else. A
    disk that later takes no more is a warning, once: the work goes on, and what was not written is tried again with the next
    answer.
    """

    def __init__(self, path: Given[File | None] = None, facts: Facts | None = None) -> None:
        self.found: dict[str, Answer] = {}
        self.path: Path | None = None
        self._due, self._warned = "", False
        if path is None:
            return
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"resume= is the path of a file, such as 'bootstrap.jsonl', not {path!r}.")
        self.path, self._name = Path(path), f"resume={str(path)!r}"
        check_place(self.path, self._name)
        if self.path.exists() and self.path.stat().st_size:
            self._read(self.path, facts or {})
        if not self.path.exists() or not self.path.stat().st_size:
            self._write({"kind": KIND, "facts": facts or {}})

    def add(self, name: str, answer: Answer) -> None:
        arrays = {key: np.asarray(value) for key, value in answer.items()}
        self.found[name] = arrays
        if self.path is not None:
            self._write({"task": name, "answer": {key: _listed(value) for key, value in arrays.items()}})

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self.path is not None
        self._due += json.dumps(line) + "\n"
        before = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self._due)
        except OSError as trouble:
            with contextlib.suppress(OSError):
                os.truncate(self.path, before)  # no line may stay in part
            self._warn(trouble)
        else:
            self._due = ""

    def _warn(self, trouble: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{self._name} could not be written ({trouble.strerror or trouble}). The work goes on; what is done is tried "
            "again with every answer. Make room on the disk.",
            UserWarning,
            stacklevel=2,
        )

    def _read(self, path: Path, facts: Facts) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and content.startswith(b'{"kind": "' + KIND.encode()):
            path.write_bytes(b"")  # Not even the first line was written.
            return
        try:
            first, *lines = map(json.loads, whole.splitlines())
            theirs = first["facts"] if first["kind"] == KIND else None
            found: dict[str, Answer] = {
                str(line["task"]): {key: _array(value) for key, value in line["answer"].items()}
                for line in lines
            }
        except (ValueError, KeyError, TypeError):
            theirs, found = None, {}
        if not isinstance(theirs, dict):
            raise ValueError(f"{self._name} is no file of answers. {HINT}")
        if unlike := difference(theirs, facts):
            raise ValueError(f"{self._name} holds answers of something else: {unlike}. {HINT}")
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))
        self.found = found


def _listed(value: np.ndarray) -> dict[str, Any]:
    return {"kind": value.dtype.kind, "shape": value.shape, "values": value.ravel().tolist()}


def _array(entry: Mapping[str, Any]) -> np.ndarray:
    kinds = {"f": float, "i": int, "b": bool, "U": str}
    return np.array(entry["values"], kinds[entry["kind"]]).reshape(entry["shape"])
