"""What a rule of integration is, and what rules have in common.

A rule gives points `v` and log weights `a` such that `sum_r exp(a_r) g(v_r)` approximates the
expectation of g(v) under a standard normal v. Rules with `centred` are moved to each person's
posterior by `_centre.place`; the others are used as they are.
"""

import abc
from typing import NamedTuple

import numpy as np

from iclv_jax._base._arguments import is_real
from iclv_jax._base._types import Given
from iclv_jax._integration._quartered import Quartered

MOST_NODES = 20_000
MOST = 10_000_000
"""Of anything that is counted: a mistyped exponent should not end in an hour, or in no memory."""
NEGLIGIBLE = 1e-12
"""Nodes of rules for the prior whose weights, which add up to one, come to less than this are left out."""


class Points(NamedTuple):
    """`points` (people or 1, node, dimension) and `log_weights` (node), or (people, node) where some people have fewer nodes
    than others: what they lack has no weight.

    The last `from_prior` points of a centred rule stay where they are: draws from the prior that keep
    importance weights bounded.
    """

    points: np.ndarray
    log_weights: np.ndarray
    from_prior: int = 0


class Rule(abc.ABC):
    """How to integrate. A member is a frozen dataclass."""

    @property
    @abc.abstractmethod
    def centred(self) -> bool:
        """Whether nodes are placed at each person's posterior."""

    @property
    @abc.abstractmethod
    def conditions(self) -> bool:
        """Whether latent variables are first integrated out in closed form given the items."""

    @property
    def by_moments(self) -> bool:
        """Whether nodes are placed by posterior means and covariances in place of modes and curvatures."""
        return False

    @property
    def by_classes(self) -> bool:
        """Whether they are placed so in equal parts for each latent class of people."""
        return False

    @property
    def quartered(self) -> Quartered | None:
        """By person, how many times a quarter of the draws is enough; None: everybody has all."""
        return None

    def of(self, people: np.ndarray) -> "Rule":
        """The rule for some people by position."""
        return self

    @abc.abstractmethod
    def standard(self, people: int, dimension: int) -> Points:
        """Points and weights for a standard normal of this dimension."""

    def behind(self, before: int, people: int, total: int, dimension: int) -> Points:
        """`standard` of people behind so many others, as if it were made for all of them, `total`, at once."""
        return self.standard(people, dimension)

    def size(self, dimension: int) -> int:
        """The most nodes per person that any of its stages makes."""
        return 1

    @abc.abstractmethod
    def describe(self, dimension: int) -> str:
        """The rule in words, with its number of nodes."""

    @abc.abstractmethod
    def stages(self) -> "tuple[Rule, ...]":
        """Rules to fit with one after the other: coarse ones for the search, the last for the result."""

    @abc.abstractmethod
    def finer(self, factor: int) -> "Rule":
        """The same rule with `factor` times the nodes (per dimension, for a product rule)."""

    @abc.abstractmethod
    def reseeded(self, seed: int) -> "Rule | None":
        """An independent randomisation of the same rule; None for a rule without randomness."""

    @property
    @abc.abstractmethod
    def scatters(self) -> bool:
        """Whether randomisations scatter around the integral, so that their spread is the whole error."""

    @property
    @abc.abstractmethod
    def target_error(self) -> float | None:
        """Error of log L below which no more nodes are needed; None: as many as were asked for."""


def check_count(count: Given[object], what: Given[str], most: Given[int | None] = MOST) -> None:
    """ValueError for what is no whole number above 0, and for more than nobody can wait for."""
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{what} is a positive whole number, not {count!r}.")
    if most is not None and count > most:
        raise ValueError(f"{what} is {int(count):,}, more than {most:,}. Take a smaller number.")


def check_room(rule: "Rule", people: int, dimension: int, memory: float) -> None:
    """ValueError, before any is made, for nodes that do not fit into so many bytes."""
    nodes = rule.size(dimension)
    needed = 8.0 * people * nodes * (dimension + 1)
    if needed > memory:
        fewer = max(1, int(memory / (8.0 * people * (dimension + 1))))
        raise ValueError(
            f"{rule!r} has {nodes:,} nodes for each of {people:,} people, which take {needed / 1e9:,.1f} GB, more than "
            f"memory= allows ({memory / 1e9:,.1f} GB). Take at most {fewer:,} nodes, or raise memory=."
        )


def check_target(target: Given[float | None]) -> None:
    if target is not None and not (is_real(target) and 0.0 < target < np.inf):
        raise ValueError(f"target_error is a positive error of log L, or None, not {target!r}.")


def product(points: np.ndarray, logs: np.ndarray, dimension: int, name: str, every: bool = False) -> Points:
    """The product of a one-dimensional rule; ValueError when it is too large.

    Light nodes are left out of a rule for the prior. With `every` none is: once they are placed at posteriors, those that
    are light under a normal density are the ones that reach the tails.
    """
    total = len(points) ** dimension
    if total > MOST_NODES:
        raise ValueError(
            f"{name} with {len(points)} nodes in {dimensions(dimension)} has {total:,} nodes per person, more than "
            f"{MOST_NODES:,}. Use fewer nodes, or iclv.Adaptive(draws=...)."
        )
    if dimension == 0:
        return Points(np.zeros((1, 1, 0)), np.zeros(1))
    grid = np.stack(np.meshgrid(*[points] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    weights = sum(np.meshgrid(*[logs] * dimension, indexing="ij"), start=np.zeros(())).reshape(-1)
    kept = _heavy(weights) if dimension > 1 and not every else slice(None)
    return Points(grid[None, kept], weights[kept])


def _heavy(log_weights: np.ndarray) -> np.ndarray:
    """Positions of the nodes that are left when the lightest, `NEGLIGIBLE` in all, are dropped."""
    order = np.argsort(log_weights)
    light = np.cumsum(np.exp(log_weights[order])) < NEGLIGIBLE
    return np.sort(order[~light])


def dimensions(count: int) -> str:
    return "one dimension" if count == 1 else f"each of {count} dimensions"


def check_rule(rule: Given[Rule], what: str) -> None:
    """ValueError for what is no rule."""
    if not isinstance(rule, Rule):
        raise ValueError(
            f"{what} is a rule such as iclv.GaussHermite(15) or iclv.MonteCarlo(500), not {rule!r}."
        )
