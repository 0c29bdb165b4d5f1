"""What a fit says about change: responses to a column, shares, scenarios."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._new_data import Sight
from iclv_jax._fit._outcomes import Responses, Scenario
from iclv_jax._fit._predictions import Predictions
from iclv_jax._fit._threads import one_thread
from iclv_jax._inference import delta_errors
from iclv_jax._panel._frame import identifiers
from iclv_jax._predict import Given, View, choice_probabilities
from iclv_jax._predict._marginal import Marginal, find_marginal, fixed_marginal
from iclv_jax._predict._responses import Place, averages, changes, jacobian, slopes, values_of
from iclv_jax._predict._surplus import mean_worth, scenario_totals, surplus
from iclv_jax._spec import Kernel
from iclv_jax._spec._names import nearest
from iclv_jax._spec._standardized import column_of

POOLED = (
    "The marginal utility of money is not of one sign over people, or not the same in both states: the change of the "
    "expected log-sum is divided by its average.",
)


class Scenarios(Predictions):
    """The part of a fit that speaks of change."""

    def elasticities(
        self,
        column: str,
        alternative: Hashable | None = None,
        *,
        given: Given = "nothing",
        data: pd.DataFrame | None = None,
        cov: str | None = None,
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

        Returns
        -------
        Responses
            `rows`: NaN where an alternative is not available. `aggregate`: over the sample, weighted by the
            probabilities (sample enumeration; Ben-Akiva and Lerman 1985, eq. 5.29) and person weights.

        Raises
        ------
        ValueError
            For a column that the model does not use, or a nominal one.
        """
        seen, place = self._responding(column, data, given)
        params = jnp.asarray(self.estimates)
        share = seen.by_row(choice_probabilities(seen.view, params))
        slope = seen.by_row(slopes(seen.view, params, place))
        value = seen.by_row(values_of(seen.view, place))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = slope * value / np.where(share > 0.0, share, np.nan)
        value, errors = (a[: share.shape[1]] for a in self._average(seen, place, "slope", cov))
        aggregate = pd.DataFrame({"value": value, "se": errors}, index=self._alternatives)
        found = Responses(
            column, "elasticity", self._by_row(seen, rows), aggregate, None, self.covariance(cov).notes
        )
        return self._shown(found, alternative)

    def marginal_effects(
        self,
        column: str,
        alternative: Hashable | None = None,
        *,
        given: Given = "nothing",
        data: pd.DataFrame | None = None,
        cov: str | None = None,
    ) -> Responses:
        """Derivatives of the choice probabilities with respect to a column, by row and averaged over the sample; for a
        column of zeros and ones also the change from 0 to 1.

        Parameters, errors and what is meant by a column as of `elasticities`.
        """
        seen, place = self._responding(column, data, given)
        params = jnp.asarray(self.estimates)
        rows = self._by_row(seen, seen.by_row(slopes(seen.view, params, place)))
        value, errors = (a[rows.shape[1] :] for a in self._average(seen, place, "slope", cov))
        aggregate = pd.DataFrame({"value": value, "se": errors}, index=self._alternatives)
        discrete = None
        if np.isin(seen.by_row(values_of(seen.view, place)), (0.0, 1.0)).all():
            discrete = self._by_row(seen, seen.by_row(changes(seen.view, params, place)))
            aggregate["change"], aggregate["change.se"] = self._average(seen, place, "change", cov)
        notes = self.covariance(cov).notes
        return self._shown(
            Responses(column, "marginal effect", rows, aggregate, discrete, notes), alternative
        )

    def shares(self, by: str | None = None, *, given: Given = "nothing") -> pd.DataFrame:
        """Predicted against observed shares of the alternatives over the estimation sample, weighted.

        Parameters
        ----------
        by
            A column of the data: shares in each of its groups. None: overall.
        given
            As of `predict`.

        Returns
        -------
        DataFrame
            Index alternative (after the value of `by`); `observed`, `predicted`, `difference`, and `situations`, their
            number in the group.
        """
        predicted = self.predict(given=given)
        seen = self._sight(self._choice("shares"))
        chosen = seen.by_row(seen.view.data.outcome)
        observed = np.eye(len(predicted.columns))[chosen]
        values = self._groups(seen, by)
        tables = {}
        for group in pd.unique(values):
            at = np.flatnonzero(values == group)
            weights = seen.weights[at] / seen.weights[at].sum()
            table = pd.DataFrame(
                {"observed": weights @ observed[at], "predicted": weights @ predicted.to_numpy()[at]},
                index=self._alternatives,
            )
            table["difference"] = table["predicted"] - table["observed"]
            tables[group] = table.assign(situations=len(at))
        if by is None:
            return tables["all"]
        return pd.concat(dict(sorted(tables.items(), key=lambda kv: _rank(kv[0]))), names=[by, "alternative"])

    def hit_rate(self, *, given: Given = "nothing") -> float:
        """The (weighted) share of situations in which the alternative with the highest probability was chosen.

        It rewards certainty, not good probabilities: a model that reproduces every share can have a low one (Train
        2009, section 3.8). The average probability of the choice, in `choice_fit`, is the better summary.
        """
        return float(self.choice_fit(given=given)["hit rate"])

    def choice_fit(self, *, given: Given = "nothing") -> pd.Series:
        """How well the choices are predicted.

        `hit rate`; `probability of choice`, the average probability of what was chosen, over situations; log-likelihoods of
        the choice part and of simpler models; `rho squared` against equal shares and against constants only, which
        can be compared between models of the same choices on the same data alone, and between a hybrid model and a choice
        model only because the choice part is the marginal one (items integrated out): the hybrid model does not maximise it,
        so that a plain logit with the same variables reaches at least as high a value.
        """
        predicted = self.predict(given=given).to_numpy()
        seen = self._sight(self._choice("choice_fit"))
        chosen, weights = seen.by_row(seen.view.data.outcome), seen.weights
        of_chosen = predicted[np.arange(len(chosen)), chosen]
        parts = self.components
        return pd.Series(
            {
                "hit rate": np.average(predicted.argmax(axis=1) == chosen, weights=weights),
                "probability of choice": np.average(of_chosen, weights=weights),
                "log-likelihood of choices": parts.choices,
                "equal shares": parts.equal_shares,
                "constants only": parts.constants,
                "rho squared (equal shares)": 1.0 - parts.choices / parts.equal_shares,
                "rho squared (constants)": 1.0 - parts.choices / parts.constants,
            }
        )

    @one_thread
    def scenario(
        self,
        first: pd.DataFrame,
        second: pd.DataFrame,
        cost: str | None = None,
        *,
        given: Given = "nothing",
        cov: str | None = None,
        people: pd.DataFrame | None = None,
    ) -> Scenario:
        """Shares and consumer surplus in two states of the world.

        Parameters
        ----------
        first, second
            The same situations before and after: frames of equal rows (index and people), in the form of the
            estimation sample.
        cost
            The coefficient of cost, or a column of cost: the change of the surplus is the expected log-sum over the
            marginal utility of money (minus that of cost) in the second state less that in the first (Small and Rosen
            1981), for the same latent variables and random coefficients. Where the marginal utility of money may be
            negative for some (it depends on a latent variable, say, or is normal over people) that ratio has no
            expectation: the change of the expected log-sum is then divided by the average marginal utility of money in the
            first state, and `notes` says so. None: shares only.
        given, cov, people
            As of `predict`. What is known of people is read from each frame.

        Raises
        ------
        ValueError
            For frames of different rows; for a kernel without a log-sum; where the marginal utility of money is not
            positive, on average or for everyone alike.
        """
        choice = self._choice("scenario")
        for frame in (first, second):
            if not isinstance(frame, pd.DataFrame):
                raise ValueError(f"scenario compares two DataFrames, not {type(frame).__name__}.")
        if not first.index.equals(second.index):
            raise ValueError("The frames of a scenario have different rows. Give the same situations twice.")
        if cost is not None:
            self._check_log_sum(choice)
        a, b = (self._sight(choice, frame, people, given) for frame in (first, second))
        if a.panel.people != b.panel.people or not np.array_equal(a.rows, b.rows):
            raise ValueError(
                "The frames of a scenario have different people. Give the same situations twice."
            )
        views = a.view, b.view
        money = None if cost is None else find_marginal(self.problem, choice, cost, None, "cost=", views)
        return self._compared(a, b, money, cov, len(choice.utility.alternatives))

    def _compared(self, a: Sight, b: Sight, cost: Marginal | None, cov: str | None, size: int) -> Scenario:
        params = jnp.asarray(self.estimates)
        pooled = cost is not None and not self._worth_everywhere(cost, (a.view, b.view))
        values = np.asarray(scenario_totals(a.view, b.view, params, cost, pooled))
        slopes = jacobian(scenario_totals, (a.view, b.view), params, self._directions(a), cost, pooled)
        errors = delta_errors(slopes, self.covariance(cov).of_functions)
        table = {}
        for i, name in enumerate(("first", "second", "difference")):
            table[name] = values[i * size : (i + 1) * size]
            table[f"{name}.se"] = errors[i * size : (i + 1) * size]
        shares = pd.DataFrame(table, index=self._alternatives)
        if cost is None:
            return Scenario(shares, None, float("nan"), float("nan"), self.covariance(cov).notes)
        worth = float(mean_worth(a.view, params, cost)) if pooled else 1.0
        if worth <= 0.0:
            raise ValueError(
                "cost=: the marginal utility of cost is positive on average, so money has no worth."
            )
        before, after = (s.by_row(surplus(s.view, params, cost, pooled)) / worth for s in (a, b))
        each = pd.Series(after - before, index=a.index, name="surplus")
        # A change in cost alone, alike for everybody, is worth itself whatever the parameters are.
        error = float(errors[-1]) if slopes[-1].any() else 0.0
        notes = (*(POOLED if pooled else ()), *self.covariance(cov).notes)
        return Scenario(shares, each, float(values[-1]), error, notes)

    def _check_log_sum(self, choice: Kernel) -> None:
        if choice.log_sum is None:
            raise ValueError(
                f"{type(choice).__name__} has no log-sum, so there is no consumer surplus. Leave cost= out for the "
                "shares alone."
            )

    def _worth_everywhere(self, cost: Marginal, views: tuple[View, View]) -> bool:
        """Whether the marginal utility of cost is negative for everyone: a coefficient that is fixed or cannot be positive,
        or a function of columns that is negative in every situation, and the same in both states.

        Raises ValueError for a fixed one that is not negative."""
        if not cost.plain:
            return not (cost.latent or cost.random) and self._negative(cost, views)
        utility = views[0].block.utility
        name = utility.parameters[cost.coefficient]
        mean, mixing = self.all_params[name], dict(self.problem.spec.random).get(name)
        if mixing is None:
            if cost.sign * mean >= 0.0:
                raise ValueError(
                    f"cost=: the marginal utility of {name!r} is not negative, so money has no worth."
                )
            return True
        reach = 8.0 * abs(self.all_params[f"{name}.sd"])
        ends = [float(mixing.transform(jnp.asarray(mean + s))) for s in (-reach, reach)]
        return all(cost.sign * v < 0.0 for v in ends)

    def _negative(self, cost: Marginal, views: tuple[View, View]) -> bool:
        params, occurs = jnp.asarray(self.estimates), np.asarray(views[0].data.occurs)
        before, after = (np.asarray(fixed_marginal(v, params, cost))[occurs] for v in views)
        return bool((before < 0.0).all()) and np.array_equal(before, after)

    # --- what they share ------------------------------------------------------------------------------------------

    @property
    def _alternatives(self) -> pd.Index:
        return identifiers(self._choice("This").utility.alternatives).rename("alternative")

    def _by_row(self, seen: Sight, values: Any) -> pd.DataFrame:
        return pd.DataFrame(np.asarray(values), index=seen.index, columns=self._alternatives.rename(None))

    def _responding(self, column: str, data: Any, given: Given) -> tuple[Sight, Place]:
        choice = self._choice("elasticities")
        return self._sight(choice, data, None, given), self._place(choice, column)

    def _place(self, choice: Kernel, column: str) -> Place:
        spec, columns = self.problem.spec, choice.utility.columns
        nominal = {p.column for p in spec.nominal}
        names = self.problem.panel.covariates
        numeric = [column_of(p) for p in spec.covariates if column_of(p) not in nominal]
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
        self, seen: Sight, place: Place, kind: str, cov: str | None
    ) -> tuple[np.ndarray, np.ndarray]:
        params = jnp.asarray(self.estimates)
        value = averages(seen.view, params, place, kind)
        found = jacobian(averages, (seen.view,), params, self._directions(seen), place, kind)
        return np.asarray(value), delta_errors(found, self.covariance(cov).of_functions)

    def _shown(self, found: Responses, alternative: Hashable | None) -> Responses:
        if alternative is None:
            return found
        if alternative not in found.rows.columns:
            raise ValueError(
                f"alternative={alternative!r} is none of the model. {nearest(alternative, found.rows.columns)}"
            )
        only = [alternative]
        discrete = None if found.changes is None else found.changes[only]
        return replace(found, rows=found.rows[only], aggregate=found.aggregate.loc[only], changes=discrete)

    def _groups(self, seen: Sight, by: str | None) -> np.ndarray:
        if by is None:
            return np.full(len(seen.positions), "all")
        values = seen.frame.rows_of(by, "by=").to_numpy()[seen.positions]
        if pd.isna(values).any():
            raise ValueError(f"by=: column {by!r} is missing (NaN) in some rows. Fill it in.")
        return values


def _rank(value: Any) -> tuple[str, Any]:
    """Numbers in their order, text in its own, both in one table."""
    return (type(value).__name__, value) if isinstance(value, str) else ("", value)
