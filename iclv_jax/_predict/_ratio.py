"""Intervals for minus the ratio of two estimates."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from iclv_jax._types import Array


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
    z2 = stats.norm.ppf(0.5 + level / 2.0) ** 2
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


def krinsky_robb(
    function: Callable[[Array], Array], params: np.ndarray, matrix: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """The function at `draws` parameter vectors from their asymptotic normal distribution (Krinsky and Robb 1986);
    parameters without a variance stay where they are."""
    known = ~np.isnan(np.diag(matrix))
    points = np.tile(params, (draws, 1))
    generator = np.random.default_rng(seed)
    points[:, known] = generator.multivariate_normal(
        params[known], matrix[np.ix_(known, known)], draws, method="eigh"
    )
    return np.asarray(jax.vmap(function)(jnp.asarray(points)))


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Values below which these shares of the weight lie."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.minimum(np.searchsorted(reached, at), len(values) - 1)]
