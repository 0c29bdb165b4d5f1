"""The fit and its results."""

from iclv_jax._fit._fit import fit, start_values
from iclv_jax._fit._loading import load
from iclv_jax._fit._result import Fit
from iclv_jax._fit._saved import SavedFit

__all__ = ["Fit", "SavedFit", "fit", "load", "start_values"]
