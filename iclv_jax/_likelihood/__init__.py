"""The integral over nodes, and what is summed over people."""

from iclv_jax._likelihood._integral import Core, log_likelihoods, log_terms, loglike, person_values
from iclv_jax._likelihood._people import People, people

__all__ = ["Core", "People", "log_likelihoods", "log_terms", "loglike", "people", "person_values"]
