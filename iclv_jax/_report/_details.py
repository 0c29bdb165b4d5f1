"""What journals and other programs report of a fit beside its table."""

import jax.numpy as jnp
import numpy as np

from iclv_jax._inference._dependence import eigenvalues
from iclv_jax._inference._estimated import Estimated, Maximum
from iclv_jax._optimise import OptimizerReport
from iclv_jax._panel import Panel
from iclv_jax._parameters import LATENT
from iclv_jax._problem._components import Components
from iclv_jax._report._columns import Started
from iclv_jax._spec import Kernel
from iclv_jax._tables._format import fixed, loglike, number

Facts = list[tuple[str, str]]


def rho_squared(fit: Maximum, parts: Components) -> Facts:
    """McFadden's, and adjusted: 1 - (log L - K) / log L of equal shares, with K the free parameters that the choices depend
    on, which are fewer than all where there are items (Ben-Akiva and Lerman 1985, p. 167)."""
    count = of_choices(fit)
    adjusted = 1.0 - (parts.choices - count) / parts.equal_shares if parts.equal_shares else float("nan")
    facts = [("Rho-squared of the choices", fixed(parts.rho_squared, 4))]
    if fit.penalties is None:
        facts.append((f"  adjusted for {count} parameters", fixed(adjusted, 4)))
    return facts


def of_choices(fit: Estimated) -> int:
    """How many free parameters the choices depend on: those of utilities and of structural equations."""
    sections = {LATENT, *(choice.name for choice in fit.problem.spec.choices)}
    return sum(bool(used & sections) for used in fit.problem.table.map.sections)


def provenance(report: OptimizerReport) -> Facts:
    """When and by what it was fitted, and how long that took."""
    if not report.finished:
        return []
    when = report.finished[:16].replace("T", " ")
    return [("Fitted", f"{when}, in {report.waited:.1f} s, by iclv_jax {report.version}")]


def details(fit: Started, parts: Components) -> Facts:
    """Log-likelihoods of other points, counts of alternatives, eigenvalues."""
    problem, start = fit.problem, jnp.asarray(fit.start)
    facts = [
        (
            "Log-likelihood at the start of the joint stage",
            loglike(float(problem.recentre(start).loglike(start))),
        )
    ]
    if parts.constants and np.isfinite(parts.constants):
        facts.append(("Rho-squared against constants only", fixed(1.0 - parts.choices / parts.constants, 4)))
    for choice in problem.spec.choices:
        facts += counts(choice, problem.panel, len(problem.spec.choices) > 1)
    if problem.core.structure.dimension:
        facts.append(("Nodes per person", f"{fit.accuracy.nodes:,}"))
    return facts + spectrum(fit)


def counts(choice: Kernel, panel: Panel, named: bool) -> Facts:
    """How often each alternative was chosen, and how often it was available."""
    if not choice.discrete:
        return []
    found = panel.situations_of(choice.name)
    of = f" of {choice.name}" if named else ""
    each = [
        (f"  {name}", f"{int((found.chosen == j).sum()):,}, available {int(found.offered[:, j].sum()):,}")
        for j, name in enumerate(choice.outcomes)
    ]
    return [(f"Alternatives{of}", "how often chosen, how often available"), *each]


def spectrum(fit: Maximum) -> Facts:
    """Ranges of the eigenvalues, where there are any."""
    try:
        found = eigenvalues(fit)
    except ValueError as trouble:
        return [("Eigenvalues", f"none: {trouble}")]
    if found.empty:
        return []
    facts = []
    for column, words in (("hessian", "of the negative Hessian"), ("correlation", "of the correlations")):
        low, high = float(found[column].min()), float(found[column].max())
        facts.append((f"Eigenvalues {words}", f"{number(low)} to {number(high)}, ratio {number(high / low)}"))
    return facts
