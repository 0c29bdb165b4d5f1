"""The method of Berndt, Hall, Hall and Hausman (1974): outer products of scores, and a line search."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from iclv_jax._base._types import AnyArray, Array, Bool
from iclv_jax._optimise import _line_search as line
from iclv_jax._optimise._method import Judgement, Trial
from iclv_jax._optimise._objective import Supplied
from iclv_jax._optimise._subproblem import Curvature, Model, curvature, spectrum, trial_step

LONGEST = 10.0
"""Longest direction in scaled parameters: outer products can be singular."""


class Line(NamedTuple):
    search: line.Search
    failed: Bool[Array, ""]


@dataclass(frozen=True)
class BHHHSteps:
    @property
    def supplied(self) -> Supplied:
        return "bhhh"

    @property
    def pure(self) -> "BHHHSteps":
        return self

    @property
    def eager(self) -> bool:
        return False

    @property
    def slopes(self) -> bool:
        return True

    def begin(self, size: int) -> Line:
        return Line(line.empty(size), jnp.asarray(False))

    def plan(self, memory: Line, model: Model) -> tuple[Line, Curvature]:
        known = spectrum(model)
        direction = trial_step(model, jnp.asarray(LONGEST), known)
        longest = line.longest_step(direction, model.lower, model.upper)
        search = line.begin(direction, model.gradient, jnp.ones(()), jnp.maximum(longest, 1.0))
        return Line(search, jnp.asarray(False)), curvature(model, known)

    def propose(self, memory: Line, model: Model) -> Array:
        return memory.search.length * memory.search.direction

    def judge(self, memory: Line, model: Model, trial: Trial) -> Judgement:
        accepted, failed, search = line.judge(memory.search, model.gradient, trial)
        predicted = -jnp.dot(model.gradient, trial.step)
        ratio = (trial.value - trial.trial) / jnp.where(predicted > 0.0, predicted, 1.0)
        return Judgement(accepted, ratio, Line(search, failed))

    def rescaled(self, memory: Line, ratio: AnyArray) -> Line:
        return memory

    def spent(self, memory: Line) -> AnyArray:
        return memory.failed

    def restarts(self, memory: Line) -> Array:
        return jnp.asarray(False)

    def progress(self, memory: Line) -> dict[str, Array]:
        return {"length": memory.search.length}
