"""People who need not be in memory, or in one process, together: files, passes over them, and fits by sums over chunks."""

from iclv_jax._stream._fit import bind_people, fit_people, in_chunks
from iclv_jax._stream._loading import load
from iclv_jax._stream._problem import StreamedProblem
from iclv_jax._stream._result import Bound, Fitted, StreamedFit
from iclv_jax._stream._source import People

__all__ = [
    "Bound",
    "Fitted",
    "People",
    "StreamedFit",
    "StreamedProblem",
    "bind_people",
    "fit_people",
    "in_chunks",
    "load",
]
