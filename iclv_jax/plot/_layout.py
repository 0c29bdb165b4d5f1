"""Where the parts of a path diagram stand, in inches."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._diagnose._utility import multiplied
from iclv_jax._problem import Problem
from iclv_jax._spec._standardized import terms

ROW = 0.19
"""From one item to the next."""
LINE = 0.17
"""From one coefficient of the choice to the next."""
GAP = 0.35
"""Between the bands of two latent variables."""
FEWEST = 4
"""Rows that a latent variable takes at least."""
LEVER = 1.45
"""Room between columns, for arrows and what is written on them."""
NARROWEST = 3.2
"""What the note below the diagram takes."""
LETTER = 0.077
"""Width of a letter of the size used, rounded up."""


@dataclass(frozen=True)
class Node:
    """Something with a centre and a size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Nodes by name, the columns of the loadings, and the coefficients of the choice from top to bottom."""

    latents: dict[str, Node]
    covariates: dict[str, Node]
    items: dict[str, Node]
    coefficients: dict[str, Node]
    choice: Node | None
    loadings: float
    size: tuple[float, float]
    users: dict[str, tuple[str, ...]] = field(default_factory=dict)


def layout(problem: Problem, table: pd.DataFrame, items: bool) -> Layout:
    """Covariates to the left, latent variables in columns by causal order, each in a horizontal band of its own with
    its items to the right; the choice after the last latent variable, in a band of its own where its arrows are short."""
    spec, levels = problem.spec, problem.panel.levels
    drawn = [i for i in spec.indicators if items and not i.exact]
    own = {n: [i.column for i in drawn if i.of[:1] == (n,)] for n in spec.order}
    heights: dict[str | None, float] = {n: ROW * max(len(own[n]), FEWEST) for n in spec.order}
    named = (table["block"] == "choice") & (table["role"] != "weight")
    chosen = [str(n) for n in table.index[named]] if spec.choices else []
    users = users_of(problem)
    chosen.sort(key=lambda n: _rank(n, users, spec.order))
    bands: list[str | None] = list(spec.order)
    if spec.choices:
        heights[None] = LINE * (len(chosen) + 1) + 0.1
        bands = _with_choice(bands, [n for n in spec.order if any(n in u for u in users.values())], heights)
    y = _centres(bands, heights)
    columns = _columns(spec)
    wide = {what: _width(names) for what, names in _names(spec, levels, own, chosen, table).items()}
    x = _positions(wide, max(columns.values(), default=-1) + 1, bool(spec.choices))
    latents = {n: Node(x["latent"][columns[n]], y[n], wide["latent"], 0.42) for n in spec.order}
    covariates = _covariates(spec, levels, latents, x["covariate"], wide["covariate"])
    placed = {
        item: Node(x["item"], y[n] + ROW * ((len(own[n]) - 1) / 2.0 - i), wide["item"], 0.82 * ROW)
        for n in spec.order
        for i, item in enumerate(own[n])
    }
    choice, lines = _choice(y.get(None, 0.0), x["choice"], wide["choice"], heights.get(None, 0.0), chosen)
    right = max(x["item"] + wide["item"] / 2.0 if any(own.values()) else 0.0, x["end"], NARROWEST)
    return Layout(
        latents, covariates, placed, lines, choice if spec.choices else None,
        x["item"] - wide["item"] / 2.0 - 0.06, (right, sum(heights.values()) + GAP * (len(bands) - 1)), users,
    )  # fmt: skip


def users_of(problem: Problem) -> dict[str, tuple[str, ...]]:
    """The latent variables that each coefficient of the utilities multiplies."""
    found = multiplied(problem, "latents")
    names = dict.fromkeys(n for utility in problem.spec.utilities for n in utility.coefficients)
    return {name: tuple(latent for latent, used in found.items() if name in used) for name in names}


def _rank(name: str, users: dict[str, tuple[str, ...]], order: tuple[str, ...]) -> int:
    """Coefficients of latent variables first, in their order; the others behind them."""
    mine = users.get(name, ())
    return min((order.index(n) for n in mine), default=len(order))


def _with_choice(bands: list[Any], used: list[str], heights: dict[Any, float]) -> list[Any]:
    """The choice between two bands, so that the latent variables in the utilities are near."""

    def length(k: int) -> float:
        y = _centres([*bands[:k], None, *bands[k:]], heights)
        return sum(abs(y[n] - y[None]) for n in used)

    best = min(range(len(bands), -1, -1), key=length)
    return [*bands[:best], None, *bands[best:]]


def _centres(bands: list[Any], heights: dict[Any, float]) -> dict[Any, float]:
    """Heights of the bands' middles, the first on top and zero at the bottom."""
    found, y = {}, 0.0
    for band in reversed(bands):
        found[band] = y + heights[band] / 2.0
        y += heights[band] + GAP
    return found


def _columns(spec: Any) -> dict[str, int]:
    """Columns of the latent variables: as far right as what they cause allows."""
    after: dict[str, int] = {}
    on = {latent.name: [p for p in latent.predictors if p in spec.order] for latent in spec.latents}
    for name in reversed(spec.order):
        after[name] = max((after[n] + 1 for n in spec.order if name in on[n]), default=0)
    last = max(after.values(), default=0)
    return {name: last - k for name, k in after.items()}


def _names(spec: Any, levels: Any, own: Any, chosen: list[str], table: pd.DataFrame) -> dict[str, list[str]]:
    header = [alternatives(spec)] if spec.choices else []
    return {
        "latent": [f"{n}  " for n in spec.order],
        "covariate": [t for latent in spec.latents for t in covariate_terms(latent, spec, levels)],
        "item": [item for found in own.values() for item in found],
        "choice": header + [f"{n}    -0.0000***" for n in chosen],
    }


def alternatives(spec: Any) -> str:
    """The head of the choice."""
    # What may be chosen: functions of utilities also return prices, or utilities of every latent class. Levels that are read
    # from the data are not known yet.
    shown = list(
        dict.fromkeys(str(a) for choice in spec.choices for a in choice.outcomes or (choice.chosen,))
    )
    words = " | ".join(shown[:5]) + (" | ..." if len(shown) > 5 else "")
    return f"Choice: {words}"


def covariate_terms(latent: Any, spec: Any, levels: Any) -> list[str]:
    return [t for p in latent.predictors if p not in spec.order for t in terms(p, levels)]


def _width(names: list[str]) -> float:
    return LETTER * max((len(n) for n in names), default=0) + 0.12 if names else 0.0


def _positions(wide: dict[str, float], columns: int, choice: bool) -> dict[str, Any]:
    x = wide["covariate"] + (LEVER if wide["covariate"] else 0.0)
    latent = [x + wide["latent"] / 2.0 + k * (wide["latent"] + LEVER) for k in range(columns)]
    x += columns * (wide["latent"] + LEVER)
    at = x + wide["choice"] / 2.0
    end = x + wide["choice"] if choice else max(x - LEVER, 1.0)
    # Each latent variable has a band of its own, so that its items may stand above or below the box of the choice.
    items = x + 0.6 + wide["item"] / 2.0
    return {"covariate": wide["covariate"] / 2.0, "latent": latent, "choice": at, "end": end, "item": items}


def _covariates(spec: Any, levels: Any, latents: dict[str, Node], x: float, width: float) -> dict[str, Node]:
    """Every covariate at the mean height of the latent variables that it explains, or as near as there is room."""
    heights: dict[str, list[float]] = {}
    for latent in spec.latents:
        for term in covariate_terms(latent, spec, levels):
            heights.setdefault(term, []).append(latents[latent.name].y)
    wanted = sorted(heights, key=lambda t: float(np.mean(heights[t])))
    room, y, placed = 2.0 * ROW, -np.inf, {}
    for term in wanted:
        y = max(float(np.mean(heights[term])) - room / 2.0 * (len(heights[term]) > 1), y + room)
        placed[term] = Node(x, y, width, 0.85 * ROW + 0.06)
    return placed


def _choice(
    y: float, x: float, width: float, height: float, chosen: list[str]
) -> tuple[Node, dict[str, Node]]:
    top = y + height / 2.0 - 0.05
    lines = {n: Node(x, top - LINE * (i + 1.5), width, LINE) for i, n in enumerate(chosen)}
    return Node(x, y, width, height), lines
