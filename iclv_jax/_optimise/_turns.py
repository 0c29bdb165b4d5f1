"""The pure steps of a turn: in numpy where the method can, and else compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._either import library, on_host, quiet
from iclv_jax._base._types import AnyArray, Array
from iclv_jax._optimise._method import Judgement, Memory, Method, Trial
from iclv_jax._optimise._objective import Derivatives
from iclv_jax._optimise._subproblem import SINGULAR, Curvature, Model, units

Result = TypeVar("Result")
TOUCHED = 1e-4
"""Weight in a flat direction above which a parameter is part of it."""


def scaled(
    gradient: AnyArray,
    hessian: AnyArray,
    z: AnyArray,
    scale: AnyArray,
    lower: AnyArray,
    upper: AnyArray,
    free: AnyArray,
) -> Model:
    """The quadratic model in scaled parameters, its bounds relative to the present point."""
    return Model(
        gradient=gradient * scale,
        hessian=hessian * library(hessian).outer(scale, scale),
        lower=(lower - z) / scale,
        upper=(upper - z) / scale,
        free=free,
    )


def model_at(
    here: Derivatives, z: Array, scale: np.ndarray, lower: np.ndarray, upper: np.ndarray, free: np.ndarray
) -> Model:
    """That of one fit, in arrays of numpy."""
    gradient, hessian, at = on_host(here.gradient, here.hessian, z)
    return scaled(gradient, hessian, at, scale, lower, upper, free)


def moved(
    z: Array, step: AnyArray, scale: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[Array, np.ndarray]:
    """The point that a scaled step leads to, within its bounds, and the scaled step that remains."""
    here, step = on_host(z, step)
    there = np.clip(here + scale * step, lower, upper)
    return jax.device_put(there), (there - here) / scale


def finite(here: Derivatives) -> bool:
    return all(bool(np.isfinite(np.asarray(a)).all()) for a in here[:3])


def plan(method: Method, memory: Memory, model: Model) -> tuple[Memory, Curvature]:
    return _at_once(method.plan, memory, model) if method.eager else _plan(method, memory, model)


def propose(method: Method, memory: Memory, model: Model) -> AnyArray:
    return _at_once(method.propose, memory, model) if method.eager else _propose(method, memory, model)


def judge(method: Method, memory: Memory, model: Model, trial: Trial) -> Judgement:
    if method.eager:
        return _at_once(method.judge, memory, model, trial)
    return _judge(method, memory, model, trial)


def _at_once(step: Callable[..., Result], *given: Any) -> Result:
    return quiet(step)(*on_host(*given))


@partial(compiled, quick=True, static_argnums=0)
def _plan(method: Method, memory: Memory, model: Model) -> tuple[Memory, Curvature]:
    return method.plan(memory, model)


@partial(compiled, quick=True, static_argnums=0)
def _propose(method: Method, memory: Memory, model: Model) -> AnyArray:
    return method.propose(memory, model)


@partial(compiled, quick=True, static_argnums=0)
def _judge(method: Method, memory: Memory, model: Model, trial: Trial) -> Judgement:
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
