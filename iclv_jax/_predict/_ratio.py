"""Intervals for minus the ratio of two estimates."""

from typing import NamedTuple

import numpy as np

from iclv_jax._base._distributions import reach as reach_of


class Fieller(NamedTuple):
    """Bounds, and in words what set they stand for."""

    lower: float
    upper: float
    words: str


def fieller(first: float, second: float, covariance: np.ndarray, level: float) -> Fieller:
    """The values r of `-first / second` for which `first + r second` is not significantly different from zero (Fieller
    1954): an interval when the second differs significantly from zero, otherwise the complement of one or the whole
    line."""
    if np.isnan(covariance).any():
        return Fieller(np.nan, np.nan, "no interval: a variance is missing")
    z2 = reach_of(level) ** 2
    a = second**2 - z2 * covariance[1, 1]
    b = first * second - z2 * covariance[0, 1]
    c = first**2 - z2 * covariance[0, 0]
    root = b**2 - a * c
    if root < 0.0:
        return Fieller(
            -np.inf, np.inf, "unbounded: every value, because neither coefficient differs from zero"
        )
    lower, upper = sorted((-b + s * np.sqrt(root)) / a for s in (-1.0, 1.0))
    if a > 0.0:
        return Fieller(lower, upper, "bounded")
    words = f"unbounded: below {lower:.4g} and above {upper:.4g}, because the cost does not differ from zero"
    return Fieller(-np.inf, np.inf, words)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Values below which these shares of the weight lie."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.minimum(np.searchsorted(reached, at), len(values) - 1)]
