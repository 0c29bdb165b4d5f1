"""JAX's compilation cache, on by default: what one process compiled, the next one loads.

The folder is one of the user's caches, with a folder in it for each version of JAX and of this package and for each kind of
processor, because what was compiled for one may not run on another that shares the home folder.
"""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
from jaxlib.version import __version__ as jaxlib_version

from iclv_jax._base._version import __version__

VARIABLE = "ICLV_JAX_CACHE"
OFF = ("", "0", "off", "no", "false")
MOST_BYTES = 1_000_000_000
LEAST_ROOM = 100_000_000
"""On a full disk JAX leaves half a program in the place of a whole one, of which every later process would be told."""
QUICK = 0.01
"""Seconds of compilation below which nothing is stored."""


def use_cache() -> Path | None:
    """Turn the cache on unless the user has said otherwise; where it is, or None.

    JAX's own settings (`jax_compilation_cache_dir`, `jax_enable_compilation_cache`), made before this package is imported,
    go first. A folder that cannot be written to, or a disk that is nearly full, turns it off without a
    word.
    """
    said = os.environ.get(VARIABLE)
    if said is not None and said.strip().lower() in OFF:
        return None
    config: Any = jax.config  # Its type declares no flags.
    if config.jax_compilation_cache_dir is not None or not config.jax_enable_compilation_cache:
        return None
    try:
        folder = (Path(said).expanduser() if said else _users_caches() / "iclv-jax") / "programs" / _kind()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if shutil.disk_usage(folder).free < LEAST_ROOM:
            return None
        _shrink(folder.parent, MOST_BYTES)
    except (OSError, RuntimeError):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", QUICK)
    return folder


def _users_caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _kind() -> str:
    """Versions, and a digest of what this processor can do."""
    machine = hashlib.sha256(f"{platform.machine()} {_features()}".encode()).hexdigest()[:12]
    return f"{__version__}-jax-{jax.__version__}-{jaxlib_version}-{machine}"


def _features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")


def _shrink(folder: Path, most: int) -> None:
    """Remove the oldest files until those that are left take at most `most` bytes; another process may do the same."""
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        except OSError:
            continue
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            break
        path.unlink(missing_ok=True)
        total -= size
