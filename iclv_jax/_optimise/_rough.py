"""Log-likelihoods that are rough at their nodes, though the integral is smooth.

Where a coefficient multiplies others (a money scale) and is spread widely, some of its draws make choices certain: each
is a step in the parameters, and a sum of steps has derivatives that say nothing of where it goes. A trust region then
shrinks below what the data can tell, and the search goes on for ever by nothing.
"""

from collections.abc import Sequence

import numpy as np

from iclv_jax._optimise._row import Row

NARROWEST = 0.05
"""Radius of a trust region, in standard errors, below which steps at nodes that follow posteriors fail for roughness."""
POOR = 0.25
"""Ratio of actual to predicted gain below which a trial point is none to go on with."""
MOST_POOR = 6
"""So many of them, and a radius as small, are no accident: three lognormal coefficients of 120 people have three at 512
nodes and are found all the same."""


def is_rough(trace: Sequence[Row], radius: object, count: float) -> bool:
    """Whether trials at nodes have failed over and over, and a trust region, of a likelihood of as many people as `count`,
    has become narrower than anything that matters; None is the radius of a method without one."""
    if radius is None or float(np.asarray(radius)) * np.sqrt(count) >= NARROWEST:
        return False
    return sum(row["ratio"] < POOR for row in trace) >= MOST_POOR
