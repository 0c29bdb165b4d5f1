"""Which arrays of a problem a column or a fixed parameter stands in, and how the scores change with them."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params, Scores
from iclv_jax._derivatives import person_scores
from iclv_jax._likelihood._likelihood import Core
from iclv_jax._problem import Problem
from iclv_jax._spec._names import nearest


class Direction(NamedTuple):
    """By how much the arrays of a core move together; None for the answers to discrete items."""

    constants: Array
    covariates: Array
    values: tuple[Array | None, ...]
    columns: Array


class Move(NamedTuple):
    """A direction of the data and constants, what moves in words, and where a column stands."""

    direction: Direction
    what: str
    where: str = ""


def moved_parameter(problem: Problem, name: str | None, percent: bool) -> Move:
    """A fixed parameter; ValueError for any other."""
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


def moved_column(problem: Problem, name: str, percent: bool) -> Move:
    """A column of numbers, everywhere it stands: in utilities, as a covariate, as a continuous item."""
    core, still, places = problem.core, nowhere(problem.core), []
    person, columns, covariates, values = core.person, still.columns, still.covariates, list(still.values)
    utility = problem.spec.utility
    if utility is not None and name in utility.columns:
        at = np.index_exp[..., utility.columns.index(name)]
        columns = columns.at[at].set(0.01 * person.columns[at] if percent else 1.0)
        places.append("the utilities")
    if name in problem.panel.covariates:
        at = np.index_exp[..., problem.panel.covariates.index(name)]
        covariates = covariates.at[at].set(0.01 * person.covariates[at] if percent else 1.0)
        places.append("the structural equations")
    for i, stack in enumerate(problem.table.stacks):
        block = values[i]
        if block is not None and name in stack.items:
            at = np.index_exp[..., stack.items.index(name)]
            values[i] = block.at[at].set(0.01 * person.values[i][at] if percent else 1.0)
            places.append("the items")
    if not places:
        raise ValueError(_why_not(problem, name))
    direction = Direction(still.constants, covariates, tuple(values), columns)
    return Move(direction, f"{_unit(percent)} {name}", " and ".join(places))


def _unit(percent: bool) -> str:
    return "one per cent of" if percent else "unit of"


def _why_not(problem: Problem, name: str) -> str:
    if name in problem.panel.levels:
        return f"column={name!r} holds answers or groups, not numbers: there is no derivative by it. Refit instead."
    known = [*(problem.spec.utility.columns if problem.spec.utility else ()), *problem.panel.covariates]
    known += [q for stack in problem.table.stacks for q in stack.items if not stack.family.discrete]
    return (
        f"column={name!r} is none that the utilities, the structural equations or the continuous items use. "
        f"{nearest(name, known)}"
    )


def nowhere(core: Core) -> Direction:
    """The direction in which nothing moves."""
    person = core.person
    values = (jnp.zeros_like(v) if jnp.issubdtype(v.dtype, jnp.floating) else None for v in person.values)
    constants, covariates = jnp.zeros_like(core.constants), jnp.zeros_like(person.covariates)
    return Direction(constants, covariates, tuple(values), jnp.zeros_like(person.columns))


@compiled
def score_changes(core: Core, params: Params, direction: Direction) -> Scores:
    """Derivatives of every person's score in a direction, unweighted, at frozen nodes: (people, parameters)."""

    def scores(step: Array) -> Scores:
        return person_scores(_moved(core, direction, step), params).scores

    return jax.jvp(scores, (jnp.zeros(()),), (jnp.ones(()),))[1]


def _moved(core: Core, direction: Direction, step: Array) -> Core:
    person = core.person
    values = (v if d is None else v + step * d for v, d in zip(person.values, direction.values, strict=True))
    person = person._replace(
        covariates=person.covariates + step * direction.covariates,
        values=tuple(values),
        columns=person.columns + step * direction.columns,
    )
    constants = core.constants + step * direction.constants
    return eqx.tree_at(lambda c: (c.constants, c.person), core, (constants, person))
