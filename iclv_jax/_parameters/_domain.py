"""Where parameters may lie: variances are positive, thresholds increase, covariance matrices are positive
definite. Values given by the user are held against that before anything is computed with them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from iclv_jax._spec import Domain, Increasing, Positive, PositiveDefinite

RULES = {
    "variance": "a variance is positive",
    "scale": "a squared scale is positive",
    "spread": "the start of a standard deviation that covaries is positive",
    "logsum": "a logsum coefficient is positive",
    "threshold": "thresholds increase",
    "covariance": "a covariance matrix is positive definite",
}


def check_fixed(domains: Sequence[Domain], fixed: Mapping[str, float]) -> None:
    """Raise ValueError for fixed values that no parameters of their kind may have."""
    for domain in domains:
        if isinstance(domain, Positive):
            _check_positive(domain.name, fixed)
        elif isinstance(domain, Increasing):
            _check_increasing(domain, fixed)
        else:
            _check_definite(domain, fixed)


def _check_positive(name: str, fixed: Mapping[str, float]) -> None:
    if not fixed.get(name, 1.0) > 0.0:
        raise ValueError(
            f"fixed[{name!r}] = {fixed[name]:g} must be positive: it is a variance, an increment or a scale."
        )


def _check_increasing(domain: Increasing, fixed: Mapping[str, float]) -> None:
    held = [n for n in domain.names if n in fixed]
    for lower, upper in pairwise(held):
        if not fixed[lower] < fixed[upper]:
            raise ValueError(
                f"fixed[{lower!r}] = {fixed[lower]:g} is not below fixed[{upper!r}] = {fixed[upper]:g}. "
                "Thresholds increase."
            )


def _check_definite(domain: PositiveDefinite, fixed: Mapping[str, float]) -> None:
    diagonal = [row[-1] for row in domain.entries]
    for name, spread in zip(diagonal, domain.spreads, strict=True):
        if not spread:
            _check_positive(str(name), fixed)
    if not all(n is None or n in fixed for row in domain.entries for n in row):
        return
    matrix = np.zeros((len(diagonal), len(diagonal)))
    for i, row in enumerate(domain.entries):
        for j, name in enumerate(row):
            matrix[i, j] = matrix[j, i] = 0.0 if name is None else fixed[name]
    of_spreads = np.array(domain.spreads)
    np.fill_diagonal(matrix, np.where(of_spreads, np.diag(matrix) ** 2, np.diag(matrix)))
    if np.linalg.eigvalsh(matrix)[0] <= 0.0:
        names = ", ".join(repr(n) for row in domain.entries for n in row if n is not None)
        raise ValueError(
            f"The fixed values of {names} make no positive definite matrix. Fix smaller covariances."
        )
