"""`Fit`: what one reads off after the estimation."""

import os
from typing import final

from iclv_jax._fit._inferences import Inferences
from iclv_jax._fit._structure import Structural
from iclv_jax._fit._validation import Validation
from iclv_jax._fit._writing import write


@final
class Fit(Inferences, Validation, Structural):
    """Maximum (penalised) likelihood estimates with everything that follows from them. Names follow statsmodels.

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
        The Hessian of the log-likelihood, where the optimiser has left it.
    penalties
        What was subtracted from the log-likelihood; None for maximum likelihood.
    """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a file (replaced whole), from which `iclv.load` reads it.

        The file is numpy's `.npz`, with arrays, and JSON for names, versions, fingerprints of model and data, and tables;
        nothing in it is pickled. It holds the people's scores and posterior moments, but neither the data nor the utility
        function. ValueError for a folder that does not exist.
        """
        write(self, path)
