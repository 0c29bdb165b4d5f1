"""Standard examples of factor analysis and structural equations, from the source archive of the `semopy` package."""

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

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import Given
from iclv_jax._base._whole import check_path
from iclv_jax.datasets._public import _cache_folder, _store

_ARCHIVE = "semopy==2.3.11"
_FILES = {
    "holzinger_swineford": (
        "holzinger_swineford39_data.csv",
        "8f68e7688a511c79bd4771187db29b29fed21cf1124ca82fc863718036a20c36",
    ),
    "political_democracy": (
        "pd_data.csv",
        "16d4fa05c77a336c561effe0cb939d85c1cc1421032fed652becc67d86112dff",
    ),
}
"""File and SHA-256 of each."""


def holzinger_swineford(
    path: Given[str | os.PathLike[str] | None] = None, *, download: Given[bool] = False
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

    Examples
    --------
    >>> iclv.datasets.holzinger_swineford(download=True)["school"].value_counts().to_dict()
    {'Pasteur': 156, 'Grant-White': 145}
    """
    return _frame("holzinger_swineford", path, download)


def political_democracy(
    path: Given[str | os.PathLike[str] | None] = None, *, download: Given[bool] = False
) -> pd.DataFrame:
    """Industrialisation and political democracy of 75 developing countries, the standard example of structural equations.

    Parameters
    ----------
    path
        The file `pd_data.csv`, or a folder that holds it. By default it is looked for in an installed semopy, then in the
        cache folder.
    download
        As of `holzinger_swineford`.

    Returns
    -------
    DataFrame
        `y1` to `y4`, ratings of democracy in 1960 (freedom of the press, of the opposition, fairness of elections,
        effectiveness of the legislature), `y5` to `y8`, the same in 1965, and logarithms of industrialisation in 1960: `x1`
        gross national product per head, `x2` energy consumption per head, `x3` share of the labour force in industry.

    Raises
    ------
    FileNotFoundError, ValueError, RuntimeError
        As of `holzinger_swineford`.

    References
    ----------
    Bollen, K. A. (1989). Structural equations with latent variables. Wiley.

    Examples
    --------
    >>> iclv.datasets.political_democracy(download=True).shape
    (75, 11)
    """
    return _frame("political_democracy", path, download)


def _frame(name: str, path: Given[str | os.PathLike[str] | None], download: Given[bool]) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(_content(name, path, download)))
    return frame.drop(columns=[c for c in frame.columns if c.startswith("Unnamed")])


def _content(name: str, path: Given[str | os.PathLike[str] | None], download: Given[bool]) -> bytes:
    advice = f"iclv_jax.datasets.{name}(download=True) fetches it with pip"
    wanted = _FILES[name][0]
    check_switch(download, "download")
    if path is not None:
        check_path(path, f"datasets.{name}")
    given = [] if path is None else [Path(path) / wanted if os.path.isdir(path) else Path(path)]
    found = [file for file in (given or _places(wanted)) if os.path.isfile(file)]
    for file in found:
        content = file.read_bytes()
        if _is_published(name, content):
            return content
    if download and path is None:
        return _fetch()[name]
    if found:
        raise ValueError(f"{found[0]} is not the published {wanted} (its SHA-256 differs): {advice}.")
    where = "at that path" if given else f"in an installed semopy or in the cache folder {_cache_folder()}"
    raise FileNotFoundError(f"{wanted} is not {where}: {advice}, or pass the place of your own copy as path.")


def _places(wanted: str) -> Iterator[Path]:
    spec = importlib.util.find_spec("semopy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder, "examples", wanted)
    yield _cache_folder() / wanted


def _is_published(name: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _FILES[name][1]


def _fetch() -> dict[str, bytes]:
    """Fetch the archive, keep its files in the cache and return what is in them."""
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
            contents = {name: _read(archive, wanted) for name, (wanted, _) in _FILES.items()}
    for name, content in contents.items():
        if not _is_published(name, content):
            raise RuntimeError(
                f"The {_ARCHIVE} that pip fetched does not hold the published {_FILES[name][0]}: pass a path."
            )
        _store(_cache_folder() / _FILES[name][0], content)
    return contents


def _read(archive: tarfile.TarFile, wanted: str) -> bytes:
    member = next((m for m in archive.getmembers() if m.name.endswith(f"/examples/{wanted}")), None)
    file = None if member is None else archive.extractfile(member)
    return b"" if file is None else file.read()
