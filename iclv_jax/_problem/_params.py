"""Vectors of parameters as users give them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import Given, Params
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
