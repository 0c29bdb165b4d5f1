"""What a fit depends on, as facts: equal for equal models, data and settings, in any process and any release of JAX."""

from collections.abc import Iterable, Mapping

import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._archive import digest
from iclv_jax._base._facts import Fact, Facts, dict_of, difference, fact
from iclv_jax._integration import Rule
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem._problem import Problem
from iclv_jax._spec import Kernel
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


@runtime_checkable
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
        "choices": {choice.name: _choices(problem, choice) for choice in problem.spec.choices},
    } | ({} if panel.person.group is None else {"groups": digest(np.asarray(panel.person.group))})


def _columns(names: Iterable[str], values: np.ndarray) -> Facts:
    """A digest for each column of an array with one row per person, or per situation."""
    return {
        name: digest(np.asarray(column, float))
        for name, column in zip(names, np.asarray(values).T, strict=True)
    }


def _answers(problem: Problem, order: np.ndarray | None = None) -> dict[str, str]:
    """Per item: levels (for those with levels), answers, and who gave one; people in their order, or in another one."""
    order = np.arange(len(problem.panel.people)) if order is None else order
    person, levels = problem.panel.person, problem.panel.levels
    found = {}
    # The data of the choices follow those of the stacks.
    for stack, data in zip(problem.table.stacks, person.data, strict=False):
        for i, item in enumerate(stack.items):
            seen = np.asarray(data.occurs)[order, i]
            answers = np.where(seen, np.asarray(data.outcome)[order, i], -1).astype(float)
            found[item] = digest(answers, seen, fact(levels.get(item, ())))
    return found


def _choices(problem: Problem, choice: Kernel) -> Facts:
    """One table of situations: how many each person has, what is chosen and available, and the columns."""
    rows, utility = problem.panel.situations_of(choice.name), choice.utility
    return {
        "situations": digest(np.bincount(rows.person, minlength=len(problem.panel.people))),
        "chosen": digest(_chosen(choice, rows.outcome)),
        "available": digest(rows.offered),
        "columns": _columns(utility.columns, rows.columns),
    }


def _chosen(choice: Kernel, outcome: np.ndarray) -> list[Fact]:
    """Outcomes by label; the last label stands for a missing answer. Numbers are what they are."""
    if not choice.discrete:
        return fact(outcome)  # pyright: ignore[reportReturnType]
    labels = np.array([*(repr(fact(a)) for a in choice.outcomes), ""])
    found: list[Fact] = labels[outcome].tolist()
    return found


def outcomes(problem: Problem) -> dict[str, str]:
    """What is explained and for whom, piece by piece: equal for models that may use other covariates, other
    orders of people, situations, items or alternatives, and other columns of the same data."""
    panel = problem.panel
    people = np.array([repr(fact(p)) for p in panel.people])
    first = np.argsort(people, kind="stable")
    place = np.argsort(first)
    found = {"the people": digest(people[first].tolist()), "the weights": digest(panel.weights[first])}
    for choice in problem.spec.choices:
        rows = panel.situations_of(choice.name)
        alone = len(problem.spec.choices) == 1
        what = "the choices" if alone else f"the choices of {choice.name}"
        # What one person chose counts, not in which order.
        labels = np.array([repr(one) for one in _chosen(choice, rows.outcome)])
        order = np.lexsort((labels, place[rows.person]))
        found[what] = digest(place[rows.person][order], labels[order].tolist())
    return found | {f"item {item!r}": answers for item, answers in _answers(problem, first).items()}


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
