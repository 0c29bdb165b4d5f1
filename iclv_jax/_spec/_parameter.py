"""What a component of the model declares about its parameters."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Block: TypeAlias = Literal["structural", "measurement", "choice"]
Role: TypeAlias = Literal[
    "intercept",
    "slope",
    "effect",
    "path",
    "loading",
    "threshold",
    "variance",
    "covariance",
    "scale",
    "coefficient",
    "spread",
    "mixing",
    "weight",
    "logsum",
    "allocation",
    "guessing",
    "slipping",
    "dispersion",
    "shape",
    "derived",
]

Combination: TypeAlias = tuple[tuple[str, float], ...]
"""A cell that is a linear combination of named parameters."""

Cell: TypeAlias = float | Combination
"""An entry of an array of the density: a constant, or a linear combination of parameters."""


@dataclass(frozen=True)
class Parameter:
    """One row of the parameter table, as its component declares it.

    `fixed` is the value that convention gives it (a first loading of one, say), None when free.
    `bounds` are those that it has by nature, where it may lie on them (a user's replace them).
    `meaning` says in words what it enters. `owner` and `argument` are what its name is made of, where it has
    them: the latent variable or item of an equation, and what stands in it. A path, a slope, a loading and a direct
    effect have both, a covariance both of its members, an entry of a module that and its array; a variance, an
    intercept, a threshold and a spread have an owner alone. Of a parameter that differs by group `group` is the group's
    name, and `plain` its own name without that.

    Examples
    --------
    >>> level = families.Parameter("q1 ~ 1", "measurement", "intercept", 0.0, "level of q1", owner="q1")
    >>> level.concerns("q1")
    True
    """

    name: str
    block: Block
    role: Role
    start: float
    meaning: str
    fixed: float | None = None
    owner: str = ""
    argument: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    group: str = ""
    plain: str = ""

    @property
    def base(self) -> str:
        """Its name without that of its group."""
        return self.plain or self.name

    def concerns(self, name: str) -> bool:
        """Whether it belongs to a latent variable or an item of this name; what belongs to a coefficient or a module does
        not."""
        return self.block != "choice" and self.role != "weight" and name in (self.owner, self.argument)


@dataclass(frozen=True)
class Positive:
    """A parameter that is positive by nature, such as a variance.

    Examples
    --------
    >>> families.Declared((), (), (families.Positive("q1 ~~ q1"),)).domains[0].name
    'q1 ~~ q1'
    """

    name: str


@dataclass(frozen=True)
class Increasing:
    """Parameters that increase from first to last, such as thresholds.

    Examples
    --------
    >>> families.Increasing(("q1 | 1", "q1 | 2")).names
    ('q1 | 1', 'q1 | 2')
    """

    names: tuple[str, ...]


@dataclass(frozen=True)
class PositiveDefinite:
    """A covariance matrix: `entries` is its lower triangle by rows; an entry is a name or None
    where the covariance is zero. `spreads` says of every row whether its diagonal holds a standard deviation.

    Examples
    --------
    >>> families.PositiveDefinite((("a ~~ a",), ("a ~~ b", "b ~~ b")), (False, False)).entries[1]
    ('a ~~ b', 'b ~~ b')
    """

    entries: tuple[tuple[str | None, ...], ...]
    spreads: tuple[bool, ...]


Domain: TypeAlias = Positive | Increasing | PositiveDefinite


@dataclass(frozen=True)
class Cells:
    """One array of the density: `key` names it, `shape` and `entries` (flat, row-major) fill it.

    Examples
    --------
    >>> families.Cells("intercept", (), (families.one("q1 ~ 1"),)).key
    'intercept'
    """

    key: str
    shape: tuple[int, ...]
    entries: tuple[Cell, ...]


def one(name: str) -> Combination:
    """The cell that is the parameter itself.

    Examples
    --------
    >>> families.one("q1 ~ 1")
    (('q1 ~ 1', 1.0),)
    """
    return ((name, 1.0),)
