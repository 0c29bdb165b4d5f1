"""From one row per alternative to one row per choice situation."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import names_of
from iclv_jax._base._types import AnyFrame, Given
from iclv_jax._panel._frame import check_ids, checked_frame
from iclv_jax._panel._numbers import numbers, zeros_and_ones
from iclv_jax._spec._names import as_tuple, duplicates, nearest


def from_long(
    data: Given[AnyFrame],
    *,
    situation: Given[str],
    alternative: Given[str],
    chosen: Given[str | None] = None,
    columns: Given[str | Sequence[str]],
    person: Given[str | None] = None,
    available: Given[str | None] = None,
    keep: Given[str | Sequence[str] | None] = None,
    alternatives: Given[Sequence[Hashable] | None] = None,
) -> pd.DataFrame:
    """Turn data with one row per alternative into the wide form that models read.

    Parameters
    ----------
    data
        A frame of pandas or any library that narwhals reads, with one row per alternative of every choice situation. An
        alternative that was not offered has no row, or a row with `available` 0.
    situation
        Column that says which choice situation a row belongs to. With `person` its numbers may begin
        anew for every person.
    alternative
        Column with the alternative of the row: text or whole numbers. Its values become the keys of the
        mapping that the utility function returns.
    chosen
        Column of zeros and ones: 1 in the row of the chosen alternative. NaN in all rows of a situation
        where no choice was observed. None: nobody has chosen yet, as in data to predict for.
    columns
        The attributes: columns whose values differ between alternatives.
    person
        Column that says whose row it is. None: situations are told apart by `situation` alone.
    available
        Column of zeros and ones: 0 where the row's alternative could not be chosen.
    keep
        Other columns to carry over (items, covariates, weights), with one value per situation. None: all
        that have no other role.
    alternatives
        All of them, in order. Data to predict for may lack rows of one that the model has: it then has columns of NaN, and
        is available to nobody. None: those that occur.

    Returns
    -------
    DataFrame
        One row per situation, in the order of first appearance, with the columns

        * `person`, `situation` and those of `keep`, under their own names;
        * `chosen`: the chosen alternative, missing where no choice was observed (without `chosen=` no column);
        * `{column}_{alternative}`: every attribute of every alternative, NaN where the alternative has
          no row in the situation;
        * `av_{alternative}`: 1 where the alternative has a row and is available, else 0.

        Alternatives come in the order of `alternatives=`, or else of their categories, or of first appearance. Categories
        without a row count as alternatives that nobody was offered.

    Raises
    ------
    ValueError
        For a situation with an alternative that occurs twice, with none or several chosen, with a chosen
        alternative that is not available, or with several values of a kept column; for ids that are
        missing; for columns that do not exist, have two roles, or would get the same name.

    Examples
    --------
    >>> long = pd.DataFrame(
    ...     {
    ...         "trip": [1, 1, 2, 2, 2],
    ...         "mode": ["car", "bus", "car", "bus", "walk"],
    ...         "taken": [1, 0, 0, 0, 1],
    ...         "time": [10, 25, 12, 30, 40],
    ...     }
    ... )
    >>> wide = iclv.from_long(long, situation="trip", alternative="mode", chosen="taken", columns="time")
    >>> list(wide)
    ['trip', 'taken', 'time_car', 'time_bus', 'time_walk', 'av_car', 'av_bus', 'av_walk']

    A model then takes `chosen="taken"` and `available={a: f"av_{a}" for a in ("car", "bus", "walk")}`.
    """
    data = checked_frame(data, "data")
    given = {
        "person": person,
        "situation": situation,
        "alternative": alternative,
        "chosen": chosen,
        "available": available,
    }
    optional = ("person", "available", "chosen")
    for role, name in given.items():
        if not isinstance(name, str) and not (name is None and role in optional):
            raise ValueError(f"{role}= names the column {name!r}, but the name of a column is a text.")
    roles: dict[str, Any] = {k: v for k, v in given.items() if v is not None or k not in optional}
    attributes = tuple(names_of(columns, "columns="))
    others = tuple(c for c in data.columns if c not in (*given.values(), *attributes))
    kept = others if keep is None else as_tuple(keep)
    _check_roles(data, roles, attributes, kept)
    situations = _read_situations(data, roles, alternatives)
    offered = _offered(data, available, situations)
    for name in kept:
        _check_constant(data[name], situations)
    ids = [roles[r] for r in ("person", "situation") if r in roles]
    made = [_Column(f"column {n!r}", n, _pick(data[n], situations.first)) for n in (*ids, *kept)]
    if chosen is not None:
        taken = _taken(data[chosen], situations, offered)
        labels = [situations.alternatives[j] if j >= 0 else None for j in taken]
        made.append(_Column(f"column {chosen!r}", chosen, pd.Series(labels)))
    made += _by_alternative(data, attributes, situations, offered)
    twice = duplicates(column.name for column in made)
    if twice:
        first, second = [column.source for column in made if column.name == twice[0]][:2]
        raise ValueError(f"{first} and {second} would both be called {twice[0]!r}. Rename one in the data.")
    return pd.DataFrame({column.name: column.values for column in made})


@dataclass(frozen=True)
class _Column:
    """A column of the result, with what it comes from in words."""

    source: str
    name: str
    values: pd.Series


@dataclass(frozen=True)
class _Situations:
    """Where the rows of the situations stand.

    `rows` (situation, alternative): the position of the alternative's row, -1 where it has none;
    `codes`: the situation of every row; `first`: the position of every situation's first row; `ids`:
    the columns that identify a situation.
    """

    rows: np.ndarray
    codes: np.ndarray
    first: np.ndarray
    alternatives: list[Hashable]
    ids: tuple[pd.Series, ...]

    def name(self, position: int) -> str:
        """A situation in words."""
        *person, situation = [column.tolist()[self.first[position]] for column in self.ids]
        return f"situation {situation!r}" + (f" of person {person[0]!r}" if person else "")

    def first_of(self, wrong: np.ndarray) -> str:
        """The first of the situations in `wrong` in words, with the number of the others."""
        more = int(wrong.sum()) - 1
        return self.name(int(np.argmax(wrong))) + (f" (and {more} more)" if more else "")


def _check_roles(
    data: pd.DataFrame, roles: Mapping[str, Any], attributes: Sequence[str], kept: Sequence[str]
) -> None:
    named = [*roles.items(), *(("columns", c) for c in attributes), *(("keep", c) for c in kept)]
    seen: dict[object, str] = {}
    for argument, name in named:
        if not isinstance(name, Hashable) or name not in data.columns:
            raise ValueError(
                f"{argument}= names the column {name!r}, which the data do not have. "
                f"{nearest(name, data.columns)}"
            )
        if name in seen:
            raise ValueError(
                f"Column {name!r} is named in {seen[name]}= and in {argument}=. Give it one role only."
            )
        seen[name] = argument


def _read_situations(
    data: pd.DataFrame, roles: Mapping[str, Any], known: Sequence[Hashable] | None
) -> _Situations:
    keys = [roles[r] for r in ("person", "situation") if r in roles]
    for name in (*keys, roles["alternative"]):
        check_ids(data[name], f"Column {name!r}", data.index.tolist(), "Give every row its ids, or drop it.")
    codes = np.zeros(len(data), int)
    for name in keys:
        own, found = pd.factorize(data[name])
        codes = pd.factorize(codes * len(found) + own)[0]
    labels, alternatives = _alternatives(data[roles["alternative"]], roles["alternative"], known)
    rows = np.full((codes.max() + 1, len(alternatives)), -1)
    rows[codes, labels] = np.arange(len(data))
    first = np.flatnonzero(~pd.Series(codes).duplicated().to_numpy())
    situations = _Situations(rows, codes, first, alternatives, tuple(data[name] for name in keys))
    _check_no_repeats(situations, labels, "person" in roles)
    return situations


def _alternatives(
    values: pd.Series, name: str, known: Sequence[Hashable] | None
) -> tuple[np.ndarray, list[Hashable]]:
    """Position of every row's alternative, and the alternatives; whole floats become integers."""
    if known is not None:
        return _among(values, name, as_tuple(known))
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = values.cat.codes.to_numpy(), values.cat.categories
    else:
        codes, found = pd.factorize(values)
    alternatives: list[Hashable] = [
        int(a) if isinstance(a, float) and a.is_integer() else a for a in pd.Index(found).tolist()
    ]
    if len(alternatives) < 2:
        raise ValueError(
            f"alternative=: column {name!r} holds only {alternatives[0]!r}. A choice needs two alternatives "
            "at least; every alternative of a situation has a row of its own."
        )
    return codes, alternatives


def _among(values: pd.Series, name: str, known: tuple[Hashable, ...]) -> tuple[np.ndarray, list[Hashable]]:
    if len(set(known)) < max(len(known), 2):
        raise ValueError(f"alternatives= lists at least two different alternatives, not {list(known)!r}.")
    place = {alternative: i for i, alternative in enumerate(known)}
    for row, value in zip(values.index.tolist(), values.tolist(), strict=True):
        if value not in place:
            raise ValueError(
                f"alternative=: column {name!r} holds {value!r} in row {row!r}, which alternatives= does not list. "
                f"{nearest(value, known)}"
            )
    return np.array([place[value] for value in values.tolist()]), list(known)


def _check_no_repeats(situations: _Situations, labels: np.ndarray, by_person: bool) -> None:
    # Of two rows with the same place the earlier one is not found there.
    lost = situations.rows[situations.codes, labels] != np.arange(len(labels))
    if lost.any():
        at = int(np.argmax(lost))
        where, which = situations.name(int(situations.codes[at])), situations.alternatives[labels[at]]
        hint = "" if by_person else " If situations are numbered within people, name their column in person=."
        raise ValueError(f"Alternative {which!r} has more than one row in {where}. Keep one of them.{hint}")


def _offered(data: pd.DataFrame, available: str | None, situations: _Situations) -> np.ndarray:
    """Whether each alternative has a row in each situation, and is available there."""
    present = situations.rows >= 0
    if available is None:
        return present
    values = zeros_and_ones(data[available], available, "available=", data.index.tolist())
    return present & (values[situations.rows] == 1.0)


def _taken(column: pd.Series, situations: _Situations, offered: np.ndarray) -> np.ndarray:
    """Position of the chosen alternative in every situation, -1 where no choice was observed."""
    name, codes = column.name, situations.codes
    values = numbers(column, str(name), "chosen=", column.index.tolist())
    unknown = np.isnan(values)
    known = np.where(unknown, 0.0, values)
    zeros_and_ones(pd.Series(known), str(name), "chosen=", column.index.tolist())
    rows, ones = np.bincount(codes), np.bincount(codes, known)
    gaps = np.bincount(codes, unknown)
    for wrong, what in (
        ((gaps > 0) & (gaps < rows), "is missing (NaN) in some rows of"),
        ((gaps == 0) & (ones == 0), "marks no alternative as chosen in"),
        (ones > 1, "marks more than one alternative as chosen in"),
    ):
        if wrong.any():
            raise ValueError(
                f"chosen=: column {name!r} {what} {situations.first_of(wrong)}. It holds 1 for one "
                "alternative and 0 for the others, or NaN for all of them where no choice was observed."
            )
    taken = ((situations.rows >= 0) & (known[situations.rows] == 1.0)).argmax(axis=1)
    wrong = (gaps == 0) & ~offered[np.arange(len(taken)), taken]
    if wrong.any():
        which = situations.alternatives[taken[int(np.argmax(wrong))]]
        raise ValueError(
            f"Alternative {which!r} is chosen but not available in {situations.first_of(wrong)}. Correct "
            "chosen= or available= there."
        )
    return np.where(gaps == 0, taken, -1)


def _check_constant(column: pd.Series, situations: _Situations) -> None:
    kinds = pd.factorize(column)[0]
    varied = kinds != kinds[situations.first][situations.codes]
    if varied.any():
        wrong = np.bincount(situations.codes, varied) > 0
        seen = column[situations.codes == int(np.argmax(wrong))].drop_duplicates().tolist()
        raise ValueError(
            f"Column {column.name!r} is not constant within {situations.first_of(wrong)}: it has the values "
            f"{seen[:5]}. Name it in columns= if it differs between alternatives, or leave it out by naming "
            "in keep= the columns to carry over."
        )


def _pick(column: pd.Series, positions: np.ndarray) -> pd.Series:
    """The values at these positions, missing where a position is -1."""
    if column.dtype == bool and (positions < 0).any():
        column = column.astype(float)
    return column.reset_index(drop=True).reindex(positions).reset_index(drop=True)


def _by_alternative(
    data: pd.DataFrame, attributes: Sequence[str], situations: _Situations, offered: np.ndarray
) -> list[_Column]:
    """The attributes of every alternative, and whether it was available."""
    made = []
    for name in attributes:
        for j, a in enumerate(situations.alternatives):
            values = _pick(data[name], situations.rows[:, j])
            made.append(_Column(f"column {name!r} of alternative {a!r}", f"{name}_{a}", values))
    for j, a in enumerate(situations.alternatives):
        made.append(_Column(f"the availability of {a!r}", f"av_{a}", pd.Series(offered[:, j].astype(int))))
    return made
