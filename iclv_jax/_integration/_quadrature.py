"""Product quadrature: Gauss-Hermite, plain and adaptive, and the trapezoid rule."""

from dataclasses import dataclass, replace

import numpy as np

from iclv_jax._base._arguments import check_switch, is_real
from iclv_jax._base._distributions import hermite
from iclv_jax._base._types import Given
from iclv_jax._integration._rule import (
    MOST_NODES,
    Points,
    Rule,
    check_count,
    check_target,
    dimensions,
    product,
)


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
    target_error
        When given, nodes are doubled until the error of log L that this shows is below it.
    search
        Nodes per dimension in the search, before the last steps; None: as many.

    Examples
    --------
    >>> model.bind(df, integration=iclv.GaussHermite(5)).core.nodes.shocks.shape  # people, nodes, dimensions
    (300, 5, 1)
    """

    nodes: Given[int] = 15
    adaptive: Given[bool] = True
    target_error: Given[float | None] = None  # pyright: ignore[reportIncompatibleMethodOverride]
    search: Given[int | None] = None

    def __post_init__(self) -> None:
        check_count(self.nodes, "nodes", MOST_NODES)
        if self.search is not None:
            check_count(self.search, "search", MOST_NODES)
        check_switch(self.adaptive, "adaptive")
        check_target(self.target_error)

    @property
    def centred(self) -> bool:
        return self.adaptive

    @property
    def conditions(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        points, weights = hermite(self.nodes)
        # The outermost weights of a large rule underflow to zero; their nodes carry nothing.
        kept = weights > 0.0
        logs = np.log(weights[kept])
        return product(points[kept], logs, dimension, "Gauss-Hermite", every=self.adaptive)

    def size(self, dimension: int) -> int:
        return min(self.nodes**dimension, MOST_NODES)

    def describe(self, dimension: int) -> str:
        kind = "adaptive Gauss-Hermite" if self.adaptive else "Gauss-Hermite"
        return f"{kind}, {self.nodes} nodes in {dimensions(dimension)}"

    def stages(self) -> tuple[Rule, ...]:
        last = replace(self, search=None)
        return (last,) if self.search in (None, self.nodes) else (replace(last, nodes=self.search), last)

    def finer(self, factor: int) -> "GaussHermite":
        return replace(self, nodes=self.nodes * factor, search=None)

    def reseeded(self, seed: int) -> None:
        return None

    @property
    def scatters(self) -> bool:
        return False


@dataclass(frozen=True)
class Trapezoid(Rule):
    """Equally spaced nodes over the prior: slow and sure, for one dimension.

    The error falls exponentially with the number of nodes however steep the integrand is (Trefethen and
    Weideman 2014), once their spacing (2 reach / nodes) is well below the width of a person's posterior. Gauss-Hermite
    rules of steep integrands converge slowly: on a mixed logit of 6,768 single Swissmetro choices 201 nodes are
    exact to 6e-5 in log L and 301 to 1e-6, 400 adaptive Gauss-Hermite nodes to 4e-4. With nine choices per person
    the posteriors are narrow: there 401 nodes are still 0.15 off, and adaptive rules are the better ones.

    Parameters
    ----------
    nodes
        Number of nodes per dimension.
    reach
        The outermost nodes stand at plus and minus this many standard deviations.

    Examples
    --------
    >>> model.bind(df, integration=iclv.Trapezoid(101)).core.nodes.shocks.shape[1]
    101
    """

    nodes: Given[int] = 401
    reach: Given[float] = 9.5

    def __post_init__(self) -> None:
        check_count(self.nodes, "nodes", MOST_NODES)
        if self.nodes < 3 or not is_real(self.reach) or not 0.0 < self.reach < np.inf:
            raise ValueError(f"Trapezoid needs at least 3 nodes and a positive reach, not {self!r}.")

    @property
    def centred(self) -> bool:
        return False

    @property
    def conditions(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        points = np.linspace(-self.reach, self.reach, self.nodes)
        density = np.exp(-0.5 * points**2)
        return product(points, np.log(density / density.sum()), dimension, "Trapezoid")

    def size(self, dimension: int) -> int:
        return min(self.nodes**dimension, MOST_NODES)

    def describe(self, dimension: int) -> str:
        return f"trapezoid rule, {self.nodes} nodes in {dimensions(dimension)}"

    def stages(self) -> tuple[Rule, ...]:
        return (self,)

    def finer(self, factor: int) -> "Trapezoid":
        return replace(self, nodes=self.nodes * factor)

    def reseeded(self, seed: int) -> None:
        return None

    @property
    def scatters(self) -> bool:
        return False

    @property
    def target_error(self) -> float | None:
        return None
