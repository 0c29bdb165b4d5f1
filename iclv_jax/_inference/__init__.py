"""Covariances of the estimates, and what follows from them."""

from iclv_jax._inference._bootstrap import bootstrap
from iclv_jax._inference._covariance import KINDS, Covariance, Inverse, covariance, invert
from iclv_jax._inference._functions import delta_errors
from iclv_jax._inference._hypotheses import HypothesisTest
from iclv_jax._inference._jackknife import jackknife
from iclv_jax._inference._two_step import TWO_STEP_KINDS, Step, two_step_covariance

__all__ = [
    "KINDS",
    "TWO_STEP_KINDS",
    "Covariance",
    "HypothesisTest",
    "Inverse",
    "Step",
    "bootstrap",
    "covariance",
    "delta_errors",
    "invert",
    "jackknife",
    "two_step_covariance",
]
