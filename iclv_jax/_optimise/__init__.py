"""The objective, the optimisers, one pure step and two loops, and the stages of a sequential start."""

from iclv_jax._optimise._checkpoint import Checkpoint
from iclv_jax._optimise._driver import minimise
from iclv_jax._optimise._examined import maximise
from iclv_jax._optimise._function import Function
from iclv_jax._optimise._many import Ended, minimise_frozen
from iclv_jax._optimise._objective import Likelihood, Objective
from iclv_jax._optimise._options import BHHH, LBFGSB, Optimizer, Scipy, TrustRegion
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._plain import against_plain, plain_start
from iclv_jax._optimise._probe import probed
from iclv_jax._optimise._scipy import minimise_scipy
from iclv_jax._optimise._stages import (
    Kept,
    Stage,
    joint_stage,
    refine,
    run,
    sequential_start,
    stages,
    stopped,
)
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._suited import check_suited
from iclv_jax._optimise._unit_start import unit_start
from iclv_jax._optimise._verdict import OptimizerReport, Verdict

__all__ = [
    "BHHH",
    "LBFGSB",
    "Checkpoint",
    "Ended",
    "Function",
    "Kept",
    "Likelihood",
    "Objective",
    "Optimizer",
    "OptimizerReport",
    "Outcome",
    "Scipy",
    "Stage",
    "Stochastic",
    "TrustRegion",
    "Verdict",
    "against_plain",
    "check_suited",
    "joint_stage",
    "maximise",
    "minimise",
    "minimise_frozen",
    "minimise_scipy",
    "plain_start",
    "probed",
    "refine",
    "run",
    "sequential_start",
    "stages",
    "stopped",
    "unit_start",
]
