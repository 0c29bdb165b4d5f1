"""What stands to the right of the items of a path diagram: covariances of residuals, and direct effects of covariates."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from iclv_jax._spec import Level
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import terms
from iclv_jax.plot._layout import LETTER, ROW, Layout

NEAR = 0.12
"""Inches that the arc between two neighbouring items reaches to the right, and as much more for every item between."""
FARTHEST = 0.9
ARROW = 0.35


class Arc(NamedTuple):
    """Of two items whose residuals covary: their places from bottom to top, how far it reaches, and the parameter."""

    low: float
    high: float
    reach: float
    name: str


class Beside(NamedTuple):
    """Arcs, effects (height and text of each item) and the places of both: the right side of the items, where the effects
    begin, and where all ends."""

    arcs: tuple[Arc, ...]
    effects: tuple[tuple[float, str], ...]
    start: float
    column: float
    end: float


def beside_items(
    spec: Spec,
    levels: Mapping[str, tuple[Level, ...]],
    table: pd.DataFrame,
    plan: Layout,
    estimate: Callable[[str], str],
) -> Beside:
    """What there is to draw, with `estimate` for the text of a parameter."""
    start = max((n.x + n.width / 2.0 for n in plan.items.values()), default=0.0)
    arcs = tuple(_arc(plan, a, b) for a, b in spec.residuals if a in plan.items and b in plan.items)
    effects = []
    for item in (i for i in spec.indicators if i.column in plan.items):
        columns = [t for p in item.on for t in terms(p, levels)]
        indices = item.indices(levels[item.column])
        found = [
            f"{t} " + " / ".join(estimate(n) for i in indices if (n := names.slope(i, t)) in table.index)
            for t in columns
        ]
        if found:
            effects.append((plan.items[item.column].y, ", ".join(found)))
    widest = max((len(estimate(arc.name)) for arc in arcs), default=0)
    column = start + (max(arc.reach for arc in arcs) + LETTER * widest + 0.08 if arcs else 0.0) + ARROW
    end = column + LETTER * max(len(text) for _, text in effects) if effects else column - ARROW
    return Beside(arcs, tuple(effects), start, column, end if arcs or effects else 0.0)


def _arc(plan: Layout, a: str, b: str) -> Arc:
    low, high = sorted((plan.items[a].y, plan.items[b].y))
    return Arc(low, high, min(FARTHEST, NEAR * (high - low) / ROW + 0.1), names.covariance(a, b))
