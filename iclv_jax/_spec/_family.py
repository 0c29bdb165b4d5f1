"""The protocols that a measurement family and a choice kernel fulfil.

A member is a frozen dataclass in one file of `_indicators` or `_choice`. Nothing else in the
package knows its name.
"""

import abc
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from iclv_jax._base._types import Array, Arrays, Level
from iclv_jax._spec._parameter import Cells, Domain, Parameter


@dataclass(frozen=True)
class Declared:
    """Parameters of one item or kernel, in the order of the table, with their domains and the
    arrays of the density that they fill."""

    parameters: tuple[Parameter, ...]
    cells: tuple[Cells, ...]
    domains: tuple[Domain, ...] = ()


class Indicator(abc.ABC):
    """A survey item that measures one or several latent variables.

    Items whose `stack` is equal are evaluated together as arrays over indicators; their cells are
    stacked along a new first axis, padded at the end of every other axis.
    """

    column: str
    of: Sequence[str]
    missing: Sequence[Level]
    discrete: ClassVar[bool]
    normal: ClassVar[bool]
    """Whether an item is normal given its index, with cells `intercept`, `loadings` and `variance`."""

    @property
    @abc.abstractmethod
    def stack(self) -> Hashable:
        """Key of the items that may be evaluated as one array."""

    @property
    @abc.abstractmethod
    def shared(self) -> str | None:
        """Name under which several items share levels and thresholds, None for an item on its own."""

    @property
    @abc.abstractmethod
    def location(self) -> str | None:
        """Name of the item's intercept parameter, None when it has none."""

    @abc.abstractmethod
    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        """Raise ValueError when these people's observed (not missing) values cannot be of this family."""

    @abc.abstractmethod
    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        """Levels in order, as declared or as seen in the data; () for a family without levels."""

    @abc.abstractmethod
    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        """Raise ValueError when levels have gaps or are not all observed; `counts` counts answers per
        level, over all items that share them."""

    @abc.abstractmethod
    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        """Parameters, domains and cells; `positions` numbers the latent variables."""

    @abc.abstractmethod
    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        """Start values from the observed values (codes 0.. for a discrete family), given the share
        of the item's variance that its latent variables explain and the sign of its loading; the
        loading refers to latent variables with mean 0 and variance 1."""

    @staticmethod
    def error_variance(stack: Hashable) -> float:
        """Variance of the error of the response behind an item, in units of its cell `variance`."""
        return 1.0

    @staticmethod
    @abc.abstractmethod
    def log_density(stack: Hashable, cells: Arrays, values: Array, index: Array) -> Array:
        """Log density of each item (shape `indicator`) given `index`, its loadings times the latent
        variables. Values are floats, or integer codes for a discrete family."""

    @staticmethod
    @abc.abstractmethod
    def sample(stack: Hashable, cells: Arrays, index: Array, key: Array) -> Array:
        """Draw a value (or code) of each item."""


class Kernel(abc.ABC):
    """How utilities and a choice make a probability. A member is a frozen dataclass."""

    utility: Any
    chosen: str
    available: Any
    log_sum: ClassVar[Callable[[Arrays, Array, Array], Array] | None] = None
    """Expected maximum utility, up to a constant, of `(cells, utilities, available)`: a static method of kernels that have
    it in closed form, None for the others."""

    @abc.abstractmethod
    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        """Raise ValueError when the kernel cannot serve these alternatives."""

    @abc.abstractmethod
    def declare(self) -> Declared:
        """Parameters of the kernel itself (scales of nests, say), beside those of the utility."""

    @staticmethod
    @abc.abstractmethod
    def log_density(cells: Arrays, utilities: Array, chosen: Array, available: Array) -> Array:
        """Log probability of the chosen alternative in one situation; utilities have the shape
        `alternative`, `chosen` is a position, `available` is a mask."""

    @staticmethod
    @abc.abstractmethod
    def sample(cells: Arrays, utilities: Array, available: Array, key: Array) -> Array:
        """Draw the position of the chosen alternative."""
