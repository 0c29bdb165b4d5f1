"""The objective, trust-region Newton, and the stages of a sequential start."""

from iclv_jax._optimise._objective import Objective
from iclv_jax._optimise._stages import positive_spreads, refine, sequential_start, stages
from iclv_jax._optimise._trust_region import Outcome, TrustRegion
from iclv_jax._optimise._verdict import OptimizerReport, Verdict

__all__ = [
    "Objective",
    "OptimizerReport",
    "Outcome",
    "TrustRegion",
    "Verdict",
    "positive_spreads",
    "refine",
    "sequential_start",
    "stages",
]
