"""One vocabulary of shapes for the whole package.

The names of dimensions used in annotations are `person`, `situation`, `alternative`, `node`,
`latent`, `dimension` (latent disturbances and random-coefficient shocks together), `indicator`,
`column`, `cell` (an entry of the expanded parameter vector) and `param` (a free parameter in
natural units).
"""

from collections.abc import Hashable, Mapping
from typing import Any, TypeAlias

from jaxtyping import Array, Bool, Float, Int

AnyArray: TypeAlias = Any
"""An array of JAX, or one of numpy on its way there."""

Params: TypeAlias = Float[Array, " param"]
Theta: TypeAlias = Float[Array, " cell"]
Shocks: TypeAlias = Float[Array, " dimension"]
Scores: TypeAlias = Float[Array, "person param"]
Hessian: TypeAlias = Float[Array, "param param"]
Scalar: TypeAlias = Float[Array, ""]

Arrays: TypeAlias = dict[str, Array]
CellTree: TypeAlias = dict[str, Any]
"""The cells of a section of theta: arrays by key, or the sections of members by their names."""
Alternative: TypeAlias = Hashable
Named: TypeAlias = Mapping[str, float]

__all__ = [
    "Alternative",
    "AnyArray",
    "Array",
    "Arrays",
    "Bool",
    "CellTree",
    "Float",
    "Hessian",
    "Int",
    "Named",
    "Params",
    "Scalar",
    "Scores",
    "Shocks",
    "Theta",
]
