"""The model as data: frozen, hashable, without arrays."""

from iclv_jax._spec._equation import Equation
from iclv_jax._spec._family import Declared, Expected, Indicator, Kernel, Level, Tails
from iclv_jax._spec._latent import Latent, causal_order, check_pairs
from iclv_jax._spec._limit import Limit
from iclv_jax._spec._module import Module, expand
from iclv_jax._spec._parameter import (
    Block,
    Cell,
    Cells,
    Combination,
    Domain,
    Increasing,
    Parameter,
    Positive,
    PositiveDefinite,
    Role,
    one,
)
from iclv_jax._spec._random import (
    JohnsonSB,
    LogNormal,
    Mixing,
    Normal,
    Triangular,
    TruncatedNormal,
    Uniform,
)
from iclv_jax._spec._standardized import Standardized
from iclv_jax._spec._thresholds import Thresholds
from iclv_jax._spec._trace import Namespace, Traced, record, scalar, trace
from iclv_jax._spec._utility import Recorder, Utility, Words, trace_utility

__all__ = [
    "Block",
    "Cell",
    "Cells",
    "Combination",
    "Declared",
    "Domain",
    "Equation",
    "Expected",
    "Increasing",
    "Indicator",
    "JohnsonSB",
    "Kernel",
    "Latent",
    "Level",
    "Limit",
    "LogNormal",
    "Mixing",
    "Module",
    "Namespace",
    "Normal",
    "Parameter",
    "Positive",
    "PositiveDefinite",
    "Recorder",
    "Role",
    "Standardized",
    "Tails",
    "Thresholds",
    "Traced",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
    "Utility",
    "Words",
    "causal_order",
    "check_pairs",
    "expand",
    "one",
    "record",
    "scalar",
    "trace",
    "trace_utility",
]
