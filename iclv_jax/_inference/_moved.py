"""Which arrays of a problem a column or a fixed parameter stands in, and how the scores change with them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import check_name
from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Given, Params, Scores
from iclv_jax._derivatives import person_scores
from iclv_jax._likelihood import Core
from iclv_jax._problem import Problem
from iclv_jax._spec._names import nearest
from iclv_jax._spec._standardized import column_of


class Direction(NamedTuple):
    """By how much the arrays of a core move together; None for the answers to discrete items."""

    constants: Array
    covariates: Array
    tables: tuple[Array, ...]
    outcomes: tuple[Array | None, ...]


class Move(NamedTuple):
    """A direction of the data and constants, what moves in words, and where a column stands."""

    direction: Direction
    what: str
    where: str = ""


def moved_parameter(problem: Problem, name: Given[str | None], percent: bool) -> Move:
    """A fixed parameter; ValueError for any other."""
    check_name(name, "fixed=")
    row = problem.table.row(str(name))
    if row.status != "fixed":
        raise ValueError(
            f"fixed= names {name!r}, which is {row.standing}. The derivative is taken by a parameter that has been fixed."
        )
    if percent and row.value == 0.0:
        raise ValueError(f"{name!r} is fixed at 0, of which per cent are nothing. Take per='unit'.")
    still = nowhere(problem.core)
    size = 0.01 * float(row.value) if percent else 1.0  # pyright: ignore[reportArgumentType]
    constants = still.constants.at[problem.table.rows.index(row)].set(size)
    return Move(still._replace(constants=constants), f"{_unit(percent)} {row.name}")


def moved_column(problem: Problem, name: Given[str], percent: bool) -> Move:
    """A column of numbers, everywhere it stands: in utilities, as a covariate, as a continuous item."""
    check_name(name, "column=")
    core, still, places = problem.core, nowhere(problem.core), []
    person, shape = core.person, core.structure

    def raised(change: Array, values: Array, at: int) -> Array:
        """The change with this last entry moved."""
        here = np.index_exp[..., at]
        return change.at[here].set(0.01 * values[here] if percent else 1.0)

    tables, outcomes, covariates = list(still.tables), list(still.outcomes), still.covariates
    for block in shape.choices:
        if name in block.utility.columns:
            at, k = block.utility.columns.index(name), block.table
            tables[k] = raised(tables[k], person.tables[k], at)
            places.append("the utilities")
    if name in problem.panel.covariates:
        covariates = raised(covariates, person.covariates, problem.panel.covariates.index(name))
        places += _equations(problem, name)
    for block in shape.items:
        change = outcomes[block.at]
        if change is not None and name in block.items:
            answers = person.data[block.at].outcome
            moved = raised(change, answers, block.items.index(name))
            # What is censored stands below zero: longer is farther from it.
            outcomes[block.at] = moved * jnp.sign(answers) if block.family.flag and not percent else moved
            places.append("the items")
    if not places:
        raise ValueError(_why_not(problem, name))
    direction = Direction(still.constants, covariates, tuple(tables), tuple(outcomes))
    return Move(direction, f"{_unit(percent)} {name}", " and ".join(dict.fromkeys(places)))


def _equations(problem: Problem, name: str) -> list[str]:
    """Where a covariate stands: in structural equations, or among the direct effects on items."""
    latents = [v.name for v in problem.spec.latents if name in map(column_of, v.predictors)]
    effects = any(name in map(column_of, item.on) for item in problem.spec.indicators)
    return ["the structural equations"] * bool(latents) + ["the items"] * effects


def _unit(percent: bool) -> str:
    return "one per cent of" if percent else "unit of"


def _why_not(problem: Problem, name: str) -> str:
    if name in problem.panel.levels:
        return f"column={name!r} holds answers or groups, not numbers: there is no derivative by it. Refit instead."
    known = [*(c for u in problem.spec.utilities for c in u.columns), *problem.panel.covariates]
    known += [q for stack in problem.table.stacks for q in stack.items if not stack.family.discrete]
    return (
        f"column={name!r} is none that the utilities, the structural equations or the continuous items use. "
        f"{nearest(name, known)}"
    )


def nowhere(core: Core) -> Direction:
    """The direction in which nothing moves."""
    person = core.person
    outcomes = (
        jnp.zeros_like(d.outcome) if jnp.issubdtype(d.outcome.dtype, jnp.floating) else None
        for d in person.data
    )
    tables = tuple(jnp.zeros_like(table) for table in person.tables)
    return Direction(
        jnp.zeros_like(core.constants), jnp.zeros_like(person.covariates), tables, tuple(outcomes)
    )


@compiled
def score_changes(core: Core, params: Params, direction: Direction) -> Scores:
    """Derivatives of every person's score in a direction, unweighted, at frozen nodes: (people, parameters)."""

    def scores(step: Array) -> Scores:
        return person_scores(_moved(core, direction, step), params).scores

    return jax.jvp(scores, (jnp.zeros(()),), (jnp.ones(()),))[1]


def _moved(core: Core, direction: Direction, step: Array) -> Core:
    person = core.person
    data = (
        d if change is None else d._replace(outcome=d.outcome + step * change)
        for d, change in zip(person.data, direction.outcomes, strict=True)
    )
    moved = person._replace(
        covariates=person.covariates + step * direction.covariates,
        tables=tuple(t + step * d for t, d in zip(person.tables, direction.tables, strict=True)),
        data=tuple(data),
    )
    constants = core.constants + step * direction.constants
    return Core(core.structure, constants, core.people.with_person(moved))
