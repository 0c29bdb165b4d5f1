"""Which entries of a section's arrays depend on free parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, CellTree
from iclv_jax._parameters import put

Path = tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """Live entries of one section: the path of the array below the section, and the flat position in it."""

    paths: tuple[Path, ...]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def taken(self, cells: CellTree) -> Array:
        """The entries at these places as one vector."""
        found = jnp.zeros(len(self))
        for path, at, positions in self._by_array:
            values = array_at(cells, path).reshape(-1)
            whole = positions == tuple(range(len(values)))
            found = put(found, at, values if whole else values[np.array(positions, int)])
        return found

    def replaced(self, cells: CellTree, values: Array) -> CellTree:
        """The section with the entries at these places replaced."""
        for path, at, positions in self._by_array:
            part = values if at == tuple(range(len(self))) else values[np.array(at, int)]
            array = array_at(cells, path)
            cells = with_array(cells, path, put(array.reshape(-1), positions, part).reshape(array.shape))
        return cells

    @cached_property
    def _by_array(self) -> list[tuple[Path, tuple[int, ...], tuple[int, ...]]]:
        """For every array its path, the positions among the places, and those in the flat array."""
        found = []
        for path in dict.fromkeys(self.paths):
            at = tuple(i for i, p in enumerate(self.paths) if p == path)
            found.append((path, at, tuple(int(self.positions[i]) for i in at)))
        return found


def array_at(cells: CellTree, path: Sequence[str]) -> Array:
    """The array at a path of a tree of cells."""
    for key in path[:-1]:
        cells = cells[key]
    return cells[path[-1]]


def with_array(cells: CellTree, path: Path, array: Array) -> CellTree:
    """The tree with the array at a path replaced."""
    first, *rest = path
    inner = with_array(cells[first], tuple(rest), array) if rest else array
    return {**cells, first: inner}
