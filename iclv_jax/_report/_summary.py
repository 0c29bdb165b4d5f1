"""The summary of a fit."""

import re
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import check_switch, kind_of
from iclv_jax._base._types import Given
from iclv_jax._inference._criteria import aic, bic, penalty
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._kinds import default_covariance
from iclv_jax._inference._references import why_no_references
from iclv_jax._optimise import OptimizerReport
from iclv_jax._panel import Panel
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._report._columns import Columns, Started
from iclv_jax._report._details import details as details_of
from iclv_jax._report._details import provenance, rho_squared
from iclv_jax._report._integration import named
from iclv_jax._report._modules import collapsed, flat_notes, free_parameters
from iclv_jax._spec._model import Spec
from iclv_jax._spec._random import share_positive
from iclv_jax._tables._format import fixed, loglike, number
from iclv_jax._tables._table import Report, Section

HEADINGS = {
    "structural": "Structural equations",
    "measurement": "Measurement equations",
    "choice": "Choice model",
}
FAR = 1.5
"""Factor between the sum of sampling weights and the number of people from which it is remarked on."""
KINDS = {
    "hessian": "inverse of the negative Hessian",
    "bhhh": "outer product of the scores (BHHH)",
    "robust": "robust (sandwich)",
    "cluster": "robust to correlation within clusters",
    "bootstrap": "bootstrap over people or clusters",
    "jackknife": "jackknife over people or clusters",
    "conditional": "inverse of the negative Hessian of named parameters, modules taken as known",
    "joint": "inverse of the negative Hessian of named parameters and modules together",
}


def summary(
    fit: Started,
    cov: Given[str | None] = None,
    *,
    columns: Given[Sequence[str] | None] = None,
    details: Given[bool] = False,
) -> Report:
    """The table of results with a header; prints as text and shows as HTML in notebooks.

    Parameters
    ----------
    cov
        The kind of covariance behind the standard errors.
    columns
        What stands beside the estimates, in this order: `"se"`, `"t"`, `"p"`, `"t_one"` (t against 1, where one would
        ask), `"ci"` (the 95 % interval), `"start"`, and kinds of covariance, which bring a standard error and a t each:
        `["hessian", "robust"]` has the classical and the robust ones side by side. None: the first four.
    details
        Whether the head has what journals ask for beside the usual: the log-likelihood where the joint stage began,
        rho-squared against constants only, how often each alternative was chosen and available, nodes per person, and the
        range of eigenvalues.

    Estimates and standard errors have the same decimals, so many that the error has two significant digits at least.

    Raises
    ------
    ValueError
        For columns that do not exist, and kinds of covariance that these estimates do not have.

    Examples
    --------
    >>> str(logit_fit.summary()).splitlines()[0]
    'Logit model'
    """
    cov = kind_of(cov, default_covariance(fit))
    check_switch(details, "details")
    covariance, shown = fit.covariance(cov), Columns(fit, cov, columns)
    more = details_of(fit, fit.components) if details else []
    return Report(
        title="Integrated choice and latent variable model" if _is_hybrid(fit) else _plain_title(fit),
        facts=(*_facts(fit, cov), *more),
        columns=shown.heads,
        sections=tuple(_sections(shown, {r.name: r.parameter.group for r in fit.problem.table.rows})),
        notes=(*_notes(fit), *covariance.notes),
        alarm=alarm(fit.optimizer_report, fit.accuracy),
    )


def alarm(report: OptimizerReport, accuracy: Accuracy) -> str | None:
    """What makes the results unfit for use."""
    alarms = []
    if not report.verdict.success:
        alarms.append(f"DID NOT CONVERGE ({report.verdict.value}): {report.message}")
    if few := accuracy.warning():
        alarms.append(f"TOO FEW DRAWS: {few}")
    elif missed := accuracy.missed:
        alarms.append(f"INTEGRAL NOT ACCURATE: {missed}")
    return " ".join(alarms) or None


def _is_hybrid(fit: Maximum) -> bool:
    spec = fit.problem.spec
    return bool(spec.choices) and bool(spec.latents)


def _plain_title(fit: Maximum) -> str:
    spec = fit.problem.spec
    if not spec.choices:
        return "Latent variable model"
    kind = " and ".join(dict.fromkeys(type(choice).__name__ for choice in spec.choices))
    return f"Mixed {in_a_sentence(kind)} model" if spec.random else f"{kind} model"


def in_a_sentence(kind: str) -> str:
    """The names of kernels as words: `NestedLogit` is a nested logit, and `MDCEV` itself."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    return " ".join(word if word.isupper() else word.lower() for word in apart.split())


def _facts(fit: Maximum, cov: str) -> list[tuple[str, str]]:
    problem, report, parts = fit.problem, fit.optimizer_report, fit.components
    facts = [
        ("People", f"{fit.nobs:,}"),
        *group_facts(problem.spec, problem.panel),
        *weight_facts(problem.panel),
    ]
    if problem.spec.choices:
        facts.append(("Choice situations", f"{problem.panel.situations:,}"))
    if len(problem.spec.choices) > 1:
        facts += [
            (f"  {table.choice}", f"{int((table.rows >= 0).sum()):,}") for table in problem.panel.tables
        ]
    if problem.spec.indicators:
        facts.append(("Items", f"{len(problem.spec.indicators)}"))
    facts += free_parameters(problem.spec, problem.table, dict(fit.all_params))
    if fit.penalties is not None:
        facts.append(("Penalised log-likelihood", loglike(parts.joint - penalty(fit))))
        facts += [("  penalty" if i == 0 else "", str(g)) for i, g in enumerate(fit.penalties.applied)]
    facts.append(("Log-likelihood", loglike(parts.joint)))
    if problem.spec.choices:
        if len(parts.by_choice) > 1:
            facts += [(f"  of {name} (marginal)", loglike(p.loglike)) for name, p in parts.by_choice.items()]
        if problem.spec.indicators:
            facts.append(("  of the choices (marginal)", loglike(parts.choices)))
            facts.append(("  of the items (marginal)", loglike(parts.items)))
        if reason := why_no_references(problem, jnp.asarray(fit.estimates)):
            facts.append(("  choices, equal shares", f"not defined: {reason}"))
        else:
            facts.append(("  choices, equal shares", loglike(parts.equal_shares)))
            facts.append(("  choices, constants only", loglike(parts.constants)))
            facts += rho_squared(fit, parts)
    if fit.penalties is None:
        facts += [("AIC", fixed(aic(fit), 2)), ("BIC (people)", fixed(bic(fit), 2))]
    else:
        facts.append(("AIC, BIC", "not for penalised estimates, whose parameters are not all free"))
    facts += integration_facts(problem, fit.accuracy)
    facts.append(("Optimiser", f"{report.verdict.value}: {report.message}"))
    facts.append(("", _effort(report)))
    facts.append(("Standard errors", KINDS[cov] + ("" if fit.penalties is None else ", penalised")))
    return facts + provenance(report)


def group_facts(spec: Spec, panel: Panel) -> list[tuple[str, str]]:
    """How many people each group has, and what is equal across them; nothing where there are none."""
    groups = spec.groups
    if groups is None:
        return []
    counts = np.bincount(np.asarray(panel.person.group), minlength=len(groups.names))
    sizes = ", ".join(f"{label} {n:,}" for label, n in zip(groups.labels, counts, strict=True))
    but = f"; free all the same: {', '.join(groups.free)}" if groups.free else ""
    return [
        (f"Groups by {groups.column}", sizes),
        ("  equal across them", (", ".join(groups.equal) or "nothing") + but),
    ]


def weight_facts(panel: Panel) -> list[tuple[str, str]]:
    """What the weights are taken for; nothing where there are none."""
    total, people = f"{number(float(panel.weights.sum()))}", f"{len(panel.people):,}"
    if panel.weights_count:
        return [("Weights", f"frequency: {people} rows count {panel.size:,} people")]
    if (panel.weights == 1.0).all():
        return []
    return [
        ("Weights", f"sampling: they add up to {total} for {people} people; robust errors allow for them")
    ]


def weight_notes(panel: Panel) -> list[str]:
    """A warning where sampling weights look like counts."""
    mean = float(panel.weights.mean())
    if panel.weights_count or 1.0 / FAR < mean < FAR:
        return []
    return [
        f"Sampling weights have the mean {number(mean)}: the log-likelihood, AIC, BIC, tests of likelihood ratios and "
        "standard errors other than robust ones depend on it and mean nothing. Divide them by it; or, where a row stands "
        "for so many people who were asked, say weights_are='frequency'"
    ]


def _effort(report: OptimizerReport) -> str:
    if np.isnan(report.decrement):
        return f"{report.iterations} epochs, {report.evaluations:,} steps, {report.seconds:.1f} s"
    decrement = f"Newton decrement {report.decrement:.1e}"
    return f"{report.iterations} steps in the last stage, {decrement}, {report.seconds:.1f} s"


def integration_facts(problem: Problem, accuracy: Accuracy) -> list[tuple[str, str]]:
    """The rule, why it was taken, and how accurate it is."""
    facts = [("Integration", rule_in_words(problem))]
    if problem.reason != "as asked for":
        facts.append(("", problem.reason))
    if sentence := accuracy.sentence():
        facts.append(("", sentence))
    return facts


def lost_notes(accuracy: Accuracy) -> list[str]:
    """Whose posterior mode was not found."""
    lost = accuracy.lost
    return [f"The posterior mode of {len(lost)} people was not found: {named(lost)}"] if lost else []


def rule_in_words(problem: Problem) -> str:
    dimension = problem.core.structure.dimension
    if dimension == 0 and not problem.rule.conditions:
        return "none needed"
    return problem.rule.describe(dimension)


def _sections(shown: Columns, groups: Mapping[str, str]) -> list[Section]:
    """Block by block, what is shared by all groups before what is one group's own."""
    sections, frame = [], shown.frame
    entry, derived = frame["role"] == "weight", frame["role"] == "derived"
    of = frame.index.map(groups)
    for block, heading in HEADINGS.items():
        for group in dict.fromkeys(["", *groups.values()]):
            rows = frame[(frame["block"] == block) & ~entry & ~derived & (of == group)]
            if len(rows):
                title = f"{heading}, {group}" if group else heading
                sections.append(Section(title, tuple(shown.cells(str(name)) for name in rows.index)))
    if derived.any():
        rows = tuple(shown.cells(str(name)) for name in frame.index[derived])
        sections.append(Section("Functions of parameters", rows))
    if entry.any():
        rows = tuple(shown.cells(str(name)) for name in frame.index[entry])
        sections.append(Section("Modules", rows, shown=False))
    return sections


def _notes(fit: Maximum) -> list[str]:
    problem, report = fit.problem, fit.optimizer_report
    inside = problem.spec.module_of
    notes = [note[0].upper() + note[1:] for note in problem.panel.notes] + weight_notes(problem.panel)
    rows = [row for row in problem.table.rows if row.name not in inside]
    notes += [f"{row.name} equals {row.tied}" for row in rows if row.status == "equal"]
    defined = [row.name for row in rows if row.status == "defined" and row.parameter.role != "derived"]
    if defined:
        notes.append(f"Defined by other parameters: {', '.join(defined)}")
    notes += ended_notes(report, fit.accuracy, inside)
    return notes + _signs(fit) + flat_notes(report.flat, inside) + list(report.remarks)


def ended_notes(report: OptimizerReport, accuracy: Accuracy, inside: Mapping[str, str]) -> list[str]:
    """Parameters at bounds, people without a mode, parameters without scores and spreads that are zero; `inside` are the
    modules that parameters belong to."""
    notes = [
        f"{name} ended at its bound {value:g}" for name, value in report.active.items() if name not in inside
    ]
    if held := [name for name in report.active if name in inside]:
        notes.append(f"{', '.join(collapsed(held, inside))} ended at their bounds")
    notes += lost_notes(accuracy)
    if report.unscaled:
        silent = ", ".join(collapsed(report.unscaled, inside))
        notes.append(f"No one's likelihood depends on {silent} at the estimates")
    return notes + [f"{n} is 0: the data show no spread of its coefficient over people" for n in report.zero]


def _signs(fit: Maximum) -> list[str]:
    """On which side of zero random coefficients lie, where they lie on both."""
    notes = []
    groups = fit.problem.spec.groups
    for name, mixing in fit.problem.spec.random:
        for label in groups.labels if groups is not None else ("",):
            mine = {
                r.parameter.base: r.name for r in fit.problem.table.rows if r.parameter.group in ("", label)
            }
            values = {k: fit.all_params[mine[n]] for k, n in mixing.named(name).items()}
            share = share_positive(mixing, values)
            if 0.0 < share < 1.0:
                notes.append(
                    f"{mine[name]} is negative for {1.0 - share:.1%} and positive for {share:.1%} of its distribution"
                )
    return list(dict.fromkeys(notes))
