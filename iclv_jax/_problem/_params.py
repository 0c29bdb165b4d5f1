"""Vectors of parameters as users give them."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyArray, Given, Params
from iclv_jax._spec._names import nearest


@runtime_checkable
class Named(Protocol):
    """What has free parameters."""

    @property
    def names(self) -> tuple[str, ...]: ...


def params_of(problem: Named, params: Given[Params]) -> Params:
    """The vector of the free parameters, whole numbers as real ones; ValueError for anything else. What JAX
    traces is taken by its shape and type."""
    size = len(problem.names)
    said = f"params is the vector of the {size} free parameters in the order of problem.names, not"
    if not isinstance(params, (jax.Array, np.ndarray)):
        raise ValueError(f"{said} {type(params).__name__}. Use problem.vector({{name: value}}).")
    if params.shape != (size,):
        raise ValueError(f"{said} of shape {params.shape}. Use problem.vector({{name: value}}).")
    if jnp.issubdtype(params.dtype, jnp.floating):
        return params
    if not (np.issubdtype(params.dtype, np.integer) or params.dtype == bool):
        raise ValueError(f"{said} of {params.dtype}. Use problem.vector({{name: value}}).")
    return jnp.asarray(params, float)


def mapping_of(values: Given[Mapping[str, Any]]) -> dict[str, Any]:
    """Values by name of a mapping or a Series; ValueError for anything else."""
    if not isinstance(values, Mapping) and not hasattr(values, "items"):
        raise ValueError(
            f"mapping takes values by name, such as {{'price': -1.0}} or fit.params, not {values!r}."
        )
    return dict(values)


def check_parts(names: Given[tuple[str, ...]], known: tuple[str, ...]) -> None:
    """ValueError for what is no part of a likelihood."""
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"part: {name!r} is no part of the model. {nearest(str(name), known)}")


def positions_of(people: Given[Sequence[int] | np.ndarray], size: int) -> np.ndarray:
    """Positions of some of so many people; ValueError for anything else."""
    at = np.asarray(people)
    if at.ndim != 1 or not len(at) or not np.issubdtype(at.dtype, np.integer):
        raise ValueError(f"people= is a list of positions of people (whole numbers), not {people!r}.")
    if at.min() < 0 or at.max() >= size:
        raise ValueError(
            f"people= has positions from {at.min()} to {at.max()}; there are {size} people, from 0."
        )
    return at


def weights_of(weights: Given[AnyArray], size: int) -> AnyArray:
    """Weights of so many people; ValueError for anything else. What JAX traces is taken by its shape."""
    said = f"weights is a vector of numbers from 0, one for each of the {size} people"
    found = weights if isinstance(weights, Tracer) else np.asarray(weights)
    if found.shape != (size,):
        raise ValueError(f"{said}, not of shape {found.shape}.")
    if isinstance(found, Tracer):
        return found
    if not np.issubdtype(found.dtype, np.number) or np.iscomplexobj(found):
        raise ValueError(f"{said}, not of {found.dtype}.")
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0.0)))
    if len(wrong):
        raise ValueError(f"{said}; at position {wrong[0]} stands {found[wrong[0]]}.")
    if not found.any():
        raise ValueError(f"{said}; all are zero.")
    return found.astype(float)
