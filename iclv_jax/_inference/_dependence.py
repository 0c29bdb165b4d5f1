"""How estimates depend on each other: correlations, and the eigenvalues of what the data tell."""

from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Known, has

HEAVY = 3
"""Parameters with the largest weights in a direction that are named."""


def correlations(fit: Known, kind: Given[str | None] = None) -> pd.DataFrame:
    """Correlation matrix of the estimates, from a covariance of this kind, as of `cov_params`; NaN for what has no variance.

    Pairs near 1 or -1 are hard to tell apart with these data: `fit.uncertainty.eigenvalues()` tells of more than pairs.

    Examples
    --------
    >>> logit_fit.uncertainty.correlations("robust").shape
    (4, 4)
    """
    matrix = fit.covariance(kind).matrix
    spread = np.sqrt(np.diag(matrix))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = matrix / np.outer(spread, spread)
    return pd.DataFrame(found, index=list(fit.names), columns=list(fit.names))


def eigenvalues(fit: Any, kind: Given[str | None] = None) -> pd.DataFrame:
    """Eigenvalues, smallest first, by which other programs report how well the estimates are determined.

    Parameters
    ----------
    kind
        Kind of the covariance behind the correlations.

    Returns
    -------
    DataFrame
        One row per free parameter that has a variance. `correlation`: eigenvalues of `correlations(kind)`, free of units;
        near 0, a combination of parameters that the data hardly determine, and `direction` names those with the largest
        weights in it. `hessian`: those of the negative Hessian of the log-likelihood, all positive at a maximum, in units
        that depend on those of the columns; a fit in two steps has none.

    Examples
    --------
    >>> list(logit_fit.uncertainty.eigenvalues())
    ['correlation', 'hessian', 'direction']
    """
    found = correlations(fit, kind)
    known = np.isfinite(np.diag(found.to_numpy()))
    names = np.array(found.index)[known]
    values, vectors = np.linalg.eigh(found.to_numpy()[np.ix_(known, known)])
    table = pd.DataFrame({"correlation": values}, index=pd.RangeIndex(1, len(values) + 1, name="rank"))
    if has(fit, "hessian"):
        hessian = fit.hessian.to_numpy()[np.ix_(known, known)]
        table["hessian"] = np.linalg.eigvalsh(-hessian)
    table["direction"] = [_direction(names, vector) for vector in vectors.T]
    return table


def _direction(names: np.ndarray, vector: np.ndarray) -> str:
    """The heaviest weights of a direction; its sign is that of the first."""
    order = np.argsort(-np.abs(vector), kind="stable")[:HEAVY]
    sign = 1.0 if vector[order[0]] >= 0.0 else -1.0
    return ", ".join(f"{names[i]} {sign * vector[i]:+.2f}" for i in order)
