"""What a user says of parameters by name: values, ties, definitions, bounds and starts, checked as far as they go alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from iclv_jax._base._types import Given
from iclv_jax._spec._module import Module, expand
from iclv_jax._spec._names import as_tuple, duplicates
from iclv_jax._spec._trace import Traced, check_arguments, record, trace
from iclv_jax._spec._values import finite

Functions = Given[Mapping[str, Callable[..., object]]]


@dataclass(frozen=True)
class Definition:
    """A parameter as a function of others: `program(*values of arguments)`."""

    name: str
    arguments: tuple[str, ...]
    program: Traced


class Constraints(NamedTuple):
    """The arguments of a model that name parameters, each in the form of `Spec`."""

    fixed: tuple[tuple[str, float], ...]
    equal: tuple[tuple[str, ...], ...]
    define: tuple[Definition, ...]
    derived: tuple[Definition, ...]
    bounds: tuple[tuple[str, tuple[float, float]], ...]
    start: tuple[tuple[str, float], ...]


def read_constraints(
    modules: Sequence[Module],
    fixed: Given[Mapping[str, float]],
    equal: Given[Sequence[Sequence[str]]],
    define: Functions,
    derived: Functions,
    bounds: Given[Mapping[str, tuple[float | None, float | None]]],
    start: Given[Mapping[str, float]],
) -> Constraints:
    """ValueError for what is not of the form that an argument has."""
    return Constraints(
        tuple((n, finite(n, v, "fixed")) for n, v in _held(modules, fixed)),
        _check_equal(equal),
        tuple(_trace_definition(n, f) for n, f in pairs(define, "define")),
        tuple(_trace_definition(n, f, "derived") for n, f in pairs(derived, "derived")),
        tuple((n, _check_bounds(n, b)) for n, b in _expanded(modules, bounds, "bounds")),
        tuple((n, finite(n, v, "start")) for n, v in _expanded(modules, start, "start")),
    )


def pairs(given: object, argument: str) -> list[tuple[str, object]]:
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{argument}= is a mapping from names of parameters, {{'name': ...}}, not {given!r}."
        )
    for name in given:
        if not isinstance(name, str):
            raise ValueError(f"{argument}= names {name!r}: parameters are called by text.")
        if not name.strip():
            raise ValueError(f"{argument}= names {name!r}, which is empty: call it something.")
    return list(given.items())


def _expanded(modules: Sequence[Module], given: object, argument: str) -> list[tuple[str, object]]:
    """Entries by name of a parameter, those of modules one by one."""
    return list(expand(modules, pairs(given, argument), argument).items())


def _held(modules: Sequence[Module], fixed: object) -> list[tuple[str, object]]:
    """`fixed=` with the numbers by which dropout layers draw: 0, nothing is dropped."""
    draws = {name: 0.0 for module in modules for name in module.draws}
    given = _expanded(modules, fixed, "fixed")
    return [*((n, v) for n, v in given if n not in draws), *draws.items()]


def _check_equal(groups: Given[Sequence[Sequence[str]]]) -> tuple[tuple[str, ...], ...]:
    checked = []
    for group in as_tuple(groups):
        if len(as_tuple(group)) < 2:
            raise ValueError(f"equal= holds lists of at least two parameter names, not {group!r}.")
        checked.append(as_tuple(group))
    twice = duplicates(name for group in checked for name in group)
    if twice:
        raise ValueError(f"{twice[0]!r} occurs twice in equal=. Join its groups into one list.")
    return tuple(checked)


def _check_bounds(name: str, bounds: object) -> tuple[float, float]:
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError(
            f"bounds[{name!r}] is a pair (lower, upper), None where there is none, not {bounds!r}."
        )
    try:
        lower = -math.inf if bounds[0] is None else float(bounds[0])
        upper = math.inf if bounds[1] is None else float(bounds[1])
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds[{name!r}] is a pair of numbers, None where there is none, not {bounds!r}."
        ) from None
    if not lower < upper:
        raise ValueError(
            f"bounds[{name!r}]: the lower bound {lower:g} is not below the upper bound {upper:g}. Give them "
            "as (lower, upper); a single value goes into fixed=."
        )
    return lower, upper


def _trace_definition(name: str, function: object, argument: str = "define") -> Definition:
    what = f"{argument}[{name!r}]"
    if not callable(function):
        raise ValueError(
            f"{what} is a function of the other parameters, such as lambda p: 2 * p.a, not {function!r}. "
            "For a constant use fixed=."
        )
    check_arguments(function, ("p",), what)
    used, _ = record(function, [lambda name: None], what)
    if name in used[0]:
        raise ValueError(f"{what} uses itself. Write it as a function of other parameters.")
    program = trace(function, used, what)
    if not used[0] and not math.isfinite(value := float(program()[0])):
        raise ValueError(f"{what} is {value}, whatever the parameters: it uses none of them.")
    return Definition(name, tuple(used[0]), program)
