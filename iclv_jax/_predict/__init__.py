"""What a fitted model says about people."""

from iclv_jax._predict._posterior import Posterior, posterior

__all__ = ["Posterior", "posterior"]
