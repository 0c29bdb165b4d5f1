"""`Fit`: what one reads off after the estimation."""

from typing import final

from iclv_jax._fit._inferences import Inferences
from iclv_jax._fit._predictions import Predictions


@final
class Fit(Inferences, Predictions):
    """Maximum likelihood estimates with everything that follows from them. Names follow statsmodels.

    Attributes
    ----------
    problem
        The problem with its last nodes.
    estimates
        Free parameters in natural units, in the order of `problem.names`.
    optimizer_report
        How the optimisation ended.
    start
        Where the joint stage started.
    accuracy
        What is cheap to know about the accuracy of the integral.
    rows
        The trace.
    curvature
        The Hessian, where the optimiser has left it.
    """
