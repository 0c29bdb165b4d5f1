"""The log-likelihood at parameters with the nodes of other rules."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from iclv_jax._base._types import Float, Params
from iclv_jax._integration import Centre, Rule, pilot_count
from iclv_jax._problem._problem import Problem
from iclv_jax._problem._sums import Sums


@dataclass(frozen=True, eq=False)
class Placed:
    """A problem at parameters: where nodes go is found once for all rules that place them alike."""

    problem: Problem
    params: Params
    found: dict[str, Centre] = field(default_factory=dict)

    @property
    def modes(self) -> Centre:
        """Mode and curvature of everybody's posterior."""
        if "modes" not in self.found:
            self.found["modes"] = self.problem.centres(self.params)
        return self.found["modes"]

    def by(self, rule: Rule) -> Problem:
        """The problem with the nodes of a rule; as many people at a time as it has, so that nothing new is compiled."""
        other = self.problem.integrate(rule)
        if not rule.centred or other.core.structure.dimension == 0:
            return other
        if not rule.by_moments:
            return other.placed_at(self.modes)
        pilot = pilot_count(other.points.shape[1] - other.from_prior)
        how = f"{'classes' if rule.by_classes else 'moments'} by {pilot} nodes"
        if how not in self.found:
            self.found[how] = other.centres_of_nodes(self.params, None if rule.by_classes else self.modes)
        return other.placed_at(self.found[how])

    def values(self, rule: Rule) -> np.ndarray:
        """log L_n with the nodes of a rule."""
        return np.asarray(self.by(rule).loglike_person(self.params))


class Scattered(NamedTuple):
    """By person: the variance of log L_n over randomisations, and the least effective number of nodes."""

    variances: Float[np.ndarray, " person"]
    sizes: Float[np.ndarray, " person"]


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """People at parameters. Of people in memory it is kept where nodes go, of others it is found once in each pass."""

    problem: Sums
    params: Params
    found: dict[str, Centre] = field(default_factory=dict)

    def at(self, part: Problem) -> Placed:
        """A part of the people."""
        return Placed(part, self.params, self.found if part is self.problem else {})

    def value(self, rule: Rule | None = None) -> float:
        """log L with the nodes of a rule; None: with those that the problem has."""

        def of(part: Problem) -> float:
            each = (
                np.asarray(part.loglike_person(self.params)) if rule is None else self.at(part).values(rule)
            )
            return float(np.asarray(part.core.weights) @ each)

        return float(self.problem.summed(of))

    def scattered(self, rule: Rule, seed: int, count: int) -> Scattered:
        """How each person's log-likelihood scatters under so many randomisations of a rule."""
        drawn = [r for k in range(count) if (r := rule.reseeded(seed + k)) is not None]

        def of(part: Problem) -> np.ndarray:
            placed = [self.at(part).by(r) for r in drawn]
            values = np.stack([np.asarray(p.loglike_person(self.params)) for p in placed])
            sizes = np.stack([np.asarray(p.effective_sizes(self.params)) for p in placed])
            return np.stack([values.var(axis=0, ddof=1), sizes.min(axis=0)], axis=1)

        return Scattered(*self.problem.by_person(of).T)

    def randomised(self, rule: Rule, seed: int, count: int) -> tuple[np.ndarray, float]:
        """log L under so many randomisations of a rule, and the sum over people of the variances of log L_n, by squared
        weight: both are sums, in one pass over the people."""
        drawn = [r for k in range(count) if (r := rule.reseeded(seed + k)) is not None]

        def of(part: Problem) -> tuple[np.ndarray, float]:
            weights, here = np.asarray(part.core.weights), self.at(part)
            each = np.stack([here.values(r) for r in drawn])
            return each @ weights, float(weights**2 @ each.var(axis=0, ddof=1))

        values, variance = self.problem.summed(of)
        return np.asarray(values), float(variance)
