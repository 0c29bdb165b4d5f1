"""The pure steps of a turn, compiled."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._optimise._method import Judgement, Memory, Method, Trial
from iclv_jax._optimise._objective import Derivatives
from iclv_jax._optimise._subproblem import SINGULAR, Curvature, Model, units

TOUCHED = 1e-4
"""Weight in a flat direction above which a parameter is part of it."""


@partial(compiled, quick=True)
def scaled(
    gradient: Array, hessian: Array, z: Array, scale: Array, lower: Array, upper: Array, free: Array
) -> Model:
    """The quadratic model in scaled parameters, its bounds relative to the present point."""
    return Model(
        gradient=gradient * scale,
        hessian=hessian * jnp.outer(scale, scale),
        lower=(lower - z) / scale,
        upper=(upper - z) / scale,
        free=free,
    )


@partial(compiled, quick=True)
def moved(z: Array, step: Array, scale: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """The point that a scaled step leads to, within its bounds, and the scaled step that remains."""
    there = jnp.clip(z + scale * step, lower, upper)
    return there, (there - z) / scale


def finite(here: Derivatives) -> bool:
    return all(bool(np.isfinite(np.asarray(a)).all()) for a in here[:3])


@partial(compiled, quick=True, static_argnums=0)
def plan(method: Method, memory: Memory, model: Model) -> tuple[Memory, Curvature]:
    return method.plan(memory, model)


@partial(compiled, quick=True, static_argnums=0)
def propose(method: Method, memory: Memory, model: Model) -> Array:
    return method.propose(memory, model)


@partial(compiled, quick=True, static_argnums=0)
def judge(method: Method, memory: Memory, model: Model, trial: Trial) -> Judgement:
    return method.judge(memory, model, trial)


def flat_directions(
    model: Model, names: tuple[str, ...], silent: np.ndarray | None = None, exact: bool = True
) -> tuple[dict[str, float], ...]:
    """Eigenvectors of the scaled Hessian without curvature, as weights of the parameters they mix; and parameters on which
    nothing depends. Without an `exact` Hessian these only."""
    alone = () if silent is None else tuple({names[i]: 1.0} for i in np.flatnonzero(silent))
    mixed = _flat(model) if exact else ()
    return (
        *alone,
        *({names[i]: float(v[i]) for i in np.argsort(-np.abs(v)) if abs(v[i]) > 0.1} for v in mixed),
    )


def only_within(model: Model, inside: np.ndarray) -> bool:
    """Whether the directions without curvature touch no other parameters than these."""
    return bool((np.abs(_flat(model)[:, ~inside]) <= TOUCHED).all())


def _flat(model: Model) -> np.ndarray:
    """Eigenvectors of the scaled Hessian without curvature, (direction, parameter)."""
    free = np.flatnonzero(np.asarray(model.free))
    matrix = np.asarray(model.hessian)[np.ix_(free, free)]
    if not len(free) or not np.isfinite(matrix).all():
        return np.zeros((0, len(model.gradient)))
    unit = units(matrix)
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    flat = np.abs(values) <= SINGULAR * np.abs(values).max()
    directions = np.zeros((int(flat.sum()), len(model.gradient)))
    directions[:, free] = vectors.T[flat]
    return directions
