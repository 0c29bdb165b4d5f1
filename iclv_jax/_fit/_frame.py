"""Every parameter of a model in one frame, with its standard error."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._inference import delta_errors
from iclv_jax._parameters import ParameterMap, full
from iclv_jax._problem import Problem


@partial(compiled, static_argnums=0)
def full_jacobian(mapping: ParameterMap, constants: Array, params: Array) -> Array:
    """Derivatives of all parameters of the table with respect to the free ones."""
    return jax.jacfwd(lambda p: mapping.full(constants, p))(params)


def all_values(problem: Problem, estimates: np.ndarray) -> pd.Series:
    """Estimates with the fixed, tied and defined parameters."""
    values = full(problem.table.map, problem.core.constants, jnp.asarray(estimates))
    return pd.Series(np.asarray(values), [row.name for row in problem.table.rows], name="estimate")


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
    return frame.assign(t=t, p=2.0 * stats.norm.sf(np.abs(t)))
