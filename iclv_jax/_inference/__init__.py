"""Covariances of the estimates, and what follows from them."""

from iclv_jax._inference._bootstrap import bootstrap
from iclv_jax._inference._covariance import KINDS, Covariance, covariance, invert
from iclv_jax._inference._functions import delta_errors
from iclv_jax._inference._hypotheses import HypothesisTest
from iclv_jax._inference._jackknife import jackknife

__all__ = [
    "KINDS",
    "Covariance",
    "HypothesisTest",
    "bootstrap",
    "covariance",
    "delta_errors",
    "invert",
    "jackknife",
]
