"""What a fit depends on, as facts: equal for equal models, data and settings, in any process and any release of JAX."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from iclv_jax._base._archive import digest
from iclv_jax._base._facts import Fact, Facts, dict_of, difference, fact
from iclv_jax._integration import Rule
from iclv_jax._panel import Panel
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem._problem import Problem
from iclv_jax._spec._facts import facts_of

WHAT = {
    "model": "another model",
    "data": "other data (values, people, weights or their order differ)",
    "integration": "another rule of integration",
    "optimizer": "another optimiser",
    "penalties": "other penalties",
    "start": "other start values",
}
"""Parts of the facts of a fit, and what it means if they differ."""


class Settings(Protocol):
    """An optimiser, as far as facts go: its settings that the answer depends on."""

    @property
    def settings(self) -> Mapping[str, object]: ...


def of_model(problem: Problem) -> Facts:
    """What the model says, and the names of its free parameters, which also tell how many levels its items have."""
    return {**facts_of(problem.spec), "free parameters": fact(problem.names)}


def of_data(problem: Problem) -> Facts:
    """Digests of the people, of every item and covariate, and of each table of choices, by values.

    They do not know how arrays are laid out: padding is left out, and rows follow each other person by person.
    """
    panel = problem.panel
    return {
        "people": digest(fact(panel.people)),
        "weights": digest(panel.weights),
        "covariates": _columns(panel.covariates, panel.person.covariates),
        "items": dict_of(_answers(problem)),
        "choices": [] if problem.spec.utility is None else [_choices(problem)],
    }


def _columns(names: Iterable[str], values: np.ndarray) -> Facts:
    """A digest for each column of an array with one row per person, or per situation."""
    return {
        name: digest(np.asarray(column, float))
        for name, column in zip(names, np.asarray(values).T, strict=True)
    }


def _answers(problem: Problem) -> dict[str, str]:
    """Per item: levels (for those with levels), answers, and who gave one."""
    person, levels = problem.panel.person, problem.panel.levels
    found = {}
    for stack, values, seen in zip(problem.table.stacks, person.values, person.observed, strict=True):
        for i, item in enumerate(stack.items):
            answers = np.where(seen[:, i], values[:, i], -1).astype(float)
            found[item] = digest(answers, seen[:, i], fact(levels.get(item, ())))
    return found


def _choices(problem: Problem) -> Facts:
    """One table of situations: how many each person has, what is chosen and available, and the columns."""
    panel, utility = problem.panel, problem.spec.utility
    assert utility is not None
    occurs = np.asarray(panel.person.occurs)
    return {
        "situations": digest(occurs.sum(axis=1)),
        "chosen": digest(fact(_chosen(panel, utility.alternatives)[occurs])),
        "available": digest(np.asarray(panel.person.available)[occurs]),
        "columns": _columns(utility.columns, np.asarray(panel.person.columns)[occurs]),
    }


def _chosen(panel: Panel, alternatives: Iterable[object]) -> np.ndarray:
    """Labels of the chosen alternatives, as text, padding among them."""
    labels = np.array([repr(fact(a)) for a in alternatives])
    return labels[np.asarray(panel.person.chosen)]


def outcomes(problem: Problem) -> dict[str, str]:
    """What is explained and for whom, piece by piece: equal for models that may use other covariates, other
    orders of items or alternatives, and other columns of the same data."""
    panel, utility = problem.panel, problem.spec.utility
    found = {"the people": digest(fact(panel.people)), "the weights": digest(panel.weights)}
    if utility is not None:
        labels = _chosen(panel, utility.alternatives)
        found["the choices"] = digest(np.where(panel.person.occurs, labels, "").tolist())
    return found | {f"item {item!r}": answers for item, answers in _answers(problem).items()}


def fingerprints(
    problem: Problem,
    optimizer: Settings,
    first: np.ndarray,
    staged: object,
    penalties: Penalties | None = None,
) -> Facts:
    """What a checkpoint has to agree with."""
    return {
        "model": of_model(problem),
        "data": of_data(problem),
        "integration": of_rule(problem.rule),
        "optimizer": {"kind": type(optimizer).__name__, **dict_of(optimizer.settings)},
        "penalties": [] if penalties is None else fact(penalties.applied),
        "start": {"values": fact(first), "stages": fact(staged)},
    }


def of_rule(rule: Rule) -> Fact:
    """The rule of integration by its name and fields."""
    return fact(rule)


def mismatch(theirs: Facts, ours: Facts) -> str | None:
    """What the facts in a file belong to, in words, where they are not those here; None where they are."""
    for key, mine in ours.items():
        if found := difference(theirs.get(key), mine):
            detail = "" if key == "data" else f": {_in_words(found)}"
            return f"{WHAT[key]}{detail}"
    return None


def _in_words(found: str) -> str:
    """Values at points say nothing to a person but that they differ."""
    where, computes, _ = found.partition(", computes")
    return f"{where} computes something else" if computes else found
