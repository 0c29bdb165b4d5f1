"""The model fitted again, from the estimates, to other weights or other answers of the same people."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise import TrustRegion, run
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem

FLAT = 1e-4
"""Smallest curvature of a refit in units of that of the fit, below which it has no maximum: a coefficient runs away
where people are told apart completely, with smaller and smaller steps."""


class Refit(NamedTuple):
    """Estimates, their log-likelihood at nodes placed there, whether this is a maximum, and how the optimiser ended."""

    params: np.ndarray
    loglike: float
    converged: bool
    ending: str


def refit(
    problem: Problem, params: np.ndarray, information: np.ndarray, penalties: Penalties | None = None
) -> Refit:
    """Maximise from `params`, nodes placed as in a fit. Data and weights are arguments of what is compiled, so that
    nothing is compiled for a problem of the same shapes. `information` is minus the Hessian of the fit, penalties
    included."""
    free = np.ones(len(params), bool)
    start = jnp.asarray(params)
    outcome = run(TrustRegion(), problem, free, start, _unwatched, None, penalties=penalties)
    at, found, report = outcome.objective.problem, jnp.asarray(outcome.params), outcome.report
    ending, converged = report.verdict.value, report.verdict.success
    if converged:
        inside = np.array([name not in report.active for name in problem.names])
        extra = 0.0 if penalties is None else np.diag(penalties.precision)
        if not _determined(extra - np.asarray(at.hessian(found)), information, inside):
            ending, converged = "no maximum: the log-likelihood is all but flat", False
    return Refit(outcome.params, float(at.loglike(found)), converged, ending)


def _determined(matrix: np.ndarray, reference: np.ndarray, inside: np.ndarray) -> bool:
    from scipy import linalg

    part = np.ix_(inside, inside)
    try:
        values = linalg.eigh(matrix[part], reference[part], eigvals_only=True)
    except (linalg.LinAlgError, ValueError):
        return True  # The fit itself has no maximum, so that there is nothing to compare with.
    return bool(values[0] > FLAT)


def _unwatched(row: dict[str, Any]) -> None:
    pass
