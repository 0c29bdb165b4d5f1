"""How estimates move with what they were estimated from: derivatives through the fit, by the implicit function theorem.

Estimates solve `sum_n w_n s_n(theta, data) = 0`, s_n the score of person n. So `d theta / d x = -H^-1 sum_n w_n d s_n / d x`
for anything x that the scores depend on, and `d theta / d w_n = -H^-1 s_n`.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params, Scores
from iclv_jax._derivatives import person_scores
from iclv_jax._inference._covariance import Inverse
from iclv_jax._likelihood._likelihood import Core


class Direction(NamedTuple):
    """By how much the arrays of a core move together; None for the answers to discrete items."""

    constants: Array
    covariates: Array
    values: tuple[Array | None, ...]
    columns: Array


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
