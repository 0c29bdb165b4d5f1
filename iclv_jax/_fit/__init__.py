"""The fit and its results."""

from iclv_jax._fit._fit import fit, start_values
from iclv_jax._fit._loading import load
from iclv_jax._fit._result import Fit
from iclv_jax._fit._saved import SavedFit
from iclv_jax._fit._sequential import fit_sequential
from iclv_jax._fit._start_files import Start, read_start
from iclv_jax._fit._two_step import SequentialFit

__all__ = [
    "Fit",
    "SavedFit",
    "SequentialFit",
    "Start",
    "fit",
    "fit_sequential",
    "load",
    "read_start",
    "start_values",
]
