"""How a recorded program depends on some of its arguments: not at all, in proportion, or in another way."""

from collections.abc import Sequence
from typing import Any

import jax.extend.core as jex

CONSTANT, AFFINE, OTHER = range(3)
SUMS = frozenset(
    (
        "add",
        "sub",
        "neg",
        "copy",
        "convert_element_type",
        "broadcast_in_dim",
        "reshape",
        "squeeze",
        "expand_dims",
    )
    + ("concatenate", "reduce_sum", "slice", "transpose")
)
"""Operations that keep what is affine affine."""


def degrees(program: jex.Jaxpr, given: Sequence[int]) -> list[int]:
    """The degree of every output, the arguments having the degrees `given`: `CONSTANT`, `AFFINE` or `OTHER`. What is not
    known to be affine counts as other."""
    known = dict(zip(program.invars, given, strict=True))

    def of(variable: jex.Var | jex.Literal) -> int:
        return CONSTANT if isinstance(variable, jex.Literal) else known.get(variable, CONSTANT)

    for equation in program.eqns:
        found = _of_equation(equation, [of(v) for v in equation.invars])
        known |= dict(zip(equation.outvars, found, strict=True))
    return [of(v) for v in program.outvars]


def _of_equation(equation: Any, given: list[int]) -> list[int]:
    count, name, most = len(equation.outvars), equation.primitive.name, max(given, default=CONSTANT)
    if most == CONSTANT:
        return [CONSTANT] * count
    inner = next((p for p in equation.params.values() if isinstance(p, jex.ClosedJaxpr)), None)
    if inner is not None and len(inner.jaxpr.invars) == len(given) and len(inner.jaxpr.outvars) == count:
        return degrees(inner.jaxpr, given) if name in ("jit", "pjit", "closed_call") else [OTHER] * count
    affine = (
        name in SUMS
        or (name in ("mul", "dot_general") and min(given) == CONSTANT)
        or (name == "div" and given[1] == CONSTANT)
        or (name == "select_n" and given[0] == CONSTANT)
    )
    return [most if affine else OTHER] * count
