"""What problems of chunks of people must share, and how much there is of everything."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from iclv_jax._density import steady_columns
from iclv_jax._panel import Panel
from iclv_jax._panel._read import FAR
from iclv_jax._spec import Standardized


class Spread(NamedTuple):
    """A covariate over people: mean, sum of squared distances from it, smallest and largest value."""

    mean: float
    squares: float
    low: float
    high: float


class Extent(NamedTuple):
    """What all problems of parts of the people must share, and how much there is of everything: rows of every table, steady
    columns, masked utilities, answered blocks, covariates, how many people and chunks, the people of the largest
    chunk, sums of weights and of their squares."""

    rows: tuple[int, ...]
    steady: tuple[tuple[int, ...], ...]
    masked: tuple[bool, ...]
    occurring: tuple[bool, ...]
    spreads: tuple[Spread, ...]
    people: int
    chunks: int
    largest: int
    weight: float
    squares: float


def extent_of(panel: Panel) -> Extent:
    """That of one chunk."""
    tables = panel.person.tables
    return Extent(
        tuple(t.shape[1] for t in tables),
        tuple(map(steady_columns, tables)),
        tuple(t.masked for t in panel.tables),
        tuple(bool(data.occurs.any()) for data in panel.person.data),
        tuple(map(_spread, panel.person.covariates.T)),
        len(panel.people),
        1,
        len(panel.people),
        float(panel.weights.sum()),
        float((panel.weights**2).sum()),
    )


def joined(one: Extent, two: Extent) -> Extent:
    """That of the people of both."""
    steady = tuple(tuple(i for i in a if i in b) for a, b in zip(one.steady, two.steady, strict=True))
    return Extent(
        tuple(map(max, one.rows, two.rows)),
        steady,
        tuple(a or b for a, b in zip(one.masked, two.masked, strict=True)),
        tuple(a or b for a, b in zip(one.occurring, two.occurring, strict=True)),
        tuple(_merged(a, one.people, b, two.people) for a, b in zip(one.spreads, two.spreads, strict=True)),
        one.people + two.people,
        one.chunks + two.chunks,
        max(one.largest, two.largest),
        one.weight + two.weight,
        one.squares + two.squares,
    )


def _spread(values: np.ndarray) -> Spread:
    mean = float(values.mean())
    return Spread(mean, float(((values - mean) ** 2).sum()), float(values.min()), float(values.max()))


def _merged(one: Spread, first: int, two: Spread, second: int) -> Spread:
    """Of both kinds of people together (Chan, Golub and LeVeque 1979)."""
    people, apart = first + second, two.mean - one.mean
    return Spread(
        one.mean + apart * second / people,
        one.squares + two.squares + apart**2 * first * second / people,
        min(one.low, two.low),
        max(one.high, two.high),
    )


def of_all(panel: Panel, extent: Extent) -> Panel:
    """Some people, with what is known of covariates from all of them."""
    spreads = dict(zip(panel.covariates, extent.spreads, strict=True))
    moments = {c: _moments(c, spreads[c.column], extent.people) for c in panel.moments}
    deviations = {name: (one.squares / extent.people) ** 0.5 for name, one in spreads.items()}
    far = {n: one.mean for n, one in spreads.items() if abs(one.mean) > FAR * deviations[n] > 0.0}
    return replace(panel, moments=moments, far_of_all=far)


def _moments(covariate: Standardized, spread: Spread, people: int) -> tuple[float, float]:
    """Centre and unit of a standardised covariate; the unit is 1 where everybody has the same value."""
    if covariate.how == "z":
        return spread.mean, (spread.squares / people) ** 0.5 or 1.0
    return spread.low, spread.high - spread.low or 1.0
