"""Two states of the world compared: shares and consumer surplus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_name
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import AnyFrame, AnyFrames, Given
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel._door import as_pandas_frames
from iclv_jax._predict._marginal import Marginal, fixed_marginal, marginals
from iclv_jax._predict._new_data import Sight, alternatives_of, directions, predicted_choice, situations_of
from iclv_jax._predict._over_people import by_group, near_zero, over_people
from iclv_jax._predict._responses import jacobian
from iclv_jax._predict._surplus import compensated_totals, compensations, mean_worth, scenario_totals, surplus
from iclv_jax._predict._view import Information, View
from iclv_jax._spec import Kernel
from iclv_jax._tables import Report, Section, Tabular, number, of_frame

POOLED = (
    "The marginal utility of money is not of one sign over people, comes too close to zero, or is not the same in both "
    "states: the change of the expected log-sum is divided by its average.",
)


@final
@dataclass(frozen=True, eq=False)
class Scenario(Tabular):
    """Two states of the world compared.

    Attributes
    ----------
    shares
        By alternative: `first`, `second`, `difference`, each with its delta-method standard error (`.se`).
    surplus
        Change of the expected consumer surplus in every situation, in units of cost; a Series labelled as the rows.
        None where no cost was named.
    mean_surplus, mean_surplus_se
        Its weighted mean and the delta-method standard error; NaN where no cost was named.
    notes
        What a reader must know.
    """

    shares: pd.DataFrame
    surplus: pd.Series | None = field(repr=False)
    mean_surplus: float
    mean_surplus_se: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.shares.to_string()]
        if self.surplus is not None:
            lines.append(
                f"mean change of consumer surplus: {self.mean_surplus:.6g} (se {self.mean_surplus_se:.3g})"
            )
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    __repr__ = __str__

    def as_report(self) -> Report:
        shares = of_frame(self.shares, "Scenario", self.notes)
        if self.surplus is None:
            return shares
        mean, error = number(self.mean_surplus), number(self.mean_surplus_se)
        row = ("mean change", *[""] * (len(shares.columns) - 3), mean, error)
        both = (Section("Shares", shares.sections[0].rows), Section("Consumer surplus", (row,)))
        return Report(shares.title, (), shares.columns, both, self.notes)


@one_thread
def scenario(
    fit: Estimated,
    first: Given[AnyFrames],
    second: Given[AnyFrames],
    cost: Given[str | None] = None,
    *,
    given: Given[Information] = "nothing",
    cov: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
    choice: Given[str | None] = None,
) -> Scenario:
    """Shares and consumer surplus in two states of the world.

    Parameters
    ----------
    first, second
        The same situations before and after: frames of equal rows (index and people), in the form of the
        estimation sample, or mappings of such frames.
    cost
        The coefficient of cost, or a column of cost: the change of the surplus is the expected log-sum over the
        marginal utility of money (minus that of cost) in the second state less that in the first (Small and Rosen
        1981), for the same latent variables and random coefficients; with latent classes those of each class,
        weighted by the probabilities of the classes. Where the marginal utility of money may be negative for some (it
        depends on a latent variable, say, or is normal over people), or comes close to zero for many (a
        `TruncatedNormal(upper=0)`), that ratio has no expectation: the change of the expected log-sum is then divided
        by the average marginal utility of money in the first state, and `notes` says so. None: shares only. Of `MDCEV` the
        column of the budget: what could be taken from the budget in the second state and leave everybody as well off as in
        the first, expected over errors (Lloyd-Smith 2018), and over latent classes; a good of which nothing is bought gives
        no utility.
    given, cov, people, choice
        As of `predict`. What is known of people is read from the first frame, in whose state they answered and chose: in the
        second state the same people choose anew.

    Raises
    ------
    ValueError
        For frames of different rows; for a kernel without a log-sum; where the marginal utility of money is not
        positive, on average or for everyone alike.

    Examples
    --------
    >>> changed = logit_fit.choices.scenario(df, df.assign(cost=1.1 * df["cost"]), cost="cost")
    >>> str(changed).splitlines()[0]
    '             first  first.se    second  second.se  difference  difference.se'
    """
    kernel = predicted_choice(fit.problem, "scenario", choice)
    first, second = (as_pandas_frames(d, f"scenario: {n}") for d, n in ((first, "first"), (second, "second")))
    _check_rows(first, second)
    if cost is not None:
        _check_worth(kernel, cost)
    a = situations_of(fit, kernel, first, people, given)
    b = situations_of(fit, kernel, second, people, given, answered=first)
    if a.panel.people != b.panel.people or not np.array_equal(a.rows, b.rows):
        raise ValueError("The frames of a scenario have different people. Give the same situations twice.")
    if cost is not None and _pays(kernel):
        return _compensated(fit, a, b, cov)
    views = a.view, b.view
    money = None if cost is None else marginals(fit.problem, kernel, cost, "cost=", views)
    return _compared(fit, a, b, money, cov)


def _check_rows(first: Any, second: Any) -> None:
    """Refuse what are no frames, and frames, or mappings of frames, of other rows."""
    for name, state in (("first", first), ("second", second)):
        if state is None:
            raise ValueError(
                f"scenario: {name} is a data frame of situations, or a mapping of such frames, not None."
            )
    states = [d if isinstance(d, Mapping) else {None: d} for d in (first, second)]
    if list(states[0]) != list(states[1]):
        raise ValueError("The states of a scenario have different frames. Give the same ones twice.")
    for name, frame in states[0].items():
        if not frame.index.equals(states[1][name].index):
            where = "The frames of a scenario" if name is None else f"The frames {name!r} of a scenario"
            raise ValueError(f"{where} have different rows. Give the same situations twice.")


def _compared(
    fit: Estimated, a: Sight, b: Sight, cost: tuple[Marginal, ...] | None, cov: str | None
) -> Scenario:
    params, alternatives = jnp.asarray(fit.estimates), alternatives_of(a.view.block.kernel)
    size = len(alternatives)
    # All of them: each says what is wrong with the worth of money in its class.
    everywhere = [_worth_everywhere(fit, one, (a.view, b.view)) for one in cost or ()]
    pooled = not all(everywhere)
    values = np.asarray(scenario_totals(a.view, b.view, params, cost, pooled))
    slopes = jacobian(scenario_totals, (a.view, b.view), params, directions(fit, a), cost, pooled)
    errors = delta_errors(slopes, fit.covariance(cov).of_functions)
    shares = _table(values, errors, alternatives, size)
    if cost is None:
        return Scenario(shares, None, float("nan"), float("nan"), fit.covariance(cov).notes)
    worth = float(mean_worth(a.view, params, cost)) if pooled else 1.0
    if worth <= 0.0:
        raise ValueError("cost=: the marginal utility of cost is positive on average, so money has no worth.")
    before, after = (s.by_row(surplus(s.view, params, cost, pooled)) / worth for s in (a, b))
    each = pd.Series(after - before, index=a.index, name="surplus")
    # A change in cost alone, alike for everybody, is worth itself whatever the parameters are.
    error = float(errors[-1]) if slopes[-1].any() else 0.0
    notes = (*(POOLED if pooled else ()), *fit.covariance(cov).notes)
    return Scenario(shares, each, float(values[-1]), error, notes)


def _compensated(fit: Estimated, a: Sight, b: Sight, cov: str | None) -> Scenario:
    """Where a budget is shared out: compensating variations."""
    params, size = jnp.asarray(fit.estimates), len(alternatives_of(a.view.block.kernel))
    _check_same_people(a, b)
    values = np.asarray(compensated_totals(a.view, b.view, params))
    slopes = jacobian(compensated_totals, (a.view, b.view), params, directions(fit, a))
    errors = delta_errors(slopes, fit.covariance(cov).of_functions)
    each = a.by_row(compensations(a.view, b.view, params))
    series = pd.Series(each, index=a.index, name="surplus")
    shares = _table(values, errors, alternatives_of(a.view.block.kernel), size)
    return Scenario(shares, series, float(values[-1]), float(errors[-1]), fit.covariance(cov).notes)


def _check_same_people(a: Sight, b: Sight) -> None:
    """Refuse states of the world in which people have other latent variables or belong to other classes."""
    kernel = a.view.block.kernel
    members = [kernel.utility.columns.index(n) for n in kernel.personal]
    known = [np.asarray(state.panel.person.covariates) for state in (a, b)]
    belongs = [np.asarray(state.view.columns)[..., members] for state in (a, b)]
    for what, names, (first, second) in (
        ("covariates of latent variables", a.panel.covariates, known),
        ("columns by which people belong to latent classes", kernel.personal, belongs),
    ):
        changed = (first != second).any(axis=tuple(range(first.ndim - 1)))
        if changed.any():
            which = ", ".join(repr(names[i]) for i in np.flatnonzero(changed))
            raise ValueError(
                f"cost=: {what} differ between the states ({which}). What money makes up for a change is asked of the same "
                "people with the same tastes. Keep them as they are, or leave cost= out."
            )


def _table(values: np.ndarray, errors: np.ndarray, alternatives: pd.Index, size: int) -> pd.DataFrame:
    """Shares in both states and their difference, with errors."""
    table = {}
    for i, name in enumerate(("first", "second", "difference")):
        table[name] = values[i * size : (i + 1) * size]
        table[f"{name}.se"] = errors[i * size : (i + 1) * size]
    return pd.DataFrame(table, index=alternatives)


def _check_worth(choice: Kernel, cost: Given[str]) -> None:
    check_name(cost, "cost=")
    kernels = _kernels(choice)
    if _pays(choice):
        wrong = next((k.purse for k in kernels if k.purse != cost), cost)
        if wrong != cost:
            raise ValueError(
                f"cost= names {cost!r}. What a change is worth is taken from the budget: name its column, {wrong!r}."
            )
        return
    without = [k for k in kernels if k.log_sum is None]
    if without:
        what = type(without[0]).__name__
        if not choice.discrete:
            raise ValueError(
                f"{what} has no log-sum: what a change is worth is the money that makes up for it, which depends on what is "
                "bought and is not computed here. Leave cost= out; expected quantities in both states are in .shares."
            )
        raise ValueError(
            f"{what} has no log-sum, so there is no consumer surplus. Leave cost= out for the shares alone."
        )


def _kernels(choice: Kernel) -> list[Kernel]:
    """Those of the latent classes, or the choice itself."""
    return [kernel for _, kernel in choice.classes] or [choice]


def _pays(choice: Kernel) -> bool:
    """Whether a change is worth what makes up for it in a budget."""
    return all(kernel.compensation is not None for kernel in _kernels(choice))


def _worth_everywhere(fit: Estimated, cost: Marginal, views: tuple[View, View]) -> bool:
    """Whether the marginal utility of cost is negative for everyone: a coefficient that is fixed or cannot be positive,
    or a function of columns that is negative in every situation, and the same in both states.

    Raises ValueError for a fixed one that is not negative."""
    if not cost.plain:
        return not (cost.latent or cost.random) and _negative(fit, cost, views)
    name = views[0].block.utility.parameters[cost.coefficient]
    mixing = dict(fit.problem.spec.random).get(name)
    if mixing is None:
        if any(cost.sign * mean >= 0.0 for mean in by_group(fit, [name])[:, 0]):
            raise ValueError(
                f"cost=: the marginal utility of {name!r} is not negative, so money has no worth."
            )
        return True
    values = over_people(fit, name, mixing)
    return bool((cost.sign * values < 0.0).all()) and not near_zero(values)


def _negative(fit: Estimated, cost: Marginal, views: tuple[View, View]) -> bool:
    params, occurs = jnp.asarray(fit.estimates), np.asarray(views[0].data.occurs)
    before, after = (np.asarray(fixed_marginal(v, params, cost))[occurs] for v in views)
    return bool((before < 0.0).all()) and np.array_equal(before, after)
