"""The trust-region subproblem: minimise `g'd + d'Hd / 2` over a ball and a box.

Solved through the eigenvalues of H, so that negative curvature and the hard case need no special
path (More and Sorensen 1983; Nocedal and Wright 2006, section 4.3). Everything is a pure function
of arrays of fixed shape: entries that do not move are masked, not removed.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, Bool, Float, Scalar

BISECTIONS = 100
SINGULAR = 1e-11
"""An eigenvalue below this share of the largest one counts as zero, with the Hessian scaled to a unit diagonal."""
SUSPECT = 1e-7
"""Share of the largest eigenvalue below which it is worth to scale."""
EMPTY = 1e-13
"""A diagonal entry below this share of the largest is rounding, and gives no scale."""
NOTHING = 1e-13
"""What a step along a direction without curvature has to promise, in the units of the objective."""


class Model(NamedTuple):
    """A quadratic model in scaled parameters. `lower` and `upper` bound the step, `free` marks the
    entries that may move."""

    gradient: Float[Array, " param"]
    hessian: Float[Array, "param param"]
    lower: Float[Array, " param"]
    upper: Float[Array, " param"]
    free: Bool[Array, " param"]


class Curvature(NamedTuple):
    """What the Hessian says at a point, on the entries that no bound holds.

    `decrement` is `g' H^-1 g` over the directions that are not flat (infinite when there is negative
    curvature), `smallest` and `largest` eigenvalues, `active` marks entries held by a bound.
    """

    decrement: Scalar
    smallest: Scalar
    largest: Scalar
    flat: Scalar
    active: Bool[Array, " param"]


class Spectrum(NamedTuple):
    """Eigenvalues in ascending order and eigenvectors of the Hessian; entries that do not move are decoupled and get
    the largest curvature of all."""

    values: AnyArray
    vectors: AnyArray


def predicted_decrease(model: Model, step: AnyArray) -> Scalar:
    return -(jnp.dot(model.gradient, step) + 0.5 * jnp.dot(step, model.hessian @ step))


def held_by_bound(model: Model) -> Bool[Array, " param"]:
    """Entries at a bound that the gradient pushes against."""
    return ((model.lower >= 0.0) & (model.gradient > 0.0)) | ((model.upper <= 0.0) & (model.gradient < 0.0))


@partial(compiled, quick=True)
def curvature(model: Model, known: Spectrum | None = None) -> Curvature:
    """`known` is the model's `spectrum`, where that has been taken already."""
    active = held_by_bound(model)
    known = spectrum(model) if known is None else known
    largest, least = jnp.max(jnp.abs(known.values)), jnp.min(known.values)
    # Whether a direction is flat must not depend on the scales; most Hessians leave no doubt.
    doubtful = jnp.any(jnp.abs(known.values) <= SUSPECT * largest)
    plain = known, jnp.ones_like(model.gradient)
    (values, vectors), unit = jax.lax.cond(doubtful, lambda: balanced(model), lambda: plain)
    along = vectors.T @ jnp.where(model.free & ~active, model.gradient / unit, 0.0)
    flat = jnp.abs(values) <= SINGULAR * jnp.max(jnp.abs(values))
    parts = jnp.where(flat, 0.0, along**2 / jnp.where(flat, 1.0, values))
    negative = jnp.any(~flat & (values < 0.0))
    decrement = jnp.where(negative, jnp.inf, jnp.sum(parts))
    return Curvature(decrement, least, largest, jnp.sum(flat), active)


@partial(compiled, quick=True)
def trial_step(model: Model, radius: Scalar, known: Spectrum | None = None) -> Float[Array, " param"]:
    """A step inside the ball and the box that decreases the model at least as much as the best
    point on the projected gradient path; `known` as in `curvature`."""
    fixed = ~model.free | held_by_bound(model)
    zero = jnp.zeros_like(model.gradient)

    def unfinished(state: tuple[Array, Array, Spectrum, Array]) -> Array:
        return state[-1]

    def improve(state: tuple[Array, Array, Spectrum, Array]) -> tuple[Array, Array, Spectrum, Array]:
        fixed, held, known, _ = state
        room = jnp.sqrt(jnp.maximum(radius**2 - jnp.dot(held, held), 1e-4 * radius**2))
        inner = model._replace(gradient=model.gradient + model.hessian @ held)
        step = jnp.where(fixed, held, _ball(inner, ~fixed, room, known))
        outside = ~fixed & ((step < model.lower) | (step > model.upper))
        clipped = jnp.where(outside, jnp.clip(step, model.lower, model.upper), jnp.where(fixed, held, zero))
        fixed, more = fixed | outside, outside.any()
        known = jax.lax.cond(more, lambda: _spectrum(model, ~fixed), lambda: known)
        return fixed, jnp.where(more, clipped, step), known, more

    first = spectrum(model) if known is None else known
    _, step, _, _ = jax.lax.while_loop(unfinished, improve, (fixed, zero, first, jnp.asarray(True)))
    cauchy = _projected_gradient(model, fixed, radius)
    better = predicted_decrease(model, step) >= predicted_decrease(model, cauchy)
    return jnp.where(better, step, cauchy)


def spectrum(model: Model) -> Spectrum:
    """Of the part that may move, and that no bound holds."""
    return _spectrum(model, model.free & ~held_by_bound(model))


def units(hessian: Float[AnyArray, "param param"]) -> Float[AnyArray, " param"]:
    """What a matrix is divided by, on both sides, to have a diagonal of 1 or -1: no sign of a curvature is lost."""
    lib = np if isinstance(hessian, np.ndarray) else jnp
    size = lib.abs(lib.diagonal(hessian))
    return lib.sqrt(lib.where(size > EMPTY * lib.max(size), size, lib.max(size) + 1e-300))


def balanced(model: Model) -> tuple[Spectrum, AnyArray]:
    """The same of the Hessian scaled to a unit diagonal, with what it was divided by; entries without curvature of
    their own, up to rounding, keep their scale."""
    unit = units(model.hessian)
    scaled = model._replace(hessian=model.hessian / jnp.outer(unit, unit))
    return _spectrum(scaled, model.free & ~held_by_bound(model)), unit


def _spectrum(model: Model, moving: Array) -> Spectrum:
    both = moving[:, None] & moving[None, :]
    matrix = jnp.where(both, model.hessian, 0.0)
    matrix = matrix + jnp.diag(jnp.where(moving, 0.0, jnp.max(jnp.abs(model.hessian)) + 1e-300))
    return Spectrum(*jnp.linalg.eigh(matrix))


def _ball(model: Model, moving: Array, radius: Scalar, known: Spectrum) -> Array:
    """The exact minimiser of the model over the ball, on the entries that move."""
    values, vectors = known
    along = vectors.T @ jnp.where(moving, model.gradient, 0.0)
    # A direction in which nothing changes, up to rounding, is dropped from the step.
    largest = jnp.max(jnp.abs(values))
    empty = (jnp.abs(values) <= SINGULAR * largest) & (jnp.abs(along) * radius <= NOTHING)
    along, values = jnp.where(empty, 0.0, along), jnp.where(empty, largest, values)
    bottom = jnp.argmin(values)
    lowest_value = values[bottom]
    least = jnp.maximum(0.0, -lowest_value)
    tiny = 1e-14 * jnp.maximum(jnp.max(jnp.abs(values)), 1e-300)

    def length(shift: Scalar) -> Scalar:
        return jnp.linalg.norm(along / jnp.maximum(values + shift, tiny))

    def halve(_: object, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        too_long = length(middle) > radius
        return jnp.where(too_long, middle, low), jnp.where(too_long, high, middle)

    high = least + jnp.linalg.norm(along) / radius + tiny
    _, shift = jax.lax.fori_loop(0, BISECTIONS, halve, (least, high))
    newton = (lowest_value > tiny) & (length(jnp.zeros(())) <= radius)
    shift = jnp.where(newton, 0.0, shift)
    curved = values + shift > tiny
    coordinates = jnp.where(curved, -along / jnp.where(curved, values + shift, 1.0), 0.0)
    # The hard case: what is missing to the boundary goes along the lowest eigenvector.
    missing = jnp.sqrt(jnp.maximum(radius**2 - jnp.dot(coordinates, coordinates), 0.0))
    lowest = jnp.where(along[bottom] > 0.0, -missing, missing)
    hard = ~newton & (lowest_value <= tiny) & (missing > 1e-6 * radius)
    coordinates = coordinates.at[bottom].add(jnp.where(hard, lowest, 0.0))
    return jnp.where(moving, vectors @ coordinates, 0.0)


def _projected_gradient(model: Model, fixed: Array, radius: Scalar) -> Array:
    """The best of some points on the projected steepest-descent path inside the ball."""
    direction = jnp.where(fixed, 0.0, -model.gradient)
    size = jnp.linalg.norm(direction)
    lengths = radius / jnp.where(size > 0.0, size, 1.0) * 0.5 ** jnp.arange(30.0)
    path = jnp.clip(lengths[:, None] * direction[None, :], model.lower[None, :], model.upper[None, :])
    decreases = jax.vmap(lambda step: predicted_decrease(model, step))(path)
    return path[jnp.argmax(decreases)]
