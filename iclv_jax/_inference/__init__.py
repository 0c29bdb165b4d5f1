"""Covariances of the estimates, and what follows from them."""

from iclv_jax._inference._covariance import KINDS, Covariance, covariance, invert
from iclv_jax._inference._functions import delta_errors
from iclv_jax._inference._hypotheses import HypothesisTest

__all__ = ["KINDS", "Covariance", "HypothesisTest", "covariance", "delta_errors", "invert"]
