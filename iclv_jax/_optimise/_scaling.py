"""Scaled parameters: `z = scale * scaled`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_real
from iclv_jax._base._types import Array
from iclv_jax._optimise._objective import Objective
from iclv_jax._spec._names import nearest

KNOWN = ("scores", "start", "none")
MOST = 40
"""Parameters without scores that are looked at one by one."""
LARGE = 1e5
"""A scale above this (and above this many times the usual one) has to prove itself."""
UNEVEN = 1e3
"""Largest over median scaled gradient above which scales are looked at again."""


@dataclass(frozen=True)
class Scale:
    """Scales by parameter, which parameters had no score to take one from, and on which of these nothing depends, so that
    they stay where they are (None: on all of them something does)."""

    values: np.ndarray
    unscaled: np.ndarray
    silent: np.ndarray | None = None

    def moving(self, free: np.ndarray) -> np.ndarray:
        """Those of the free parameters that are not silent."""
        return free if self.silent is None else free & ~self.silent


def check_scaling(scaling: object) -> None:
    if isinstance(scaling, str):
        if scaling not in KNOWN:
            raise ValueError(
                f"scaling is one of {', '.join(map(repr, KNOWN))}, or a mapping of names to sizes, not {scaling!r}. "
                f"{nearest(scaling, KNOWN)}"
            )
        return
    if not isinstance(scaling, Mapping):
        raise ValueError(
            f"scaling is {', '.join(map(repr, KNOWN))}, or a mapping of names to sizes, not {scaling!r}."
        )
    for name, size in scaling.items():
        if not (is_real(size) and 0.0 < size < np.inf):
            raise ValueError(f"scaling[{name!r}] is the usual size of a parameter, above 0, not {size!r}.")


def find_scale(
    objective: Objective, scaling: Literal["scores", "start", "none"] | Mapping[str, float], z: Array
) -> Scale:
    """Scales at a point.

    `"scores"`: one over the root mean squared score. `"start"`: the size of the parameter, 1 where it is 0.
    `"none"`: 1. A mapping: the usual sizes of the parameters in natural units, 1 for those not named.
    """
    size = len(objective.names)
    none = np.zeros(size, bool)
    if isinstance(scaling, str) and scaling == "scores":
        return _by_scores(objective, z)
    if isinstance(scaling, str) and scaling == "none":
        return Scale(np.ones(size), none)
    if isinstance(scaling, str):
        sizes = np.abs(np.asarray(objective.params(z)))
        sizes = np.where(sizes > 0.0, sizes, 1.0)
    else:
        for name in scaling:
            if name not in objective.names:
                raise ValueError(
                    f"scaling names {name!r}, which is no free parameter. {nearest(name, objective.names)}"
                )
        sizes = np.array([float(scaling.get(name, 1.0)) for name in objective.names])
    # From sizes in natural units to sizes in z, by how far each entry of z moves the parameters.
    reach = np.linalg.norm(np.asarray(jax.jacfwd(objective.params)(jnp.asarray(z))), axis=0)
    return Scale(sizes / np.where(reach > 0.0, reach, 1.0), none)


def _by_scores(objective: Objective, z: Array) -> Scale:
    """One over root mean squared scores. Where these are rounding, or vanish at this point only, the scale of the
    parameter that stands in."""
    squares = np.asarray(objective.mean_squared_scores(z))
    usable = squares > 0.0
    values = 1.0 / np.sqrt(np.where(usable, squares, 1.0))
    typical = float(np.median(values[usable & objective.free])) if (usable & objective.free).any() else 1.0
    doubtful = objective.free & usable & ((values > LARGE * typical) | (values > LARGE))
    for i in np.flatnonzero(doubtful):
        # A tenth of the scale changes the log-likelihoods of people by a tenth, or else it is none.
        step = np.zeros(len(values))
        step[i] = 0.1 * values[i]
        usable[i] = objective.responds(z, step)
    other = objective.stand_ins
    values = np.where(usable, values, np.where(usable[other], values[other], 1.0))
    unscaled = objective.free & ~usable
    silent = np.zeros(len(values), bool)
    for i in np.flatnonzero(unscaled & ~objective.inside)[:MOST]:
        step = np.zeros(len(values))
        step[i] = values[i]
        silent[i] = objective.silent(z, step)
    return Scale(values, unscaled, silent if silent.any() else None)


def uneven(gradient: np.ndarray) -> bool:
    """Whether scaled gradients differ so much that the scales have become wrong."""
    sizes = np.abs(gradient)
    middle = np.median(sizes[sizes > 0.0]) if (sizes > 0.0).any() else 0.0
    return bool(middle > 0.0 and sizes.max() > UNEVEN * middle)
