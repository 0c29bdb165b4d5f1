"""Parts of the log-likelihood, and the log-likelihoods of simpler models of the choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from iclv_jax._base._types import Params
from iclv_jax._panel._read import Situations
from iclv_jax._problem._answers_alike import log_alike, log_constants
from iclv_jax._problem._problem import Problem
from iclv_jax._spec import Kernel


class ChoicePart(NamedTuple):
    """Of one choice: its marginal log-likelihood, and those of equal shares and of constants only."""

    loglike: float
    equal_shares: float
    constants: float


@dataclass(frozen=True, eq=False)
class Components:
    """Parts of the log-likelihood.

    Attributes
    ----------
    joint
        Of items and choices together: what was maximised.
    choices, items
        Marginal log-likelihoods of the choices and of the items alone at the joint estimates, each with
        its own nodes. They add up to less or more than `joint`, because both depend on the latent
        variables. NaN where the model has no such part.
    equal_shares
        Of the choices when all available alternatives are equally likely; of rankings, and of best and worst, when all
        orders are.
    constants
        Of the choices with alternative-specific constants only, maximised.
    by_choice
        The marginal log-likelihood of every choice by name, with its own equal shares and constants.
    """

    joint: float
    choices: float
    items: float
    equal_shares: float
    constants: float
    by_choice: Mapping[str, ChoicePart]

    @property
    def rho_squared(self) -> float:
        """1 - choices / equal_shares: McFadden's, for the choice part."""
        return 1.0 - self.choices / self.equal_shares if self.equal_shares else float("nan")


def components(problem: Problem, params: Params, joint: float) -> Components:
    """Parts at given parameters; `joint` is the log-likelihood there."""
    spec, none = problem.spec, float("nan")

    def part(name: str) -> float:
        return float(problem.part(name).recentre(params).loglike(params))

    if not spec.choices:
        return Components(joint, none, joint, none, none, {})
    alone = len(spec.choices) == 1
    choices = part("choices") if spec.indicators else joint
    items = part("items") if spec.indicators else none
    each = {c.name: ChoicePart(choices if alone else part(c.name), *_naive(problem, c)) for c in spec.choices}
    equal = sum(found.equal_shares for found in each.values())
    return Components(joint, choices, items, equal, sum(found.constants for found in each.values()), each)


def equal_shares(problem: Problem) -> np.ndarray:
    """Log-likelihood of every person's choices when all available alternatives are equally likely, unweighted; NaN where
    what is explained is no choice between alternatives."""
    total = np.zeros(len(problem.panel.people))
    for choice in problem.spec.choices:
        if not _between_alternatives(choice):
            return np.full_like(total, np.nan)
        found = problem.panel.situations_of(choice.name)
        total += np.bincount(found.person, _log_alike(choice, found), minlength=len(total))
    return total


def _log_alike(choice: Kernel, found: Situations) -> np.ndarray:
    """Log probabilities, by situation, of what was chosen, or of all that was said, when alternatives are alike."""
    if found.outcome.ndim > 1:
        return log_alike(choice, found.outcome, found.offered)
    return -np.log(found.offered.sum(axis=1))


def _between_alternatives(choice: Kernel) -> bool:
    """Whether one of several alternatives is chosen, so that there are shares."""
    return choice.discrete and len(choice.outcomes) > 1


def _naive(problem: Problem, choice: Kernel) -> tuple[float, float]:
    """Log-likelihoods of a choice with equal shares, and with constants only."""
    if not _between_alternatives(choice):
        return float("nan"), float("nan")
    found = problem.panel.situations_of(choice.name)
    available, chosen = found.offered, found.chosen
    weight = np.asarray(problem.core.weights)[found.person]
    equal = float(weight @ _log_alike(choice, found))
    if found.outcome.ndim > 1:
        return equal, log_constants(choice, found.outcome, available, weight)
    if available.all():
        counts = np.bincount(chosen, weight)
        return equal, float(counts @ np.log(np.where(counts > 0.0, counts, 1.0) / weight.sum()))
    return equal, _with_constants(available, chosen, weight)


def _with_constants(available: np.ndarray, chosen: np.ndarray, weight: np.ndarray) -> float:
    """The log-likelihood with constants only, where not all have all alternatives."""
    from scipy import optimize

    def negative(constants: np.ndarray) -> tuple[float, np.ndarray]:
        v = np.where(available, np.append(constants, 0.0), -np.inf)
        logs = v - np.log(np.exp(v - v.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
        logs -= v.max(axis=1, keepdims=True)
        taken = np.zeros(available.shape)
        taken[np.arange(len(chosen)), chosen] = 1.0
        gradient = ((np.exp(logs) - taken) * weight[:, None]).sum(axis=0)[:-1]
        return -float((weight * logs[np.arange(len(chosen)), chosen]).sum()), gradient

    start = np.zeros(available.shape[1] - 1)
    # Constants of alternatives that nobody chose run off to minus infinity; the bound ends that.
    solution = optimize.minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=[(-50.0, 50.0)] * len(start)
    )
    return -float(solution.fun)
