"""Wald and t tests of linear restrictions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_share
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._distributions import two_sided
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._inference._frame import full_jacobian
from iclv_jax._inference._functions import delta_errors
from iclv_jax._inference._hypotheses import HypothesisTest, chi_squared
from iclv_jax._inference._restrictions import Restriction, contrasts, parse_restrictions

DEPENDENT = 1e-10
"""Smallest eigenvalue of the correlations of restrictions that counts as positive."""


class _Asked(NamedTuple):
    """Restrictions: their derivatives by the free parameters, by how much the estimates miss them, their right-hand
    sides, and words."""

    contrast: np.ndarray
    gap: np.ndarray
    value: np.ndarray
    words: list[str]


def wald_test(
    fit: Estimated, restrictions: Given[Any], values: Given[Any] = None, kind: Given[str | None] = None
) -> HypothesisTest:
    """Wald test of linear restrictions.

    Parameters
    ----------
    restrictions
        Text, such as `"concern ~ age = 0, price = 2 * label"`: sums of parameters with numbers as weights,
        several restrictions with commas between them, chains `a = b = c`; without `=` the expression is set
        to zero. Or a list of such texts, a mapping of names to values, or a matrix (restrictions,
        parameters), columns in the order of `fit.names` (a DataFrame: by name). Text may name every
        parameter of the table; for defined ones the test is that of their first derivatives.
    values
        Right-hand sides of a matrix; zero when absent.
    kind
        Kind of covariance, as of `cov_params`.

    Raises
    ------
    ValueError
        For unknown names, and for restrictions that depend on each other or contradict each other.

    Examples
    --------
    >>> logit_fit.tests.wald_test("time = cost, age_bus = 0").df
    2
    """
    covariance = fit.covariance(kind)
    asked = _restricted(fit, restrictions, values)
    return wald(asked.contrast, asked.gap, covariance.of_functions, asked.words, covariance.notes)


def t_test(
    fit: Estimated,
    restrictions: Given[Any],
    values: Given[Any] = None,
    kind: Given[str | None] = None,
    level: Given[float] = 0.95,
) -> pd.DataFrame:
    """t statistics of single restrictions, one row each, against any value.

    Takes what `wald_test` takes: `fit.tests.t_test("price = -1")`, `fit.tests.t_test({"price": -1, "label": 0})`,
    `fit.tests.t_test("time - 2 * cost")`. Columns: `estimate` (of the left-hand side, all parameters brought there),
    `se`, `value`, `t`, `p` (two-sided, normal), `lower`, `upper`.

    Examples
    --------
    >>> list(logit_fit.tests.t_test("time = -1"))
    ['estimate', 'se', 'value', 't', 'p', 'lower', 'upper']
    """
    check_share(level)
    covariance = fit.covariance(kind)
    asked = _restricted(fit, restrictions, values)
    errors = delta_errors(asked.contrast, covariance.of_functions)
    estimate, t = asked.gap + asked.value, asked.gap / errors
    reach = reach_of(level) * errors
    columns = {"estimate": estimate, "se": errors, "value": asked.value, "t": t}
    columns |= {"p": two_sided(t), "lower": estimate - reach, "upper": estimate + reach}
    frame = pd.DataFrame(columns, index=pd.Index(asked.words))
    frame.attrs["notes"] = covariance.notes
    return frame


def _restricted(fit: Estimated, restrictions: Any, values: Any) -> _Asked:
    if isinstance(restrictions, (np.ndarray, pd.DataFrame)) or hasattr(restrictions, "shape"):
        found = _of_matrix(fit, restrictions, values)
    elif values is not None:
        raise ValueError("values= belongs to a matrix of restrictions; in a text they stand after '='.")
    else:
        found = parse_restrictions(restrictions, list(fit.all_params.index))
    matrix, value = contrasts(found, list(fit.all_params.index))
    table, constants = fit.problem.table, fit.problem.core.constants
    jacobian = np.asarray(full_jacobian(table.map, constants, jnp.asarray(fit.estimates)))
    gap = matrix @ fit.all_params.to_numpy() - value
    return _Asked(matrix @ jacobian, gap, value, [str(r) for r in found])


def _numbers(given: Any, what: str) -> np.ndarray:
    try:
        found = np.asarray(given, float)
    except (TypeError, ValueError):
        raise ValueError(f"{what} holds numbers, not {given!r}.") from None
    if not np.isfinite(found).all():
        raise ValueError(f"{what} holds finite numbers, not {given!r}.")
    return found


def _of_matrix(fit: Estimated, given: Any, values: Any) -> tuple[Restriction, ...]:
    if isinstance(given, pd.DataFrame):
        unknown = [c for c in given.columns if c not in fit.names]
        if unknown:
            raise ValueError(f"The matrix of restrictions has a column {unknown[0]!r}: no free parameter.")
        given = given.reindex(columns=list(fit.names), fill_value=0.0)
    matrix = np.atleast_2d(_numbers(given, "The matrix of restrictions"))
    if matrix.ndim != 2 or matrix.shape[1] != len(fit.names) or not len(matrix):
        raise ValueError(
            f"The matrix of restrictions has the shape {matrix.shape}; it needs one column for each of the "
            f"{len(fit.names)} free parameters."
        )
    right = np.zeros(len(matrix)) if values is None else np.atleast_1d(_numbers(values, "values="))
    if right.shape != (len(matrix),):
        raise ValueError(f"values= has {right.size} numbers for {len(matrix)} restrictions.")
    return tuple(
        Restriction({n: float(w) for n, w in zip(fit.names, row, strict=True) if w != 0.0}, float(v))
        for row, v in zip(matrix, right, strict=True)
    )


def wald(
    contrast: np.ndarray,
    gap: np.ndarray,
    matrix: np.ndarray,
    hypotheses: Sequence[str],
    notes: Sequence[str] = (),
) -> HypothesisTest:
    """`gap' (C V C')^-1 gap` (Wald 1943).

    Parameters
    ----------
    contrast
        Derivatives of the restrictions with respect to the free parameters, (restrictions, P).
    gap
        By how much the estimates miss them.
    matrix
        Covariance of the estimates, NaN where there is none and 0 for parameters that count as known.

    Raises
    ------
    ValueError
        For restrictions that are not independent of each other, or that restrict nothing that was estimated.
    """
    known, moving = ~np.isnan(np.diag(matrix)), np.diag(matrix) != 0.0
    of_known = (contrast != 0.0).any(axis=1) & ~(contrast[:, moving] != 0.0).any(axis=1)
    if (contrast[:, ~known] != 0.0).any() or of_known.any():
        return chi_squared("Wald test", hypotheses, np.nan, len(gap), notes)
    part = contrast[:, known]
    variance = part @ matrix[np.ix_(known, known)] @ part.T
    _check_independent(part, variance, hypotheses)
    statistic = float(gap @ np.linalg.solve(variance, gap))
    return chi_squared("Wald test", hypotheses, statistic, len(gap), notes)


def _check_independent(contrast: np.ndarray, variance: np.ndarray, hypotheses: Sequence[str]) -> None:
    unit = np.sqrt(np.diag(variance))
    if not (unit > 0.0).all():
        idle = hypotheses[int(np.argmin(unit > 0.0))]
        raise ValueError(f"{idle!r} restricts nothing that was estimated. Leave it out.")
    values, vectors = np.linalg.eigh(variance / np.outer(unit, unit))
    if values[0] > DEPENDENT:
        return
    involved = [repr(h) for h, v in zip(hypotheses, vectors[:, 0], strict=True) if abs(v) > 1e-6]
    size = np.linalg.norm(contrast, axis=1, keepdims=True)
    if np.linalg.matrix_rank(contrast / size, tol=1e-8) == len(contrast):
        raise ValueError(
            f"The covariance matrix has too low a rank to test {', '.join(involved)} together. There may be fewer "
            "people or clusters than parameters; take another kind, or test fewer."
        )
    raise ValueError(
        f"The restrictions {', '.join(involved)} are not independent: one follows from the others, or contradicts "
        "them. Leave one out."
    )
