"""Tails and quantiles of the normal and the chi-squared distribution, and nodes for integrals over a normal one.

scipy takes long to import, and so is imported where it is used. `scipy.stats` has most of this as well, and takes longer
than the rest of this package.
"""

from typing import Any

import numpy as np


def below(z: Any) -> Any:
    """P(Z < z) of a standard normal Z."""
    from scipy.special import ndtr

    return ndtr(np.asarray(z))


def tail(z: Any) -> Any:
    """P(Z > z) of a standard normal Z."""
    return below(-np.asarray(z))


def two_sided(z: Any) -> Any:
    """P(|Z| > |z|) of a standard normal Z."""
    return 2.0 * below(-np.abs(z))


def quantile(share: Any) -> Any:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return ndtri(share)


def reach(level: float) -> float:
    """Half the width of an interval with this level, in standard errors."""
    return float(quantile(0.5 + 0.5 * level))


def chi2_tail(statistic: float, df: float) -> float:
    """P(X > statistic) of a chi-squared X."""
    from scipy.special import chdtrc

    return float(chdtrc(df, max(statistic, 0.0)))


def chi2_quantile(share: float, df: float) -> float:
    """Quantile of a chi-squared distribution."""
    from scipy.special import chdtri

    return float(chdtri(df, 1.0 - share))


def hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of Gauss-Hermite quadrature for the standard normal distribution; the weights sum to one."""
    from scipy.special import roots_hermitenorm

    points, weights = roots_hermitenorm(nodes)
    return points, weights / weights.sum()
