"""The integral over nodes, and what is summed over people."""

from iclv_jax._likelihood._devices import Devices, mesh_of
from iclv_jax._likelihood._integral import Core, log_likelihoods, log_terms, loglike, person_values
from iclv_jax._likelihood._people import People, people

__all__ = [
    "Core",
    "Devices",
    "People",
    "log_likelihoods",
    "log_terms",
    "loglike",
    "mesh_of",
    "people",
    "person_values",
]
