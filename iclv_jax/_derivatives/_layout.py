"""Which entries of theta meet in the Hessian of the log density, and how to seed them together.

Given the latent variables, an item's own parameters meet neither another item's nor the choice's. So
one Hessian-vector product can carry a parameter of every item, and one of the choice, at once. The
structural parameters meet everything and get a product each; intercepts and slopes enter through
one index per latent variable, so that forty covariates cost no more than one.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iclv_jax._parameters import CHOICE, LATENT
from iclv_jax._parameters._map import ParameterMap

INDEX = ("latent", "intercepts")
"""The array through which a person's index is differentiated: `intercepts + slopes @ covariates`."""


@dataclass(frozen=True)
class Place:
    """Where one entry of theta stands: an entry of an array of the density, and the covariate that
    multiplies it (None: none)."""

    section: str
    key: str
    position: int
    covariate: int | None


@dataclass(frozen=True)
class Layout:
    """Static description of the Hessian's structure, from the map of the parameters.

    Attributes
    ----------
    live
        Positions in theta of the entries that depend on a free parameter.
    places
        Where each of them stands.
    arrays
        Section, key and shape of the arrays that are differentiated.
    """

    live: tuple[int, ...]
    places: tuple[Place, ...]
    arrays: tuple[tuple[str, str, tuple[int, ...]], ...]

    @cached_property
    def offsets(self) -> dict[tuple[str, str], int]:
        found, total = {}, 0
        for section, key, shape in self.arrays:
            found[section, key] = total
            total += int(np.prod(shape))
        return found

    @cached_property
    def size(self) -> int:
        """Length of the flat vector of all differentiated arrays."""
        return sum(int(np.prod(shape)) for *_, shape in self.arrays)

    @cached_property
    def flat(self) -> np.ndarray:
        """Place of every live entry in the flat vector."""
        return np.array([self.offsets[p.section, p.key] + p.position for p in self.places], int)

    @cached_property
    def covariates(self) -> np.ndarray:
        """Column of (1, covariates) that multiplies every live entry."""
        return np.array([0 if p.covariate is None else 1 + p.covariate for p in self.places], int)

    @cached_property
    def owners(self) -> list[Hashable]:
        """Whose parameter each live entry is: an item, the choice, or None for the structural part."""
        sizes = {(section, key): shape for section, key, shape in self.arrays}
        found: list[Hashable] = []
        for p in self.places:
            if p.section == LATENT:
                found.append(None)
            elif p.section == CHOICE:
                found.append(CHOICE)
            else:
                found.append((p.section, p.position // int(np.prod(sizes[p.section, p.key][1:], initial=1))))
        return found

    @cached_property
    def structural_seeds(self) -> tuple[int, ...]:
        """Distinct flat places of the structural part: one Hessian-vector product each."""
        return tuple(dict.fromkeys(int(f) for f, o in zip(self.flat, self.owners, strict=True) if o is None))

    @cached_property
    def slots(self) -> np.ndarray:
        """For every live entry its number among its owner's; -1 in the structural part."""
        seen: dict[Hashable, int] = {}
        numbers = []
        for owner in self.owners:
            numbers.append(-1 if owner is None else seen.get(owner, 0))
            seen[owner] = seen.get(owner, 0) + 1
        return np.array(numbers, int)

    @cached_property
    def seeds(self) -> np.ndarray:
        """Tangents (seed, flat): the structural ones first, then the shared ones by slot."""
        shared = int(self.slots.max(initial=-1)) + 1
        tangents = np.zeros((len(self.structural_seeds) + shared, self.size))
        for row, place in enumerate(self.structural_seeds):
            tangents[row, place] = 1.0
        for place, slot in zip(self.flat, self.slots, strict=True):
            if slot >= 0:
                tangents[len(self.structural_seeds) + slot, place] = 1.0
        return tangents

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of live entries with one owner, and the shared seed that carries the second."""
        members: dict[Hashable, list[int]] = {}
        for i, owner in enumerate(self.owners):
            if owner is not None:
                members.setdefault(owner, []).append(i)
        first = [i for group in members.values() for i in group for _ in group]
        second = [j for group in members.values() for _ in group for j in group]
        seed = [len(self.structural_seeds) + int(self.slots[j]) for j in second]
        return np.array(first, int), np.array(second, int), np.array(seed, int)


def layout(mapping: ParameterMap) -> Layout:
    places, live = [], []
    arrays: dict[tuple[str, str], tuple[int, ...]] = {}
    shapes = {(a.section, a.key): a.shape for a in mapping.arrays}
    for cells in mapping.arrays:
        for row, position in enumerate(cells.positions):
            if not mapping.live[cells.offset + row]:
                continue
            place = _place(cells.section, cells.key, position, cells.shape)
            arrays[place.section, place.key] = shapes[place.section, place.key]
            places.append(place)
            live.append(cells.offset + row)
    return Layout(tuple(live), tuple(places), tuple((s, k, shape) for (s, k), shape in arrays.items()))


def _place(section: str, key: str, position: int, shape: tuple[int, ...]) -> Place:
    """A slope stands at its latent variable's index, times its covariate."""
    if section == LATENT and key == "slopes":
        latent, covariate = divmod(position, shape[1])
        return Place(*INDEX, latent, covariate)
    return Place(section, key, position, None)
