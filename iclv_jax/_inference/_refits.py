"""The model fitted again, from the estimates, to other weights or other answers of the same people."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise import TrustRegion, Verdict, run
from iclv_jax._problem import Problem


class Refit(NamedTuple):
    """Estimates, the problem with its nodes placed there, its log-likelihood, and how the optimiser ended."""

    params: np.ndarray
    problem: Problem
    loglike: float
    verdict: Verdict


def refit(problem: Problem, params: np.ndarray) -> Refit:
    """Maximise from `params`, nodes placed as in a fit. Data and weights are arguments of what is compiled, so that
    nothing is compiled for a problem of the same shapes."""
    free = np.ones(len(params), bool)
    outcome = run(TrustRegion(), problem, free, jnp.asarray(params), _unwatched, None)
    at = outcome.objective.problem
    return Refit(outcome.params, at, float(at.loglike(jnp.asarray(outcome.params))), outcome.report.verdict)


def _unwatched(row: dict[str, Any]) -> None:
    pass
