"""Files of facts and arrays: written whole or not at all, and read with suspicion.

A file is numpy's `.npz` without pickles. Its entry `header` holds JSON: what kind of file it is, the version of its format,
and a digest over all other entries. `facts` holds JSON; the rest are arrays.
"""

import contextlib
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from iclv_jax._base._facts import Fact, Facts
from iclv_jax._base._whole import replaced, told

HEADER, FACTS = "header", "facts"
ROOM, MOST_PACKED = 200_000_000, 50
"""A file may unpack to this many bytes and this many times its own size: numbers pack to a half or so, but a bad file of a
megabyte can unpack to a gigabyte."""


class Unreadable(ValueError):
    """What is wrong with a file: the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Format:
    """A kind of file and the version of its format; `again` says how to get a new one."""

    kind: str
    version: int
    again: str


def digest(*parts: object) -> str:
    """SHA-256 over texts and arrays; arrays by shape and values, so that no size of integer or byte order matters."""
    found = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        data = _bytes(part) if array else str(part).encode()
        found.update(f"{part.shape if array else ''}:{len(data)}:".encode() + data)
    return found.hexdigest()


def _bytes(array: np.ndarray) -> bytes:
    kinds = {"b": "u1", "i": "<i8", "u": "<u8", "f": "<f8"}
    if array.dtype.kind not in kinds:
        raise ValueError(f"Arrays of {array.dtype} are not kept in files.")
    return np.ascontiguousarray(array, kinds[array.dtype.kind]).tobytes()


def write(
    path: Path, form: Format, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], pack: bool
) -> None:
    """Write a file beside the old one and put it in its place, so that there is always a whole one. OSError where the disk
    does not take it; the old file then stays."""
    entries = {FACTS: _text(facts), **arrays}
    header = {"kind": form.kind, "version": form.version, "digest": _digest(entries)}
    with replaced(path) as part, part.open("xb") as file:
        method = zipfile.ZIP_DEFLATED if pack else zipfile.ZIP_STORED
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, array in {HEADER: _text(header), **entries}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def save(path: Path, form: Format, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """`write` a fit, packed; OSError for a full disk says that what was there before is unchanged."""
    with told(path, "The fit"):
        write(path, form, facts, arrays, pack=True)


def read(
    path: Path, form: Format, known: Callable[[str], bool] = lambda name: True
) -> tuple[Facts, dict[str, np.ndarray]]:
    """Facts and arrays of a file; `known` tells the names of arrays that it may hold.

    Raises `Unreadable` for whatever is no whole file of this format. Nothing is unpacked before declared sizes are
    checked.
    """
    with _opened(path) as file:
        try:
            expected, entries = _entries(file, form, known)
            whole, facts = expected == _digest(entries), _json(entries[FACTS])
        except Unreadable:
            raise
        except Exception as trouble:
            # What zipfile, zlib, numpy and json raise on bytes that nobody has written is no short list.
            raise Unreadable(f"is not a {form.kind} of iclv_jax, or is damaged.") from trouble
    if not whole or not isinstance(facts, dict):
        raise Unreadable(
            "has been changed since iclv_jax wrote it, or is damaged: its entries do not fit together."
        )
    return facts, {name: array for name, array in entries.items() if name != FACTS}


def kind_of_file(path: Path) -> str | None:
    """The kind that a file says it is of; None where it says none, for whatever reason."""
    # What zipfile, numpy and json raise on bytes that nobody has written is no short list.
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        _check_sizes(archive, path.stat().st_size)
        return str(_json(_array(archive, HEADER))["kind"])
    return None


def _opened(path: Path) -> IO[bytes]:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise
    except OSError as trouble:
        raise Unreadable(f"cannot be read: {trouble.strerror or trouble}.") from trouble


def _entries(
    file: IO[bytes], form: Format, known: Callable[[str], bool]
) -> tuple[Fact, dict[str, np.ndarray]]:
    """The digest that the header tells, and all other entries."""
    with zipfile.ZipFile(file) as archive:
        _check_sizes(archive, os.fstat(file.fileno()).st_size)
        header = _json(_array(archive, HEADER))
        _check_header(header, form)
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        unknown = [n for n in names if n not in (HEADER, FACTS) and not known(n)]
        if unknown or len(set(names)) < len(names):
            raise Unreadable(f"holds entries that no {form.kind} has: {', '.join(map(repr, unknown[:3]))}.")
        return header["digest"], {name: _array(archive, name) for name in names if name != HEADER}


def _check_header(header: Fact, form: Format) -> None:
    if not isinstance(header, dict) or not {"kind", "version", "digest"} <= set(header):
        raise Unreadable(f"is not a {form.kind} of iclv_jax, or is damaged.")
    if header["kind"] != form.kind:
        raise Unreadable(f"is a {header['kind']}, not a {form.kind}.")
    if header["version"] != form.version:
        raise Unreadable(
            f"has version {header['version']} of the format; this iclv_jax reads version {form.version}. {form.again}"
        )


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    total = sum(info.file_size for info in archive.infolist())
    if total > ROOM + MOST_PACKED * size:
        raise Unreadable(
            f"would unpack to {total:,} bytes from {size:,}, as no file of iclv_jax does. It was not read."
        )


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One entry, whose own header has to agree with the size that the archive declares."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as entry:
        version = np.lib.format.read_magic(entry)
        reader = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = reader(entry)
        expected = entry.tell() + math.prod(shape) * dtype.itemsize
        if dtype.hasobject or min(shape, default=1) < 0 or expected != info.file_size:
            raise Unreadable(f"is damaged: the entry {name!r} does not have the size that it says.")
    with archive.open(info) as entry:
        return np.lib.format.read_array(entry, allow_pickle=False)


def _text(facts: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)


def _json(text: np.ndarray) -> Any:
    return json.loads(text.tobytes())


def _digest(entries: Mapping[str, np.ndarray]) -> str:
    parts: Iterable[tuple[object, np.ndarray]] = (
        (f"{n} {a.dtype.kind}", np.asarray(a)) for n, a in sorted(entries.items())
    )
    return digest(*(part for pair in parts for part in pair))
