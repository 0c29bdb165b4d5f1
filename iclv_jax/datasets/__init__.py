"""Example data: public surveys with published estimates, and an artificial one with known truth."""

from iclv_jax.datasets._public import optima, swissmetro
from iclv_jax.datasets._sugar import Survey, sugar_substitutes

__all__ = ["Survey", "optima", "sugar_substitutes", "swissmetro"]
