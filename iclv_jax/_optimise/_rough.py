"""Log-likelihoods that are rough at their nodes, though the integral is smooth.

Where a coefficient multiplies others (a money scale) and is spread widely, some of its draws make choices certain: each
is a step in the parameters, and a sum of steps has derivatives that say nothing of where it goes. A trust region then
shrinks below what the data can tell, and the search goes on for ever by nothing.
"""

from collections.abc import Sequence

import numpy as np

from iclv_jax._optimise._method import Memory, Method
from iclv_jax._optimise._objective import Objective
from iclv_jax._optimise._row import Row

NARROWEST = 0.05
"""Radius of a trust region, in standard errors, below which steps at nodes that follow posteriors fail for roughness."""
POOR = 0.25
"""Ratio of actual to predicted gain below which a trial point is none to go on with."""
MOST_POOR = 6
"""So many of them, and a radius as small, are no accident: three lognormal coefficients of 120 people have three at 512
nodes and are found all the same."""


def is_rough(trace: Sequence[Row], method: Method, memory: Memory, objective: Objective) -> bool:
    """Whether trials at nodes that follow posteriors have failed over and over, and a trust region has become narrower than
    anything that matters. Methods without a region are never said to be there."""
    radius = method.progress(memory).get("radius") if objective.moves else None
    if radius is None or float(np.asarray(radius)) * np.sqrt(objective.count) >= NARROWEST:
        return False
    return sum(row["ratio"] < POOR for row in trace) >= MOST_POOR
