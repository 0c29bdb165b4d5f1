"""Covariances of the estimates, and what follows from them."""

from iclv_jax._inference._covariance import KINDS, Covariance, Inverse, covariance, invert
from iclv_jax._inference._functions import delta_errors
from iclv_jax._inference._hypotheses import HypothesisTest
from iclv_jax._inference._modules import DENSE, MODULE_KINDS, module_covariance, module_covariance_by_products
from iclv_jax._inference._products import information_product
from iclv_jax._inference._two_step import TWO_STEP_KINDS, Step, two_step_covariance

__all__ = [
    "DENSE",
    "KINDS",
    "MODULE_KINDS",
    "TWO_STEP_KINDS",
    "Covariance",
    "HypothesisTest",
    "Inverse",
    "Step",
    "covariance",
    "delta_errors",
    "information_product",
    "invert",
    "module_covariance",
    "module_covariance_by_products",
    "two_step_covariance",
]
