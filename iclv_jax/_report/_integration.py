"""The report on the accuracy of the integral."""

from collections.abc import Hashable, Sequence

import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._threads import one_thread
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._intervals import standard_errors
from iclv_jax._inference._penalised import penalised_hessian, pull
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy, Finer, with_more_nodes
from iclv_jax._tables._format import fixed, loglike, number
from iclv_jax._tables._table import Report, Section

SMALL_SHIFT = 0.1
SMALL_ERROR = 0.5
"""Error of log L that is accurate enough where none was asked for."""
WORST = 5


@runtime_checkable
class Integrated(Maximum, Protocol):
    """A maximum with the result of about four times the nodes; None when nothing is integrated."""

    @property
    def _finer(self) -> Finer | None: ...


@one_thread
def finer(fit: Maximum) -> Finer | None:
    """Log L and estimates with about four times the nodes."""
    hessian, errors = penalised_hessian(fit).to_numpy(), standard_errors(fit).to_numpy()
    return with_more_nodes(fit.problem, jnp.asarray(fit.estimates), hessian, errors, pull(fit))


def integration_report(fit: Integrated) -> Report:
    """How accurate the integral is: rule, nodes, effective sample sizes, the error of log L from other seeds, more nodes and
    other places of nodes, log L and estimates with four times the nodes, and a verdict.

    Examples
    --------
    >>> str(fit.integration_report()).splitlines()[0]
    'Integration'
    """
    problem, accuracy, llf, finer = fit.problem, fit.accuracy, fit.llf, fit._finer
    movement, noise = fit.optimizer_report.movement, fit.optimizer_report.noise
    dimension = problem.core.structure.dimension
    facts = [
        ("Rule", problem.rule.describe(dimension) if dimension else "nothing is integrated"),
        ("Why this rule", problem.reason),
        ("Dimensions", str(dimension)),
        ("Nodes per person", f"{accuracy.nodes:,}"),
        ("Log-likelihood", loglike(llf)),
    ]
    if accuracy.error is not None:
        facts.append(("Standard error of it", number(accuracy.error)))
    if finer is not None:
        facts.append((f"Log-likelihood with {finer.nodes:,} nodes", loglike(finer.llf)))
        facts.append(
            (
                "Largest shift of an estimate then",
                f"{fixed(abs(finer.largest), 3)} standard errors ({finer.name})",
            )
        )
    if problem.rule.centred and dimension:
        facts.append(
            ("Movement at the last placement", f"{fixed(float(np.sqrt(movement)), 4)} standard errors")
        )
    for what, who in (("Modes not found", accuracy.lost), ("Not log-concave at the mode", accuracy.bent)):
        if who:
            facts.append((what, f"{len(who)} people: {named(who)}"))
    sections, columns = (), ("", "")
    if accuracy.sizes is not None:
        columns = ("person", "effective sample size")
        sections = (_sizes(problem.panel.people, accuracy.sizes),)
    verdict = _verdict(problem, accuracy, movement, noise, finer)
    return Report("Integration", (*facts, ("Verdict", verdict)), columns, sections)


def named(people: Sequence[Hashable]) -> str:
    """The first few identifiers."""
    return ", ".join(repr(p) for p in people[:WORST]) + (", ..." if len(people) > WORST else "")


def _sizes(people: Sequence[Hashable], sizes: np.ndarray) -> Section:
    rows = [
        (name, number(float(value)))
        for name, value in zip(
            ("minimum", "lower quartile", "median", "upper quartile"),
            np.quantile(sizes, [0.0, 0.25, 0.5, 0.75]),
            strict=True,
        )
    ]
    worst = np.argsort(sizes)[:WORST]
    return Section("Over people", (*rows, *((f"  {people[i]}", number(float(sizes[i]))) for i in worst)))


def _verdict(problem: Problem, accuracy: Accuracy, movement: float, noise: float, finer: Finer | None) -> str:
    if not problem.core.structure.dimension:
        return "Exact: the model has nothing to integrate."
    troubles = []
    if accuracy.poor:
        troubles.append(accuracy.poor)
    if accuracy.error is not None and accuracy.error > (accuracy.target or SMALL_ERROR):
        troubles.append(f"log L is uncertain by {accuracy.error:.2g}")
    if accuracy.lost:
        troubles.append(f"the posterior mode of {len(accuracy.lost)} people was not found")
    if finer is not None and abs(finer.largest) > SMALL_SHIFT:
        troubles.append(f"{finer.name} moves by {abs(finer.largest):.2f} standard errors with more nodes")
    if problem.rule.centred and movement > max(0.01, noise):
        troubles.append("placing the nodes anew still moves the estimates")
    if not troubles:
        return "Accurate: more nodes would change nothing that matters."
    advice = "Take more nodes" if problem.rule.centred else "Take iclv.Adaptive or adaptive quadrature"
    return f"Not accurate enough: {'; '.join(troubles)}. {advice}."
