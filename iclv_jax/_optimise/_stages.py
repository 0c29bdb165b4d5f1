"""Sequential start values: items and structure first, then the choice given them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise._objective import Objective
from iclv_jax._optimise._trust_region import TrustRegion
from iclv_jax._problem import Problem
from iclv_jax._types import Array

ROUGH = TrustRegion(hessian="bhhh", tolerance=0.5, max_iterations=40, recentrings=0)
"""Stages only have to come close; outer products of scores are cheap and never indefinite."""


@dataclass(frozen=True)
class Stage:
    """One stage: a name, the problem to maximise, and the parameters that may move."""

    name: str
    problem: Problem
    free: np.ndarray


def stages(problem: Problem) -> list[Stage]:
    """The stages before the joint fit; none for a model that has only items or only a choice."""
    spec = problem.spec
    if spec.choice is None or not spec.indicators or not spec.latents:
        return []
    blocks = {row.name: row.parameter.block for row in problem.table.rows}
    choice = np.array([blocks[name] == "choice" for name in problem.names])
    if choice.all() or not choice.any():
        return []
    return [
        Stage("items and structure", problem.part("items"), ~choice),
        Stage("choice given items", problem, choice),
    ]


def sequential_start(
    problem: Problem, start: Array, watch: Callable[[str, dict[str, Any]], None]
) -> tuple[np.ndarray, tuple[dict[str, Any], ...]]:
    """Run the stages and return where they end, with their traces.

    The second stage maximises the joint likelihood over the choice parameters alone, so the latent
    variables are integrated there too; no score of a person is plugged in.
    """
    params = np.asarray(start)
    rows: list[dict[str, Any]] = []
    for stage in stages(problem):
        objective = Objective(stage.problem, stage.free)
        outcome = ROUGH.minimise(objective, jnp.asarray(params), lambda row, s=stage: watch(s.name, row))
        params = outcome.params
        rows += [{"stage": stage.name, **row} for row in outcome.trace]
    return params, tuple(rows)


def positive_spreads(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Standard deviations that ended negative, turned positive where only their sign is open.

    The likelihood does not know the sign of a standard deviation that no constraint or covariance uses.
    """
    spreads = {f"{name}.sd" for name, _ in problem.spec.random}
    linked = {f"{name}.sd" for pair in problem.spec.covariances for name in pair}
    linked |= {n for group in problem.spec.equal for n in group}
    linked |= {a for d in problem.spec.define for a in d.arguments}
    lower, upper = problem.bounds
    turn = np.array(
        [
            name in spreads - linked and value < 0.0 and low < -value < high
            for name, value, low, high in zip(problem.names, params, lower, upper, strict=True)
        ]
    )
    return np.where(turn, -params, params)


