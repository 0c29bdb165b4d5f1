"""Example data: public surveys with published estimates, and an artificial one with known truth."""

from iclv_jax.datasets._public import optima, swissmetro, time_use
from iclv_jax.datasets._semopy import holzinger_swineford, political_democracy
from iclv_jax.datasets._sugar import Survey, sugar_substitutes

__all__ = [
    "Survey",
    "holzinger_swineford",
    "optima",
    "political_democracy",
    "sugar_substitutes",
    "swissmetro",
    "time_use",
]
