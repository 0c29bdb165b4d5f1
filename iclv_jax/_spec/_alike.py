"""Outputs of a recorded program that are computed alike, evaluated all at once.

Two hundred alternatives whose utilities differ by names alone are two hundred copies of one small program. Written out they
take a minute to compile; as one program over rows of arguments they take what a single one takes.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Int

MANY = 16
"""Outputs from which it is worth to look for those that are alike."""
FEW = 4
"""Outputs for each kind of them, on average, from which it is worth to compute these together."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Outputs that are alike: the program of the first of them, of the scalars that it reads and of all vectors, where each
    output stands, and which scalars it reads."""

    program: jex.ClosedJaxpr
    places: tuple[int, ...]
    reads: Int[np.ndarray, "output slot"]


class Alike:
    """`alike(scalars, vectors)`: all outputs of a program of scalars and of vectors behind them, kind by kind."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = kinds
        self._order = np.argsort([place for kind in kinds for place in kind.places])

    def __call__(self, scalars: Array, vectors: Sequence[Array]) -> Array:
        found = jnp.concatenate([_together(kind, scalars, vectors) for kind in self._kinds])
        return _taken(found, self._order)


def find_alike(
    program: jex.ClosedJaxpr, scalars: int, canonical: Callable[[object], Hashable]
) -> Alike | None:
    """None where there are few outputs, or few of them are alike. `canonical` gives parts of a program a form that can be
    compared; the first `scalars` arguments are scalars."""
    outputs = program.jaxpr.outvars
    if len(outputs) < MANY or program.jaxpr.effects:
        return None
    maker = {v: e for e in program.jaxpr.eqns for v in e.outvars}
    place = {v: i for i, v in enumerate(program.jaxpr.invars[:scalars])}
    found: dict[Hashable, list[tuple[int, tuple[Any, ...], tuple[jex.Var, ...]]]] = {}
    forms: dict[int, Hashable] = {}
    for i, output in enumerate(outputs):
        equations = _needed(output, maker)
        key, slots = _form(equations, output, place, canonical, forms)
        found.setdefault(key, []).append((i, equations, slots))
    if len(outputs) < FEW * len(found):
        return None
    kinds = []
    for members in found.values():
        first, equations, slots = members[0]
        alone = program.jaxpr.replace(
            invars=[*slots, *program.jaxpr.invars[scalars:]], outvars=[outputs[first]], eqns=list(equations)
        )
        reads = np.array([[place[v] for v in mine] for _, _, mine in members], int).reshape(len(members), -1)
        kinds.append(Kind(program.replace(jaxpr=alone), tuple(i for i, *_ in members), reads))
    return Alike(kinds)


def _needed(output: Any, maker: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The equations behind an output, in an order in which they can be evaluated."""
    found: dict[int, Any] = {}
    waiting = [(output, False)]
    while waiting:
        variable, ready = waiting.pop()
        if isinstance(variable, jex.Literal) or variable not in maker or id(maker[variable]) in found:
            continue
        equation = maker[variable]
        if ready:
            found[id(equation)] = equation
            continue
        waiting.append((variable, True))
        waiting.extend((v, False) for v in reversed(equation.invars))
    return tuple(found.values())


def _form(
    equations: Sequence[Any],
    output: Any,
    place: Mapping[Any, int],
    canonical: Callable[[object], Hashable],
    forms: dict[int, Hashable],
) -> tuple[Hashable, tuple[jex.Var, ...]]:
    """What is computed, in whichever scalars, and these scalars in the order in which they are met."""
    numbers: dict[Any, Hashable] = {}
    slots: list[Any] = []

    def number(variable: Any) -> Hashable:
        if isinstance(variable, jex.Literal):
            return "literal", canonical(variable.val), str(variable.aval)
        if variable in numbers:
            return numbers[variable]
        if variable in place:
            numbers[variable] = "scalar", len(slots)
            slots.append(variable)
            return numbers[variable]
        return "other", id(variable)  # A constant, or a vector: the same one for all.

    def form(equation: Any) -> Hashable:
        if id(equation) not in forms:
            params = ((k, canonical(v)) for k, v in sorted(equation.params.items()) if k != "ctx_mesh")
            forms[id(equation)] = equation.primitive.name, tuple(params)
        return forms[id(equation)]

    lines = []
    for equation in equations:
        read = tuple(number(v) for v in equation.invars)
        numbers |= {v: ("made", len(lines), k) for k, v in enumerate(equation.outvars)}
        lines.append((form(equation), read, tuple(str(v.aval) for v in equation.outvars)))
    return (tuple(lines), number(output), str(output.aval)), tuple(slots)


def _together(kind: Kind, scalars: Array, vectors: Sequence[Array]) -> Array:
    """The outputs of one kind. Scalars that all of them read stay one number."""
    count, call = len(kind.places), jex.jaxpr_as_fun(kind.program)
    varies = [bool(column.any()) for column in (kind.reads != kind.reads[:1]).T]
    values = [
        _taken(scalars, column) if v else scalars[column[0]]
        for column, v in zip(kind.reads.T, varies, strict=True)
    ]

    def one(*values: Array) -> Array:
        return jnp.asarray(call(*values, *vectors)[0])

    if not any(varies):
        return jnp.broadcast_to(one(*values), (count,))
    return jax.vmap(one, in_axes=[0 if v else None for v in varies], axis_size=count)(*values)


def _taken(scalars: Array, at: np.ndarray) -> Array:
    """Entries at these places. Names that are counted through stand in regular order, and the derivative of a slice is far
    cheaper than that of a list of places."""
    if len(at) == 1:
        return scalars[int(at[0])][None]
    step = int(at[1] - at[0])
    if step > 0 and (np.diff(at) == step).all():
        return jax.lax.slice(scalars, (int(at[0]),), (int(at[-1]) + 1,), (step,))
    return scalars[at]
