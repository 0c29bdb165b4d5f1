"""Log-likelihoods that are rough at their nodes, though the integral is smooth.

Where a coefficient multiplies others (a money scale) and is spread widely, some of its draws make choices certain: each
is a step in the parameters, and a sum of steps has derivatives that say nothing of where it goes. A trust region then
shrinks below what the data can tell, and the search goes on for ever by nothing.
"""

from collections.abc import Mapping

import numpy as np

NARROWEST = 0.05
"""Radius of a trust region, in standard errors, below which steps at nodes that follow posteriors fail for roughness."""


def is_rough(progress: Mapping[str, object], count: float, bad: bool) -> bool:
    """Whether a trust region, of a likelihood of as many people as `count`, has become narrower than anything that matters;
    `bad` where that is because of points at which nothing is finite."""
    radius = progress.get("radius")
    if radius is None or bad:
        return False
    return bool(float(np.asarray(radius)) * np.sqrt(count) < NARROWEST)
