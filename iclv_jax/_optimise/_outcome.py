"""Where an optimisation ended."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import Scale
from iclv_jax._optimise._verdict import OptimizerReport
from iclv_jax._problem._accuracy import Accuracy


@dataclass(frozen=True)
class Outcome:
    """Where an optimisation ended: `params` in natural units, the objective with its last nodes, and the accuracy of the
    integral there, where that was asked for."""

    params: np.ndarray
    objective: Any
    report: OptimizerReport
    scale: Scale
    trace: tuple[Row, ...]
    precision: Accuracy | None = None
