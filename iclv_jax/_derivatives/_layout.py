"""Which entries of theta meet in the Hessian of the log density.

The structural parameters meet everything, but only through eta; intercepts and slopes enter through one index per latent
variable, so that forty covariates cost no more than one. Blocks keep to themselves.
"""

from dataclasses import dataclass

import numpy as np

from iclv_jax._density import Places
from iclv_jax._parameters import LATENT
from iclv_jax._parameters._map import ParameterMap

INDEX = ("intercepts",)
"""The array through which a person's index is differentiated: `intercepts + slopes @ covariates`."""
SLOPES = ("slopes",)

Entry = tuple[tuple[str, ...], int, int]
"""A live entry: path below its section, flat position in the array, and position in theta."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Static description of the Hessian's structure, from the map of the parameters.

    Live entries (those of theta that depend on a free parameter) come in the order structural, then block by block.

    Attributes
    ----------
    live
        Position in theta of every live entry.
    structural
        Distinct places of the structural part.
    place, covariate
        For every live structural entry its place among these, and the column of (1, covariates) that
        multiplies it.
    blocks
        Places of the live entries of every block.
    """

    live: np.ndarray
    structural: Places
    place: np.ndarray
    covariate: np.ndarray
    blocks: tuple[Places, ...]


def layout(mapping: ParameterMap, sections: tuple[str, ...]) -> Layout:
    """The layout of a map whose blocks have these sections."""
    found: dict[str, list[Entry]] = {name: [] for name in (LATENT, *sections)}
    for cells in mapping.arrays:
        section, *below = cells.path
        for row, position in enumerate(cells.positions):
            if mapping.live[cells.offset + row]:
                found[section].append((tuple(below), position, cells.offset + row))
    width = next(a.shape[1] for a in mapping.arrays if a.path == (LATENT, *SLOPES))
    structural, place, covariate = _structural(found[LATENT], width)
    return Layout(
        live=np.array([cell for part in found.values() for *_, cell in part], int),
        structural=structural,
        place=place,
        covariate=covariate,
        blocks=tuple(_places(found[name]) for name in sections),
    )


def _places(entries: list[Entry]) -> Places:
    return Places(tuple(path for path, *_ in entries), tuple(position for _, position, _ in entries))


def _structural(entries: list[Entry], covariates: int) -> tuple[Places, np.ndarray, np.ndarray]:
    """A slope stands at its latent variable's index, times its covariate."""
    places, columns = [], []
    for path, position, _ in entries:
        if path == SLOPES:
            latent, column = divmod(position, covariates)
            places.append((INDEX, latent))
            columns.append(1 + column)
        else:
            places.append((path, position))
            columns.append(0)
    distinct = list(dict.fromkeys(places))
    return (
        Places(tuple(path for path, _ in distinct), tuple(position for _, position in distinct)),
        np.array([distinct.index(p) for p in places], int),
        np.array(columns, int),
    )
