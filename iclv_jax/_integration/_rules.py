"""Rules of integration over the standard normal shocks of a person.

A rule gives points `v` and log weights `a` such that `sum_r exp(a_r) g(v_r)` approximates the
expectation of g(v) under a standard normal v. Rules with `centred` are moved to each person's
posterior by `_centre.place`; the others are used as they are.
"""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import roots_hermitenorm

from iclv_jax._integration._sequences import Sequence, check_count, check_sequence, normal_points

MOST_NODES = 20_000


class Points(NamedTuple):
    """`points` (people or 1, node, dimension) and `log_weights` (node)."""

    points: np.ndarray
    log_weights: np.ndarray


class Rule(abc.ABC):
    """How to integrate. A member is a frozen dataclass."""

    @property
    @abc.abstractmethod
    def centred(self) -> bool:
        """Whether nodes are placed at each person's posterior."""

    @abc.abstractmethod
    def standard(self, people: int, dimension: int) -> Points:
        """Points and weights for a standard normal of this dimension."""

    @abc.abstractmethod
    def describe(self, dimension: int) -> str:
        """The rule in words, with its number of nodes."""


@dataclass(frozen=True)
class MonteCarlo(Rule):
    """Draws from the prior of the latent variables, as in Biogeme and Apollo.

    Parameters
    ----------
    draws
        Number of draws per person.
    sequence
        `"halton"`, `"sobol"` (scrambled), `"mlhs"` or `"random"`.
    seed
        Seed of the scrambling or of the draws.
    """

    draws: int = 500
    sequence: Sequence = "halton"
    seed: int = 0

    def __post_init__(self) -> None:
        check_count(self.draws, "draws")
        check_sequence(self.sequence)

    @property
    def centred(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        points = normal_points(self.sequence, people, self.draws, dimension, self.seed)
        return Points(points, np.full(self.draws, -np.log(self.draws)))

    def describe(self, dimension: int) -> str:
        return f"{self.draws} {self.sequence} draws per person from the prior"


@dataclass(frozen=True)
class Adaptive(Rule):
    """Importance sampling: draws from the normal approximation of each person's posterior.

    Parameters as of `MonteCarlo`.
    """

    draws: int = 20
    sequence: Sequence = "sobol"
    seed: int = 0

    def __post_init__(self) -> None:
        check_count(self.draws, "draws")
        check_sequence(self.sequence)

    @property
    def centred(self) -> bool:
        return True

    def standard(self, people: int, dimension: int) -> Points:
        points = normal_points(self.sequence, people, self.draws, dimension, self.seed)
        return Points(points, np.full(self.draws, -np.log(self.draws)))

    def describe(self, dimension: int) -> str:
        return f"{self.draws} {self.sequence} draws per person from the approximate posterior"


@dataclass(frozen=True)
class GaussHermite(Rule):
    """Product Gauss-Hermite quadrature, best in one and two dimensions.

    Parameters
    ----------
    nodes
        Nodes per dimension.
    adaptive
        Whether the grid is centred and scaled at each person's posterior (Naylor and Smith 1982).
        Steep posteriors, such as those of panels with random coefficients, need it; without it the
        same grid serves everyone.
    """

    nodes: int = 15
    adaptive: bool = True

    def __post_init__(self) -> None:
        check_count(self.nodes, "nodes")

    @property
    def centred(self) -> bool:
        return self.adaptive

    def standard(self, people: int, dimension: int) -> Points:
        points, weights = roots_hermitenorm(self.nodes)
        # The outermost weights of a large rule underflow to zero; their nodes carry nothing.
        kept = weights > 0.0
        return _product(points[kept], np.log(weights[kept] / weights.sum()), dimension, "Gauss-Hermite")

    def describe(self, dimension: int) -> str:
        kind = "adaptive Gauss-Hermite" if self.adaptive else "Gauss-Hermite"
        return f"{kind}, {self.nodes} nodes in {_dimensions(dimension)}"


@dataclass(frozen=True)
class Trapezoid(Rule):
    """Equally spaced nodes over the prior: slow and sure, for one dimension.

    The error falls exponentially with the number of nodes however steep the integrand is (Trefethen and
    Weideman 2014), where Gauss-Hermite rules of steep integrands converge slowly: on a mixed logit of
    6,768 Swissmetro choices 201 nodes are exact to 6e-5 in log L and 301 to 1e-6, 400 adaptive Gauss-Hermite
    nodes to 4e-4.

    Parameters
    ----------
    nodes
        Number of nodes per dimension.
    reach
        The outermost nodes stand at plus and minus this many standard deviations.
    """

    nodes: int = 401
    reach: float = 9.5

    def __post_init__(self) -> None:
        check_count(self.nodes, "nodes")
        if self.nodes < 3 or not self.reach > 0.0:
            raise ValueError(f"Trapezoid needs at least 3 nodes and a positive reach, not {self!r}.")

    @property
    def centred(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        points = np.linspace(-self.reach, self.reach, self.nodes)
        density = np.exp(-0.5 * points**2)
        return _product(points, np.log(density / density.sum()), dimension, "Trapezoid")

    def describe(self, dimension: int) -> str:
        return f"trapezoid rule, {self.nodes} nodes in {_dimensions(dimension)}"


def _product(points: np.ndarray, logs: np.ndarray, dimension: int, name: str) -> Points:
    """The product of a one-dimensional rule; ValueError when it is too large."""
    total = len(points) ** dimension
    if total > MOST_NODES:
        raise ValueError(
            f"{name} with {len(points)} nodes in {_dimensions(dimension)} has {total:,} nodes per person, more than "
            f"{MOST_NODES:,}. Use fewer nodes, or iclv.Adaptive(draws=...)."
        )
    if dimension == 0:
        return Points(np.zeros((1, 1, 0)), np.zeros(1))
    grid = np.stack(np.meshgrid(*[points] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    weights = sum(np.meshgrid(*[logs] * dimension, indexing="ij"), start=np.zeros(()))
    return Points(grid[None], weights.reshape(-1))


def _dimensions(count: int) -> str:
    return "one dimension" if count == 1 else f"each of {count} dimensions"


def default_rule(dimension: int) -> Rule:
    """Adaptive Gauss-Hermite up to two dimensions, posterior-centred draws beyond."""
    return GaussHermite(15) if dimension <= 2 else Adaptive(64)
