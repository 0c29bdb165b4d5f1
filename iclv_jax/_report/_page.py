"""`fit.report(...)`: a fit as one page of HTML that needs nothing beside itself."""

import platform
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_text
from iclv_jax._base._types import File, Given
from iclv_jax._base._version import __version__
from iclv_jax._base._whole import write_whole
from iclv_jax._inference._dependence import correlations, eigenvalues
from iclv_jax._inference._estimated import has
from iclv_jax._report._describe import items_of, shares_of
from iclv_jax._report._details import counts
from iclv_jax._report._model_text import model_text
from iclv_jax._report._page_estimates import estimates_table
from iclv_jax._report._pictures import Gallery
from iclv_jax._tables import Report, number
from iclv_jax._tables import _page as page

MOST = 40
"""Parameters up to which the whole matrix of correlations is shown; of more, the largest ones."""
PAIRS = 40
WITHOUT_MODEL = (
    "This fit was read from a file without its model and data. What needs them is missing here: the model as text and as a "
    "picture, data, start values, components of the log-likelihood, the report on the integral. "
    "iclv.load(path, model, data).report(...) has them."
)


def report(fit: Any, path: Given[File | None] = None, *, title: Given[str | None] = None) -> str | None:
    """The fit as one page of HTML: estimates with classical and robust standard errors side by side, the model as text and
    as a picture, data, correlations and eigenvalues, the integral, the optimiser, start values, settings and versions.

    The page needs no network and no other file: it can be sent, archived with a paper, printed, and read on a phone. Tables
    are sorted by a click on a heading. Pictures are drawn with matplotlib where that is installed (`iclv-jax[plot]`).

    Parameters
    ----------
    path
        The file to write, `"fit.html"` say; None: the page is returned as text.
    title
        Of the page; None: the kind of model.

    Raises
    ------
    ValueError
        For a folder that does not exist.

    Examples
    --------
    >>> logit_fit.report("fit.html")
    """
    summary = fit.summary()
    check_text(title, "title=")
    head = title or (summary.title if isinstance(summary, Report) else "Saved fit")
    gallery = Gallery(fit)
    parts = [
        page.Part(name, anchor, content)
        for name, anchor, make in SECTIONS
        if (content := _made(make, fit, summary, gallery))
    ]
    text = page.page(head, _lead(fit, summary), parts)
    if path is None:
        return text
    write_whole(path, text, "report")
    return None


Make = Callable[[Any, Any, Gallery], str]


def _made(make: Make, fit: Any, summary: Any, gallery: Gallery) -> str:
    """The content of a section; a sentence where what it shows cannot be computed."""
    try:
        return make(fit, summary, gallery)
    except ValueError as trouble:
        return page.paragraph(f"Not shown: {trouble}")


def _lead(fit: Any, summary: Any) -> str:
    found = ""
    if isinstance(summary, Report):
        found += page.paragraph(summary.alarm, "alarm") if summary.alarm else ""
    elif not fit.converged:
        found += page.paragraph("DID NOT CONVERGE. The summary says more.", "alarm")
    people = f"{fit.nobs:,} people, {len(fit.names):,} free parameters, log-likelihood {fit.llf:,.3f}"
    return found + page.paragraph(f"{people}. Written by iclv_jax {__version__}.", "by")


def _overview(fit: Any, summary: Any, gallery: Gallery) -> str:
    if not isinstance(summary, Report):
        return page.paragraph(WITHOUT_MODEL) + f"<pre>{page.html.escape(str(summary))}</pre>"
    more = fit.summary(details=True) if has(fit, "optimizer_report") else summary
    # Counts of alternatives stand with the data.
    kept = [fact for fact in more.facts if fact not in _counts(fit)]
    return page.facts(kept) + page.notes(more.notes)


def _counts(fit: Any) -> list[tuple[str, str]]:
    choices = fit.problem.spec.choices
    return [fact for choice in choices for fact in counts(choice, fit.problem.panel, len(choices) > 1)]


def _estimates(fit: Any, summary: Any, gallery: Gallery) -> str:
    return estimates_table(fit) + gallery.of("estimates")


def _model(fit: Any, summary: Any, gallery: Gallery) -> str:
    if not has(fit, "problem"):
        return ""
    text = model_text(fit.problem.spec, fit.problem.table)
    return f"<pre>{page.html.escape(text)}</pre>" + gallery.of("model")


def _data(fit: Any, summary: Any, gallery: Gallery) -> str:
    if not has(fit, "problem"):
        return ""
    problem = fit.problem
    panel, spec = problem.panel, problem.spec
    facts = [("People", f"{len(panel.people):,}"), ("Rows", f"{len(panel.frame.data):,}")]
    for choice in spec.choices:
        facts += shares_of(choice, panel, len(spec.choices) > 1)
    if panel.tables and len(panel.people):
        each = panel.person_situations
        facts.append(
            (
                "Choice situations of a person",
                f"{each.min()} to {each.max()}, mean {number(float(each.mean()))}",
            )
        )
    if spec.indicators:
        facts += [("Answers to items", ""), *items_of(spec, problem.table, panel)]
    return page.facts(facts) + _covariates(panel) + gallery.of("people")


def _covariates(panel: Any) -> str:
    values = np.asarray(panel.person.covariates)
    if not values.shape[1]:
        return ""
    rows = [
        [
            name,
            *(
                page.Cell(number(float(v)), float(v))
                for v in (column.mean(), column.std(), column.min(), column.max())
            ),
        ]
        for name, column in zip(panel.covariates, values.T, strict=True)
    ]
    return "<h3>Covariates of latent variables</h3>" + page.table(
        ("", "mean", "std. dev.", "least", "largest"), [("", rows)]
    )


def _dependence(fit: Any, summary: Any, gallery: Gallery) -> str:
    return _eigenvalues(fit) + "<h3>Correlations of estimates</h3>" + _correlations(correlations(fit))


def _eigenvalues(fit: Any) -> str:
    found = eigenvalues(fit)
    columns = [c for c in ("correlation", "hessian") if c in found]
    rows = [
        [
            page.Cell(str(rank), float(rank)),
            *(page.Cell(number(float(row[c])), float(row[c])) for c in columns),
            str(row["direction"]),
        ]
        for rank, row in zip(found.index, found.to_dict("records"), strict=True)
    ]
    words = "Eigenvalues of the correlations, free of units: near 0, a combination that the data hardly determine."
    more = " Those of the negative Hessian are all positive at a maximum." if "hessian" in columns else ""
    heads = {"correlation": "of correlations", "hessian": "of the negative Hessian"}
    grid = page.table(
        ("", *(heads[c] for c in columns), "heaviest weights"), [("", rows)], words=(len(columns) + 1,)
    )
    return page.paragraph(words + more) + grid


def _correlations(matrix: pd.DataFrame) -> str:
    names, values = list(matrix.index), matrix.to_numpy()
    if len(names) <= MOST:
        rows = [[str(n), *(_shaded(float(v)) for v in row)] for n, row in zip(names, values, strict=True)]
        return page.table(("", *map(str, names)), [("", rows)])
    above = [(i, j) for i in range(len(names)) for j in range(i) if np.isfinite(values[i, j])]
    above.sort(key=lambda at: -abs(values[at]))
    rows = [[str(names[j]), str(names[i]), _shaded(float(values[i, j]))] for i, j in above[:PAIRS]]
    said = page.paragraph(
        f"The {len(rows)} largest of {len(above):,}; fit.uncertainty.correlations() has them all."
    )
    return said + page.table(("", "", "correlation"), [("", rows)], words=(0, 1))


def _shaded(value: float) -> page.Cell:
    return page.Cell(
        f"{value:.2f}" if np.isfinite(value) else "", value if np.isfinite(value) else None, value
    )


def _integral(fit: Any, summary: Any, gallery: Gallery) -> str:
    if not has(fit, "integration_report"):
        if not has(fit, "accuracy"):
            return ""
        return page.paragraph(fit.accuracy.sentence() or "Nothing is integrated.")
    found = fit.integration_report()
    grid = ""
    if found.sections:
        grid = page.table(found.columns, [(s.heading, s.rows) for s in found.sections])
    return page.facts(found.facts) + grid + gallery.of("integral")


def _optimiser(fit: Any, summary: Any, gallery: Gallery) -> str:
    facts = []
    for step, found in enumerate(_reports(fit), start=1):
        of = f", step {step}" if len(_reports(fit)) > 1 else ""
        facts += [
            (f"Verdict{of}", f"{found['verdict']}: {found['message']}"),
            ("Steps, evaluations", f"{found['iterations']:,}, {found['evaluations']:,}"),
            ("Newton decrement", number(float(found["decrement"]))),
            ("Seconds of the optimiser", f"{found['seconds']:.1f}"),
        ]
    return page.facts(facts) + gallery.of("optimiser") + _steps(fit.trace)


def _reports(fit: Any) -> list[dict[str, Any]]:
    if not has(fit, "problem"):
        return [fit.about["report"]]
    reports = [fit.optimizer_report] if has(fit, "optimizer_report") else list(fit.reports)
    return [{**vars(found), "verdict": found.verdict.value} for found in reports]


def _steps(trace: pd.DataFrame) -> str:
    shown = [
        c for c in trace.columns if str(c).partition(":")[0] not in ("param", "gradient") or c == "gradient"
    ]
    if trace.empty:
        return ""
    rows = [[_plain(value) for value in row] for row in trace[shown].itertuples(index=False)]
    folded = page.table([str(c) for c in shown], [("", rows)])
    return f"<details><summary>Every step ({len(trace)})</summary>{folded}</details>"


def _plain(value: Any) -> str | page.Cell:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return page.Cell(number(float(value), 6), float(value)) if np.isfinite(value) else ""
    return str(value)


def _settings(fit: Any, summary: Any, gallery: Gallery) -> str:
    import scipy

    versions = {m.__name__: m.__version__ for m in (jax, np, pd, scipy)}
    if not has(fit, "problem"):
        known = ", ".join(f"{k} {v}" for k, v in fit.about["versions"].items())
        return page.facts([("Fitted with", known), ("Rule of integration", str(fit.about["rule"]))])
    problem = fit.problem
    report = fit.optimizer_report if has(fit, "optimizer_report") else fit.reports[-1]
    facts = [
        ("Rule of integration", repr(problem.rule)),
        ("Why this rule", problem.reason),
        ("Error of log L asked for", "none" if fit.accuracy.target is None else f"{fit.accuracy.target:g}"),
        ("People identified by", str(problem.panel.frame.person or "rows")),
        (
            "Weights",
            str(problem.panel.weighted_by or ("given" if (problem.panel.weights != 1.0).any() else "none")),
        ),
        (
            "Clusters",
            "none" if problem.panel.clusters is None else f"{len(set(problem.panel.clusters.tolist())):,}",
        ),
        ("Fitted", f"{report.finished} by iclv_jax {report.version}" if report.finished else "unknown"),
        (
            "Page written with",
            ", ".join(f"{k} {v}" for k, v in ({"iclv_jax": __version__} | versions).items()),
        ),
        (
            "Python, machine",
            f"{platform.python_version()}, {platform.system()} {platform.machine()}, {jax.default_backend()}",
        ),
    ]
    return page.facts(facts)


SECTIONS: tuple[tuple[str, str, Make], ...] = (
    ("Summary", "summary", _overview),
    ("Estimates", "estimates", _estimates),
    ("Model", "model", _model),
    ("Data and people", "data", _data),
    ("Correlations and eigenvalues", "dependence", _dependence),
    ("Integral", "integral", _integral),
    ("Optimiser", "optimiser", _optimiser),
    ("Settings and versions", "settings", _settings),
)
