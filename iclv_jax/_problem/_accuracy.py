"""How accurate the integral is: effective sample sizes, and the spread over randomisations."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Params
from iclv_jax._integration import Rule
from iclv_jax._problem._problem import Problem

SEEDS = 4
"""Independent randomisations behind a standard error of log L."""
FIRST_SEED = 7_919
FEW = 10.0
"""Effective sample sizes below this are poor: a person's integral then rests on a handful of draws."""


@dataclass(frozen=True, eq=False)
class Accuracy:
    """What is cheap to know about the integral at given parameters.

    Attributes
    ----------
    nodes
        Nodes per person.
    sizes
        Effective sample size of each person; None for quadrature, whose weights differ by design.
    error
        Standard error of log L: the spread over other seeds, and for a rule whose randomisations share an error also
        the distance from twice the nodes; None for a rule without randomness.
    lost
        People whose posterior mode was not found.
    bent
        People whose posterior is not log-concave at its mode, so that their nodes were spread wider.
    centred
        Whether nodes are placed at each person's posterior.
    """

    nodes: int
    sizes: np.ndarray | None
    error: float | None
    lost: Sequence[Hashable] = ()
    bent: Sequence[Hashable] = ()
    centred: bool = True

    def sentence(self) -> str:
        """One line for a summary."""
        if self.sizes is None or self.error is None:
            return ""
        quarter, half = np.quantile(self.sizes, [0.25, 0.5])
        return (
            f"effective sample size {self.sizes.min():.1f} at least, {quarter:.0f} lower quartile, {half:.0f} median "
            f"of {self.nodes}; log L has a standard error of {self.error:.2g}"
        )

    @property
    def poor(self) -> str:
        """What is wrong with the effective sample sizes; empty when nothing is."""
        if self.sizes is None or float(np.median(self.sizes)) >= FEW:
            return ""
        return f"half of the people have an effective sample size below {FEW:g}"

    def warning(self) -> str:
        """What a reader of results from poor draws of the prior must know; empty for all others."""
        if self.sizes is None or self.centred or not self.poor:
            return ""
        return (
            f"For half of the people at most {np.median(self.sizes):.1f} of the {self.nodes} draws carry weight "
            "(effective sample size), so log L and the estimates are not to be trusted, and the standard errors "
            "do not show it. Take iclv.Adaptive, which draws from each person's posterior."
        )


def accuracy(problem: Problem, params: Params, seed: int = FIRST_SEED) -> Accuracy:
    """Effective sizes at the problem's nodes, and the error of log L from other seeds, `seed` and those after it."""
    nodes = problem.core.people.node_count
    if problem.core.structure.dimension == 0:
        return Accuracy(nodes, None, None)
    lost, bent = _troubled(problem, params) if problem.rule.centred else ((), ())
    if problem.rule.reseeded(0) is None:
        return Accuracy(nodes, None, None, lost, bent)
    sizes = np.asarray(problem.effective_sizes(params))
    each = np.stack([np.asarray(p.loglike_person(params)) for p in randomisations(problem, params, seed)])
    values = each @ problem.panel.weights
    error = float(np.std(values, ddof=1))
    if not problem.rule.scatters:
        # Rotations are independent from person to person, so that variances add up: far steadier than the spread of sums.
        chance = float(problem.panel.weights**2 @ each.var(axis=0, ddof=1))
        error = float(np.sqrt(chance + _shared_error(problem, params, values.mean(), chance, seed) ** 2))
    return Accuracy(nodes, sizes, error, lost, bent, problem.rule.centred)


def _shared_error(problem: Problem, params: Params, mean: float, chance: float, seed: int) -> float:
    """Distance of the mean of randomisations from the value with twice the nodes, less what `chance`, the variance of
    one, explains."""
    finer = problem.rule.finer(2).reseeded(seed + SEEDS)
    assert finer is not None
    distance = mean - float(np.asarray(problem.core.weights) @ in_parts(problem, finer, params))
    return float(np.sqrt(max(0.0, distance**2 - chance * (1.0 / SEEDS + 0.5))))


def in_parts(problem: Problem, rule: Rule, params: Params) -> np.ndarray:
    """log L_n with the nodes of another centred rule, as many at a time as the problem has, so that nothing new is
    compiled."""
    size = problem.core.people.node_count
    points, logs, _ = rule.standard(len(problem.panel.people), problem.core.structure.dimension)
    short = -len(logs) % size
    points = np.pad(points, ((0, 0), (0, short), (0, 0)))
    logs = np.pad(logs, (0, short), constant_values=-np.inf)
    total = np.full(points.shape[0], -np.inf)
    for first in range(0, len(logs), size):
        part = slice(first, first + size)
        mine = jax.device_put((points[:, part], logs[part]))
        placed = eqx.tree_at(lambda p: (p.points, p.log_weights), problem, mine).recentre(params)
        total = np.logaddexp(total, np.asarray(placed.loglike_person(params)))
    return total


def _troubled(problem: Problem, params: Params) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """People whose mode was not found, and people whose posterior is not log-concave there."""
    centre = problem.centres(params)
    people = problem.panel.people
    lost = np.flatnonzero(~np.asarray(centre.found))
    bent = np.flatnonzero(~np.asarray(centre.log_concave))
    return tuple(people[i] for i in lost), tuple(people[i] for i in bent)


def randomisations(
    problem: Problem, params: Params, seed: int = FIRST_SEED, count: int = SEEDS
) -> list[Problem]:
    """The problem with other seeds, nodes placed at these parameters."""
    rules = [problem.rule.reseeded(seed + k) for k in range(count)]
    return [problem.integrate(rule).recentre(params) for rule in rules if rule is not None]


def simulation_noise(
    problem: Problem, params: Params, hessian: Array, free: np.ndarray, pull: np.ndarray | None = None
) -> float:
    """Squared distance, in standard errors, by which another seed would move the estimates.

    The mean of `g' H^-1 g` over randomisations, g the score that each has at these parameters, less the `pull` of
    penalties; over those marked `free`, because the others may have no score at all.
    """
    noise, at = 0.0, np.flatnonzero(free)
    others = randomisations(problem, params, count=2)
    for other in others:
        gradient = (other.score(params) - (0.0 if pull is None else pull))[at]
        noise += float(-gradient @ jnp.linalg.solve(hessian[np.ix_(at, at)], gradient)) / len(others)
    return noise


def doubling_error(problem: Problem, params: Params) -> float:
    """Change of log L when a rule without randomness takes twice the nodes per dimension."""
    finer = problem.integrate(problem.rule.finer(2)).recentre(params)
    return abs(float(finer.loglike(params)) - float(problem.recentre(params).loglike(params)))


@dataclass(frozen=True, eq=False)
class Finer:
    """The estimates with about four times the nodes, by one Newton step.

    `shifts` are in standard errors; `largest` is the largest of them in size, of the parameter `name`.
    """

    nodes: int
    llf: float
    shifts: np.ndarray
    largest: float
    name: str


def with_more_nodes(
    problem: Problem, params: Params, hessian: np.ndarray, errors: np.ndarray, pull: np.ndarray | None = None
) -> Finer | None:
    """Log L and estimates with four times the nodes; None when nothing is integrated. `pull` is the gradient of
    penalties, whose second derivatives are part of `hessian`."""
    dimension = problem.core.structure.dimension
    if dimension == 0:
        return None
    product = problem.rule.reseeded(0) is None
    factor = max(2, round(4 ** (1 / dimension))) if product else 4
    finer = problem.integrate(problem.rule.finer(factor)).recentre(params)
    free = np.isfinite(errors) & (errors > 0.0)
    score = np.asarray(finer.score(params))[free]
    gradient = score if pull is None else score - pull[free]
    step = np.linalg.solve(-hessian[np.ix_(free, free)], gradient)
    shifts = np.zeros(len(errors))
    shifts[free] = step / errors[free]
    at = int(np.argmax(np.abs(shifts)))
    value = float(finer.loglike(params)) + float((score - 0.5 * gradient) @ step)
    return Finer(finer.core.people.node_count, value, shifts, float(shifts[at]), problem.names[at])
