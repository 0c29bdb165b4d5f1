"""Utilities: a user's function of parameters, columns and latent variables, recorded once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Given
from iclv_jax._spec._equation import check_parts
from iclv_jax._spec._module import Module
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Traced, arguments, check_arguments, record, trace


@dataclass(frozen=True)
class Words:
    """How messages speak of a user's function: what it is, the mapping that it returns, and what one of its numbers is."""

    what: str = "The utility function"
    returns: str = (
        "a mapping from at least two alternatives to their utilities, such as {'car': ..., 'bus': ...}"
    )
    key: str = "alternative"
    number: str = "The utility of {!r}"


UTILITIES = Words()


@dataclass(frozen=True)
class Utility:
    """Utilities of all alternatives in one situation.

    `alternatives` keep the order of the user's mapping; `parameters`, `columns`, `latents` and `modules` are
    what the function uses, in the order of first use. `coefficients` names its first argument: the parameters, then
    the entries of every module.
    """

    alternatives: tuple[Hashable, ...]
    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    latents: tuple[str, ...]
    program: Traced
    modules: tuple[Module, ...] = ()

    @cached_property
    def coefficients(self) -> tuple[str, ...]:
        return (*self.parameters, *(name for module in self.modules for name in module.names))

    @cached_property
    def reach(self) -> np.ndarray:
        """(alternative, column): whether the utility of the alternative may depend on the column."""
        first = len(self.parameters)
        places = range(first, first + len(self.columns))
        return np.array([[at in found for at in places] for found in self.program.reaches()], bool)

    @cached_property
    def linear(self) -> bool:
        """Whether utilities are linear in the parameters, at given columns and latent variables; modules are held."""
        return self.program.affine_in(len(self.parameters))

    def reached(self, module: str) -> tuple[Hashable, ...]:
        """The alternatives whose utilities a module enters."""
        scalars = len(self.parameters) + len(self.columns) + len(self.latents)
        at = scalars + [m.name for m in self.modules].index(module)
        found = zip(self.alternatives, self.program.reaches(), strict=True)
        return tuple(name for name, arguments in found if at in arguments)

    def __call__(self, coefficients: Array, columns: Array | Sequence[Array], latents: Array) -> Array:
        """Shapes: one entry per name in `coefficients`, `columns` (or scalars), `latents`; result `alternative`."""
        count, alike = len(self.parameters), self.program.alike
        if alike is None:
            return jnp.stack(self.program(*arguments(coefficients, count, self.modules, (columns, latents))))
        given = jnp.array(columns) if isinstance(columns, Sequence) else columns
        vectors = arguments(coefficients[count:], 0, self.modules, ())
        return alike(jnp.concatenate([coefficients[:count], given, latents]), vectors)


INDEX = ("index",)
"""What stands for the alternatives where a function returns one number."""


@dataclass(frozen=True)
class Recorder:
    """What a kernel has the user's functions recorded by: the latent variables and modules of the model, the words, and
    whose the functions are in messages, such as `" of the class 'rich'"`."""

    latents: tuple[str, ...]
    modules: tuple[Module, ...] = ()
    words: Words = UTILITIES
    owner: str = ""

    def __call__(self, function: Given[Callable[..., object]], indexed: bool) -> Utility:
        """`function` recorded; `indexed`: it may return one number."""
        words = replace(self.words, what=self.words.what + self.owner)
        return trace_utility(function, self.latents, self.modules, indexed, words)

    def speaking(self, words: Words) -> "Recorder":
        """The same in other words."""
        return replace(self, words=words)

    def owned(self, owner: str) -> "Recorder":
        """The same for the functions of an owner, who is another one's."""
        return replace(self, owner=owner + self.owner)


def trace_utility(
    function: Given[Callable[..., object]],
    latents: Sequence[str],
    modules: Sequence[Module] = (),
    indexed: bool = False,
    words: Words = UTILITIES,
) -> Utility:
    """Record a utility function; ValueError when it is not a function of scalars to a mapping (or, where it may be
    `indexed`, to one number)."""
    what = words.what
    check_arguments(function, ("b", "x", "lv"), what)

    def any_name(name: str) -> None:
        pass

    def known_latent(name: str) -> None:
        if name not in latents:
            raise ValueError(
                f"{what} uses the latent variable {name!r}, which the model does not have. "
                f"{nearest(name, latents)}"
            )

    used, result = record(function, [any_name, any_name, known_latent], what, modules)
    single = indexed and not isinstance(result, dict)
    if not single and (not isinstance(result, dict) or len(result) < 2):
        raise ValueError(f"{what} must return {words.returns}; it returned {_kind(result, words.key)}.")
    alternatives = INDEX if single else tuple(result)  # pyright: ignore[reportArgumentType]
    known = {module.name: module for module in modules}
    called = tuple(known[name] for name in used[0] if name in known)
    used[0] = [name for name in used[0] if name not in known]
    check_parts(used[0], called, what)
    program = trace(function, used, what, None if single else alternatives, called, words.number)
    parameters, columns, lvs = (tuple(names) for names in used)
    return Utility(alternatives, parameters, columns, lvs, program, called)


def _kind(result: object, key: str) -> str:
    if isinstance(result, dict):
        ending = "" if len(result) == 1 else "es" if key.endswith("s") else "s"
        return f"a mapping with {len(result)} {key}{ending}"
    if isinstance(result, jax.Array):
        return "an array" if result.ndim else "one number"
    return "nothing" if result is None else f"a {type(result).__name__}"
