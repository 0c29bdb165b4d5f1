"""How accurate the integral is: effective sample sizes, and the spread over randomisations."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Params
from iclv_jax._integration import Adaptive, Conditioned, Rule
from iclv_jax._problem._elsewhere import Elsewhere
from iclv_jax._problem._problem import Problem
from iclv_jax._problem._sums import Sums

SEEDS = 4
"""Independent randomisations behind a standard error of log L."""
FIRST_SEED = 7_919
REFERENCES = (128, 512, 2048)
"""Draws by moments, of each of two seeds, that other rules are held against."""
CERTAIN = 3.0
"""Standard errors beyond which a distance is not chance, so that no more draws are taken to tell."""
LIKELY = 2.0
"""Standard errors beyond which a distance counts where what it is taken from is far less precise than the rule itself."""
COARSE = 4.0
"""Ratio of variances, of two reference values to one of the rule, beyond which they are that."""
SMALL = 0.1
"""Distance of log L that needs no closer look: that of the default target."""
SLOWEST = 0.8
"""Largest ratio of a change of log L to the one before it that is taken for the rate at which they shrink."""
NOTHING = 0.005
"""Change of log L by twice the nodes that needs no second look: at the slowest rate the error is five times that."""
MOST_DOUBLED = 4_000
"""Nodes of a grid of several dimensions up to which it is doubled, and doubled again, to see its error."""
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
        Standard error of log L: the spread over other seeds, and the distance from draws that are placed at posterior
        means, which randomisations at modes cannot see; for grids the distance from more nodes. None when nothing is
        integrated.
    lost
        People whose posterior mode was not found.
    bent
        People whose posterior is not log-concave at its mode, so that their nodes were spread wider.
    centred
        Whether nodes are placed at each person's posterior.
    target
        The error that was to be reached; None: none was.
    """

    nodes: int
    sizes: np.ndarray | None
    error: float | None
    lost: Sequence[Hashable] = ()
    bent: Sequence[Hashable] = ()
    centred: bool = True
    target: float | None = None

    @property
    def missed(self) -> str:
        """What a reader must know of an integral that is not as accurate as it was to be; empty for all others."""
        if self.error is None or self.target is None or self.error <= self.target:
            return ""
        return (
            f"log L has an error of {self.error:.2g} with {self.nodes:,} nodes per person, above accuracy={self.target:g}. "
            "Leave out integration= or allow more memory=, or take more nodes."
        )

    def sentence(self) -> str:
        """One line for a summary."""
        if self.error is None:
            return ""
        if self.sizes is None:
            return f"log L has an error of {self.error:.2g}"
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


def accuracy(problem: Sums, params: Params, seed: int = FIRST_SEED) -> Accuracy:
    """Effective sizes at the problem's nodes, and the error of log L: from other seeds, `seed` and those after it, from
    more nodes where there is no randomness, and from draws that are placed in another way."""
    first, here = problem.first, Elsewhere(problem, params)
    nodes, rule = first.core.people.node_count, first.rule
    if first.core.structure.dimension == 0:
        return Accuracy(nodes, None, None)
    lost, bent = _troubled(here) if rule.centred else ((), ())
    if rule.reseeded(0) is None:
        return Accuracy(nodes, None, _error_of_grid(here), lost, bent)
    sizes = problem.by_person(lambda part: part.effective_sizes(params))
    return Accuracy(nodes, sizes, error_of_draws(here, rule, seed), lost, bent, rule.centred)


def accuracy_near(problem: Sums, params: Params, known: Accuracy) -> Accuracy:
    """What is known of the same rule at parameters close by, with the effective sizes and flags of these."""
    lost, bent = _troubled(Elsewhere(problem, params)) if known.centred else ((), ())
    draws = known.sizes is not None
    sizes = problem.by_person(lambda part: part.effective_sizes(params)) if draws else None
    return replace(known, sizes=sizes, lost=lost, bent=bent)


def error_of_draws(here: Elsewhere, rule: Rule, seed: int = FIRST_SEED) -> float:
    """The standard error of log L by a rule over its randomisations, and what they have in common."""
    values, variance = here.randomised(rule, seed, SEEDS)
    # Rotations are independent from person to person, so that variances add up: far steadier than the spread of sums.
    # Draws at posterior means are nearly so: with two and four lognormal coefficients the error from their sum was 0.8
    # to 1.5 times (once twice) the spread of the sums over eight seeds.
    steady = rule.by_moments or not rule.scatters
    chance = variance if steady else float(np.var(values, ddof=1))
    shared = 0.0 if rule.by_moments else _shared_error(here, rule, values.mean(), chance, seed)
    if not rule.scatters:
        shared = max(shared, _finer_error(here, rule, values.mean(), chance, seed))
    return float(np.hypot(np.sqrt(chance), shared))


def _finer_error(here: Elsewhere, rule: Rule, mean: float, chance: float, seed: int) -> float:
    """Distance of the mean of randomisations, each with a variance of `chance`, from values with twice the nodes, less what
    chance explains."""
    value, own = _two_values(here, rule.finer(2), seed + SEEDS)
    return float(np.sqrt(max(0.0, (mean - value) ** 2 - chance / SEEDS - own)))


def _shared_error(here: Elsewhere, rule: Rule, value: float, chance: float, seed: int = FIRST_SEED) -> float:
    """Distance of a value, the mean over seeds with a variance of `chance` each, from that of draws by moments, less what
    chance explains.

    A rule that is placed at modes misses the same part of a skewed posterior with every seed and with more nodes. Where few
    draws leave open whether a distance is chance, more are taken. Where the posteriors are nearly normal draws are far less
    precise than the rule that they are to judge; a distance that chance explains then is their own error, not the rule's.
    """
    noise, square = chance / SEEDS, 0.0
    for draws in REFERENCES:
        other, own = _two_values(here, by_moments_like(rule, draws), seed + SEEDS + 2)
        square = (value - other) ** 2 - noise - own
        if square <= SMALL**2 and own > COARSE * chance > 0.0:
            square = square if square > (LIKELY**2 - 1.0) * (noise + own) else 0.0
        if square <= SMALL**2 or square > (CERTAIN**2 - 1.0) * (noise + own):
            break
    return float(np.sqrt(max(0.0, square)))


def _two_values(here: Elsewhere, rule: Rule, seed: int) -> tuple[float, float]:
    """The mean of log L over two seeds of a rule, and its variance: people have nodes of their own, so variances add up."""
    values, variance = here.randomised(rule, seed, 2)
    return float(values.mean()), 0.5 * variance


def by_moments_like(rule: Rule, draws: int) -> Rule:
    """Draws by moments, conditioned where `rule` is."""
    drawn = Adaptive(draws, "sobol", final_draws=draws, proposal="mean")
    return Conditioned(drawn) if rule.conditions else drawn


def _error_of_grid(here: Elsewhere) -> float:
    """How far a rule without randomness is from the limit: by doubling its nodes twice, where changes go on like the last
    two; by draws that are placed in another way where that would take too many, or latent classes may put a posterior's
    mass in several places."""
    core, rule = here.problem.first.core, here.problem.first.rule
    dimension, nodes = core.structure.dimension, core.people.node_count
    value = here.value()
    twice = nodes > 1 and (dimension == 1 or nodes * 4**dimension <= MOST_DOUBLED)
    error = _remainder(here, value) if twice else None
    if error is not None and (dimension == 1 or core.structure.mixed is None):
        return error
    if error is None:
        error = abs(here.value(rule.finer(2)) - value) if nodes * 2**dimension <= MOST_DOUBLED else 0.0
    return max(error, _shared_error(here, rule, value, 0.0))


def _remainder(here: Elsewhere, value: float) -> float:
    """What the changes of log L by doubled nodes add up to; the second is looked at where it can matter."""
    rule = here.problem.first.rule
    doubled = here.value(rule.finer(2))
    first = abs(doubled - value)
    if first == 0.0 or (here.problem.first.core.structure.dimension > 1 and first <= NOTHING):
        return first
    second = abs(here.value(rule.finer(4)) - doubled)
    return first + second / (1.0 - min(second / first, SLOWEST))


def _troubled(here: Elsewhere) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """People whose mode was not found, and people whose posterior is not log-concave there."""

    def marks(part: Problem) -> np.ndarray:
        centre = here.at(part).modes
        return np.stack([np.asarray(centre.found), np.asarray(centre.log_concave)], axis=1)

    found, bent = here.problem.by_person(marks).T
    return here.problem.called(np.flatnonzero(~found)), here.problem.called(np.flatnonzero(~bent))


def simulation_noise(
    problem: Sums, params: Params, hessian: Array, free: np.ndarray, pull: np.ndarray | None = None
) -> float:
    """Squared distance, in standard errors, by which another seed would move the estimates.

    The mean of `g' H^-1 g` over randomisations, g the score that each has at these parameters, less the `pull` of
    penalties; over those marked `free`, because the others may have no score at all.
    """
    at, rule = np.flatnonzero(free), problem.first.rule
    drawn = [r for k in range(2) if (r := rule.reseeded(FIRST_SEED + k)) is not None]

    def scores(part: Problem) -> list[Array]:
        return [part.integrate(r).recentre(params).score(params) for r in drawn]

    noise = 0.0
    for score in problem.summed(scores):
        gradient = (score - (0.0 if pull is None else pull))[at]
        noise += float(-gradient @ jnp.linalg.solve(hessian[np.ix_(at, at)], gradient)) / len(drawn)
    return noise


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
    # In standard errors: in its own units a matrix of very different sizes can seem singular.
    size, shifts = errors[free], np.zeros(len(errors))
    shifts[free] = np.linalg.solve(-hessian[np.ix_(free, free)] * np.outer(size, size), gradient * size)
    step = shifts[free] * size
    at = int(np.argmax(np.abs(shifts)))
    value = float(finer.loglike(params)) + float((score - 0.5 * gradient) @ step)
    return Finer(finer.core.people.node_count, value, shifts, float(shifts[at]), problem.names[at])
