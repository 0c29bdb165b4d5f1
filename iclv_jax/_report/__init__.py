"""Tables and progress."""

from iclv_jax._report._format import fixed, loglike, number, probability
from iclv_jax._report._progress import Progress
from iclv_jax._report._table import Report, Section

__all__ = ["Progress", "Report", "Section", "fixed", "loglike", "number", "probability"]
