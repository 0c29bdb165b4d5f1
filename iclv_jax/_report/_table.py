"""Every parameter of a fit in one frame."""

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._distributions import two_sided
from iclv_jax._base._types import Given, Level
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._inference._frame import all_values, full_jacobian
from iclv_jax._problem import Problem
from iclv_jax._spec._groups import chosen_group


def table(fit: Estimated, cov: Given[str | None] = None) -> pd.DataFrame:
    """Every parameter, free or not: block, estimate, standard error, t, p, and t against 1 where
    a modeller would ask. Standard errors of defined ones follow by the delta method.

    Examples
    --------
    >>> list(logit_fit.table())
    ['block', 'role', 'status', 'estimate', 'se', 't', 'p', 't_one']
    """
    errors = all_errors(fit.problem, fit.estimates, fit.covariance(cov).of_functions)
    frame = parameter_frame(fit.problem, fit.estimates).assign(se=errors)
    frame = with_tests(frame, errors)
    asked = frame["role"].isin(["scale", "logsum"]) | frame.index.isin(_unit_loadings(fit))
    frame["t_one"] = ((frame["estimate"] - 1.0) / frame["se"]).where(asked)
    return frame


def all_errors(problem: Problem, estimates: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Standard errors of every parameter of the table from a covariance of the free ones, by the delta method."""
    jacobian = full_jacobian(problem.table.map, problem.core.constants, jnp.asarray(estimates))
    return delta_errors(np.asarray(jacobian), matrix)


def parameter_frame(problem: Problem, estimates: np.ndarray) -> pd.DataFrame:
    """Block, role, status and estimate of every parameter of the table."""
    rows = problem.table.rows
    columns = {
        "block": [r.parameter.block for r in rows],
        "role": [r.parameter.role for r in rows],
        "status": [r.status for r in rows],
        "estimate": all_values(problem, estimates).to_numpy(),
    }
    return pd.DataFrame(columns, index=pd.Index([r.name for r in rows], name="parameter"))


def with_tests(frame: pd.DataFrame, errors: np.ndarray) -> pd.DataFrame:
    """The frame with t, the estimate over its standard error, and p from the normal distribution."""
    t = frame["estimate"] / errors
    return frame.assign(t=t, p=two_sided(t))


def of_group(problem: Problem, frame: pd.DataFrame, group: Level | None, what: str) -> pd.DataFrame:
    """The rows of one group by their plain names; the frame itself for a model without groups."""
    at = chosen_group(problem.spec.groups, group, what)
    if at is None or problem.spec.groups is None:
        return frame
    mine = ("", problem.spec.groups.labels[at])
    plain = {r.name: r.parameter.base for r in problem.table.rows if r.parameter.group in mine}
    return frame.loc[[name for name in frame.index if name in plain]].rename(index=plain)


def _unit_loadings(fit: Estimated) -> list[str]:
    """Loadings of a latent variable one of whose loadings is fixed at 1: they are compared with it."""
    rows = [r for r in fit.problem.table.rows if r.parameter.role == "loading"]
    scaled = {r.parameter.owner for r in rows if r.status == "fixed" and r.value == 1.0}
    return [r.name for r in rows if r.parameter.owner in scaled]
