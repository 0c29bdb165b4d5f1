"""Reading columns of a data frame: by row, or by person where they must be constant within one."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._spec._names import duplicates, nearest


@dataclass(frozen=True)
class Frame:
    """The user's frames with rows assigned to people.

    Attributes
    ----------
    data
        One row per choice situation.
    codes
        Position of each row's person in `people`.
    people
        Identifiers, in order of first appearance; those only in `extra` come last.
    extra
        The person-level frame, indexed by identifier; None when there is none.
    person
        The name of the person column, None when every row is a person.
    """

    data: pd.DataFrame
    codes: np.ndarray
    people: tuple[Hashable, ...]
    extra: pd.DataFrame | None
    person: str | None

    def row_label(self, position: int) -> Any:
        return self.data.index[position]

    def rows_of(self, name: str, what: str) -> pd.Series:
        """A column with one value per row."""
        if name not in self.data.columns:
            if self.extra is not None and name in self.extra.columns:
                return self._spread(name)
            raise ValueError(f"{what} needs the column {name!r}, which the data do not have. {self._hint(name)}")
        return self.data[name]

    def people_of(self, name: str, what: str) -> pd.Series:
        """A column with one value per person, indexed by identifier; it must be constant within each."""
        if self.extra is not None and name in self.extra.columns:
            return self.extra[name].reindex(list(self.people))
        if name not in self.data.columns:
            raise ValueError(f"{what} needs the column {name!r}, which the data do not have. {self._hint(name)}")
        column = self.data[name]
        if self.person is not None:
            self._check_constant(column, name, what)
        first = pd.Series(self.codes).drop_duplicates()
        values = column.iloc[first.index.to_numpy()]
        values.index = pd.Index([self.people[c] for c in first], dtype=object)
        return values.reindex(pd.Index(list(self.people), dtype=object))

    def _spread(self, name: str) -> pd.Series:
        assert self.extra is not None
        values = self.extra[name].reindex([self.people[c] for c in self.codes])
        values.index = self.data.index
        return values

    def _check_constant(self, column: pd.Series, name: str, what: str) -> None:
        kinds = pd.factorize(column)[0]
        table = pd.DataFrame({"code": self.codes, "kind": kinds})
        spread = table.groupby("code")["kind"].nunique()
        varied = spread[spread > 1]
        if len(varied):
            code = int(varied.index[0])
            seen = column[self.codes == code].drop_duplicates().tolist()
            raise ValueError(
                f"{what}: column {name!r} is not constant within person {self.people[code]!r} (values {seen[:5]}), "
                f"and within {len(varied)} of {len(self.people)} people. It must have one value per person."
            )

    def _hint(self, name: str) -> str:
        columns = list(self.data.columns) + ([] if self.extra is None else list(self.extra.columns))
        return nearest(name, columns)


def read_frame(data: Any, person: str | None, people: Any) -> Frame:
    """Assign rows to people; ValueError for frames that cannot be read."""
    _check_frame(data, "data")
    if person is None:
        if people is not None:
            raise ValueError("A person-level frame needs person=, the column that both frames share.")
        ids = tuple(data.index) if data.index.is_unique else tuple(range(len(data)))
        return Frame(data, np.arange(len(data)), ids, None, None)
    if person not in data.columns:
        raise ValueError(
            f"person= names the column {person!r}, which the data do not have. {nearest(person, data.columns)}"
        )
    missing = data[person].isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"The person column {person!r} is missing in {int(missing.sum())} rows, first in row "
            f"{data.index[int(np.argmax(missing))]!r}. Every row needs a person."
        )
    codes, found = pd.factorize(data[person])
    ids: list[Hashable] = list(found)
    extra = None if people is None else _read_people(people, person, data)
    if extra is not None:
        known = set(ids)
        ids += [i for i in extra.index if i not in known]
    return Frame(data, codes, tuple(ids), extra, person)


def _check_frame(frame: Any, argument: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"{argument} is a pandas DataFrame, not {type(frame).__name__}.")
    if len(frame) == 0:
        raise ValueError(f"{argument} is empty: it has no rows.")
    twice = duplicates(str(c) for c in frame.columns)
    if twice:
        raise ValueError(f"{argument} has two columns called {twice[0]!r}. Rename or drop one.")


def _read_people(people: Any, person: str, data: pd.DataFrame) -> pd.DataFrame:
    _check_frame(people, "people")
    if person in people.columns:
        people = people.set_index(person)
    elif people.index.name != person:
        raise ValueError(f"The person-level frame has neither a column nor an index called {person!r}.")
    repeated = people.index[people.index.duplicated()]
    if len(repeated):
        raise ValueError(f"The person-level frame has person {repeated[0]!r} more than once.")
    both = [c for c in people.columns if c in data.columns]
    if both:
        raise ValueError(
            f"Column {both[0]!r} stands in the data and in the person-level frame. Keep it in one of them."
        )
    return people


def numbers(values: pd.Series, name: str, what: str, labels: Sequence[Any]) -> np.ndarray:
    """Floats, NaN where missing; ValueError names the first value that is text or infinite."""
    try:
        array = values.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        converted = pd.to_numeric(values.astype(object), errors="coerce")
        bad = (converted.isna() & values.notna()).to_numpy()
        at = int(np.argmax(bad))
        raise ValueError(
            f"{what}: column {name!r} holds {values.iloc[at]!r} in row {labels[at]!r}, which is not a number. "
            "Code it as numbers first."
        ) from None
    if np.isinf(array).any():
        raise ValueError(
            f"{what}: column {name!r} is infinite in row {labels[int(np.argmax(np.isinf(array)))]!r}."
        )
    return array


def complete(values: np.ndarray, name: str, what: str, labels: Sequence[Any], unit: str) -> np.ndarray:
    """The values, or a ValueError that counts the NaN and names the first."""
    missing = np.isnan(values)
    if missing.any():
        raise ValueError(
            f"{what}: column {name!r} is missing (NaN) for {int(missing.sum())} {unit}s, first for {unit} "
            f"{labels[int(np.argmax(missing))]!r}. Drop or impute them before fitting."
        )
    return values
