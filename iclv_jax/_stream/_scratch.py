"""Arrays of chunks of people in a folder that goes when nobody needs it any more."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from weakref import finalize

import jax
import numpy as np

from iclv_jax._integration import Centre
from iclv_jax._panel import Person


class Stored(NamedTuple):
    """A chunk: data and weights of its people, zero for those who only fill up."""

    person: Person
    weights: np.ndarray


Kept: TypeAlias = Stored | Centre | np.ndarray


class Scratch:
    """One file for each chunk, read ahead by a thread."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="iclv_jax_"))
        finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._trees: dict[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # The folder stays that of this process, which others read from.
        return _reopened, (str(self._folder), self._trees)

    def check_there(self) -> None:
        """ValueError where the folder cannot be seen from here."""
        if not self._folder.is_dir():
            raise ValueError(
                f"The people in chunks are in files in {str(self._folder)!r}, which this worker does not see. Take workers "
                "on the machine of the fit, or set the environment variable TMPDIR to a folder that all of them share."
            )

    @property
    def room(self) -> int:
        """Bytes that are left on the disk."""
        return shutil.disk_usage(self._folder).free

    def check_room(self, size: float, what: str) -> None:
        """ValueError where files of so many bytes do not fit on the disk."""
        if size > self.room:
            raise ValueError(
                f"The nodes of {what} for all people take {size / 1e9:,.1f} GB in files, and {self._folder.parent} has "
                f"{self.room / 1e9:,.1f} GB left. Take fewer nodes, or set the environment variable TMPDIR to a folder "
                "with more room."
            )

    def put(self, name: str, tree: Kept) -> None:
        leaves, self._trees[name] = jax.tree.flatten(tree)
        try:
            with self._path(name).open("wb") as file:
                for leaf in leaves:
                    np.lib.format.write_array(file, np.asarray(leaf), allow_pickle=False)
        except OSError as trouble:
            said = (
                f"People in chunks are kept in files, and this one could not be written ({trouble.strerror or trouble}). "
                "Make room, or set the environment variable TMPDIR to a folder with more"
            )
            raise OSError(trouble.errno, said, str(self._path(name))) from trouble

    def get(self, name: str) -> Kept:
        tree, path = self._trees[name], self._path(name)
        try:
            with path.open("rb") as file:
                leaves = [np.lib.format.read_array(file, allow_pickle=False) for _ in range(tree.num_leaves)]
        except (OSError, ValueError) as error:
            raise OSError(
                f"what was kept of it in {str(path)!r} cannot be read ({error}). Fit again."
            ) from error
        return jax.tree.unflatten(tree, leaves)

    def each(self, names: list[str]) -> Iterator[Kept]:
        """One after the other; the next one is read while one is worked on."""
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self.get, names[0]) if names else None
            for name in [*names[1:], ""]:
                assert coming is not None
                found = coming.result()
                coming = reader.submit(self.get, name) if name else None
                yield found

    def forget(self, name: str) -> None:
        if self._trees.pop(name, None) is not None:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npy"


def _reopened(folder: str, trees: dict[str, Any]) -> Scratch:
    """That of another process, whose files it keeps."""
    found = Scratch.__new__(Scratch)
    found._folder, found._trees = Path(folder), trees
    return found
