"""The summary of an estimation in two steps."""

from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._report._summary import HEADINGS, rule_in_words, weight_facts, weight_notes
from iclv_jax._tables._format import fixed, loglike, number, probability
from iclv_jax._tables._table import Report, Section

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


def summarise_two_steps(fit: Any, cov: str) -> Report:
    """Header, blocks with standard errors by kind side by side, and notes."""
    table, kinds = fit.table(cov), fit.kinds
    return Report(
        title="Two-step estimation of an integrated choice and latent variable model",
        facts=tuple(_facts(fit, cov)),
        columns=("", "estimate", *(LABELS[kind] for kind in kinds), "t (0)", "p"),
        sections=tuple(_sections(table, kinds)),
        notes=(*_notes(fit), *table.attrs["notes"]),
        alarm=_alarm(fit),
    )


def _alarm(fit: Any) -> str | None:
    alarms = [
        f"STEP {i + 1} DID NOT CONVERGE ({report.verdict.value}): {report.message}"
        for i, report in enumerate(fit.reports)
        if not report.verdict.success
    ]
    if few := fit.accuracy.warning():
        alarms.append(f"TOO FEW DRAWS: {few}")
    return " ".join(alarms) or None


def _facts(fit: Any, cov: str) -> list[tuple[str, str]]:
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
    return [*facts, ("t and p from", LABELS[cov])]


def _sections(table: pd.DataFrame, kinds: tuple[str, ...]) -> list[Section]:
    sections = []
    for block, heading in HEADINGS.items():
        rows = table[(table["block"] == block) & (table["role"] != "weight")]
        if len(rows):
            shown = tuple(_row(str(name), row, kinds) for name, row in rows.iterrows())
            sections.append(Section(f"{heading} (step {NUMBERS[block]})", shown))
    return sections


def _row(name: str, row: pd.Series, kinds: tuple[str, ...]) -> tuple[str, ...]:
    errors = [number(row[kind]) for kind in kinds]
    if all(np.isnan(row[kind]) for kind in kinds):
        errors[0] = "fixed" if row["status"] == "fixed" else "none"
    return (name, number(row["estimate"]), *errors, fixed(row["t"], 2), probability(row["p"]))


def _notes(fit: Any) -> list[str]:
    problem = fit.problem
    notes = [note[0].upper() + note[1:] for note in problem.panel.notes] + weight_notes(problem.panel)
    notes += [f"{row.name} equals {row.tied}" for row in problem.table.rows if row.status == "equal"]
    defined = [row.name for row in problem.table.rows if row.status == "defined"]
    if defined:
        notes.append(f"Defined by other parameters: {', '.join(defined)}")
    return notes + [f"{n} ended at its bound {v:g}" for r in fit.reports for n, v in r.active.items()]
