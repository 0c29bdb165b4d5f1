"""One text for arrays of numpy, which run at once, and of JAX, inside programs that are compiled.

The steps of an optimiser are a few operations on vectors of parameters: compiling them takes hundreds of times longer than
running them, so that a fit runs them in numpy, and many fits at once run them in JAX.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import AnyArray

State = TypeVar("State")
What = ParamSpec("What")


def library(array: AnyArray) -> Any:
    """The module of an array's functions: numpy or `jax.numpy`."""
    return np if isinstance(array, np.ndarray | np.generic) else jnp


def chosen(when: AnyArray, one: Callable[[], State], other: Callable[[], State]) -> State:
    """What `one` gives where `when`, and else `other`."""
    if library(when) is np:
        return one() if when else other()
    return jax.lax.cond(when, one, other)


def repeated(
    unfinished: Callable[[State], AnyArray], improved: Callable[[State], State], state: State
) -> State:
    """The state after steps, until none is left to do."""
    if library(jax.tree.leaves(state)[0]) is not np:
        return jax.lax.while_loop(unfinished, improved, state)
    while unfinished(state):
        state = improved(state)
    return state


def eigh(matrix: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Eigenvalues in ascending order, and eigenvectors; NaN of a matrix that is not finite."""
    if library(matrix) is np and not np.isfinite(matrix).all():
        return np.full(len(matrix), np.nan), np.full(matrix.shape, np.nan)
    return tuple(library(matrix).linalg.eigh(matrix))


def on_host(*values: Any) -> Any:
    """Trees of arrays as numpy has them."""
    return jax.tree.map(np.asarray, jax.device_get(values))


def quiet(function: Callable[What, State]) -> Callable[What, State]:
    """Without numpy's warnings of what is not finite, which JAX does not give either: such values are looked at."""

    @wraps(function)
    def calm(*args: What.args, **keywords: What.kwargs) -> State:
        with np.errstate(all="ignore"):
            return function(*args, **keywords)

    return calm
