"""What the methods after a fit return where one frame does not hold it."""

from dataclasses import dataclass, field
from typing import final

import pandas as pd

from iclv_jax._tables import Report, Section, Tabular, number, of_frame


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
        By person: the posterior mean given items and choices, where tastes vary; None otherwise.
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
