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
    "dispersion": "a dispersion is positive",
    "shape": "a shape is positive",
    "threshold": "thresholds increase",
    "covariance": "a covariance matrix is positive definite",
}


def check_values(domains: Sequence[Domain], values: Mapping[str, float], argument: str) -> None:
    """Raise ValueError for values, given in an argument, that no parameters of their kind may have."""
    for domain in domains:
        if isinstance(domain, Positive):
            _check_positive(domain.name, values, argument)
        elif isinstance(domain, Increasing):
            _check_increasing(domain, values, argument)
        else:
            _check_definite(domain, values, argument)


def _check_positive(name: str, values: Mapping[str, float], argument: str) -> None:
    if not values.get(name, 1.0) > 0.0:
        raise ValueError(
            f"{argument}[{name!r}] = {values[name]:g} must be positive: it is a variance, an increment, a scale, a "
            "dispersion or a shape."
        )


def _check_increasing(domain: Increasing, values: Mapping[str, float], argument: str) -> None:
    held = [n for n in domain.names if n in values]
    for lower, upper in pairwise(held):
        if not values[lower] < values[upper]:
            raise ValueError(
                f"{argument}[{lower!r}] = {values[lower]:g} is not below {argument}[{upper!r}] = {values[upper]:g}. "
                "Thresholds increase."
            )


def _check_definite(domain: PositiveDefinite, values: Mapping[str, float], argument: str) -> None:
    diagonal = [row[-1] for row in domain.entries]
    for name, spread in zip(diagonal, domain.spreads, strict=True):
        if not spread:
            _check_positive(str(name), values, argument)
    if not all(n is None or n in values for row in domain.entries for n in row):
        return
    matrix = np.zeros((len(diagonal), len(diagonal)))
    for i, row in enumerate(domain.entries):
        for j, name in enumerate(row):
            matrix[i, j] = matrix[j, i] = 0.0 if name is None else values[name]
    of_spreads = np.array(domain.spreads)
    np.fill_diagonal(matrix, np.where(of_spreads, np.diag(matrix) ** 2, np.diag(matrix)))
    if np.linalg.eigvalsh(matrix)[0] <= 0.0:
        names = ", ".join(repr(n) for row in domain.entries for n in row if n is not None)
        raise ValueError(
            f"The {argument} values of {names} make no positive definite matrix. Take smaller covariances."
        )
