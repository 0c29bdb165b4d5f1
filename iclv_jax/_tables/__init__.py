"""Tables as text, HTML, LaTeX and frames; numbers in words; progress."""

from iclv_jax._tables._format import fixed, loglike, number, probability
from iclv_jax._tables._progress import Progress
from iclv_jax._tables._table import Report, Section, Tabular, of_frame, to_latex

__all__ = [
    "Progress",
    "Report",
    "Section",
    "Tabular",
    "fixed",
    "loglike",
    "number",
    "of_frame",
    "probability",
    "to_latex",
]
