"""Willingness to pay: ratios of marginal utilities."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed, check_share
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._inference._functions import at_draws, normal_draws
from iclv_jax._integration import Adaptive
from iclv_jax._integration._conditioned import Conditioned
from iclv_jax._integration._rule import check_count
from iclv_jax._panel._frame import identifiers
from iclv_jax._predict._marginal import Marginal, coefficients_of, trade_marginals
from iclv_jax._predict._new_data import Sight, choice_of, directions, sight, situations_of
from iclv_jax._predict._over_people import near_zero, over_people
from iclv_jax._predict._ratio import fieller, weighted_quantiles
from iclv_jax._predict._responses import jacobian
from iclv_jax._predict._trade_offs import (
    Attributes,
    Costs,
    counted_people,
    drawn_anew,
    mean_trade_off,
    median_trade_offs,
    trade_offs,
)
from iclv_jax._spec import Kernel
from iclv_jax._tables import Report, Section, Tabular, number, of_frame

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
POOL = 200_000
"""About how many draws, over all people, a distribution of willingness to pay is taken from."""
MANY = Adaptive(2048, "sobol", proposal="mean")
"""Draws of each person's posterior, of which a median is taken: a grid has too few points for quantiles."""


@final
@dataclass(frozen=True, eq=False)
class TradeOff(Tabular):
    """Willingness to pay: minus the ratio of the marginal utilities of an attribute and of cost.

    Attributes
    ----------
    name, cost
        What is paid for, and in whose units.
    estimate, se
        The ratio, or its mean over people where it varies, and the delta-method standard error.
    intervals
        Rows `delta`, `fieller` and `krinsky-robb` with `lower`, `upper` and `words`; only `delta` where it varies.
    distribution
        Mean, median and quantiles over people, where tastes vary; None otherwise.
    people
        By person: the posterior mean given items and choices, where tastes vary, over the person's situations where
        something is drawn anew in each; None otherwise. Where the marginal utility of cost is not of one sign or comes too
        close to zero, so that there is no mean, the posterior median, as the name of the series says.
    notes
        What a reader must know.
    """

    name: str
    cost: str
    estimate: float
    se: float
    intervals: pd.DataFrame
    distribution: pd.Series | None = None
    people: pd.Series | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"willingness to pay for {self.name} in units of {self.cost}: {self.estimate:.6g} (se {self.se:.3g})"
        parts = [head, self.intervals.to_string()]
        if self.distribution is not None:
            parts.append("over people\n" + self.distribution.to_string())
        return "\n".join([*parts, *(f"* {note}" for note in self.notes)])

    __repr__ = __str__

    def as_report(self) -> Report:
        title = f"Willingness to pay for {self.name} in units of {self.cost}"
        facts = (("Estimate", number(self.estimate)), ("Standard error", number(self.se)))
        rows = of_frame(self.intervals, title).sections[0].rows
        sections = [Section("Intervals", tuple((name, "", *rest) for name, *rest in rows))]
        if self.distribution is not None:
            values = tuple((str(k), number(float(v)), "", "", "") for k, v in self.distribution.items())
            sections.append(Section("Over people", values))
        columns = ("", "value", "lower", "upper", "kind")
        return Report(title, facts, columns, tuple(sections), self.notes, words=(0, 4))


@one_thread
def willingness_to_pay(
    fit: Estimated,
    name: Given[str],
    cost: Given[str],
    *,
    alternative: Given[Hashable | None] = None,
    level: Given[float] = 0.95,
    draws: Given[int] = 10_000,
    seed: Given[int] = 0,
    cov: Given[str | None] = None,
    choice: Given[str | None] = None,
) -> TradeOff:
    """Minus the ratio of two marginal utilities: what one more unit of `name` is worth in units of `cost`.

    It is positive for what is liked when cost is disliked. The value of time saved, the price of one unit less, is
    its negative.

    Parameters
    ----------
    name, cost
        Coefficients or columns of the utility function. A coefficient stands for the column that it multiplies,
        whose marginal utility is the derivative of the utility; that may depend on latent variables, random
        coefficients and other columns. A coefficient that multiplies no column (a constant, the weight of a latent
        variable) stands for itself.
    alternative
        Where the marginal utility differs between alternatives: of which one; of a latent class, `(class, alternative)`.
        None: what a column is worth over latent classes that differ, each by its probability and nothing where a class
        does not use it.
    level
        Coverage of the intervals.
    draws, seed
        Of the Krinsky-Robb interval.
    cov
        The kind of covariance behind the errors.
    choice
        The name of the choice, where the model has several.

    Returns
    -------
    TradeOff
        With two plain coefficients: the ratio, its delta-method error and three intervals. The one of Fieller (1954)
        is the set of ratios that a test does not reject, and unbounded when the cost coefficient is not
        significantly different from zero; that of Krinsky and Robb (1986) holds the percentiles over draws of the
        estimates. Otherwise the distribution over people: mean (with delta-method error), median and quantiles
        before answers, each person once by weight and each of a person's situations alike, and posterior means by
        person. A ratio without a mean has medians and quantiles alone, over people and by person.

    Raises
    ------
    ValueError
        For unknown names, and where the marginal utility differs between alternatives and none was chosen.

    Examples
    --------
    >>> found = logit_fit.choices.willingness_to_pay("time", cost="cost")
    >>> list(found.intervals)
    ['lower', 'upper', 'words']
    """
    check_seed(seed)
    kernel = choice_of(fit.problem, "willingness_to_pay", choice)
    if kernel.unvalued:
        raise ValueError(f"willingness_to_pay: {kernel.unvalued}.")
    check_share(level)
    check_count(draws, "draws")
    attributes, costs = trade_marginals(fit.problem, kernel, name, cost, alternative)
    attribute, money = attributes[0], costs[0]
    # Where coefficients differ by group there is a ratio in each, and so a distribution over people.
    apart = any(r.parameter.group and r.parameter.block == "choice" for r in fit.problem.table.rows)
    fixed = attribute is not None and all(m.plain and not m.random for m in (attribute, money))
    if attribute is not None and fixed and len(costs) == 1 and not apart:
        return _plain_trade_off(fit, kernel, name, cost, attribute, money, level, draws, seed, cov)
    return _varying_trade_off(fit, kernel, name, cost, attributes, costs, level, cov)


def _plain_trade_off(
    fit: Estimated,
    choice: Kernel,
    name: str,
    cost: str,
    attribute: Marginal,
    money: Marginal,
    level: float,
    draws: int,
    seed: int,
    cov: str | None,
) -> TradeOff:
    params, core = jnp.asarray(fit.estimates), fit.problem.core
    both = partial(coefficients_of, core.structure.of_group(0), choice.name, core.constants, attribute, money)
    values, slopes = np.asarray(both(params)), np.asarray(jax.jit(jax.jacfwd(both))(params))
    matrix = fit.covariance(cov).of_functions
    ratio = -values[0] / values[1]
    slope = -(slopes[0] + ratio * slopes[1]) / values[1]
    error = float(delta_errors(slope[None], matrix)[0])
    reach = reach_of(level) * error
    exact = fieller(float(values[0]), float(values[1]), _of_two(slopes, matrix), level)
    drawn = at_draws(both, normal_draws(fit.estimates, matrix, draws, seed))
    drawn = -drawn[:, 0] / drawn[:, 1]
    tails = np.quantile(drawn, [0.5 - level / 2.0, 0.5 + level / 2.0])
    intervals = pd.DataFrame(
        {
            "lower": [ratio - reach, exact.lower, tails[0]],
            "upper": [ratio + reach, exact.upper, tails[1]],
            "words": ["symmetric", exact.words, f"percentiles of {draws} draws, seed {seed}"],
        },
        index=["delta", "fieller", "krinsky-robb"],
    )
    notes = fit.covariance(cov).notes
    return TradeOff(name, cost, float(ratio), error, intervals, notes=notes)


def _varying_trade_off(
    fit: Estimated,
    choice: Kernel,
    name: str,
    cost: str,
    attributes: Attributes,
    costs: Costs,
    level: float,
    cov: str | None,
) -> TradeOff:
    params = jnp.asarray(fit.estimates)
    each = int(np.clip(POOL // len(fit.problem.panel.people), 16, 4096))
    pool = sight(fit.problem, params, None, None, "nothing", choice.name, each)
    drawn = trade_offs(pool.view, params, attributes, costs, drawn_anew(pool.view, each))
    quantiles, crosses = _pooled(pool, *map(np.asarray, drawn))
    seen = situations_of(fit, choice)
    mean = float(mean_trade_off(seen.view, params, attributes, costs)[0])
    slopes = jacobian(mean_trade_off, (seen.view,), params, directions(fit, seen), attributes, costs)
    error = float(delta_errors(slopes, fit.covariance(cov).of_functions)[0])
    notes = list(fit.covariance(cov).notes)
    close = not crosses and any(_comes_close(fit, choice, money) for money in costs)
    if crosses or close:
        mean = error = float("nan")
        why = "comes too close to zero for some" if close else "is not of one sign over people"
        notes.append(
            f"The marginal utility of {cost} {why}: the ratio has no mean. Read its median, over people or by person, or "
            "give cost a LogNormal(sign=-1)."
        )
    reach = reach_of(level) * error
    intervals = pd.DataFrame(
        {"lower": [mean - reach], "upper": [mean + reach], "words": ["of the mean, symmetric"]},
        index=["delta"],
    )
    distribution = pd.Series(
        {"mean": mean, **{f"{100 * q:g} %": v for q, v in zip(QUANTILES, quantiles, strict=True)}}
    )
    each = (_medians if crosses or close else _means)(fit, choice, attributes, costs)
    return TradeOff(name, cost, mean, error, intervals, distribution, each, tuple(notes))


def _comes_close(fit: Estimated, choice: Kernel, money: Marginal) -> bool:
    """Whether the worth of money is a random coefficient so close to zero that one over it has no mean."""
    name = choice.utility.parameters[money.coefficient] if money.plain and money.random else ""
    mixing = dict(fit.problem.spec.random).get(name)
    return mixing is not None and near_zero(over_people(fit, name, mixing))


def _means(fit: Estimated, choice: Kernel, attributes: Attributes, costs: Costs) -> pd.Series:
    """Posterior means given items and choices, over a person's situations."""
    view = situations_of(fit, choice, given="answers").view
    ratio, _, weights = map(np.asarray, trade_offs(view, jnp.asarray(fit.estimates), attributes, costs))
    occurs = np.asarray(view.data.occurs)
    occurs = occurs if ratio.shape[1] == occurs.shape[1] else np.ones(ratio.shape[:2], bool)
    each = (ratio * weights).sum(axis=2)
    with np.errstate(invalid="ignore"):
        values = (each * occurs).sum(axis=1) / occurs.sum(axis=1)
    return pd.Series(values, index=identifiers(fit.problem.panel.people), name="posterior mean")


def _medians(fit: Estimated, choice: Kernel, attributes: Attributes, costs: Costs) -> pd.Series:
    """Posterior medians given items and choices, over a person's situations and at many draws."""
    problem, rule, params = fit.problem, MANY, jnp.asarray(fit.estimates)
    if problem.core.structure.dimension:
        problem = problem.integrate(Conditioned(rule) if problem.rule.conditions else rule)
    view = sight(problem, params, None, None, "answers", choice.name).view
    values = median_trade_offs(view, params, attributes, costs, drawn_anew(view, rule.draws))
    return pd.Series(np.asarray(values), index=identifiers(problem.panel.people), name="posterior median")


def _of_two(slopes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Covariance of two functions of the estimates; NaN where one needs a variance that is missing."""
    known = ~np.isnan(np.diag(matrix))
    if (slopes[:, ~known] != 0.0).any():
        return np.full((2, 2), np.nan)
    return slopes[:, known] @ matrix[np.ix_(known, known)] @ slopes[:, known].T


def _pooled(
    seen: Sight, ratio: np.ndarray, per_cost: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Quantiles over people, situations and draws, and whether the marginal utility of cost changes its sign."""
    occurs = np.asarray(seen.view.data.occurs)[:, : ratio.shape[1]]
    counted = np.asarray(counted_people(seen.view)) / np.maximum(occurs.sum(axis=1), 1)
    mass = counted[:, None, None] * occurs[:, :, None] * weights
    kept = mass > 0.0
    crosses = bool((per_cost[kept] > 0.0).any() and (per_cost[kept] < 0.0).any())
    return weighted_quantiles(ratio[kept], mass[kept], QUANTILES), crosses
