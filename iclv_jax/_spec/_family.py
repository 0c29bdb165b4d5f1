"""The protocols that a measurement family and a choice kernel fulfil.

A member is a frozen dataclass in one file of `_indicators` or `_choice`. Nothing else in the
package knows its name.
"""

import abc
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import AnyArray, Array, Arrays, Float, Level
from iclv_jax._spec._parameter import Cells, Domain, Parameter
from iclv_jax._spec._standardized import Predictor
from iclv_jax._spec._utility import Recorder


@dataclass(frozen=True)
class Declared:
    """Parameters of one item or kernel, in the order of the table, with their domains and the
    arrays of the density that they fill.

    Examples
    --------
    >>> iclv.Count("trips", of="green").declare((), {"green": 0}).cells[0].key
    'intercept'
    """

    parameters: tuple[Parameter, ...]
    cells: tuple[Cells, ...]
    domains: tuple[Domain, ...] = ()


class Expected(NamedTuple):
    """What is expected of the items of a stack, given their indices.

    `levels` are the probabilities of the levels, padded with zeros to the longest scale, and empty for a family without
    levels; `mean` and `variance` are then those of the answers, and of the codes where there are levels.

    Examples
    --------
    >>> cells = {"intercept": jnp.zeros(1), "loadings": jnp.ones((1, 1))}
    >>> iclv.Count("trips", of="green").expected(cells, jnp.zeros(1)).mean.tolist()
    [1.0]
    """

    mean: Float[Array, " indicator"]
    variance: Float[Array, " indicator"]
    levels: Float[Array, "indicator level"]


class Tails(NamedTuple):
    """Probabilities of a lower answer than the observed one, of the observed one (0 for a density), and of a higher one. Of
    an answer that is only known to lie beyond a value, `mass` is all that lies there.

    Examples
    --------
    >>> tails = families.Tails(jnp.array([0.2]), jnp.array([0.5]), jnp.array([0.3]))
    >>> float(sum(tails)[0])
    1.0
    """

    below: Float[Array, " indicator"]
    mass: Float[Array, " indicator"]
    above: Float[Array, " indicator"]


class Indicator(abc.ABC):
    """A survey item that measures one or several latent variables.

    Items whose `stack` is equal are evaluated together as arrays over indicators; their cells are
    stacked along a new first axis, padded at the end of their own first axis.

    Examples
    --------
    >>> issubclass(iclv.Ordered, families.Indicator), iclv.Ordered("q1", of="green", levels=[1, 2]).discrete
    (True, True)
    """

    column: str
    of: Sequence[str]
    missing: Sequence[Level]
    on: Sequence[Predictor] = ()
    """Covariates that act on the item directly, with the coefficients `column ~ covariate`. The package declares them and
    adds them to the index; a family has no part in it but for the field."""
    exposure: str | None = None
    """A column whose logarithm is added to the index."""
    discrete: ClassVar[bool]
    normal: ClassVar[bool]
    """Whether an item is normal given its index, with cells `intercept`, `loadings` and `variance`."""
    exact: ClassVar[bool] = False
    """Whether an item is its latent variable itself, of the same name."""

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

    def indices(self, levels: tuple[Level, ...]) -> tuple[str, ...]:
        """What the item's indices are called in the names of loadings and effects. A family with several has the `index`
        (indicator, index), and loadings of the shape (index, latent)."""
        return (self.column,)

    @property
    def several(self) -> bool:
        """Whether an item has an axis of indices."""
        return False

    @property
    def unseen(self) -> tuple[Level, ...] | None:
        """Levels before any data are seen: the declared ones, () for a family without levels, None where data must tell."""
        if not self.discrete:
            return ()
        levels: Sequence[Level] | None = getattr(self, "levels", None)
        return None if levels is None else tuple(levels)

    @property
    def flag(self) -> str | None:
        """A column of zeros and ones that is read together with the answers; see `flagged`."""
        return None

    def flagged(self, values: np.ndarray, flags: np.ndarray) -> np.ndarray:
        """Answers and their flags as one number each."""
        return values

    def answered(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of the data, the flag among them, from what was drawn of an item without levels."""
        return {self.column: values}

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

    @abc.abstractmethod
    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        """Log density of each item (shape `indicator`) given `index`, its loadings times the latent variables and what
        covariates add. Values are floats, or integer codes for a discrete family. One item of a stack speaks for all."""

    @abc.abstractmethod
    def expected(self, cells: Arrays, index: Array) -> "Expected":
        """What is expected of each item given `index`, before it is answered."""

    @abc.abstractmethod
    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        """Draw a value (or code) of each item."""

    def tails(self, cells: Arrays, values: Array, index: Array) -> Tails | None:
        """Where the answers stand in their distributions given `index`; None for a family without levels that does not
        say."""
        if not self.discrete:
            return None
        levels = self.expected(cells, index).levels
        places = jnp.arange(levels.shape[-1])[None, :]
        sides = (places < values[:, None], places == values[:, None], places > values[:, None])
        return Tails(*(jnp.sum(jnp.where(side, levels, 0.0), axis=-1) for side in sides))

    def response_variance(self, cells: Arrays) -> Array | None:
        """Variance of the response behind each item (for a continuous item, of the item) about its index; None for a
        family that has no such response, and so no standardised solution."""
        return None

    def information(self, cells: Arrays, index: Array) -> Array | None:
        """Fisher information of each item on its index, of families without levels (levels have theirs from `expected`);
        None for a family that does not say."""
        return None


class Kernel(abc.ABC):
    """How utilities and a choice make a probability. A member is a frozen dataclass.

    `name` tells several choices of a model apart; `rows` is a column of zeros and ones that says in which rows of the data
    the choice was asked; `table` names the frame that holds them, where a mapping of frames is given.

    Examples
    --------
    >>> isinstance(iclv.Logit(plain, "mode"), families.Kernel)
    True
    """

    utility: Any
    chosen: str
    available: Any
    name: str = "choice"
    rows: str | None = None
    table: str | None = None
    log_sum: ClassVar[Callable[..., Array] | None] = None
    """Expected maximum utility, up to a constant: a method `log_sum(cells, utilities, offered)` of kernels that have it in
    closed form, None for the others."""
    compensation: ClassVar[Callable[..., Array] | None] = None
    """The money that makes up for a change, expected over errors: a method `compensation(cells, before, after,
    offered_before, offered_after)` of kernels that share out a budget, None for the others."""
    purse: ClassVar[str | None] = None
    """The column of that budget."""

    function: ClassVar[str] = "utility"
    """The field that holds the user's function, which the recorded one replaces."""
    classes: Any = ()
    of: str = "situation"
    """Latent classes by name, and whether one holds for a `"person"` or a `"situation"`. A kernel with classes has the
    methods `log_membership`, `log_classes`, `expected_classes` and `sample_classes`."""
    personal: Any = ()
    """Columns by which people or situations belong to the classes."""
    indexed: ClassVar[bool] = False
    """Whether the utility function may return one number, an index, in place of a mapping of alternatives."""
    discrete: ClassVar[bool] = True
    """Whether one of `outcomes` is chosen in each of `columns`. Otherwise these hold numbers (quantities, durations), which
    `log_density` takes as they are, and `expected` gives numbers in place of probabilities."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold what was chosen; several where a situation has several answers."""
        return (self.chosen,)

    @property
    def constant(self) -> tuple[str, ...]:
        """Columns of the utility that may not vary within a person."""
        return ()

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        """What may be chosen: the alternatives of the utility function, unless the kernel says otherwise."""
        return self.utility.alternatives

    @property
    def whole(self) -> Any:
        """The function that is recorded: the user's, with what else has to be known in a situation."""
        return getattr(self, self.function)

    @property
    def unpredicted(self) -> str:
        """Why there is nothing to predict, in a sentence; empty where there is."""
        return ""

    @property
    def unvalued(self) -> str:
        """Why there are no marginal utilities, in a sentence; empty where there are."""
        return ""

    @property
    def undrawn(self) -> str:
        """Why answers cannot be drawn, in a sentence; empty where they can."""
        return ""

    @property
    def unsettled(self) -> bool:
        """Whether there is something to read from the data before the model is complete."""
        return False

    def settled(self, values: Sequence[Level], ordered: Sequence[Level] | None) -> "Kernel":
        """The kernel with what it reads from the observed values of its first column (`ordered`: the categories of an
        ordered one) once the data are known."""
        return self

    def starts(self, outcome: np.ndarray, columns: np.ndarray, offered: np.ndarray) -> dict[str, float]:
        """Start values of parameters from the positions of what was chosen, the columns of the utilities and what was
        offered, by situation."""
        return {}

    def recorded(self, record: Recorder) -> "Kernel":
        """The kernel with the user's function recorded; `record` takes a function and whether it may return one number."""
        return replace(self, **{self.function: record(self.whole, self.indexed)})  # pyright: ignore[reportArgumentType]

    def needed(self, offered: AnyArray) -> AnyArray:
        """Which utilities count, (row, utility), from what was offered, (row, outcome)."""
        return offered

    def check_outcomes(self, outcome: np.ndarray, offered: np.ndarray, labels: Sequence[Any]) -> None:
        """Raise ValueError when answers cannot be of this kernel; positions by row and column, -1 where missing, of the
        rows whose labels are given."""
        return None

    def check_sample(self, outcome: np.ndarray) -> None:
        """Raise ValueError when these answers, positions as in `check_outcomes`, do not identify the kernel's parameters."""
        return None

    def check_numbers(
        self,
        outcome: np.ndarray,
        columns: Mapping[str, np.ndarray],
        offered: np.ndarray,
        labels: Sequence[Any],
    ) -> None:
        """`check_outcomes` of a kernel that is not `discrete`: numbers by row and column, NaN where missing, beside the
        columns of the utilities by name."""
        return None

    def log_membership(self, cells: Arrays, utilities: Array) -> Array:
        """Log probabilities of the latent classes, of kernels with classes."""
        raise NotImplementedError

    def log_classes(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        """`log_density` of every class."""
        raise NotImplementedError

    def declared_by_class(self) -> "list[Declared]":
        """What the choice of each class declares, of kernels with classes."""
        raise NotImplementedError

    def log_sum_classes(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        """`log_sum` of every class."""
        raise NotImplementedError

    def compensation_classes(
        self, cells: Arrays, before: Array, after: Array, offered_before: Array, offered_after: Array
    ) -> Array:
        """`compensation` of every class."""
        raise NotImplementedError

    def expected_classes(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        """`expected` of every class."""
        raise NotImplementedError

    def sample_classes(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        """`sample` of every class."""
        raise NotImplementedError

    @abc.abstractmethod
    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        """Raise ValueError when the kernel cannot serve these alternatives."""

    @abc.abstractmethod
    def declare(self) -> Declared:
        """Parameters of the kernel itself (scales of nests, say), beside those of the utility."""

    @abc.abstractmethod
    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        """Log probability of the chosen alternative in one situation; utilities have the shape
        `alternative`, `outcome` is a position (one for each of `columns`, -1 where missing, where there are several),
        `offered` is a mask over outcomes. Of a kernel that is not `discrete` `outcome` holds the numbers of `columns`."""

    @abc.abstractmethod
    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        """Draw an outcome, as `log_density` takes it."""

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        """Probability of every alternative in one situation, zero for what is not offered."""
        places = jnp.arange(offered.shape[0])
        logs = jax.vmap(lambda place: self.log_density(cells, utilities, place, offered))(places)
        # What the density says of an alternative that is not offered may be anything finite.
        return jnp.where(offered, jnp.exp(jnp.where(offered, logs, 0.0)), 0.0)
