"""What people are expected to choose and to answer, with standard errors."""

from collections.abc import Hashable, Sequence

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_idle, check_switch
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import AnyFrame, AnyFrames, Array, Given
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel._frame import identifiers
from iclv_jax._parameters import LATENT, Stack
from iclv_jax._predict._new_data import Sight, directions, predicted_choice, sight, situations_of
from iclv_jax._predict._probabilities import choice_probabilities, item_columns
from iclv_jax._predict._responses import along
from iclv_jax._predict._view import Information, moving

Columns = dict[tuple[str, Hashable], np.ndarray]


def predict(
    fit: Estimated,
    data: Given[AnyFrames | None] = None,
    *,
    given: Given[Information] = "nothing",
    errors: Given[bool] = False,
    cov: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
    choice: Given[str | None] = None,
) -> pd.DataFrame:
    """Choice probabilities, expected over latent variables and random coefficients.

    Parameters
    ----------
    data
        New data in the form of the estimation sample, with its person column; every row is a situation to
        predict. Columns of items and choices are needed only where `given` asks for them. None: the choice
        situations of the estimation sample (rows without a choice are not among them).
    given
        What is known of a person beside the covariates. `"nothing"`: the structural equations and the
        distributions of random coefficients alone, as for people who were never asked. `"items"`: also the
        person's answers to items. `"answers"`: also the person's choices, those in the rows to be predicted among
        them; a row of new data whose choice is missing is predicted from the person's other rows. Choices in new data
        count as made at the attributes that these data hold; `scenario` has others for what is predicted.
    errors
        Whether to add standard errors by the delta method, in columns `alternative.se`. Nodes that follow
        a posterior are held where they are.
    cov
        The kind of covariance behind them; see `cov_params`.
    people
        The person-level frame of new data; None: that of the fit, where it had one.
    choice
        The name of the choice, where the model has several.

    Returns
    -------
    DataFrame
        One row per choice situation, with the label of the data's row and in its order; one column per
        alternative, in the order of the utility function. Rows add up to one; an alternative that is not
        available has probability 0.

    Raises
    ------
    ValueError
        For a model without a choice, and for data that do not fit the model.

    Notes
    -----
    With `"nothing"` the integral is one over the latent variables that utilities see and the random
    coefficients: Gauss-Hermite with 64 nodes in one dimension and 32 x 32 in two, beyond that 1,024
    scrambled Sobol draws per person with seed 0. Where that leaves the probability of a row off by more than 0.001,
    trapezoid rules of up to 1,024 nodes in one dimension and 128 x 128 in two take its place; `attrs["error"]` of the
    result is the largest error of a probability that is left (of draws their largest standard error). Otherwise it is
    over each person's posterior (Train 2009, ch. 11), at the nodes of the fit's rule of integration where that follows
    posteriors, else at those of the default rule.

    Examples
    --------
    >>> fit.predict(df.assign(cost=1.1 * df["cost"])).shape
    (300, 2)
    """
    _check_errors(errors, cov)
    kernel, params = predicted_choice(fit.problem, "predict", choice), jnp.asarray(fit.estimates)
    seen, alternatives = situations_of(fit, kernel, data, people, given), kernel.outcomes
    values, names = seen.by_row(choice_probabilities(seen.view, params)), list(alternatives)
    if errors:
        # Side by side by position: labels of rows may repeat.
        values = np.hstack([values, _probability_errors(fit, seen, cov)])
        names += [f"{a}.se" for a in alternatives]
    frame = pd.DataFrame(values, index=seen.index, columns=identifiers(names))
    frame.attrs |= {} if seen.error is None else {"error": seen.error}
    if errors:
        frame.attrs["notes"] = fit.covariance(cov).notes
    return frame


@one_thread
def predict_items(
    fit: Estimated,
    data: Given[AnyFrames | None] = None,
    *,
    given: Given[Information] = "nothing",
    errors: Given[bool] = False,
    cov: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
) -> pd.DataFrame:
    """What each person is expected to answer: probabilities of the levels of ordered items, means and
    standard deviations of continuous ones.

    Arguments as of `predict`; `given` the person's own items the prediction of an item is a smoothed one.
    With `"nothing"` the index of an item is normal, so that means are exact and probabilities come from 64
    Gauss-Hermite nodes.

    Returns
    -------
    DataFrame
        One row per person; columns `(item, level)`, and `(item, "mean")`, `(item, "sd")`. With `errors` the standard
        errors by the delta method follow those of each item: `(item, "level.se")`, `(item, "mean.se")`.

    Raises
    ------
    ValueError
        For a model without items, and for data that do not fit the model.

    Examples
    --------
    >>> list(fit.measurement.predict_items(df, given="items"))[:3]
    [('q1', 1), ('q1', 2), ('q1', 3)]
    """
    if not fit.problem.spec.indicators:
        raise ValueError("predict_items: the model has no items.")
    _check_errors(errors, cov)
    params = jnp.asarray(fit.estimates)
    seen = sight(fit.problem, params, data, people, given)
    return _predicted_items(fit, seen, fit.covariance(cov).of_functions if errors else None)


def _check_errors(errors: Given[bool], cov: Given[str | None]) -> None:
    check_switch(errors, "errors")
    if not errors:
        check_idle(cov, "cov=", "errors=True")


@one_thread
def _probability_errors(fit: Estimated, seen: Sight, cov: str | None) -> np.ndarray:
    """Standard errors of the probabilities, by row."""
    moves = directions(fit, seen)
    params = jnp.asarray(fit.estimates)
    slopes = np.asarray(along(choice_probabilities, (seen.view,), params, moves))
    by_row = np.stack([seen.by_row(s) for s in slopes], axis=-1)
    jacobian = by_row.reshape(-1, len(moves)) @ np.asarray(moves)
    return delta_errors(jacobian, fit.covariance(cov).of_functions).reshape(by_row.shape[:-1])


def _predicted_items(fit: Estimated, seen: Sight, covariance: np.ndarray | None) -> pd.DataFrame:
    """One row per person; columns (item, level) or (item, "mean"), (item, "sd"), in the order of the model, each item's
    errors (`.se`) after them where there is a covariance of the estimates."""
    found: Columns = {}
    for stack in fit.problem.table.stacks:
        found |= _of_stack(fit, seen, stack, covariance)
    wanted = [key for item in fit.problem.spec.indicators for key in found if key[0] == item.column]
    columns = pd.MultiIndex.from_tuples(wanted, names=["item", "level"])
    values = np.stack([found[key] for key in wanted], axis=1)
    return pd.DataFrame(values, index=identifiers(seen.panel.people), columns=columns)


def _of_stack(fit: Estimated, seen: Sight, stack: Stack, covariance: np.ndarray | None) -> Columns:
    params, discrete = jnp.asarray(fit.estimates), stack.family.discrete
    place = fit.problem.table.stacks.index(stack)

    def by_item(values: Array | np.ndarray) -> np.ndarray:
        """From (..., person, item, column) to (..., item, person, column)."""
        return np.swapaxes(np.asarray(values), -3, -2)

    values, errors = by_item(item_columns(seen.view, params, place)), None
    if covariance is not None:
        sections = (LATENT, stack.name) if seen.view.prior else None
        directions = moving(seen.view.core, params, sections)
        slopes = by_item(along(item_columns, (seen.view,), params, directions, (place,)))
        errors = [_errors(slopes[:, i], np.asarray(directions), covariance) for i in range(len(stack.items))]
    found: Columns = {}
    for i, name in enumerate(stack.items):
        labels: Sequence[Hashable] = fit.problem.panel.levels[name] if discrete else ("mean", "sd")
        found |= {(name, label): values[i, :, c] for c, label in enumerate(labels)}
        if errors is not None:
            found |= {(name, f"{label}.se"): errors[i][:, c] for c, label in enumerate(labels)}
    return found


def _errors(slopes: np.ndarray, directions: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard errors (person, level) from derivatives along directions (direction, person, level)."""
    jacobian = slopes.reshape(len(directions), -1).T @ directions
    return delta_errors(jacobian, covariance).reshape(slopes.shape[1:])
