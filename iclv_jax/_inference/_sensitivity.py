"""How estimates move with what they were estimated from: derivatives through the fit, by the implicit function theorem.

Estimates solve `sum_n w_n s_n(theta, data) = 0`, s_n the score of person n. So `d theta / d x = -H^-1 sum_n w_n d s_n / d x`
for anything x that the scores depend on, and `d theta / d w_n = -H^-1 s_n`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params, Scores
from iclv_jax._derivatives import person_scores
from iclv_jax._inference._covariance import Inverse
from iclv_jax._likelihood import Core


class Direction(NamedTuple):
    """By how much the arrays of a core move together; None for the answers to discrete items."""

    constants: Array
    covariates: Array
    tables: tuple[Array, ...]
    outcomes: tuple[Array | None, ...]


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


def responses(inverse: Inverse, changes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """`-H^-1 d s` of every row of changes of scores; `inverse` is that of -H.

    Parameters at a bound do not move. NaN for those that the data do not determine.
    """
    found = np.full(changes.shape, np.nan)
    found[:, held] = 0.0
    moved = changes[:, inverse.kept] @ inverse.matrix
    sound = np.isin(inverse.kept, inverse.sound)
    found[:, inverse.kept[sound]] = moved[:, sound]
    return found


def displacements(inverse: Inverse, scores: np.ndarray) -> np.ndarray:
    """`s' (-H)^-1 s` of every row: about twice the log-likelihood that the estimates without this person lose among all
    people (Cook 1986)."""
    part = scores[:, inverse.kept]
    return np.sum(part @ inverse.matrix * part, axis=1)
