"""The fit and its results."""

from iclv_jax._fit._fit import fit, start_values
from iclv_jax._fit._result import Fit

__all__ = ["Fit", "fit", "start_values"]
