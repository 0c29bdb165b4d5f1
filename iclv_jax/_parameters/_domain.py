"""Where parameters may lie: variances are positive, thresholds increase, covariance matrices are positive
definite. Values given by the user are held against that before anything is computed with them."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from iclv_jax._spec import Domain, Increasing, Parameter, Positive, PositiveDefinite

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

PROBABILITIES = ("guessing", "slipping")
"""Roles of parameters that mean nothing outside of their bounds by nature."""


def check_values(
    domains: Sequence[Domain], values: Mapping[str, float], argument: str, zero: Collection[str] = ()
) -> None:
    """Raise ValueError for values, given in an argument, that no parameters of their kind may have; those named in `zero`
    may be that."""
    for domain in domains:
        if isinstance(domain, Positive):
            if not (domain.name in zero and values.get(domain.name) == 0.0):
                _check_positive(domain.name, values, argument)
        elif isinstance(domain, Increasing):
            _check_increasing(domain, values, argument)
        else:
            _check_definite(domain, values, argument)


def check_bounds(parameter: Parameter, value: float, argument: str) -> None:
    """Raise ValueError for a value, given in an argument, outside what a parameter is declared to lie in."""
    low, high = parameter.bounds
    if not low <= value <= high:
        raise ValueError(
            f"{argument}[{parameter.name!r}] = {value:g} cannot be: the {parameter.meaning} lies between {low:g} and "
            f"{high:g}."
        )


def reach_of(parameter: Parameter, bounds: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """How far a parameter may go: as far as `bounds=` says, and else as it may by nature. A probability stays one:
    ValueError for an end beyond that."""
    given, (low, high) = bounds.get(parameter.name), parameter.bounds
    if given is None:
        return low, high
    if parameter.role not in PROBABILITIES:
        return given
    for end in given:
        if np.isfinite(end) and not low <= end <= high:
            raise ValueError(
                f"bounds[{parameter.name!r}] end at {end:g}, but the {parameter.meaning} lies between {low:g} and {high:g}. "
                "Give bounds within these."
            )
    return max(low, given[0]), min(high, given[1])


def check_reach(
    domains: Sequence[Domain], reach: Mapping[str, tuple[float, float]], zero: Collection[str] = ()
) -> None:
    """Raise ValueError where `fixed=` and `bounds=` together leave parameters no value that those of their kind may have;
    `reach` is how far each may go, a fixed one nowhere."""
    for domain in domains:
        if isinstance(domain, Increasing):
            _check_room(domain, reach)
        elif isinstance(domain, Positive):
            if not (domain.name in zero and reach[domain.name] == (0.0, 0.0)):
                _check_reaches_above_zero(domain.name, reach)
        else:
            for row, spread in zip(domain.entries, domain.spreads, strict=True):
                if not spread:
                    _check_reaches_above_zero(str(row[-1]), reach)


def _check_reaches_above_zero(name: str, reach: Mapping[str, tuple[float, float]]) -> None:
    upper = reach.get(name, (0.0, np.inf))[1]
    if not upper > 0.0:
        raise ValueError(
            f"bounds[{name!r}] end at {upper:g}, which leaves no value: it is a variance, an increment or a scale, and "
            "positive. Raise the bound, or leave it out."
        )


def _check_room(domain: Increasing, reach: Mapping[str, tuple[float, float]]) -> None:
    below, at = -np.inf, ""
    for name in domain.names:
        lower, upper = reach.get(name, (-np.inf, np.inf))
        if np.isfinite(below) and not upper > below:
            raise ValueError(
                f"Thresholds increase, but fixed= and bounds= leave {at!r} nothing below {below:g} and {name!r} nothing "
                f"above {upper:g}. Move one of them."
            )
        if lower >= below:
            below, at = lower, name


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
