"""Where latent classes start: each at its own fit to everyone, moved apart."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Int, Scalar

APART = 0.5
"""By how much coefficients that belong to one class are made larger or smaller."""
STEPS = 60
ROWS = 5_000


def class_starts(
    kernel: Any, outcome: np.ndarray, columns: np.ndarray, offered: np.ndarray
) -> dict[str, float]:
    """Coefficients of the classes; those of membership stay at zero, the classes equally large.

    Every class alone is fitted to all choices, at latent variables of zero and the starts of its kernel. From the first
    class to the last what belongs to one class alone is stretched by factors from `1 - APART` to `1 + APART`; what
    stands in several is their mean.
    """
    from scipy import optimize  # Heavy, and few models need it.

    utility, count = kernel.utility, len(kernel.classes)
    some = np.unique(np.linspace(0, len(outcome) - 1, min(len(outcome), ROWS)).astype(int))
    data = tuple(jnp.asarray(a[some]) for a in (columns, outcome, offered))
    enters, found = reached(utility, kernel), {}
    start = np.zeros(len(utility.coefficients))

    for c in range(count):
        best = optimize.minimize(
            lambda b, c=c: tuple(
                np.asarray(v) for v in _of_class(kernel, jnp.asarray(b), jnp.asarray(c), *data)
            ),
            start,
            jac=True,
            method="BFGS",
            options={"maxiter": STEPS},
        )
        stretch = 1.0 + APART * (2.0 * c / (count - 1) - 1.0)
        for i in enters[c] if np.isfinite(best.x).all() else ():
            alone = sum(i in others for others in enters) == 1
            found.setdefault(utility.coefficients[i], []).append(best.x[i] * (stretch if alone else 1.0))
    return {name: float(np.mean(values)) for name, values in found.items()}


@partial(compiled, quick=True, static_argnums=0)
def _of_class(
    kernel: Any, coefficients: Array, member: Int[Array, ""], columns: Array, outcome: Array, offered: Array
) -> tuple[Scalar, Array]:
    """Mean negative log-likelihood of choices by the kernel of one class alone, and its gradient."""
    cells, latents = start_cells(kernel), jnp.zeros(len(kernel.utility.latents))

    def loss(b: Array) -> Scalar:
        def one(row: Array, place: Array, on: Array) -> Scalar:
            return kernel.log_classes(cells, kernel.utility(b, row, latents), place, on)[member]

        return -jnp.mean(jax.vmap(one)(columns, outcome, offered))

    return jax.value_and_grad(loss)(coefficients)


def reached(utility: Any, kernel: Any) -> list[set[int]]:
    """Named coefficients that enter each class's utilities."""
    outputs, named, at = utility.program.reaches(), range(len(utility.parameters)), len(kernel.classes)
    found = []
    for part in kernel.parts:
        size = len(part.utility.alternatives)
        found.append({i for i in named if any(i in out for out in outputs[at : at + size])})
        at += size
    return found


def own_coefficients(kernel: Any) -> list[tuple[str, ...]]:
    """By class the named coefficients that enter its utilities and those of no other class, in the order of first use."""
    enters, names = reached(kernel.utility, kernel), kernel.utility.coefficients
    return [
        tuple(names[i] for i in sorted(mine) if sum(i in others for others in enters) == 1) for mine in enters
    ]


def members(kernel: Any) -> tuple[str, ...]:
    """The named coefficients of membership."""
    reaches = kernel.utility.program.reaches()[: len(kernel.classes)]
    return tuple(n for i, n in enumerate(kernel.utility.parameters) if any(i in out for out in reaches))


def start_cells(kernel: Any) -> dict[str, Array]:
    """The kernels' own arrays at their declared starts."""
    declared = kernel.declare()
    starts = {p.name: p.start for p in declared.parameters}
    found = {}
    for cells in declared.cells:
        values = [c if isinstance(c, float) else sum(w * starts[n] for n, w in c) for c in cells.entries]
        found[cells.key] = jnp.asarray(np.array(values, float).reshape(cells.shape))
    return found
