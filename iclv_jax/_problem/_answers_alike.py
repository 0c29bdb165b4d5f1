"""Several answers in a situation, such as ranks, where nothing but constants tells alternatives apart."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, CellTree, Float
from iclv_jax._families._class_starts import start_cells
from iclv_jax._spec import Kernel

FARTHEST = 50.0
"""Constants of alternatives that nobody names run off to minus infinity; this ends that."""


def log_alike(kernel: Kernel, outcome: AnyArray, offered: AnyArray) -> Float[np.ndarray, " row"]:
    """Log densities of the answers where all available alternatives are alike."""
    one, cells = _of_one(kernel)
    return np.asarray(_rows(one, cells, jnp.zeros(offered.shape[1]), outcome, offered))


def log_constants(kernel: Kernel, outcome: AnyArray, offered: AnyArray, weights: AnyArray) -> float:
    """The largest weighted sum of log densities with constants of the alternatives alone; scales of the kernel are 1."""
    from scipy import optimize  # Heavy, and few reports need it.

    one, cells = _of_one(kernel)

    def negative(constants: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _sum(one, cells, jnp.asarray(constants), outcome, offered, weights)
        return -float(value), -np.asarray(slope)

    count = offered.shape[1] - 1
    found = optimize.minimize(
        negative, np.zeros(count), jac=True, method="L-BFGS-B", bounds=[(-FARTHEST, FARTHEST)] * count
    )
    return -float(found.fun)


def _of_one(kernel: Kernel) -> tuple[Any, CellTree]:
    """The kernel, that of the first of latent classes, with its own arrays at their starts."""
    one = kernel.classes[0][1] if kernel.classes else kernel
    return one, start_cells(one)


@partial(compiled, static_argnums=0)
def _rows(kernel: Any, cells: CellTree, v: Array, outcome: Array, offered: Array) -> Array:
    return jax.vmap(lambda answers, on: kernel.log_density(cells, v, answers, on))(outcome, offered)


@partial(compiled, static_argnums=0)
def _sum(
    kernel: Any, cells: CellTree, constants: Array, outcome: Array, offered: Array, weights: Array
) -> tuple[Array, Array]:
    def total(constants: Array) -> Array:
        return weights @ _rows(kernel, cells, jnp.append(constants, 0.0), outcome, offered)

    return jax.value_and_grad(total)(constants)
