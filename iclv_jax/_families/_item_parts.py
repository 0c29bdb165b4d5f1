"""What measurement families have in common: their loadings and the checks of their fields."""

from collections.abc import Mapping, Sequence

import numpy as np

from iclv_jax._base._types import Level
from iclv_jax._spec import Cells, Indicator, Parameter, Standardized, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._parameter import Combination
from iclv_jax._spec._standardized import column_of
from iclv_jax._spec._values import LARGEST, is_number


class Unlevelled(Indicator):
    """A family whose answers are numbers as they are."""

    discrete = False

    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        return ()

    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        pass


def normalise(item: Indicator) -> None:
    """Turn single names into tuples and refuse repeated latent variables and covariates, and an item that has neither.

    Examples
    --------
    >>> iclv.Count("trips", of="green").of  # as a family's own __post_init__ leaves it
    ('green',)
    """
    if not isinstance(item.column, str) or not item.column:
        raise ValueError(f"The column of an indicator is a non-empty text, not {item.column!r}.")
    object.__setattr__(item, "of", names.as_tuple(item.of))
    several = isinstance(item.missing, Mapping) or getattr(item.missing, "ndim", 1) > 1
    object.__setattr__(item, "missing", (item.missing,) if several else names.as_tuple(item.missing))
    if "on" in vars(item):
        _normalise_effects(item)
    if not item.of and not item.on:
        raise ValueError(
            f"Indicator {item.column!r} measures nothing: name a latent variable in `of=`, or covariates in `on=`."
        )
    _check_values(item)
    twice = names.duplicates(item.of)
    if twice:
        raise ValueError(f"Indicator {item.column!r} names the latent variable {twice[0]!r} twice in `of=`.")


def _check_values(item: Indicator) -> None:
    """Refuse latent variables that are no names, and codes that nothing can be compared with."""
    strange = [name for name in item.of if not isinstance(name, str)]
    if strange:
        raise ValueError(
            f"Indicator {item.column!r}: of= holds names of latent variables, not {strange[0]!r}."
        )
    for code in item.missing:
        if not names.is_code(code):
            raise ValueError(
                f"Indicator {item.column!r}: missing= holds the codes that mean 'no answer', numbers or text, not {code!r}. "
                "What is empty in the data (NaN, None, NA) is missing anyway."
            )


def _normalise_effects(item: Indicator) -> None:
    on = (item.on,) if isinstance(item.on, (str, Standardized)) else names.as_tuple(item.on)
    object.__setattr__(item, "on", on)
    wrong = [p for p in on if not isinstance(p, (str, Standardized))]
    if wrong:
        raise ValueError(f"Indicator {item.column!r}: on= holds names of columns, not {wrong[0]!r}.")
    twice = names.duplicates(column_of(p) for p in on)
    if twice:
        raise ValueError(f"Indicator {item.column!r} names the covariate {twice[0]!r} twice in `on=`.")


def check_switch(item: Indicator, field: str) -> None:
    """Refuse a number where a parameter is switched on or off: its value goes into the model's `fixed`."""
    value = getattr(item, field)
    if not isinstance(value, bool):
        raise ValueError(
            f"Item {item.column!r}: {field} is True or False, not {value!r}. A value of its own goes into "
            "fixed=."
        )


def location(item: Indicator, index: str, meaning: str) -> Parameter:
    """The intercept of an index."""
    return Parameter(names.intercept(index), "measurement", "intercept", 0.0, meaning, owner=item.column)


def loadings(item: Indicator, indices: Sequence[str] = ()) -> list[Parameter]:
    """Loadings of the item, or of its indices one after the other.

    Examples
    --------
    >>> [p.name for p in families.loadings(iclv.Count("trips", of=["green", "thrift"]))]
    ['green =~ trips', 'thrift =~ trips']
    """
    return [
        Parameter(
            names.loading(latent, index),
            "measurement",
            "loading",
            0.7,
            f"loading of {index} on {latent}",
            owner=latent,
            argument=item.column,
        )
        for index in indices or (item.column,)
        for latent in item.of
    ]


def loading_cells(item: Indicator, positions: Mapping[str, int], indices: Sequence[str] = ()) -> Cells:
    """One row of the loading matrix, over all latent variables, or one for each index.

    Examples
    --------
    >>> families.loading_cells(iclv.Count("trips", of="green"), {"thrift": 0, "green": 1}).entries
    (0.0, (('green =~ trips', 1.0),))
    """
    rows: list[float | Combination] = []
    for index in indices or (item.column,):
        row: list[float | Combination] = [0.0] * len(positions)
        for latent in item.of:
            row[positions[latent]] = one(names.loading(latent, index))
        rows += row
    return Cells("loadings", (len(indices), len(positions)) if indices else (len(positions),), tuple(rows))


def loading_starts(item: Indicator, total: float) -> dict[str, float]:
    """The item's total loading, shared equally among its latent variables.

    Examples
    --------
    >>> families.loading_starts(iclv.Count("trips", of="green"), 0.5)
    {'green =~ trips': 0.5}
    """
    share = total / max(len(item.of), 1) ** 0.5
    return {names.loading(latent, item.column): share for latent in item.of}


def check_varied(item: Indicator, kind: str, values: Sequence[Level]) -> None:
    """Refuse the same value for everyone."""
    if len(values) and np.ptp(np.asarray(values, float)) == 0.0:
        raise ValueError(
            f"{kind} item {item.column!r} has the same value, {values[0]}, for everyone: it measures nothing. Remove it."
        )


def check_numeric(column: str, values: Sequence[Level], people: Sequence[Level]) -> None:
    for value, person in zip(values, people, strict=True):
        if not is_number(value) or not np.isfinite(float(value)):
            raise ValueError(
                f"Item {column!r} has the value {value!r} for person {person!r}, which is not a finite "
                "number. Codes that mean 'no answer' go into `missing=`."
            )
        if abs(float(value)) > LARGEST:
            raise ValueError(
                f"Item {column!r} has the value {value!r} for person {person!r}, which is too large to be squared and "
                "summed. Correct it, or count in larger units."
            )
