"""Values and derivatives of every parameter of a model."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._parameters import ParameterMap, full
from iclv_jax._problem import Problem


@partial(compiled, quick=True, static_argnums=0)
def full_jacobian(mapping: ParameterMap, constants: Array, params: Array) -> Array:
    """Derivatives of all parameters of the table with respect to the free ones."""
    return jax.jacfwd(lambda p: mapping.full(constants, p))(params)


def all_values(problem: Problem, estimates: np.ndarray) -> pd.Series:
    """Estimates with the fixed, tied and defined parameters."""
    values = full(problem.table.map, problem.core.constants, jnp.asarray(estimates))
    return pd.Series(np.asarray(values), [row.name for row in problem.table.rows], name="estimate")
