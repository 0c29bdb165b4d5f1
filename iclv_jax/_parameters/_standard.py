"""Covariates in standard units: which slopes they stretch, and which intercept takes their centres."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from iclv_jax._parameters._row import Row
from iclv_jax._parameters._transform import Standard
from iclv_jax._spec import Standardized
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import Predictor

Moments: TypeAlias = Mapping[Standardized, tuple[float, float]]
"""Centre and unit of each standardised covariate."""


def standard_units(
    spec: Spec, moments: Moments, rows: Sequence[Row]
) -> tuple[tuple[Standard, ...], tuple[float, ...]]:
    """One transform per equation with standardised covariates, and the numbers that follow the full table."""
    if not moments:
        return (), ()
    place = {p: len(rows) + 2 * i for i, p in enumerate(moments)}
    movable = {
        r.name: i
        for i, r in enumerate(r for r in rows if r.status == "free")
        if not (math.isfinite(r.lower) or math.isfinite(r.upper))
    }
    plain = {(r.parameter.base, r.parameter.group): r.name for r in rows}
    labels = spec.groups.labels if spec.groups is not None and spec.groups.names else ("",)
    equations = [(v.name, v.predictors, names.intercept(v.name)) for v in spec.latents]
    # Of items with several indices the names of the effects are of the indices, and none is moved.
    equations += [(i.column, tuple(i.on), i.location) for i in spec.indicators]
    found: list[Standard] = []
    for named_equation in equations:
        for label in labels:
            named = {base: name for (base, group), name in plain.items() if group in ("", label)}
            mine = {base: movable[name] for base, name in named.items() if name in movable}
            equation = _equation(*named_equation, place, mine)
            if equation is not None and equation not in found:
                before = {slope for other in found for slope in other.slopes}
                found.append(replace(equation, before=tuple(s for s in equation.slopes if s in before)))
    return tuple(found), tuple(v for pair in moments.values() for v in pair)


def _equation(
    name: str,
    predictors: Sequence[Predictor],
    intercept: str | None,
    place: Mapping[Standardized, int],
    movable: Mapping[str, int],
) -> Standard | None:
    slopes = {
        movable[slope]: place[p]
        for p in predictors
        if isinstance(p, Standardized) and p in place and (slope := names.slope(name, p.column)) in movable
    }
    if not slopes:
        return None
    centres = tuple(slopes.values())
    units = tuple(at + 1 for at in centres)
    return Standard(tuple(slopes), units, centres, movable.get(intercept or ""))
