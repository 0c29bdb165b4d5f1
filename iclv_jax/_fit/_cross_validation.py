"""Cross-validation as users see it."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
import pandas as pd

from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._penalised import smooth_penalties
from iclv_jax._inference._folds import Parts, cross_validate, draw_folds, parts
from iclv_jax._panel._frame import identifiers
from iclv_jax._problem._components import equal_shares
from iclv_jax._tables import Report, Section, Tabular, fixed

CHOICES = ("choices", "choices given items", "equal shares", "per choice", "per choice given items")


@final
@dataclass(frozen=True, eq=False)
class CrossValidation(Tabular):
    """Log-likelihoods of people whom the fit has not seen.

    Attributes
    ----------
    table
        A row for every fold, then `total` over folds and, for comparison, `in sample`: the estimates from everybody on
        everybody. Columns `people`, `situations`, `joint` (items and choices together); for a choice model `choices`
        (marginal: nothing known but covariates), `choices given items` (the joint less the marginal of the items),
        `equal shares` (of the available alternatives), and the first two per choice situation. Person weights count.
    people
        By person: `fold`, and the held-out `joint`, `choices` and `items` log-likelihoods, unweighted.
    params
        Estimates without each fold, a column per fold.
    converged
        Whether the fit without each fold converged.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    people: pd.DataFrame = field(repr=False)
    params: pd.DataFrame = field(repr=False)
    converged: pd.Series
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        frame = self.table
        counts = {"people", "situations"}
        rows = tuple(
            (str(name), *(_shown(column, row[column], column in counts) for column in frame.columns))
            for name, row in frame.iterrows()
        )
        folds = Section("Held out", rows[:-1])
        columns = ("fold", *map(str, frame.columns))
        lost = [str(k) for k, ok in self.converged.items() if not ok]
        alarm = (
            f"NOT CONVERGED WITHOUT FOLD {', '.join(lost)}: their rows are not to be trusted."
            if lost
            else None
        )
        sections = (folds, Section("All people, for comparison", rows[-1:]))
        return Report("Cross-validation", (), columns, sections, self.notes, alarm)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


def _shown(column: str, value: float, count: bool) -> str:
    return f"{int(value):,}" if count else fixed(float(value), 4 if column.startswith("per") else 2)


def cross_validation(fit: Estimates, folds: int, seed: int) -> CrossValidation:
    """See `Fit.cross_validate`."""
    problem = fit.problem
    fold = draw_folds(problem, folds, seed)
    information = -fit.penalised_hessian.to_numpy()
    found, fits = cross_validate(
        problem, fit.estimates, information, fold, smooth_penalties(fit, "cross_validate")
    )
    labels = [str(k + 1) for k in range(folds)]
    masks = {label: fold == k for k, label in enumerate(labels)}
    everyone = np.ones(len(fold), bool)
    rows = {name: _row(fit, found, mask) for name, mask in (masks | {"total": everyone}).items()}
    rows["in sample"] = _row(fit, parts(problem, fit.estimates), everyone)
    columns = ["people", "situations", "joint", *CHOICES]
    if not problem.spec.choices:
        columns = ["people", "joint"]
    elif not problem.spec.indicators:
        columns = [c for c in columns if c != "joint" and "given" not in c]
    table = pd.DataFrame(rows).T[columns].rename_axis("fold")
    people = pd.DataFrame({"fold": fold + 1, **found._asdict()}, index=identifiers(problem.panel.people))
    params = pd.DataFrame(
        {label: f.params for label, f in zip(labels, fits, strict=True)}, index=list(fit.names)
    )
    converged = pd.Series([f.converged for f in fits], index=labels, name="converged")
    what = "clusters" if problem.panel.clusters is not None else "people"
    notes = [f"whole {what} are left out, in {folds} folds drawn with the seed {seed}"]
    notes += [f"without fold {k}: {f.ending}" for k, f in zip(labels, fits, strict=True) if not f.converged]
    return CrossValidation(table, people, params, converged, tuple(notes))


def _row(fit: Estimates, found: Parts, mask: np.ndarray) -> dict[str, float]:
    problem = fit.problem
    weights = problem.panel.weights * mask
    happened = problem.panel.person_situations
    counted = float(weights @ happened) or np.nan

    def total(values: np.ndarray) -> float:
        # People without weight may have no likelihood: 0 times minus infinity.
        return float(weights[weights > 0] @ values[weights > 0])

    row = {"people": int(mask.sum()), "situations": int(happened[mask].sum()), "joint": total(found.joint)}
    given = found.joint - found.items
    row |= {"choices": total(found.choices), "choices given items": total(given)}
    row |= {"equal shares": total(equal_shares(problem))}
    per = {"per choice": row["choices"], "per choice given items": row["choices given items"]}
    return row | {name: value / counted for name, value in per.items()}
