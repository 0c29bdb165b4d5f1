"""All checks at one point."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import AnyArray, Given
from iclv_jax._diagnose._blocks import Block, block_names, gradient_blocks
from iclv_jax._diagnose._columns import Column, columns
from iclv_jax._diagnose._count import uncounted
from iclv_jax._diagnose._directions import Direction, directions
from iclv_jax._diagnose._latents import measured, measurement_sentences, sign_notes
from iclv_jax._diagnose._point import Point
from iclv_jax._diagnose._scores import informed, score_sentences
from iclv_jax._families import Logit, Probit
from iclv_jax._problem import Problem
from iclv_jax._problem._components import components
from iclv_jax._spec import Normal

CERTAIN = 20.0
"""Units of utility between people that no model of choices means."""
BELOW = 1e-3
"""Points per person below a simpler model that are worth a word."""
CROWDED = 0.2
"""Parameters per person above which outer products of scores misstate standard errors."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What the checks found: numbers by free parameter, block, direction and column; sentences on what to
    worry about; notes on what to know."""

    names: tuple[str, ...]
    block: tuple[str, ...]
    params: np.ndarray
    gradient: np.ndarray
    scaled_gradient: np.ndarray
    score: np.ndarray
    people: np.ndarray
    blocks: tuple[Block, ...]
    directions: tuple[Direction, ...]
    columns: tuple[Column, ...]
    measured: dict[str, float]
    curved: bool
    size: int
    settled: bool
    sentences: tuple[str, ...]
    notes: tuple[str, ...]


def find(
    problem: Given[Problem], params: Given[AnyArray], previous: Given[AnyArray | None] = None
) -> Findings:
    """Run every check on a bound problem at `params`; see `iclv.diagnose`."""
    if not isinstance(problem, Problem):
        raise ValueError(
            f"diagnose takes a bound problem, as model.bind(...) returns it, not {type(problem).__name__}."
        )
    point = Point(problem, _vector(problem, params, "params"))
    if not np.isfinite(point.scores).all():
        problem.check_start(jnp.asarray(point.params))
    before = None if previous is None else _vector(problem, previous, "previous")
    blocks, unbalanced = gradient_blocks(point, before)
    table, uneven = columns(point)
    flat, unidentified = directions(point)
    sentences = [
        *_below_shares(point), *_wide(point, table), *score_sentences(point), *unidentified, *measurement_sentences(point),
        *(found.sentence for found in uncounted(problem)),
        *unbalanced, *uneven,
    ]  # fmt: skip
    return Findings(
        names=point.names,
        block=block_names(point),
        params=point.params,
        gradient=point.mean_gradient,
        scaled_gradient=point.mean_gradient / point.units,
        score=point.typical_scores,
        people=informed(point),
        blocks=tuple(blocks),
        directions=tuple(flat),
        columns=tuple(table),
        measured=measured(point),
        curved=point.curved,
        size=len(point.weights),
        settled=point.settled,
        sentences=tuple(sentences),
        notes=(*sign_notes(point), *_crowded(point)),
    )


def _below_shares(point: Point) -> list[str]:
    """What a model of choices alone must beat: equal shares anywhere, constants at a maximum."""
    problem, names = point.problem, ("equal shares", "constants only")
    # What another kernel says of an outcome need not be a probability.
    usual = all(isinstance(choice, (Logit, Probit)) for choice in problem.spec.choices)
    if problem.spec.indicators or not problem.spec.choices or not usual:
        return []
    loglike = float(problem.loglike(jnp.asarray(point.params)))
    parts = components(problem, jnp.asarray(point.params), loglike)
    bar, name = (parts.constants, names[1]) if point.settled else (parts.equal_shares, names[0])
    if not loglike < bar - BELOW * point.total:
        return []
    return [
        f"Log L is {loglike:,.1f} here, below {bar:,.1f} with {name}: choices are predicted with confidence, and wrongly. "
        "Start elsewhere, and check units and signs."
    ]


def _wide(point: Point, table: list[Column]) -> list[str]:
    """Spreads of normal coefficients that are out of scale with their columns."""
    normal = {name for name, kind in point.spec.random if isinstance(kind, Normal)}
    found = []
    for p in point.table.parameters:
        if p.role != "spread" or p.owner not in normal:
            continue
        size = abs(point.values[p.name])
        widest = max((c for c in table if p.owner in c.parameters), key=lambda c: c.deviation, default=None)
        if widest is not None and size * widest.deviation > CERTAIN:
            found.append(
                f"The spread {p.name} = {size:.3g} times the standard deviation {widest.deviation:.3g} of column "
                f"{widest.name!r} is {size * widest.deviation:,.0f} units of utility: every choice is all but certain for "
                f"everyone. Start it smaller, at {1.0 / widest.deviation:.1g} say, or divide the column."
            )
    return found


def _vector(problem: Problem, values: object, what: str) -> np.ndarray:
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(
            f"{what} is the vector of the {len(problem.names)} free parameters in the order of problem.names, not "
            f"{type(values).__name__}. Use problem.vector({{name: value}})."
        ) from None
    if found.shape != (len(problem.names),) or not len(problem.names):
        raise ValueError(
            f"{what} is the vector of the {len(problem.names)} free parameters in the order of problem.names, not "
            f"of shape {found.shape}. Use problem.vector({{name: value}})."
        )
    if not np.isfinite(found).all():
        name = problem.names[int(np.argmin(np.isfinite(found)))]
        raise ValueError(f"{what} holds a value for {name!r} that is not finite. Give finite parameters.")
    return found


def _crowded(point: Point) -> list[str]:
    """No worry in itself: nothing here uses outer products of scores unless asked to."""
    count, people = len(point.params), len(point.scores)
    if count <= CROWDED * people:
        return []
    if count >= people:
        effect = "they are singular, so BHHH has no standard errors and its steps no direction in some combinations"
    else:
        effect = f"BHHH overstates standard errors by about {np.sqrt(people / (people - count)):.2f} times"
    return [
        f"There are {count} parameters for {people:,} people (P / N = {count / people:.2f}). Outer products of scores are "
        f"a poor guide to curvature then: {effect}. Use the Hessian (the default), not 'bhhh'."
    ]
