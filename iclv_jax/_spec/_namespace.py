"""What a user's function sees of a model: namespaces that look names up, and what it says where it takes them for more."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import jax

from iclv_jax._base._promotion import usual_promotion
from iclv_jax._base._types import Given

Result = TypeVar("Result")
ABSTRACT = re.compile(r"\w*(Tracer|Traced<|Namespace)[^'\s]*")
"""What JAX calls values that are only known later."""


class Namespace:
    """`b`, `x` or `lv` inside a user's function: `b.name` and `b["any name"]` look a value up."""

    def __init__(self, look_up: Callable[[str], object]) -> None:
        object.__setattr__(self, "_look_up", look_up)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._look_up(name)

    def __getitem__(self, name: Given[str]) -> Any:
        if not isinstance(name, str):
            raise ValueError(f"Names of parameters, columns and latent variables are text, not {name!r}.")
        if not name.strip() or "Tracer(" in name or "Traced<" in name:
            raise ValueError(
                f"Names of parameters, columns and latent variables have letters and are known at once, not "
                f"{ABSTRACT.sub('...', name)!r}: "
                "a name cannot be made of values of the data."
            )
        return self._look_up(name)

    def __repr__(self) -> str:
        return "<b, x or lv: look up a name>"

    def __setattr__(self, name: str, value: object) -> None:
        raise ValueError(f"{name!r} cannot be assigned: b, x and lv are read-only inside a model's function.")

    __setitem__ = __setattr__


# What a user compiles within a function takes namespaces as they are, as if it referred to them.
jax.tree_util.register_static(Namespace)


def guarded(function: Callable[..., Result], spaces: list[Namespace], what: str) -> Result:
    """What the user's function returns; ValueError in its words for what JAX cannot follow."""
    try:
        with usual_promotion():
            return function(*spaces)
    except jax.errors.TracerBoolConversionError as error:
        raise ValueError(
            f"{what} branches in Python on a value that is only known later (`if`, `and`, `or`, `not`, "
            "`max`, `min`). Use jnp.where(condition, a, b), jnp.logical_and, jnp.maximum and so on."
        ) from error
    except (
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.ConcretizationTypeError,
    ) as error:
        raise ValueError(
            f"{what} passes a value that is only known later to a function that needs numbers at once "
            "(numpy or math). Use the function of the same name in jax.numpy."
        ) from error
    except (TypeError, AttributeError) as error:
        if not ABSTRACT.search(str(error)):
            raise
        said = ABSTRACT.sub("value", str(error)).removesuffix(".")
        raise ValueError(
            f"{what} does with b, x, lv or one of their values what Python refuses ({said}). They look names up, and what "
            "they give are numbers, known only later: neither is called, joined with text or counted."
        ) from error
