"""Which entries of theta meet in the Hessian of the log density.

Given the latent variables, an item's own parameters meet neither another item's nor the choice's. So one
seed can carry a parameter of every item at once. The structural parameters meet everything, but only
through the latent variables; intercepts and slopes enter through one index per latent variable, so that
forty covariates cost no more than one.
"""

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays
from iclv_jax._parameters import CHOICE, LATENT, put
from iclv_jax._parameters._map import ParameterMap

INDEX = "intercepts"
"""The array through which a person's index is differentiated: `intercepts + slopes @ covariates`."""
LOADINGS = "loadings"


@dataclass(frozen=True)
class Places:
    """Entries of the arrays of one section: array and flat position of each."""

    keys: tuple[str, ...]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def taken(self, arrays: Arrays) -> Array:
        """The entries at these places as one vector."""
        found = jnp.zeros(len(self))
        for key, at, positions in self._by_array:
            values = arrays[key].reshape(-1)
            whole = positions == tuple(range(len(values)))
            found = put(found, at, values if whole else values[np.array(positions, int)])
        return found

    def replaced(self, arrays: Arrays, values: Array) -> Arrays:
        """The arrays with the entries at these places replaced."""
        found = dict(arrays)
        for key, at, positions in self._by_array:
            part = values if at == tuple(range(len(self))) else values[np.array(at, int)]
            found[key] = put(arrays[key].reshape(-1), positions, part).reshape(arrays[key].shape)
        return found

    @cached_property
    def _by_array(self) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """For every array its key, the positions among the places, and those in the flat array."""
        found = []
        for key in dict.fromkeys(self.keys):
            at = tuple(i for i, k in enumerate(self.keys) if k == key)
            found.append((key, at, tuple(int(self.positions[i]) for i in at)))
        return found


@dataclass(frozen=True, eq=False)
class StackLayout:
    """The live parameters of the items of a stack, packed: every item has the same number of slots.

    Attributes
    ----------
    keys
        Arrays with live entries beside the loadings, each of shape (items, ...).
    own
        (items, own slots): column in an item's concatenated rows of these arrays; 0 where unused.
    own_used
        Which of these slots are in use.
    loaded
        (items, loading slots): latent variable of each live loading; 0 where unused.
    columns
        For every live entry of the stack its place among (items, own slots + loading slots), flat.
    """

    keys: tuple[str, ...]
    own: np.ndarray
    own_used: np.ndarray
    loaded: np.ndarray
    columns: np.ndarray

    @property
    def items(self) -> int:
        return self.own.shape[0]

    @property
    def slots(self) -> int:
        return self.own.shape[1] + self.loaded.shape[1]


@dataclass(frozen=True, eq=False)
class Layout:
    """Static description of the Hessian's structure, from the map of the parameters.

    Live entries (those of theta that depend on a free parameter) come in the order structural,
    items stack by stack, choice.

    Attributes
    ----------
    live
        Position in theta of every live entry.
    structural
        Distinct places of the structural part.
    place, covariate
        For every live structural entry its place among these, and the column of (1, covariates) that
        multiplies it.
    stacks
        One for each stack of items.
    choice
        Places of the choice's live entries.
    """

    live: np.ndarray
    structural: Places
    place: np.ndarray
    covariate: np.ndarray
    stacks: tuple[StackLayout, ...]
    choice: Places


def layout(mapping: ParameterMap, sections: tuple[str, ...]) -> Layout:
    """The layout of a map whose items stand in these sections, one for each stack."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for cells in mapping.arrays:
        for row, position in enumerate(cells.positions):
            if mapping.live[cells.offset + row]:
                found.setdefault(cells.section, []).append((cells.key, position, cells.offset + row))
    shapes = {(a.section, a.key): a.shape for a in mapping.arrays}
    structural, place, covariate = _structural(found.get(LATENT, []), shapes)
    choice = found.get(CHOICE, [])
    entries = [found.get(LATENT, []), *(found.get(s, []) for s in sections), choice]
    return Layout(
        live=np.array([cell for part in entries for *_, cell in part], int),
        structural=structural,
        place=place,
        covariate=covariate,
        stacks=tuple(_stack(s, found.get(s, []), shapes) for s in sections),
        choice=Places(tuple(k for k, *_ in choice), tuple(p for _, p, _ in choice)),
    )


def _structural(entries: list, shapes: dict) -> tuple[Places, np.ndarray, np.ndarray]:
    """A slope stands at its latent variable's index, times its covariate."""
    places, covariates = [], []
    for key, position, _ in entries:
        if key == "slopes":
            latent, column = divmod(position, shapes[LATENT, key][1])
            places.append((INDEX, latent))
            covariates.append(1 + column)
        else:
            places.append((key, position))
            covariates.append(0)
    distinct = list(dict.fromkeys(places))
    return (
        Places(tuple(k for k, _ in distinct), tuple(p for _, p in distinct)),
        np.array([distinct.index(p) for p in places], int),
        np.array(covariates, int),
    )


def _stack(section: str, entries: list, shapes: dict) -> StackLayout:
    items = shapes[section, LOADINGS][0]
    keys = tuple(dict.fromkeys(key for key, *_ in entries if key != LOADINGS))
    widths = {key: int(np.prod(shapes[section, key][1:], initial=1)) for key in (*keys, LOADINGS)}
    starts = dict(zip(keys, np.cumsum([0, *(widths[k] for k in keys)]), strict=False))
    own: list[list[int]] = [[] for _ in range(items)]
    loaded: list[list[int]] = [[] for _ in range(items)]
    slots = []
    for key, position, _ in entries:
        item, column = divmod(position, widths[key])
        mine = loaded[item] if key == LOADINGS else own[item]
        slots.append((item, key == LOADINGS, len(mine)))
        mine.append(column if key == LOADINGS else int(starts[key]) + column)
    own_columns, own_used = _padded(own)
    loaded_columns, _ = _padded(loaded)
    first, width = own_columns.shape[1], own_columns.shape[1] + loaded_columns.shape[1]
    columns = [item * width + slot + (first if loading else 0) for item, loading, slot in slots]
    return StackLayout(keys, own_columns, own_used, loaded_columns, np.array(columns, int))


def _padded(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    width = max((len(one) for one in lists), default=0)
    values = np.array([one + [0] * (width - len(one)) for one in lists], int).reshape(len(lists), width)
    used = np.array([[i < len(one) for i in range(width)] for one in lists], bool).reshape(len(lists), width)
    return values, used
