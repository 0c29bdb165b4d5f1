"""How choice probabilities respond to a column."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_name
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import AnyFrames, Given
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._predict._new_data import Sight, alternatives_of, directions, predicted_choice, situations_of
from iclv_jax._predict._probabilities import choice_probabilities
from iclv_jax._predict._responses import Place, averages, changes, jacobian, slopes, values_of
from iclv_jax._predict._view import Information
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel
from iclv_jax._spec._names import is_label, nearest
from iclv_jax._spec._standardized import Logarithm, column_of
from iclv_jax._tables import Report, Tabular, of_frame


@final
@dataclass(frozen=True, eq=False)
class Responses(Tabular):
    """How choice probabilities respond to a column.

    Attributes
    ----------
    column
        The column.
    kind
        `"elasticity"` or `"marginal effect"`.
    rows
        One row per choice situation, one column per alternative.
    aggregate
        Over the sample, by alternative: `value` and its delta-method standard error `se`; for a column of zeros and ones
        of marginal effects also the `change` from 0 to 1 with `change.se`.
    changes
        The change from 0 to 1 by row, for marginal effects of a column of zeros and ones; None otherwise.
    notes
        What a reader must know of the standard errors.
    """

    column: str
    kind: str
    rows: pd.DataFrame = field(repr=False)
    aggregate: pd.DataFrame
    changes: pd.DataFrame | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind} of {self.column}, over the sample"
        return "\n".join([head, self.aggregate.to_string(), *(f"* {note}" for note in self.notes)])

    __repr__ = __str__

    def as_report(self) -> Report:
        return of_frame(self.aggregate, f"{self.kind.capitalize()} of {self.column}", self.notes)


def elasticities(
    fit: Estimated,
    column: Given[str],
    alternative: Given[Hashable | None] = None,
    *,
    given: Given[Information] = "nothing",
    data: Given[AnyFrames | None] = None,
    cov: Given[str | None] = None,
    choice: Given[str | None] = None,
) -> Responses:
    """Point elasticities of the choice probabilities with respect to a column.

    `E_ntj = (dP_ntj / dx_nt) x_nt / P_ntj`, own where the utility of j uses the column and cross elsewhere, by exact
    derivatives of the expected probabilities.

    Parameters
    ----------
    column
        A column of the utilities, or a covariate of a latent variable (whose effect then runs through the structural
        equations); one that is both has both effects.
    alternative
        Only this alternative; None: all.
    given, data
        As of `predict`. Given `"answers"` the answers stand as they were given: what they say of a person does not
        change with the columns of the utilities.
    cov
        The kind of covariance behind the standard errors.
    choice
        The name of the choice, where the model has several.

    Returns
    -------
    Responses
        `rows`: NaN where an alternative is not available. `aggregate`: over the sample, weighted by the
        probabilities (sample enumeration; Ben-Akiva and Lerman 1985, eq. 5.29) and person weights.

    Raises
    ------
    ValueError
        For a column that the model does not use, or a nominal one.

    Examples
    --------
    >>> logit_fit.choices.elasticities("time").aggregate.shape
    (2, 2)
    """
    seen, place = _responding(fit, column, data, given, choice)
    params = jnp.asarray(fit.estimates)
    share = seen.by_row(choice_probabilities(seen.view, params))
    slope = seen.by_row(slopes(seen.view, params, place))
    value = seen.by_row(values_of(seen.view, place))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = slope * value / np.where(share > 0.0, share, np.nan)
    value, errors = (a[: share.shape[1]] for a in _average(fit, seen, place, "slope", cov))
    aggregate = pd.DataFrame({"value": value, "se": errors}, index=alternatives_of(seen.view.block.kernel))
    found = Responses(column, "elasticity", _by_row(seen, rows), aggregate, None, fit.covariance(cov).notes)
    return _shown(found, alternative)


def marginal_effects(
    fit: Estimated,
    column: Given[str],
    alternative: Given[Hashable | None] = None,
    *,
    given: Given[Information] = "nothing",
    data: Given[AnyFrames | None] = None,
    cov: Given[str | None] = None,
    choice: Given[str | None] = None,
) -> Responses:
    """Derivatives of the choice probabilities with respect to a column, by row and averaged over the sample; for a
    column of zeros and ones also the change from 0 to 1.

    Parameters, errors and what is meant by a column as of `elasticities`.

    Examples
    --------
    >>> logit_fit.choices.marginal_effects("time").aggregate.shape
    (2, 2)
    """
    seen, place = _responding(fit, column, data, given, choice)
    params = jnp.asarray(fit.estimates)
    rows = _by_row(seen, seen.by_row(slopes(seen.view, params, place)))
    value, errors = (a[rows.shape[1] :] for a in _average(fit, seen, place, "slope", cov))
    aggregate = pd.DataFrame({"value": value, "se": errors}, index=alternatives_of(seen.view.block.kernel))
    discrete = None
    if np.isin(seen.by_row(values_of(seen.view, place)), (0.0, 1.0)).all():
        discrete = _by_row(seen, seen.by_row(changes(seen.view, params, place)))
        aggregate["change"], aggregate["change.se"] = _average(fit, seen, place, "change", cov)
    notes = fit.covariance(cov).notes
    return _shown(Responses(column, "marginal effect", rows, aggregate, discrete, notes), alternative)


def _responding(
    fit: Estimated,
    column: Given[str],
    data: Given[AnyFrames | None],
    given: Given[Information],
    choice: str | None,
) -> tuple[Sight, Place]:
    kernel = predicted_choice(fit.problem, "elasticities", choice)
    check_name(column, "column=")
    place = _place(fit.problem, kernel, column)
    return situations_of(fit, kernel, data, None, given), place


def _place(problem: Problem, choice: Kernel, column: str) -> Place:
    spec, columns = problem.spec, choice.utility.columns
    nominal = {p.column for p in spec.nominal}
    names = problem.panel.covariates
    felt = [p for p in spec.covariates if not isinstance(p, Logarithm)]
    numeric = [column_of(p) for p in felt if column_of(p) not in nominal]
    if column in nominal:
        raise ValueError(
            f"{column!r} is a nominal covariate, which has no derivative. Compare two frames with fit.scenario."
        )
    known = [*columns, *numeric]
    if column not in known:
        raise ValueError(f"The model has no column {column!r}. {nearest(column, known)}")
    return Place(
        columns.index(column) if column in columns else -1, names.index(column) if column in names else -1
    )


@one_thread
def _average(
    fit: Estimated, seen: Sight, place: Place, kind: str, cov: str | None
) -> tuple[np.ndarray, np.ndarray]:
    params = jnp.asarray(fit.estimates)
    value = averages(seen.view, params, place, kind)
    found = jacobian(averages, (seen.view,), params, directions(fit, seen), place, kind)
    return np.asarray(value), delta_errors(found, fit.covariance(cov).of_functions)


def _shown(found: Responses, alternative: Given[Hashable | None]) -> Responses:
    if alternative is None:
        return found
    if not is_label(alternative) or alternative not in found.rows.columns:
        raise ValueError(
            f"alternative={alternative!r} is none of the model. {nearest(alternative, found.rows.columns)}"
        )
    # Its own label: a truth value equals a number, but a list of them is a mask to pandas.
    only = [known for known in found.rows.columns if known == alternative]
    discrete = None if found.changes is None else found.changes[only]
    return replace(found, rows=found.rows[only], aggregate=found.aggregate.loc[only], changes=discrete)


def _by_row(seen: Sight, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        np.asarray(values), index=seen.index, columns=alternatives_of(seen.view.block.kernel).rename(None)
    )
