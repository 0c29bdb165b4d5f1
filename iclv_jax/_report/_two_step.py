"""The summary of an estimation in two steps."""

import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._arguments import kind_of
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._optimise import OptimizerReport
from iclv_jax._report._details import provenance
from iclv_jax._report._summary import HEADINGS, rule_in_words, weight_facts, weight_notes
from iclv_jax._report._table import all_errors, parameter_frame, with_tests
from iclv_jax._tables._format import estimated, fixed, loglike, probability
from iclv_jax._tables._table import Report, Section

DEFAULT = "murphy-topel"
LABELS = {
    "uncorrected": "uncorrected",
    "murphy-topel": "Murphy-Topel",
    "robust": "robust",
    "cluster": "cluster",
}
MEANINGS = {
    "uncorrected": "each step on its own, the first one's estimates taken as known",
    "murphy-topel": "corrected for the error of the first step (Murphy and Topel 1985)",
    "robust": "sandwich of the scores of both steps",
    "cluster": "the same, robust to correlation within clusters",
}
NUMBERS = {"structural": 1, "measurement": 1, "choice": 2}


@runtime_checkable
class TwoSteps(Estimated, Protocol):
    """Estimates of two steps."""

    @property
    def reports(self) -> tuple[OptimizerReport, OptimizerReport]: ...

    @property
    def first(self) -> tuple[str, ...]: ...

    @property
    def second(self) -> tuple[str, ...]: ...

    @property
    def llf_items(self) -> float: ...

    @property
    def llf_choices(self) -> float: ...

    @property
    def kinds(self) -> tuple[str, ...]: ...


def summary(fit: TwoSteps, cov: Given[str | None] = None) -> Report:
    """The table of results with a header; prints as text and shows as HTML in notebooks.

    `cov` is the kind of covariance behind t and p.
    """
    cov = kind_of(cov, DEFAULT)
    frame, kinds = table(fit, cov), fit.kinds
    return Report(
        title="Two-step estimation of an integrated choice and latent variable model",
        facts=tuple(_facts(fit, cov)),
        columns=("", "estimate", *(LABELS[kind] for kind in kinds), "t (0)", "p"),
        sections=tuple(_sections(frame, kinds)),
        notes=(*_notes(fit), *frame.attrs["notes"]),
        alarm=_alarm(fit),
    )


def table(fit: TwoSteps, cov: Given[str | None] = None) -> pd.DataFrame:
    """Every parameter, free or not: block, role, status, estimate, a column of standard errors for each of `kinds`,
    `ratio` of the Murphy-Topel ones to the uncorrected, and `se`, t and p from the kind `cov`.

    A kind that does not exist here is NaN; `.attrs["notes"]` says why.
    """
    cov = kind_of(cov, DEFAULT)
    found = {kind: _errors(fit, kind) for kind in dict.fromkeys((cov, *fit.kinds))}
    errors = {kind: found[kind][0] for kind in fit.kinds}
    frame = parameter_frame(fit.problem, fit.estimates).assign(**errors)
    frame["ratio"] = frame["murphy-topel"] / frame["uncorrected"]
    frame["se"] = found[cov][0]
    frame = with_tests(frame, found[cov][0])
    notes = [note for _, why in found.values() for note in why]
    frame.attrs["notes"] = tuple(dict.fromkeys(notes))
    return frame


def _errors(fit: TwoSteps, kind: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Standard errors of all parameters of the table, or NaN, with notes."""
    if kind not in fit.kinds:
        fit.covariance(kind)  # Raises: there is no such kind, or there are no clusters.
    try:
        found = fit.covariance(kind)
    except ValueError as error:
        return np.full(len(fit.problem.table.rows), np.nan), (str(error),)
    return all_errors(fit.problem, fit.estimates, found.of_functions), found.notes


def _alarm(fit: TwoSteps) -> str | None:
    alarms = [
        f"STEP {i + 1} DID NOT CONVERGE ({report.verdict.value}): {report.message}"
        for i, report in enumerate(fit.reports)
        if not report.verdict.success
    ]
    if few := fit.accuracy.warning():
        alarms.append(f"TOO FEW DRAWS: {few}")
    return " ".join(alarms) or None


def _facts(fit: TwoSteps, cov: str) -> list[tuple[str, str]]:
    problem = fit.problem
    facts = [
        ("People", f"{fit.nobs:,}"),
        *weight_facts(problem.panel),
        ("Choice situations", f"{problem.panel.situations:,}"),
        ("Items", f"{len(problem.spec.indicators)}"),
        ("Free parameters", " + ".join(f"{len(names)}" for names in (fit.first, fit.second))),
        ("Step 1: log L of the items", loglike(fit.llf_items)),
        ("Step 2: log L of the choices given the items", loglike(fit.llf_choices)),
        ("Sum: joint log-likelihood at these estimates", loglike(fit.llf)),
        ("Integration", rule_in_words(problem)),
    ]
    if sentence := fit.accuracy.sentence():
        facts.append(("", sentence))
    for number_, report in enumerate(fit.reports, start=1):
        facts.append((f"Optimiser, step {number_}", f"{report.verdict.value}: {report.message}"))
    facts += [(f"Standard errors, {LABELS[kind]}", MEANINGS[kind]) for kind in fit.kinds]
    return [*facts, ("t and p from", LABELS[cov]), *provenance(fit.reports[1])]


def _sections(frame: pd.DataFrame, kinds: tuple[str, ...]) -> list[Section]:
    sections = []
    for block, heading in HEADINGS.items():
        rows = frame[(frame["block"] == block) & (frame["role"] != "weight")]
        if len(rows):
            shown = tuple(_row(str(name), row, kinds) for name, row in rows.iterrows())
            sections.append(Section(f"{heading} (step {NUMBERS[block]})", shown))
    return sections


def _row(name: str, row: pd.Series, kinds: tuple[str, ...]) -> tuple[str, ...]:
    first, *errors = estimated(float(row["estimate"]), *(float(row[kind]) for kind in kinds))
    if all(np.isnan(row[kind]) for kind in kinds):
        errors[0] = "fixed" if row["status"] == "fixed" else "none"
    return (name, first, *errors, fixed(row["t"], 2), probability(row["p"]))


def _notes(fit: TwoSteps) -> list[str]:
    problem = fit.problem
    notes = [note[0].upper() + note[1:] for note in problem.panel.notes] + weight_notes(problem.panel)
    notes += [f"{row.name} equals {row.tied}" for row in problem.table.rows if row.status == "equal"]
    defined = [row.name for row in problem.table.rows if row.status == "defined"]
    if defined:
        notes.append(f"Defined by other parameters: {', '.join(defined)}")
    return notes + [f"{n} ended at its bound {v:g}" for r in fit.reports for n, v in r.active.items()]
