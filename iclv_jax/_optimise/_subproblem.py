"""The trust-region subproblem: minimise `g'd + d'Hd / 2` over a ball and a box.

Solved through the eigenvalues of H, so that negative curvature and the hard case need no special
path (More and Sorensen 1983; Nocedal and Wright 2006, section 4.3). Everything is a pure function
of arrays of fixed shape, of numpy or of JAX: entries that do not move are masked, not removed.
"""

from typing import NamedTuple

from iclv_jax._base._either import chosen, eigh, library, quiet, repeated
from iclv_jax._base._types import AnyArray, Bool, Float

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

    gradient: Float[AnyArray, " param"]
    hessian: Float[AnyArray, "param param"]
    lower: Float[AnyArray, " param"]
    upper: Float[AnyArray, " param"]
    free: Bool[AnyArray, " param"]


class Curvature(NamedTuple):
    """What the Hessian says at a point, on the entries that no bound holds.

    `decrement` is `g' H^-1 g` over the directions that are not flat (infinite when there is negative
    curvature), `smallest` and `largest` eigenvalues, `active` marks entries held by a bound.
    """

    decrement: AnyArray
    smallest: AnyArray
    largest: AnyArray
    flat: AnyArray
    active: Bool[AnyArray, " param"]


class Spectrum(NamedTuple):
    """Eigenvalues in ascending order and eigenvectors of the Hessian; entries that do not move are decoupled and get
    the largest curvature of all."""

    values: AnyArray
    vectors: AnyArray


class Bounded(NamedTuple):
    """A step on its way into the box: entries that stay, and whether others left it."""

    fixed: Bool[AnyArray, " param"]
    step: Float[AnyArray, " param"]
    known: Spectrum
    more: AnyArray


def predicted_decrease(model: Model, step: AnyArray) -> AnyArray:
    return -(model.gradient @ step + 0.5 * (step @ (model.hessian @ step)))


def held_by_bound(model: Model) -> Bool[AnyArray, " param"]:
    """Entries at a bound that the gradient pushes against."""
    return ((model.lower >= 0.0) & (model.gradient > 0.0)) | ((model.upper <= 0.0) & (model.gradient < 0.0))


@quiet
def curvature(model: Model, known: Spectrum | None = None) -> Curvature:
    """`known` is the model's `spectrum`, where that has been taken already."""
    lib = library(model.gradient)
    active = held_by_bound(model)
    known = spectrum(model) if known is None else known
    largest, least = lib.max(lib.abs(known.values)), lib.min(known.values)
    # Whether a direction is flat must not depend on the scales; most Hessians leave no doubt.
    doubtful = lib.any(lib.abs(known.values) <= SUSPECT * largest)
    plain = known, lib.ones_like(model.gradient)
    (values, vectors), unit = chosen(doubtful, lambda: balanced(model), lambda: plain)
    along = vectors.T @ lib.where(model.free & ~active, model.gradient / unit, 0.0)
    flat = lib.abs(values) <= SINGULAR * lib.max(lib.abs(values))
    parts = lib.where(flat, 0.0, along**2 / lib.where(flat, 1.0, values))
    negative = lib.any(~flat & (values < 0.0))
    decrement = lib.where(negative, lib.inf, lib.sum(parts))
    return Curvature(decrement, least, largest, lib.sum(flat), active)


def trial_step(model: Model, radius: AnyArray, known: Spectrum | None = None) -> Float[AnyArray, " param"]:
    """A step inside the ball and the box that decreases the model at least as much as the best
    point on the projected gradient path; `known` as in `curvature`."""
    lib = library(model.gradient)
    fixed = ~model.free | held_by_bound(model)
    zero = lib.zeros_like(model.gradient)

    def improve(state: Bounded) -> Bounded:
        fixed, held, known, _ = state
        room = lib.sqrt(lib.maximum(radius**2 - held @ held, 1e-4 * radius**2))
        inner = model._replace(gradient=model.gradient + model.hessian @ held)
        step = lib.where(fixed, held, _ball(inner, ~fixed, room, known))
        outside = ~fixed & ((step < model.lower) | (step > model.upper))
        clipped = lib.where(outside, lib.clip(step, model.lower, model.upper), lib.where(fixed, held, zero))
        fixed, more = fixed | outside, outside.any()
        known = chosen(more, lambda: _spectrum(model, ~fixed), lambda: known)
        return Bounded(fixed, lib.where(more, clipped, step), known, more)

    first = Bounded(fixed, zero, spectrum(model) if known is None else known, lib.asarray(True))
    step = repeated(lambda state: state.more, improve, first).step
    cauchy = _projected_gradient(model, fixed, radius)
    better = predicted_decrease(model, step) >= predicted_decrease(model, cauchy)
    return lib.where(better, step, cauchy)


def spectrum(model: Model) -> Spectrum:
    """Of the part that may move, and that no bound holds."""
    return _spectrum(model, model.free & ~held_by_bound(model))


def units(hessian: Float[AnyArray, "param param"]) -> Float[AnyArray, " param"]:
    """What a matrix is divided by, on both sides, to have a diagonal of 1 or -1: no sign of a curvature is lost."""
    lib = library(hessian)
    size = lib.abs(lib.diagonal(hessian))
    return lib.sqrt(lib.where(size > EMPTY * lib.max(size), size, lib.max(size) + 1e-300))


def balanced(model: Model) -> tuple[Spectrum, AnyArray]:
    """The same of the Hessian scaled to a unit diagonal, with what it was divided by; entries without curvature of
    their own, up to rounding, keep their scale."""
    unit = units(model.hessian)
    scaled = model._replace(hessian=model.hessian / library(unit).outer(unit, unit))
    return _spectrum(scaled, model.free & ~held_by_bound(model)), unit


def _spectrum(model: Model, moving: AnyArray) -> Spectrum:
    lib = library(model.gradient)
    both = moving[:, None] & moving[None, :]
    matrix = lib.where(both, model.hessian, 0.0)
    matrix = matrix + lib.diag(lib.where(moving, 0.0, lib.max(lib.abs(model.hessian)) + 1e-300))
    return Spectrum(*eigh(matrix))


def _ball(model: Model, moving: AnyArray, radius: AnyArray, known: Spectrum) -> AnyArray:
    """The exact minimiser of the model over the ball, on the entries that move."""
    lib = library(model.gradient)
    values, vectors = known
    along = vectors.T @ lib.where(moving, model.gradient, 0.0)
    # A direction in which nothing changes, up to rounding, is dropped from the step.
    largest = lib.max(lib.abs(values))
    empty = (lib.abs(values) <= SINGULAR * largest) & (lib.abs(along) * radius <= NOTHING)
    along, values = lib.where(empty, 0.0, along), lib.where(empty, largest, values)
    bottom = lib.argmin(values)
    lowest_value = values[bottom]
    least = lib.maximum(0.0, -lowest_value)
    tiny = 1e-14 * lib.maximum(lib.max(lib.abs(values)), 1e-300)

    def length(shift: AnyArray) -> AnyArray:
        return lib.linalg.norm(along / lib.maximum(values + shift, tiny))

    def halve(state: tuple[AnyArray, AnyArray, AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
        low, high, left = state
        middle = 0.5 * (low + high)
        too_long = length(middle) > radius
        return lib.where(too_long, middle, low), lib.where(too_long, high, middle), left - 1

    high = least + lib.linalg.norm(along) / radius + tiny
    _, shift, _ = repeated(lambda state: state[-1] > 0, halve, (least, high, lib.asarray(BISECTIONS)))
    newton = (lowest_value > tiny) & (length(lib.zeros(())) <= radius)
    shift = lib.where(newton, 0.0, shift)
    curved = values + shift > tiny
    coordinates = lib.where(curved, -along / lib.where(curved, values + shift, 1.0), 0.0)
    # The hard case: what is missing to the boundary goes along the lowest eigenvector.
    missing = lib.sqrt(lib.maximum(radius**2 - coordinates @ coordinates, 0.0))
    lowest = lib.where(along[bottom] > 0.0, -missing, missing)
    hard = ~newton & (lowest_value <= tiny) & (missing > 1e-6 * radius)
    at_bottom = lib.arange(len(values)) == bottom
    coordinates = coordinates + lib.where(at_bottom & hard, lowest, 0.0)
    return lib.where(moving, vectors @ coordinates, 0.0)


def _projected_gradient(model: Model, fixed: AnyArray, radius: AnyArray) -> AnyArray:
    """The best of some points on the projected steepest-descent path inside the ball."""
    lib = library(model.gradient)
    direction = lib.where(fixed, 0.0, -model.gradient)
    size = lib.linalg.norm(direction)
    lengths = radius / lib.where(size > 0.0, size, 1.0) * 0.5 ** lib.arange(30.0)
    path = lib.clip(lengths[:, None] * direction[None, :], model.lower[None, :], model.upper[None, :])
    decreases = -(path @ model.gradient + 0.5 * ((path @ model.hessian) * path).sum(1))
    return path[lib.argmax(decreases)]
