"""Structural equations written as functions: `Latent("concern", on=function_of(b, x, lv))`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from iclv_jax._base._types import Array
from iclv_jax._spec._module import Module
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Traced, arguments, check_arguments, record, trace

CELLS = "equation "
"""What the names of the arrays begin with that hold the coefficients of such an equation."""


@dataclass(frozen=True)
class Equation:
    """The systematic part of a latent variable: a function of parameters, columns and other latent variables.

    `parameters`, `columns`, `latents` and `modules` are what it uses, in the order of first use; `coefficients` names its
    first argument: the parameters, then the entries of every module.
    """

    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    latents: tuple[str, ...]
    program: Traced
    modules: tuple[Module, ...] = ()

    @cached_property
    def coefficients(self) -> tuple[str, ...]:
        return (*self.parameters, *(name for module in self.modules for name in module.names))

    def __call__(self, coefficients: Array, columns: Array, latents: Array) -> Array:
        """Shapes: one entry per name in `coefficients`, `columns`, `latents`; result a scalar."""
        given = arguments(coefficients, len(self.parameters), self.modules, (columns, latents))
        return self.program(*given)[0]


def trace_equation(
    function: Callable[..., object], name: str, latents: Sequence[str], modules: Sequence[Module]
) -> Equation:
    """Record the systematic part of a latent variable; ValueError when it is not a function of scalars to a number."""
    what = f"The structural equation of {name!r}"
    check_arguments(function, ("b", "x", "lv"), what)

    def any_name(name: str) -> None:
        pass

    def known_latent(other: str) -> None:
        if other == name:
            raise ValueError(f"{what} uses {name!r} itself. Structural equations must be recursive.")
        if other not in latents:
            raise ValueError(
                f"{what} uses the latent variable {other!r}, which the model does not have. {nearest(other, latents)}"
            )

    used, _ = record(function, [any_name, any_name, known_latent], what, modules)
    known = {module.name: module for module in modules}
    called = tuple(known[n] for n in used[0] if n in known)
    used[0] = [n for n in used[0] if n not in known]
    check_parts(used[0], called, what)
    program = trace(function, used, what, None, called)
    parameters, columns, others = (tuple(names) for names in used)
    return Equation(parameters, columns, others, program, called)


def check_parts(parameters: Sequence[str], modules: Sequence[Module], what: str) -> None:
    """Refuse parameters that are parts of the modules beside them."""
    for module in modules:
        for name in parameters:
            if module.entries(name) is not None:
                raise ValueError(
                    f"{what} uses the parameter {name!r}, which is a part of the module {module.name!r}. Rename one, or "
                    "call the module."
                )
