"""Limited-memory BFGS with bounds (Byrd, Lu, Nocedal and Zhu 1995; Morales and Nocedal 2011).

The Hessian is `theta I - W M W'` with `W = [Y, theta S]` from the last steps S and changes of the gradient Y,
newest last. Unused places hold zero columns.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from iclv_jax._base._types import AnyArray, Array, Int, Scalar
from iclv_jax._optimise import _line_search as line
from iclv_jax._optimise._method import Judgement, Trial
from iclv_jax._optimise._objective import Supplied
from iclv_jax._optimise._subproblem import Curvature, Model, held_by_bound


class Compact(NamedTuple):
    """`theta I - wide @ middle @ wide.T`."""

    theta: Scalar
    wide: Array
    middle: Array


class Pairs(NamedTuple):
    """The history in time order, how much of it is used, the search that is on, and counters."""

    steps: Array
    changes: Array
    used: Int[Array, ""]
    age: Int[Array, ""]
    search: line.Search
    failed: Array
    reset: Int[Array, ""]


@dataclass(frozen=True)
class LBFGSBSteps:
    memory: int
    reset_every: int | None

    @property
    def supplied(self) -> Supplied:
        return "none"

    @property
    def pure(self) -> "LBFGSBSteps":
        return self

    @property
    def eager(self) -> bool:
        return False

    @property
    def slopes(self) -> bool:
        return True

    def begin(self, size: int) -> Pairs:
        zero = jnp.zeros((), int)
        empty = jnp.zeros((self.memory, size))
        return Pairs(empty, empty, zero, zero, line.empty(size), jnp.asarray(False), zero)

    def plan(self, memory: Pairs, model: Model) -> tuple[Pairs, Curvature]:
        gradient = jnp.where(model.free, model.gradient, 0.0)
        compact = self._compact(memory)
        cauchy, along = cauchy_point(gradient, model.lower, model.upper, model.free, compact)
        goal = subspace_minimum(gradient, model.lower, model.upper, model.free, compact, cauchy, along)
        size = jnp.linalg.norm(goal)
        # Without history the length of the step is arbitrary: at most one scaled unit.
        first = jnp.where(memory.used == 0, jnp.minimum(1.0, 1.0 / jnp.where(size > 0.0, size, 1.0)), 1.0)
        longest = jnp.maximum(line.longest_step(goal, model.lower, model.upper), 1.0)
        search = line.begin(goal, gradient, first, longest)
        nothing = jnp.full((), jnp.nan, float)
        shape = Curvature(
            -jnp.dot(gradient, goal), nothing, nothing, jnp.zeros((), int), model.free & held_by_bound(model)
        )
        return memory._replace(search=search, failed=jnp.asarray(False)), shape

    def propose(self, memory: Pairs, model: Model) -> Array:
        return memory.search.length * memory.search.direction

    def judge(self, memory: Pairs, model: Model, trial: Trial) -> Judgement:
        accepted, failed, search = line.judge(memory.search, model.gradient, trial)
        predicted = -jnp.dot(model.gradient, trial.step)
        ratio = (trial.value - trial.trial) / jnp.where(predicted > 0.0, predicted, 1.0)
        change = jnp.where(model.free, trial.gradient - model.gradient, 0.0)
        curved = jnp.dot(trial.step, change)
        good = curved > 2.2e-16 * jnp.dot(change, change)
        stored = memory._replace(
            steps=jnp.roll(memory.steps, -1, axis=0).at[-1].set(trial.step),
            changes=jnp.roll(memory.changes, -1, axis=0).at[-1].set(change),
            used=jnp.minimum(memory.used + 1, self.memory),
        )
        moved = jax.tree.map(lambda a, b: jnp.where(good, a, b), stored, memory)
        moved = moved._replace(age=memory.age + 1, reset=jnp.where(good, 0, 3))
        if self.reset_every is not None:
            moved = _dropped(moved, moved.age >= self.reset_every, 1)
        # A failed search is begun again without history; if there was none, nothing is left to try.
        again = _dropped(memory._replace(reset=jnp.zeros((), int)), failed & (memory.used > 0), 2)
        after = jax.tree.map(lambda a, b: jnp.where(accepted, a, b), moved, again)
        return Judgement(accepted, ratio, after._replace(search=search, failed=failed & (memory.used == 0)))

    def rescaled(self, memory: Pairs, ratio: AnyArray) -> Pairs:
        return memory._replace(steps=memory.steps * ratio, changes=memory.changes / ratio)

    def spent(self, memory: Pairs) -> AnyArray:
        return memory.failed

    def restarts(self, memory: Pairs) -> Array:
        return memory.reset == 2

    def progress(self, memory: Pairs) -> dict[str, Array]:
        return {"length": memory.search.length, "pairs": memory.used, "reset": memory.reset}

    def _compact(self, memory: Pairs) -> Compact:
        steps, changes = memory.steps, memory.changes
        live = jnp.arange(self.memory) >= self.memory - memory.used
        products = steps @ changes.T
        newest = products[-1, -1]
        theta = jnp.where(
            memory.used > 0, jnp.dot(changes[-1], changes[-1]) / jnp.where(memory.used > 0, newest, 1.0), 1.0
        )
        diagonal = jnp.where(live, -jnp.diagonal(products), -1.0)
        squares = theta * steps @ steps.T + jnp.diag(jnp.where(live, 0.0, 1.0))
        below = jnp.tril(products, -1)
        inverse = jnp.block([[jnp.diag(diagonal), below.T], [below, squares]])
        wide = jnp.concatenate([changes, theta * steps]).T
        return Compact(theta, wide, jnp.linalg.inv(inverse))


def _dropped(memory: Pairs, when: Array, reason: int) -> Pairs:
    zero = jnp.zeros((), int)
    empty = memory._replace(
        steps=jnp.zeros_like(memory.steps),
        changes=jnp.zeros_like(memory.changes),
        used=zero,
        age=zero,
        reset=jnp.asarray(reason),
    )
    return jax.tree.map(lambda a, b: jnp.where(when, a, b), empty, memory)


class _Path(NamedTuple):
    """A point of the projected gradient path: how many breakpoints lie behind it, the direction ahead with
    `wide.T` times it, the point with `wide.T` times it, slope and curvature of the model there, and its time."""

    passed: Int[Array, ""]
    direction: Array
    along: Array
    point: Array
    reached: Array
    slope: Scalar
    bend: Scalar
    now: Scalar


def cauchy_point(
    gradient: Array, lower: Array, upper: Array, free: Array, compact: Compact
) -> tuple[Array, Array]:
    """First local minimiser of the model along the projected gradient path, and `wide.T` times it."""
    theta, wide, middle = compact
    ends = jnp.where(gradient < 0.0, upper, lower)
    moving = free & (gradient != 0.0)
    times = jnp.where(moving, ends / jnp.where(moving, -gradient, 1.0), jnp.inf)
    direction = jnp.where(free & (times > 0.0), -gradient, 0.0)
    order, along, zero = jnp.argsort(times), wide.T @ direction, jnp.zeros_like(gradient)
    slope = -jnp.dot(direction, direction)
    bend = -theta * slope - along @ middle @ along

    def unfinished(path: _Path) -> Array:
        end = times[order[jnp.minimum(path.passed, len(order) - 1)]]
        further = _ahead(path.slope, path.bend) >= end - path.now
        return (path.passed < len(order)) & further & jnp.isfinite(end)

    def segment(path: _Path) -> _Path:
        entry = order[path.passed]
        return _beyond(path, entry, times[entry], ends[entry], gradient[entry], compact)

    start = _Path(
        jnp.zeros((), int), direction, along, zero, jnp.zeros_like(along), slope, bend, jnp.zeros(())
    )
    path = jax.lax.while_loop(unfinished, segment, start)
    rest = _ahead(path.slope, path.bend)
    rest = jnp.where(jnp.isfinite(rest), rest, 0.0)
    return jnp.clip(path.point + rest * path.direction, lower, upper), path.reached + rest * path.along


def _beyond(path: _Path, entry: Array, time: Array, end: Array, slope: Array, compact: Compact) -> _Path:
    """The path behind the breakpoint at which one entry, with this slope, stops at its bound."""
    theta, wide, middle = compact
    span, row = time - path.now, wide[entry]
    on = path._replace(
        passed=path.passed + 1,
        point=path.point + span * path.direction,
        reached=path.reached + span * path.along,
        slope=path.slope + span * path.bend,
        now=time,
    )
    pulled = row @ middle
    stopped = on._replace(
        direction=on.direction.at[entry].set(0.0),
        along=on.along + slope * row,
        point=on.point.at[entry].set(end),
        slope=on.slope + slope**2 + theta * slope * end - slope * (pulled @ on.reached),
        bend=on.bend - theta * slope**2 - 2.0 * slope * (pulled @ on.along) - slope**2 * (pulled @ row),
    )
    live = path.direction[entry] != 0.0
    return jax.tree.map(lambda a, b: jnp.where(live, a, b), stopped, on)


def _ahead(slope: Array, bend: Array) -> Array:
    """Where the parabola on this segment has its minimum."""
    return jnp.where(slope < 0.0, -slope / jnp.where(bend > 0.0, bend, 1e-300), 0.0)


def subspace_minimum(
    gradient: Array, lower: Array, upper: Array, free: Array, compact: Compact, cauchy: Array, along: Array
) -> Array:
    """The model's minimiser over the entries that are free at the Cauchy point, brought back into the box."""
    theta, wide, middle = compact
    moving = free & (cauchy > lower) & (cauchy < upper)
    residual = jnp.where(moving, gradient + theta * cauchy - wide @ (middle @ along), 0.0)
    inner = jnp.where(moving[:, None], wide, 0.0)
    small = middle @ (inner.T @ residual)
    small = jnp.linalg.solve(jnp.eye(len(small)) - middle @ (inner.T @ inner) / theta, small)
    newton = jnp.where(moving, -residual / theta - inner @ small / theta**2, 0.0)
    projected = jnp.clip(cauchy + newton, lower, upper)
    # Where the projection spoils the descent, go straight towards the minimiser until the first bound.
    share = jnp.minimum(1.0, line.longest_step(newton, lower - cauchy, upper - cauchy))
    truncated = cauchy + share * newton
    return jnp.where(jnp.dot(projected, gradient) < 0.0, projected, truncated)
