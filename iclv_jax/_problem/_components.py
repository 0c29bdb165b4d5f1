"""Parts of the log-likelihood, and the log-likelihoods of simpler models of the choice."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize

from iclv_jax._base._types import Params
from iclv_jax._problem._problem import Problem


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
        Of the choices when all available alternatives are equally likely.
    constants
        Of the choices with alternative-specific constants only, maximised.
    """

    joint: float
    choices: float
    items: float
    equal_shares: float
    constants: float

    @property
    def rho_squared(self) -> float:
        """1 - choices / equal_shares: McFadden's, for the choice part."""
        return 1.0 - self.choices / self.equal_shares if self.equal_shares else float("nan")


def components(problem: Problem, params: Params, joint: float) -> Components:
    """Parts at given parameters; `joint` is the log-likelihood there."""
    spec, none = problem.spec, float("nan")

    def part(keep: Literal["items", "choices"]) -> float:
        return float(problem.part(keep).recentre(params).loglike(params))

    if spec.choice is None:
        return Components(joint, none, joint, none, none)
    choices = part("choices") if spec.indicators else joint
    items = part("items") if spec.indicators else none
    return Components(joint, choices, items, *_naive_choices(problem))


def equal_shares(problem: Problem) -> np.ndarray:
    """Log-likelihood of every person's choices when all available alternatives are equally likely, unweighted."""
    person = problem.panel.person
    occurs = np.asarray(person.occurs)
    counts = np.where(occurs, np.asarray(person.available).sum(axis=2), 1)
    return -np.log(counts).sum(axis=1)


def _naive_choices(problem: Problem) -> tuple[float, float]:
    """Log-likelihoods of the choices with equal shares, and with constants only."""
    person, weights = problem.panel.person, problem.panel.weights
    occurs = np.asarray(person.occurs)
    available = np.asarray(person.available)[occurs]
    chosen = np.asarray(person.chosen)[occurs]
    weight = np.repeat(weights[:, None], occurs.shape[1], axis=1)[occurs]
    equal = float(weights @ equal_shares(problem))

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
    return equal, -float(solution.fun)
