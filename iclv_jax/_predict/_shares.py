"""How well choices are predicted: shares, hits, log-likelihoods."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._predict._new_data import Sight, alternatives_of, shared_choice, situations_of
from iclv_jax._predict._predictions import predict
from iclv_jax._predict._view import Information


def shares(
    fit: Estimated,
    by: Given[str | None] = None,
    *,
    given: Given[Information] = "nothing",
    choice: Given[str | None] = None,
) -> pd.DataFrame:
    """Predicted against observed shares of the alternatives over the estimation sample, weighted.

    Parameters
    ----------
    by
        A column of the data: shares in each of its groups. None: overall.
    given, choice
        As of `predict`.

    Returns
    -------
    DataFrame
        Index alternative (after the value of `by`); `observed`, `predicted`, `difference`, and `situations`, their
        number in the group.

    Examples
    --------
    >>> list(logit_fit.choices.shares())
    ['observed', 'predicted', 'difference', 'situations']
    """
    kernel = shared_choice(fit.problem, "shares", choice)
    predicted = predict(fit, given=given, choice=choice)
    seen = situations_of(fit, kernel)
    chosen = seen.by_row(seen.view.data.chosen)
    observed = np.eye(len(predicted.columns))[chosen]
    values = _groups(seen, by)
    tables = {}
    for group in pd.unique(values):
        at = np.flatnonzero(values == group)
        weights = seen.weights[at] / seen.weights[at].sum()
        table = pd.DataFrame(
            {"observed": weights @ observed[at], "predicted": weights @ predicted.to_numpy()[at]},
            index=alternatives_of(kernel),
        )
        table["difference"] = table["predicted"] - table["observed"]
        tables[group] = table.assign(situations=len(at))
    if by is None:
        return tables["all"]
    return pd.concat(dict(sorted(tables.items(), key=lambda kv: _rank(kv[0]))), names=[by, "alternative"])


def hit_rate(
    fit: Estimated, *, given: Given[Information] = "nothing", choice: Given[str | None] = None
) -> float:
    """The (weighted) share of situations in which the alternative with the highest probability was chosen.

    It rewards certainty, not good probabilities: a model that reproduces every share can have a low one (Train
    2009, section 3.8). The average probability of the choice, in `choice_fit`, is the better summary.

    Examples
    --------
    >>> 0.5 < logit_fit.choices.hit_rate() < 1.0
    True
    """
    return float(choice_fit(fit, given=given, choice=choice)["hit rate"])


def choice_fit(
    fit: Estimated, *, given: Given[Information] = "nothing", choice: Given[str | None] = None
) -> pd.Series:
    """How well the choices are predicted.

    `hit rate`; `probability of choice`, the average probability of what was chosen, over situations; log-likelihoods of
    the choice part and of simpler models; `rho squared` against equal shares and against constants only, which
    can be compared between models of the same choices on the same data alone, and between a hybrid model and a choice
    model only because the choice part is the marginal one (items integrated out): the hybrid model does not maximise it,
    so that a plain logit with the same variables reaches at least as high a value.

    Examples
    --------
    >>> list(logit_fit.choices.choice_fit().index)[:3]
    ['hit rate', 'probability of choice', 'log-likelihood of choices']
    """
    kernel = shared_choice(fit.problem, "choice_fit", choice)
    predicted = predict(fit, given=given, choice=choice).to_numpy()
    seen = situations_of(fit, kernel)
    chosen, weights = seen.by_row(seen.view.data.chosen), seen.weights
    of_chosen = predicted[np.arange(len(chosen)), chosen]
    part = fit.components.by_choice[kernel.name]
    return pd.Series(
        {
            "hit rate": np.average(predicted.argmax(axis=1) == chosen, weights=weights),
            "probability of choice": np.average(of_chosen, weights=weights),
            "log-likelihood of choices": part.loglike,
            "equal shares": part.equal_shares,
            "constants only": part.constants,
            "rho squared (equal shares)": 1.0 - part.loglike / part.equal_shares,
            "rho squared (constants)": 1.0 - part.loglike / part.constants,
        }
    )


def _groups(seen: Sight, by: Given[str | None]) -> np.ndarray:
    if by is None:
        return np.full(len(seen.positions), "all")
    values = seen.frame.rows_of(by, "by=").to_numpy()[seen.positions]
    if pd.isna(values).any():
        raise ValueError(f"by=: column {by!r} is missing (NaN) in some rows. Fill it in.")
    return values


def _rank(value: Hashable) -> tuple[str, Hashable]:
    """Numbers in their order, text in its own, both in one table."""
    return (type(value).__name__, value) if isinstance(value, str) else ("", value)
