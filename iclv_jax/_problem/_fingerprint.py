"""Fingerprints of what a fit depends on: equal for equal models, data and settings, in any process."""

import hashlib
from typing import Any

import jax
import numpy as np

from iclv_jax._problem._problem import Problem

LIMITS = ("max_iterations", "time_limit", "trace_parameters", "epochs")
"""Settings of an optimiser that may differ when a fit is resumed."""


def digest(*parts: Any) -> str:
    """SHA-256 over texts and arrays."""
    found = hashlib.sha256()
    for part in parts:
        array = isinstance(part, (np.ndarray, jax.Array))
        data = np.ascontiguousarray(part).tobytes() if array else repr(part).encode()
        found.update(f"{np.shape(part) if array else ''}:{len(data)}:".encode() + data)
    return found.hexdigest()


def of_model(problem: Problem) -> str:
    spec = problem.spec
    rows = [(r.name, r.status, r.lower, r.upper, r.value, r.tied) for r in problem.table.rows]
    programs = [d.program.text for d in problem.table.map.definitions]
    for utility in spec.utilities:
        programs += [utility.program.text, repr((utility.alternatives, utility.parameters, utility.columns))]
    programs += [v.equation.program.text + repr((v.name, v.predictors)) for v in spec.nonlinear]
    return digest(rows, programs, spec.random, spec.covariances, [repr(s) for s in problem.table.stacks])


def of_data(problem: Problem) -> str:
    people = [repr(p) for p in problem.panel.people]
    return digest(people, *jax.tree.leaves(problem.core.person), problem.core.weights)


def outcomes(problem: Problem) -> dict[str, str]:
    """What is explained and for whom, piece by piece: equal for models that may use other covariates, other
    orders of items or alternatives, and other columns of the same data."""
    panel = problem.panel
    found = {"the people": digest([repr(p) for p in panel.people]), "the weights": digest(panel.weights)}
    for choice in problem.spec.choices:
        rows = panel.situations_of(choice.name)
        labels = np.array([repr(a) for a in choice.utility.alternatives])[rows.outcome]
        found[f"the choices of {choice.name}"] = digest(labels.tolist(), rows.person)
    for stack, (values, _, seen) in zip(problem.table.stacks, panel.person.data, strict=False):
        for i, item in enumerate(stack.items):
            answers = np.where(seen[:, i], values[:, i], -1).astype(float)
            found[f"item {item!r}"] = digest(answers, seen[:, i], panel.levels.get(item, ()))
    return found


def fingerprints(
    problem: Problem, optimizer: Any, first: np.ndarray, staged: Any, penalties: Any = None
) -> dict[str, str]:
    """What a checkpoint has to agree with."""
    settings = {name: value for name, value in optimizer.settings.items() if name not in LIMITS}
    return {
        "model": of_model(problem),
        "data": of_data(problem),
        "integration": digest(problem.rule),
        "optimizer": digest(type(optimizer).__name__, settings),
        "penalties": digest(None if penalties is None else penalties.applied),
        "start": digest(np.asarray(first), staged),
    }
