"""Covariances of the estimates, and what follows from them."""

from iclv_jax._inference._covariance import KINDS, Covariance, covariance, invert

__all__ = ["KINDS", "Covariance", "covariance", "invert"]
