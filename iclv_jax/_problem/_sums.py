"""People, wherever they are, as an optimiser's objective sees them."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyArray, Array
from iclv_jax._derivatives import Expansion, Slope
from iclv_jax._integration import Rule
from iclv_jax._problem._problem import Problem

Found = TypeVar("Found")
Me = TypeVar("Me")


@runtime_checkable
class Sums(Protocol):
    """Sums over people who are in memory, in chunks, or on several hosts.

    `first` is a problem of the model that stands for all of them: names, bounds and maps are its own, and only what depends
    on people is asked here. `summed` adds up a function of the problems of parts of the people.
    """

    @property
    def first(self) -> Problem: ...
    @property
    def weight_sums(self) -> tuple[float, float]:
        """The sum of the weights, and of their squares."""
        ...

    @property
    def occurring(self) -> tuple[bool, ...]:
        """Whether anybody answers, by block of the density."""
        ...

    @property
    def room(self) -> float:
        """Bytes for each person: of memory, and of the disk where nodes are kept there."""
        ...

    def summed(self, function: Callable[[Problem], Found]) -> Found: ...
    def by_person(self, function: Callable[[Problem], AnyArray]) -> np.ndarray:
        """What a function of the parts has for every person, of all parts one after the other."""
        ...

    def called(self, at: Sequence[int] | np.ndarray) -> tuple[Hashable, ...]:
        """What the people at these positions among all are called."""
        ...

    def start(self) -> Array:
        """Start values from moments of the people, or of some of them."""
        ...

    @property
    def coarse(self: Me) -> Me:
        """The same with the nodes of the first stage of its rule."""
        ...

    def loglike(self, params: Array) -> Any: ...
    def hessian(self, params: Array) -> Array: ...
    def slope(self, params: Array) -> Slope: ...
    def expansion(self, params: Array, method: Any = "exact") -> Expansion: ...
    def recentre(self: Me, params: Array) -> Me: ...
    def integrate(self: Me, rule: Rule) -> Me: ...
