"""What one asks before a long training: which learning rate, and whether the model can learn at all."""

from iclv_jax._training._rates import LearningRates, learning_rate_test
from iclv_jax._training._sanity import SanityChecks, sanity_checks

__all__ = ["LearningRates", "SanityChecks", "learning_rate_test", "sanity_checks"]
