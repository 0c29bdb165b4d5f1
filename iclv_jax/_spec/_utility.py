"""Utilities: a user's function of parameters, columns and latent variables, recorded once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Traced, check_arguments, record, scalar, trace
from iclv_jax._types import Array

WHAT = "The utility function"


@dataclass(frozen=True)
class Utility:
    """Utilities of all alternatives in one situation.

    `alternatives` keep the order of the user's mapping; `parameters`, `columns` and `latents` are
    the names that the function uses, in the order of first use.
    """

    alternatives: tuple[Hashable, ...]
    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    latents: tuple[str, ...]
    program: Traced

    def __call__(self, coefficients: Array, columns: Array, latents: Array) -> Array:
        """Shapes: one entry per name in `parameters`, `columns`, `latents`; result `alternative`."""
        scalars = [
            vector[i]
            for vector, names in (
                (coefficients, self.parameters),
                (columns, self.columns),
                (latents, self.latents),
            )
            for i in range(len(names))
        ]
        return jnp.stack(self.program(*scalars))


def trace_utility(function: Callable[..., Any], latents: Sequence[str]) -> Utility:
    """Record a utility function; ValueError when it is not a function of scalars to a mapping."""
    check_arguments(function, ("b", "x", "lv"), WHAT)

    def any_name(name: str) -> None:
        pass

    def known_latent(name: str) -> None:
        if name not in latents:
            raise ValueError(
                f"{WHAT} uses the latent variable {name!r}, which the model does not have. "
                f"{nearest(name, latents)}"
            )

    used, result = record(function, [any_name, any_name, known_latent], WHAT)
    if not isinstance(result, dict) or len(result) < 2:
        raise ValueError(
            f"{WHAT} must return a mapping from at least two alternatives to their utilities, "
            f"such as {{'car': ..., 'bus': ...}}; it returned {_kind(result)}."
        )
    alternatives = tuple(result)
    program = trace(function, used, lambda mapping: [_number(mapping, a) for a in alternatives], WHAT)
    parameters, columns, lvs = (tuple(names) for names in used)
    return Utility(alternatives, parameters, columns, lvs, program)


def _number(mapping: Mapping[Hashable, Any], alternative: Hashable) -> Array:
    return scalar(mapping[alternative], f"The utility of {alternative!r}")


def _kind(result: Any) -> str:
    if isinstance(result, dict):
        return f"a mapping with {len(result)} alternative" + ("" if len(result) == 1 else "s")
    return f"a {type(result).__name__}"
