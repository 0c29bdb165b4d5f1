"""Groups of what one asks of a fit: `fit.tests.wald_test(...)`, and `fit.wald_test(...)` for those who know the name."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from typing_extensions import get_protocol_members, is_protocol

from iclv_jax._base._looked_for import OF_FITS
from iclv_jax._inference._estimated import why_lacking

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class Group:
    """Functions of a fit that answer questions of one kind. `dir` lists those that this kind of fit has."""

    def __init_subclass__(cls, called: str) -> None:
        # Documented, shown and pickled by where users find it, `iclv.Fit.tests`.
        cls.__name__, cls.__qualname__, cls.__module__ = called, f"Fit.{called}", "iclv_jax"

    def __init__(self, fit: Any) -> None:
        self._fit = fit

    def __repr__(self) -> str:
        known = ", ".join(name for name in verbs(type(self)) if _there(self, name))
        return f"<fit.{type(self).__name__}: {known or 'nothing that this kind of fit has'}>"

    def __dir__(self) -> list[str]:
        own = verbs(type(self))
        return [name for name in object.__dir__(self) if name not in own or _there(self, name)]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if hasattr(type(self), name):  # a verb that this kind of fit lacks, which says why
                return object.__getattribute__(self, name)
            raise AttributeError(unknown(f"fit.{type(self).__name__}", name, ()))


def verbs(group: type[Group]) -> tuple[str, ...]:
    """The public names of a group, in the order of its source."""
    return tuple(name for name in vars(group) if not name.startswith("_"))


def _there(group: Group, name: str) -> bool:
    """Whether a fit has a verb of its group; nothing is computed."""
    verb = vars(type(group))[name]
    return not (isinstance(verb, Verb | Fact) and verb.why_not(group._fit))


def homes() -> dict[str, str]:
    """The group of each verb."""
    return {verb: group.__name__ for group in Group.__subclasses__() for verb in verbs(group)}


def unknown(thing: str, name: str, own: Iterable[str]) -> str:
    """That there is no such name, and which is near it, with its group; `own` names of a fit itself."""
    said = f"{thing} has no attribute {name!r}"
    if name.startswith("_"):
        return said
    if name in OF_FITS:
        return f"{said}. That is {OF_FITS[name]} here."
    known = dict.fromkeys((n for n in own if not n.startswith("_")), "") | homes()
    close = difflib.get_close_matches(name, known, n=1)
    if not close:
        return f"{said}. There are fit.{', fit.'.join(dict.fromkeys(homes().values()))}, and dir(fit) has the rest."
    return f"{said}. Did you mean {'.'.join(filter(None, ('fit', known[close[0]], close[0])))}?"


class Verb(Generic[Arguments, Answer]):
    """A function whose first argument is a fit, as a method of a group. The annotation of that argument says what it needs;
    a fit that lacks it has no such method, and AttributeError says why."""

    def __init__(self, function: Callable[Concatenate[Any, Arguments], Answer]) -> None:
        self.function = function
        self.needed = needed(function)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(
        self, group: None, owner: type | None = None
    ) -> Callable[Concatenate[Any, Arguments], Answer]: ...
    @overload
    def __get__(self, group: Group, owner: type | None = None) -> Callable[Arguments, Answer]: ...
    def __get__(self, group: Group | None, owner: type | None = None) -> Callable[..., Answer]:
        if group is None:
            return self.function
        if why := self.why_not(group._fit):
            raise AttributeError(why)
        return MethodType(self._own(group._fit) or self.function, group._fit)

    def why_not(self, fit: object) -> str:
        """Why a fit has no such method; empty where it has."""
        return "" if self._own(fit) else why_lacking(fit, self.name, *self.needed)

    def _own(self, fit: object) -> Callable[..., Answer] | None:
        """What a kind of fit has under this name itself, where it does it in another way."""
        own: Any = getattr(type(fit), self.name, None)
        method: Any = own if callable(own) else None
        return method


class Fact(Generic[Answer]):
    """The same as a property."""

    def __init__(self, function: Callable[[Any], Answer]) -> None:
        self.verb = Verb(function)
        self.why_not = self.verb.why_not
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.verb.name = name

    @overload
    def __get__(self, group: None, owner: type | None = None) -> "Fact[Answer]": ...
    @overload
    def __get__(self, group: Group, owner: type | None = None) -> Answer: ...
    def __get__(self, group: Group | None, owner: type | None = None) -> "Fact[Answer] | Answer":
        return self if group is None else self.verb.__get__(group)()


def needed(function: Callable[..., object]) -> tuple[str, ...]:
    """The attributes of a fit that a function rests on: those of the protocol of its first argument, public ones first."""
    protocol = next(iter(inspect.unwrap(function).__annotations__.values()))
    if not is_protocol(protocol):
        return ()
    return tuple(sorted(get_protocol_members(protocol), key=lambda name: (name.startswith("_"), name)))


Some = TypeVar("Some", bound=Group)


class Accessor(Generic[Some]):
    """A group as an attribute of a fit; of the class, the group's class."""

    def __init__(self, group: type[Some]) -> None:
        self.group = group

    @overload
    def __get__(self, fit: None, owner: type | None = None) -> type[Some]: ...
    @overload
    def __get__(self, fit: object, owner: type | None = None) -> Some: ...
    def __get__(self, fit: object, owner: type | None = None) -> type[Some] | Some:
        return self.group if fit is None else self.group(fit)
