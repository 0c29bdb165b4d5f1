"""The fit and its results."""

from iclv_jax._fit._against import ben_akiva_swait, vuong
from iclv_jax._fit._compare import compare
from iclv_jax._fit._fit import fit, start_values
from iclv_jax._fit._loading import load
from iclv_jax._fit._result import Fit
from iclv_jax._fit._saved import SavedFit
from iclv_jax._fit._sequential import fit_sequential
from iclv_jax._fit._two_step import SequentialFit

__all__ = [
    "Fit",
    "SavedFit",
    "SequentialFit",
    "ben_akiva_swait",
    "compare",
    "fit",
    "fit_sequential",
    "load",
    "start_values",
    "vuong",
]
