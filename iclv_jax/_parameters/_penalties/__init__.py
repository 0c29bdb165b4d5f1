"""Penalties and priors on free parameters, in natural units."""

from iclv_jax._parameters._penalties._applied import Applied, Penalties, resolve, under
from iclv_jax._parameters._penalties._penalty import L1, L2, Gaussian, Penalty
from iclv_jax._parameters._penalties._terms import Terms, cost, slope

__all__ = [
    "L1",
    "L2",
    "Applied",
    "Gaussian",
    "Penalties",
    "Penalty",
    "Terms",
    "cost",
    "resolve",
    "slope",
    "under",
]
