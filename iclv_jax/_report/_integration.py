"""The report on the accuracy of the integral."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from iclv_jax._tables._format import fixed, loglike, number
from iclv_jax._tables._table import Report, Section

SMALL_SHIFT = 0.1
SMALL_ERROR = 0.5
WORST = 5


def integration_report(
    problem: Any, accuracy: Any, movement: float, noise: float, llf: float, finer: Any
) -> Report:
    """What is known about the error of the integral, and a verdict.

    `finer` holds the result with about four times the nodes: nodes, log L, and the shifts of the
    estimates in standard errors by name; None when nothing is integrated.
    """
    dimension = problem.core.structure.dimension
    facts = [
        ("Rule", problem.rule.describe(dimension) if dimension else "nothing is integrated"),
        ("Why this rule", problem.reason),
        ("Dimensions", str(dimension)),
        ("Nodes per person", f"{accuracy.nodes:,}"),
        ("Log-likelihood", loglike(llf)),
    ]
    if accuracy.error is not None:
        facts.append(("Standard error of it (other seeds)", number(accuracy.error)))
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


def named(people: Sequence[Any]) -> str:
    """The first few identifiers."""
    return ", ".join(repr(p) for p in people[:WORST]) + (", ..." if len(people) > WORST else "")


def _sizes(people: Sequence[Any], sizes: np.ndarray) -> Section:
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


def _verdict(problem: Any, accuracy: Any, movement: float, noise: float, finer: Any) -> str:
    if not problem.core.structure.dimension:
        return "Exact: the model has nothing to integrate."
    troubles = []
    if accuracy.poor:
        troubles.append(accuracy.poor)
    if accuracy.error is not None and accuracy.error > SMALL_ERROR:
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
