"""Rules that are accurate enough: which one, and how many nodes of it."""

from dataclasses import replace

import numpy as np

from iclv_jax._base._types import Params
from iclv_jax._integration import Adaptive, Conditioned, Quartered, Rule
from iclv_jax._problem._accuracy import SEEDS, Accuracy, accuracy, by_moments_like, error_of_draws
from iclv_jax._problem._elsewhere import Elsewhere
from iclv_jax._problem._shared_out import RATE, likely, shared_out
from iclv_jax._problem._sums import Sums

ACCURACY = 0.1
"""Standard error of log L that the default rule reaches."""
PILOT_DRAWS = 256
MOST_DRAWS = 8_192
MOST_ON_A_LINE = 200
MANY = 4_096
"""Draws of everybody from which on it pays to ask who needs them: each number of draws is compiled by itself."""
SHARED_SEED = 15_485_863
"""Who seems to need few draws by the seeds that judge the result would be judged by the same luck."""
FAR = 4.0
"""An error that is below the target by this factor at the maximum with coarse nodes is that of the result."""
CROWDED = 4.0
"""The nodes of everybody may take this part of the memory."""


def check_accuracy(target: object) -> None:
    """Raise ValueError for what is no error of a log-likelihood."""
    usable = isinstance(target, (int, float, np.number)) and not isinstance(target, bool)
    if target is not None and not (usable and 0.0 < float(target) < np.inf):  # pyright: ignore[reportArgumentType]
        raise ValueError(
            f"accuracy= is the standard error of the log-likelihood to be reached, such as 0.1, or None, not {target!r}."
        )


def suited(problem: Sums, rule: Rule, params: Params, target: float) -> tuple[Rule, Accuracy | None]:
    """`rule` where its error at these parameters is below the target, with its accuracy where that is far below; else the
    rule that is to take its place."""
    if problem.first.core.structure.dimension == 0:
        return rule, None
    found = accuracy(problem.integrate(rule).recentre(params), params)
    if found.error is not None and found.error > target:
        return better(problem, rule, params, found.error, target), None
    return rule, found if found.error is not None and FAR * found.error <= target else None


def better(problem: Sums, rule: Rule, params: Params, error: float, target: float) -> Rule:
    """The rule to take after one whose error is above the target: a grid of more nodes in one dimension, beyond that draws
    by moments, as many as the target asks for; where people have latent classes, in parts for each where that is better."""
    here = Elsewhere(problem, params)
    line = problem.first.core.structure.dimension == 1 and rule.reseeded(0) is None
    if rule.by_moments or (line and problem.first.core.people.node_count < MOST_ON_A_LINE):
        return enough(here, rule, error, target)
    pilots = [by_moments_like(rule, PILOT_DRAWS)]
    if problem.first.core.structure.mixed is not None:
        pilots.append(by_classes_like(rule, PILOT_DRAWS))
    drawn = [error_of_draws(here, pilot) for pilot in pilots]
    best = int(np.argmin(drawn))
    return enough(here, pilots[best], drawn[best], target)


def by_classes_like(rule: Rule, draws: int) -> Rule:
    """Draws in parts for each latent class, conditioned where `rule` is."""
    drawn = Adaptive(draws, "sobol", final_draws=draws, proposal="classes")
    return Conditioned(drawn) if rule.conditions else drawn


def before(rule: Rule) -> Rule | None:
    """The rule of a stage before that of many draws by moments; None where there are few."""
    inner = rule.rule if isinstance(rule, Conditioned) else rule
    many = isinstance(inner, Adaptive) and rule.by_moments and inner.draws > 2 * PILOT_DRAWS
    alike = by_classes_like if rule.by_classes else by_moments_like
    return alike(rule, PILOT_DRAWS) if many else None


def enough(here: Elsewhere, rule: Rule, error: float, target: float) -> Rule:
    """The rule with so many more nodes as its error asks for: a power of two, as far as memory goes; of draws by moments as
    many as each person needs, where that saves much."""
    problem, inner = here.problem, rule.rule if isinstance(rule, Conditioned) else rule
    if not (isinstance(inner, Adaptive) and rule.by_moments):
        return rule.finer(2) if problem.first.core.people.node_count < MOST_DRAWS else rule
    wanted = 2.0 ** np.ceil(np.log2(max(error / target, 1.0)) / RATE)
    fits = problem.room / CROWDED / (10.0 * (problem.first.core.structure.dimension + 1))
    most = 2.0 ** np.floor(np.log2(max(1.0, min(MOST_DRAWS, fits))))
    count, parts = int(max(inner.draws, min(inner.draws * wanted, most))), inner.quartered
    if count >= MANY and inner.proposal == "mean" and problem.first is problem:
        count, parts = _shared(here, rule, inner, int(most), target)
    raised = replace(inner, draws=count, final_draws=count, quartered=parts)
    return Conditioned(raised) if isinstance(rule, Conditioned) else raised


def _shared(
    here: Elsewhere, rule: Rule, inner: Adaptive, most: int, target: float
) -> tuple[int, Quartered | None]:
    """Draws, and who has a part of them."""
    found = here.scattered(rule, SHARED_SEED, SEEDS)
    weights, known = here.problem.first.panel.weights, inner.quartered
    counts = known.counts(inner.draws) if isinstance(known, Quartered) else np.full(len(weights), inner.draws)
    nodes = counts + counts // 4  # those from the prior
    return shared_out(weights**2 * likely(*found, nodes), counts, most, target)
