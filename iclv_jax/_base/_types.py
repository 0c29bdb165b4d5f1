"""One vocabulary of shapes for the whole package.

The names of dimensions used in annotations are `person`, `situation`, `alternative`, `node`,
`latent`, `dimension` (latent disturbances and random-coefficient shocks together), `indicator`,
`column`, `cell` (an entry of the expanded parameter vector) and `param` (a free parameter in
natural units).
"""

import os
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

AnyArray: TypeAlias = Any
"""An array of JAX, or one of numpy on its way there."""

Meant = TypeVar("Meant")
if TYPE_CHECKING:
    Given: TypeAlias = Annotated[Meant, "as a user gives it"]
    from narwhals.typing import IntoFrame

    AnyFrame: TypeAlias = IntoFrame
    """A data frame of pandas, polars, pyarrow or another library that narwhals reads."""
    AnyFrames: TypeAlias = IntoFrame | Mapping[str, IntoFrame]
    """One, or several by name."""
else:
    AnyFrame = AnyFrames = Any

    class Given:
        """`Given[T]`: an argument as a user gives it. T is meant, and what editors and type checkers see; anything may
        come, and the function says in a sentence what is wrong with it. Checks while running take it for what it is, any
        object."""

        def __class_getitem__(cls, meant: object) -> object:
            return Annotated[object, meant]


if TYPE_CHECKING:
    Params: TypeAlias = Float[Array, " param"]
else:
    # Arrays of numpy on their way to JAX are taken as well.
    Params: TypeAlias = Float[Array | np.ndarray, " param"]
Theta: TypeAlias = Float[Array, "*group cell"]
Shocks: TypeAlias = Float[Array, " dimension"]
Scores: TypeAlias = Float[Array, "person param"]
Hessian: TypeAlias = Float[Array, "param param"]
Scalar: TypeAlias = Float[Array, ""]
Number: TypeAlias = float | Scalar
"""A number that compiled functions may take: inside them it is a scalar array."""

Arrays: TypeAlias = dict[str, Array]
CellTree: TypeAlias = dict[str, Any]
"""The cells of a section of theta: arrays by key, or the sections of members by their names."""
Alternative: TypeAlias = Hashable
ByAlternative: TypeAlias = Mapping[Any, Meant]
"""What a user gives for each alternative. A mapping is invariant in its keys: one of strings is none of `Hashable`."""
Level: TypeAlias = Hashable
"""An answer or a category: a number or a label."""
File: TypeAlias = str | os.PathLike[str]
"""Path of a file."""
Named: TypeAlias = Mapping[str, float]

__all__ = [
    "Alternative",
    "AnyArray",
    "AnyFrame",
    "AnyFrames",
    "Array",
    "Arrays",
    "Bool",
    "ByAlternative",
    "CellTree",
    "File",
    "Float",
    "Given",
    "Hessian",
    "Int",
    "Level",
    "Named",
    "Number",
    "Params",
    "PyTree",
    "Scalar",
    "Scores",
    "Shocks",
    "Theta",
]
