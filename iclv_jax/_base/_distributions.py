"""Tails and quantiles of the normal and the chi-squared distribution.

`scipy.stats` has them as well, and takes longer to import than the rest of this package.
"""

from typing import Any

import numpy as np
from scipy import special


def tail(z: Any) -> Any:
    """P(Z > z) of a standard normal Z."""
    return special.ndtr(-np.asarray(z))


def two_sided(z: Any) -> Any:
    """P(|Z| > |z|) of a standard normal Z."""
    return 2.0 * special.ndtr(-np.abs(z))


def quantile(share: Any) -> Any:
    """Quantile of the standard normal distribution."""
    return special.ndtri(share)


def reach(level: float) -> float:
    """Half the width of an interval with this level, in standard errors."""
    return float(special.ndtri(0.5 + 0.5 * level))


def chi2_tail(statistic: float, df: float) -> float:
    """P(X > statistic) of a chi-squared X."""
    return float(special.chdtrc(df, max(statistic, 0.0)))


def chi2_quantile(share: float, df: float) -> float:
    """Quantile of a chi-squared distribution."""
    return float(special.chdtri(df, 1.0 - share))
