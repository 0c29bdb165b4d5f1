"""Standard errors, tests and intervals of single parameters, from any covariance."""

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_share
from iclv_jax._base._distributions import quantile, two_sided
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Known, labelled


def standard_errors(fit: Known, kind: Given[str | None] = None) -> pd.Series:
    """Standard errors of the free parameters from a covariance of this kind, as of `cov_params`.

    Examples
    --------
    >>> logit_fit.uncertainty.standard_errors("robust").index.tolist()
    ['asc_bus', 'age_bus', 'time', 'cost']
    """
    return labelled(fit, np.sqrt(np.diag(fit.covariance(kind).matrix)), "standard error")


def tvalues(fit: Known) -> pd.Series:
    """Estimates over their standard errors of the default kind."""
    return (fit.params / standard_errors(fit)).rename("t")


def pvalues(fit: Known) -> pd.Series:
    """Two-sided, from the normal distribution."""
    return labelled(fit, two_sided(tvalues(fit)), "p")


def conf_int(fit: Known, alpha: Given[float] = 0.05, kind: Given[str | None] = None) -> pd.DataFrame:
    """Intervals `estimate +- z * standard error` with coverage 1 - alpha.

    Examples
    --------
    >>> list(logit_fit.conf_int(0.90))
    ['lower', 'upper']
    """
    check_share(alpha, "alpha=")
    reach = quantile(1.0 - alpha / 2.0) * standard_errors(fit, kind)
    return pd.DataFrame({"lower": fit.params - reach, "upper": fit.params + reach})


def covariance_frame(fit: Known, kind: Given[str | None]) -> pd.DataFrame:
    matrix = fit.covariance(kind).matrix
    return pd.DataFrame(matrix, index=list(fit.names), columns=list(fit.names))
