"""Covariates of latent variables by person: numbers, moments, and the dummies of nominal columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._panel._frame import Frame
from iclv_jax._panel._numbers import complete, counted, numbers
from iclv_jax._spec import Level, Standardized
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import Covariate, Logarithm, column_of, dummy, terms

MOST_LEVELS = 50
"""A column with more values than these was hardly meant to become dummies."""

Levels = dict[str, tuple[Level, ...]]
Moments = dict[Standardized, tuple[float, float]]


def read_covariates(
    spec: Spec, frame: Frame, frozen: Mapping[str, tuple[Level, ...]] | None, varied: bool = True
) -> tuple[np.ndarray, Levels, Moments]:
    """Covariates (people, terms), levels of the nominal ones, and centre and unit of the standardised ones.

    With `frozen` levels (those of another data set) nothing needs to be observed at every level. Where they must
    be `varied` a constant covariate is refused.
    """
    found: dict[str, np.ndarray] = {}
    levels: Levels = {}
    moments: Moments = {}
    for predictor in spec.covariates:
        name = column_of(predictor)
        what = _user(spec, predictor)
        series = frame.people_of(name, what, everyone=True)
        if isinstance(predictor, Standardized) and predictor.nominal:
            levels[name] = _nominal_levels(predictor, series, what, frame, frozen)
            found |= _dummies(predictor, series, levels, what, frozen is None)
            continue
        if isinstance(predictor, Logarithm):
            found |= dict.fromkeys(terms(predictor, levels), _logarithm(series, name, what, frame))
            continue
        found[name] = _numeric(series, name, what, frame, varied)
        if isinstance(predictor, Standardized):
            moments[predictor] = _moments(predictor, found[name])
    array = np.stack([*found.values()], axis=1) if found else np.zeros((len(frame.people), 0))
    return array, levels, moments


def _user(spec: Spec, covariate: Covariate) -> str:
    """The first equation that a covariate enters, in words."""
    if isinstance(covariate, Logarithm):
        return f"Item {next(i.column for i in spec.indicators if i.exposure == covariate.column)!r}"
    name = spec.users(covariate)[0]
    return f"The structural equation of {name!r}" if name in spec.order else f"Item {name!r}"


def _logarithm(series: pd.Series, name: str, what: str, frame: Frame) -> np.ndarray:
    values = numbers(series, name, what, frame.people, "person")
    complete(values, name, what, frame.people, "person")
    if (values <= 0.0).any():
        at = int(np.argmax(values <= 0.0))
        raise ValueError(
            f"{what}: the exposure {name!r} is {values[at]:g} for person {frame.people[at]!r}. An exposure is positive: the "
            "time, or the number of occasions, over which was counted."
        )
    return np.log(values)


def _numeric(series: pd.Series, name: str, what: str, frame: Frame, varied: bool) -> np.ndarray:
    values = numbers(series, name, what, frame.people, "person")
    complete(values, name, what, frame.people, "person")
    if varied and np.ptp(values) == 0.0 and len(values) > 1:
        raise ValueError(
            f"{what}: the covariate {name!r} is constant ({values[0]:g} for everyone), so its "
            "coefficient is unidentified. Remove it; for an intercept use intercept=True."
        )
    return values


def _moments(predictor: Standardized, values: np.ndarray) -> tuple[float, float]:
    """Each person counts once; a single person has no spread, and so the unit 1."""
    if predictor.how == "z":
        return float(values.mean()), float(values.std()) or 1.0
    return float(values.min()), float(np.ptp(values)) or 1.0


def _nominal_levels(
    predictor: Standardized,
    series: pd.Series,
    what: str,
    frame: Frame,
    frozen: Mapping[str, tuple[Level, ...]] | None,
) -> tuple[Level, ...]:
    name = predictor.column
    missing = series.isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"{what}: column {name!r} is missing (NaN) for {counted(int(missing.sum()), 'person')}, first for person "
            f"{frame.people[int(np.argmax(missing))]!r}. Drop or impute them, or code a level of their own."
        )
    if frozen is not None and name not in frozen:
        raise ValueError(
            f"levels= lacks the nominal covariate {name!r}. Give its levels too, as `panel.levels` of the other "
            "problem does."
        )
    levels = tuple(frozen[name]) if frozen is not None else declared_or_seen(predictor, series, what)
    predictor.check_baseline(levels)
    known = set(levels)
    for person, value in zip(frame.people, series.tolist(), strict=True):
        if value not in known:
            raise ValueError(
                f"{what}: column {name!r} holds {value!r} for person {person!r}, which is none of its levels "
                f"{list(levels)!r}. Correct it, or add the level."
            )
    return levels


def declared_or_seen(predictor: Standardized, series: pd.Series, what: str) -> tuple[Level, ...]:
    """The levels of a nominal covariate: those that it declares, or those that are seen."""
    if predictor.levels is not None:
        return tuple(predictor.levels)
    seen: list[Any] = list(dict.fromkeys(series.tolist()))
    name = predictor.column
    if not 2 <= len(seen) <= MOST_LEVELS:
        only = f"only the level {seen[0]!r}" if len(seen) < 2 else f"{len(seen)} different values"
        raise ValueError(
            f"{what}: column {name!r} has {only}, which makes no useful dummies. "
            + ("Remove it." if len(seen) < 2 else "Group its values, or give levels=.")
        )
    if isinstance(series.dtype, pd.CategoricalDtype):
        return tuple(c for c in series.cat.categories if c in seen)
    try:
        return tuple(sorted(seen))
    except TypeError:
        raise ValueError(
            f"{what}: column {name!r} mixes text and numbers, so its levels have no order. Give levels=."
        ) from None


def _dummies(
    predictor: Standardized, series: pd.Series, levels: Levels, what: str, must_occur: bool
) -> dict[str, np.ndarray]:
    known = levels[predictor.column]
    values = series.tolist()
    columns = {dummy(predictor.column, v): np.array([float(x == v) for x in values]) for v in known}
    empty = [v for v, column in zip(known, columns.values(), strict=True) if not column.any()]
    if must_occur and empty:
        raise ValueError(
            f"{what}: nobody has the level {', '.join(map(repr, empty))} of column {predictor.column!r}, so its coefficient "
            "is unidentified. Leave it out of levels=."
        )
    return {name: columns[name] for name in terms(predictor, levels)}
