"""The map T: free parameters -> every parameter -> the expanded vector theta -> arrays of the density.

`fixed`, `equal`, `define`, shared and symmetric thresholds live here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce

import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._parameters._centred import Centred
from iclv_jax._parameters._transform import Transform
from iclv_jax._spec import Traced


@dataclass(frozen=True)
class ArrayCells:
    """One array of the density, at a path of sections that ends with its key: constants in `background`,
    `theta[offset:]` at flat `positions`."""

    path: tuple[str, ...]
    shape: tuple[int, ...]
    background: tuple[float, ...]
    positions: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return len(self.background)


@dataclass(frozen=True)
class Defined:
    """Parameter `position` of the full table as `program` of the parameters at `arguments`."""

    position: int
    arguments: tuple[int, ...]
    program: Traced


@dataclass(frozen=True)
class ParameterMap:
    """Index arithmetic from free parameters to arrays; hashable, so that it may be static in jit.

    Attributes
    ----------
    free
        Positions of the free parameters in the full table, in the order of `params`.
    representative
        For every position of the full table the position whose value it takes (itself, unless tied).
    definitions
        Defined parameters, each after those that it uses.
    rows, columns, weights
        theta[rows] += weights * full[columns], the cells of one group after those of another.
    groups
        How many groups of people there are, each with cells of its own in the same arrays.
    centred
        What covariates far from zero add to locations after the transforms; None: nothing.
    """

    free: tuple[int, ...]
    representative: tuple[int, ...]
    definitions: tuple[Defined, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    weights: tuple[float, ...]
    arrays: tuple[ArrayCells, ...]
    transforms: tuple[Transform, ...]
    groups: int = 1
    centred: Centred | None = None

    def full(self, constants: Float[Array, " constant"], params: Params) -> Float[Array, " full"]:
        """Values of all parameters of the table; `constants` holds the fixed ones, then what transforms need."""
        return self._values(constants, params)[np.array(self.representative, int)]

    def _values(self, constants: Array, params: Params) -> Array:
        """Values of all parameters that are not tied to another one, at their places in the table."""
        source = np.arange(len(constants))
        source[np.array(self.free, int)] = len(constants) + np.arange(len(self.free))
        values = jnp.concatenate([constants, params])[source]
        for definition in self.definitions:
            (value,) = definition.program(*(values[i] for i in definition.arguments))
            values = values.at[definition.position].set(value)
        return values

    def theta(self, constants: Float[Array, " constant"], params: Params) -> Theta:
        """The expanded vector: one entry per cell of the density's arrays that is not constant. With several groups
        one such vector each, (group, cell)."""
        columns = np.array(self.representative, int)[np.array(self.columns, int)]
        terms = self._values(constants, params)[columns] * np.array(self.weights)
        size = self.groups * self.cells
        if self.rows != tuple(range(size)):
            terms = jnp.zeros(size).at[np.array(self.rows, int)].add(terms)
        return terms if self.groups == 1 else terms.reshape(self.groups, self.cells)

    def of(self, group: int) -> "ParameterMap":
        """The map of one group: theta is then a single vector."""
        if self.groups == 1:
            return self
        first = group * self.cells
        mine = [i for i, row in enumerate(self.rows) if first <= row < first + self.cells]
        return replace(
            self,
            rows=tuple(self.rows[i] - first for i in mine),
            columns=tuple(self.columns[i] for i in mine),
            weights=tuple(self.weights[i] for i in mine),
            groups=1,
        )

    def dense(self, theta: Theta, still: Theta | None = None) -> CellTree:
        """The arrays of the density by path. With `still`, the same theta, those that no free parameter enters
        are made of it: whoever differentiates with respect to `theta` does not differentiate through them."""
        sections: CellTree = {}
        ends = np.cumsum([len(cells.positions) for cells in self.arrays])[:-1]
        moving = jnp.split(theta, ends)
        fixed = moving if still is None else jnp.split(still, ends)
        for i, cells in enumerate(self.arrays):
            values = jnp.asarray(np.array(cells.background, float))
            if cells.positions:
                values = put(values, cells.positions, (moving if self.moves[i] else fixed)[i])
            *above, key = cells.path
            reduce(lambda tree, name: tree.setdefault(name, {}), above, sections)[key] = values.reshape(
                cells.shape
            )
        return sections

    def natural(self, constants: Float[Array, " constant"], z: Array) -> Params:
        """Free parameters in natural units from the unconstrained vector."""
        params = z
        for transform in self.transforms:
            params = transform.forward(z, params, constants)
        return params if self.centred is None else params + self.centred.shift(constants, params)

    def unconstrained(self, constants: Float[Array, " constant"], params: Params) -> Array:
        """The inverse of `natural`; NaN where a block lies outside its domain."""
        if self.centred is not None:
            params = params - self.centred.shift(constants, params)
        z = params
        for transform in self.transforms:
            z = transform.inverse(params, z, constants)
        return z

    def log_volume(self, constants: Float[Array, " constant"], z: Array) -> Array:
        """Log of the determinant of the derivatives of `natural`; blocks do not depend on each other, and a shift by others
        has none."""
        return sum((t.log_volume(z, constants) for t in self.transforms), start=jnp.zeros(()))

    @cached_property
    def cells(self) -> int:
        """Length of theta, of one group."""
        return sum(len(a.positions) for a in self.arrays)

    @cached_property
    def live(self) -> tuple[bool, ...]:
        """For every cell of theta whether it depends on a free parameter, in any group."""
        moving = set(self.free) | {d.position for d in self.definitions}
        found = [False] * self.cells
        for row, column in zip(self.rows, self.columns, strict=True):
            found[row % self.cells] |= self.representative[column] in moving
        return tuple(found)

    @cached_property
    def moves(self) -> tuple[bool, ...]:
        """For every array whether a free parameter enters it."""
        return tuple(any(self.live[a.offset : a.offset + len(a.positions)]) for a in self.arrays)

    @cached_property
    def sections(self) -> tuple[frozenset[str], ...]:
        """For every free parameter the sections of the density that depend on it, itself or by what it defines."""
        homes = [a.path[0] for a in self.arrays for _ in a.positions]
        arguments = {d.position: d.arguments for d in self.definitions}
        found: dict[int, set[str]] = {position: set() for position in self.free}

        def reach(position: int, section: str) -> None:
            for argument in arguments.get(position, ()):
                reach(argument, section)
            if position in found:
                found[position].add(section)

        for row, column in zip(self.rows, self.columns, strict=True):
            reach(self.representative[column], homes[row % self.cells])
        return tuple(frozenset(found[position]) for position in self.free)

    @cached_property
    def _hash(self) -> int:
        return hash(
            (
                self.free,
                self.representative,
                self.definitions,
                self.rows,
                self.columns,
                self.weights,
                self.arrays,
                self.groups,
            )
        )

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        # Another process gives texts other hashes.
        return {name: value for name, value in vars(self).items() if name != "_hash"}


@runtime_checkable
class Coordinates(Protocol):
    """From unconstrained parameters z to free parameters in natural units, and back; hashable."""

    def natural(self, constants: Array, z: Array) -> Params: ...
    def unconstrained(self, constants: Array, params: Params) -> Array: ...


full = compiled(ParameterMap.full, quick=True, static_argnums=0)


@partial(compiled, quick=True, static_argnums=0)
def natural(mapping: Coordinates, constants: Array, z: Array) -> Params:
    return mapping.natural(constants, z)


@partial(compiled, quick=True, static_argnums=0)
def unconstrained(mapping: Coordinates, constants: Array, params: Params) -> Array:
    return mapping.unconstrained(constants, params)


def put(array: Array, positions: Sequence[int], values: Array) -> Array:
    """The flat array with the entries at these different places replaced."""
    if tuple(positions) == tuple(range(array.shape[0])):
        return values
    return array.at[np.array(positions, int)].set(values, unique_indices=True)
