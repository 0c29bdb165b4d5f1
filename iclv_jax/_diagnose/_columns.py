"""Attributes and covariates: their sizes, and what hardly varies."""

from dataclasses import dataclass

import numpy as np

from iclv_jax._diagnose._point import Point, quoted, times
from iclv_jax._diagnose._utility import situations
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import all_terms, terms

LARGE = 1e3
"""Ratio of the largest to the smallest typical size above which columns are named."""
HARDLY = 0.01
"""Standard deviation, as a share of the mean, of a column that hardly varies."""
RARE = 5
ENOUGH = 20


@dataclass(frozen=True)
class Column:
    """A column as the model reads it. `size` is the root mean square of its entries that are not zero;
    `factor` is what to multiply it by to bring it near 1, 1 where that is not needed."""

    name: str
    used: str
    mean: float
    deviation: float
    size: float
    factor: float
    parameters: tuple[str, ...]


def columns(point: Point) -> tuple[list[Column], list[str]]:
    """The table of columns, and sentences on those that hardly vary or stand out by their size."""
    found = [*_covariates(point), *_attributes(point)]
    values = [v for _, _, _, v in found]
    sizes = [_size(v) for v in values]
    hardly = [_hardly(v) for v in values]
    even = [h or name in _standard(point) for (name, *_), h in zip(found, hardly, strict=True)]
    factors = _factors(sizes, even)
    table = [
        Column(name, used, float(v.mean()), float(v.std()), size, factor, parameters)
        for (name, used, parameters, v), size, factor in zip(found, sizes, factors, strict=True)
    ]
    sentences = [_constant(c) for c, h in zip(table, hardly, strict=True) if h]
    sentences += [s for c, v in zip(table, values, strict=True) if (s := _rare(c, v))]
    return table, [*sentences, *_uneven(table, even)]


def _covariates(point: Point) -> list[tuple[str, str, tuple[str, ...], np.ndarray]]:
    levels = point.problem.panel.levels
    found = []
    for i, name in enumerate(all_terms(point.spec.covariates, levels)):
        linear = [v for v in point.spec.latents if v.equation is None]
        users = [v.name for v in linear for p in v.predictors if name in terms(p, levels)]
        entered = [item for item in point.spec.indicators for p in item.on if name in terms(p, levels)]
        indices = [index for item in entered for index in item.indices(levels[item.column])]
        slopes = tuple(names.slope(user, name) for user in (*users, *indices))
        where = "structural equations" if users or not entered else "items"
        found.append((name, where, slopes, np.asarray(point.problem.panel.person.covariates)[:, i]))
    return found


def _standard(point: Point) -> set[str]:
    """Covariates that every equation estimates in standard units: their size is no matter."""
    entered = [*(v.predictors for v in point.spec.latents), *(i.on for i in point.spec.indicators)]
    raw = {p for predictors in entered for p in predictors if isinstance(p, str)}
    return {p.column for p in point.problem.panel.moments} - raw


def _attributes(point: Point) -> list[tuple[str, str, tuple[str, ...], np.ndarray]]:
    coefficients, found = point.column_effects, {}
    for choice in point.spec.choices:
        rows, _ = situations(point.problem, choice, None)
        for i, name in enumerate(choice.utility.columns):
            found.setdefault(name, []).append(rows[:, i])
    return [(name, "utilities", coefficients[name], np.concatenate(parts)) for name, parts in found.items()]


def _size(values: np.ndarray) -> float:
    """Entries of zero (dummies, alternatives without the attribute) do not make a column small."""
    some = values[values != 0.0]
    return float(np.sqrt(np.mean(some**2))) if len(some) else 0.0


def _hardly(values: np.ndarray) -> bool:
    """Whether it is nearly constant; a constant in a utility function is meant to be one."""
    spread = float(values.std())
    return 0.0 < spread < HARDLY * abs(float(values.mean())) and bool(np.ptp(values) > 0.0)


def _factors(sizes: list[float], even: list[bool]) -> list[float]:
    """Powers of ten that bring the columns that stand out near 1, where the sizes differ too much; 1 where
    `even` says that the size is no matter."""
    usable = [s for s, e in zip(sizes, even, strict=True) if s > 0.0 and not e]
    if not usable or max(usable) <= LARGE * min(usable):
        return [1.0] * len(sizes)
    return [
        1.0 if s == 0.0 or e or abs(np.log10(s)) < 1.5 else float(10.0 ** -np.round(np.log10(s)))
        for s, e in zip(sizes, even, strict=True)
    ]


def _constant(column: Column) -> str:
    about = f" {quoted(column.parameters)} can hardly be told from constants." if column.parameters else ""
    return (
        f"Column {column.name!r} ({column.used}) hardly varies: its standard deviation is {column.deviation:.3g} around "
        f"a mean of {column.mean:.6g}.{about} Subtract its mean (or a base year), or leave it out."
    )


def _rare(column: Column, values: np.ndarray) -> str:
    kinds, counts = np.unique(values, return_counts=True)
    if len(values) < ENOUGH or len(kinds) < 2:
        return ""
    other = len(values) - int(counts.max())
    if other >= RARE:
        return ""
    unit = "people" if column.used == "structural equations" else "situations"
    return (
        f"Column {column.name!r} ({column.used}) is {kinds[counts.argmax()]:g} for all but {other} of "
        f"{len(values):,} {unit}, so {quoted(column.parameters) or 'what it multiplies'} rests on these. Join the "
        "category with another, or leave it out."
    )


def _uneven(table: list[Column], even: list[bool]) -> list[str]:
    off = [c for c in table if c.factor != 1.0]
    if not off:
        return []
    sizes = [c.size for c, e in zip(table, even, strict=True) if c.size > 0.0 and not e]
    groups: dict[float, list[str]] = {}
    for c in off:
        groups.setdefault(c.factor, []).append(c.name)
    advice = "; ".join(
        (f"divide {quoted(n)} by {times(1.0 / f)}" if f < 1.0 else f"multiply {quoted(n)} by {times(f)}")
        for f, n in groups.items()
    )
    return [
        f"The columns are on very different scales: typical sizes differ by a factor of {times(max(sizes) / min(sizes))}. "
        f"To even them out, {advice} before fitting; coefficients then are per that unit."
    ]
