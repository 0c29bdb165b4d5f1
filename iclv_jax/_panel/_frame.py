"""Reading columns of a data frame: by row, or by person where they must be constant within one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._panel._door import as_pandas
from iclv_jax._panel._numbers import counted
from iclv_jax._spec._names import duplicates, has_hash, is_label, nearest

ADVICE = "Every row needs a person."


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

    @cached_property
    def rows(self) -> list[Any]:
        """What the rows are called in messages: their labels in the index."""
        return self.data.index.tolist()

    @cached_property
    def absent(self) -> list[Hashable]:
        """People of the data who have no row in the person-level frame."""
        if self.extra is None:
            return []
        known = set(self.extra.index)
        return [p for p in self.people if p not in known]

    def rows_of(self, name: Given[str], what: str) -> pd.Series:
        """A column with one value per row."""
        values, by_person = self._find(name, what)
        if by_person:
            values = values.reindex(identifiers([self.people[c] for c in self.codes]))
            values.index = self.data.index
        return values

    def people_of(self, name: Given[str], what: str, everyone: bool = False) -> pd.Series:
        """A column with one value per person, indexed by identifier; it must be constant within each.

        With `everyone` a person without a row in the frame that holds it is an error.
        """
        values, by_person = self._find(name, what)
        if not by_person:
            if self.person is not None:
                self._check_constant(values, name, what)
            first = np.flatnonzero(~pd.Series(self.codes).duplicated().to_numpy())
            values = values.iloc[first]
            values.index = identifiers([self.people[c] for c in self.codes[first]])
        if everyone and len(values) < len(self.people):
            known = set(values.index)
            lost = _some([p for p in self.people if p not in known])
            source = "person-level frame" if by_person else "data"
            raise ValueError(
                f"{what}: column {name!r} stands in the {source}, which has no row for {lost}. Add the rows, "
                "or drop these people."
            )
        return values.reindex(identifiers(self.people))

    def _find(self, name: Given[str], what: str) -> tuple[pd.Series, bool]:
        """A column, and whether it stands in the person-level frame."""
        frames = [self.data] if self.extra is None else [self.data, self.extra]
        if not is_label(name):
            raise ValueError(f"{what} needs a column, which has a name, not {name!r}.")
        for frame in frames:
            if name in frame.columns:
                check_values(frame[name], f"{what}: column {name!r}")
                return frame[name], frame is self.extra
        hint = nearest(name, [c for frame in frames for c in frame.columns])
        raise ValueError(f"{what} needs the column {name!r}, which the data do not have. {hint}")

    def _check_constant(self, column: pd.Series, name: str, what: str) -> None:
        kinds = pd.factorize(column)[0]
        table = pd.DataFrame({"code": self.codes, "kind": kinds})
        spread = table.groupby("code")["kind"].nunique()
        varied = spread[spread > 1]
        if len(varied):
            code = int(varied.index[0])
            seen = column[self.codes == code].drop_duplicates().tolist()
            more = (
                f" and within {len(varied) - 1} more of {len(self.people)} people" if len(varied) > 1 else ""
            )
            raise ValueError(
                f"{what}: column {name!r} is not constant within person {self.people[code]!r} (values "
                f"{seen[:5]}){more}. Give it one value per person."
            )


def read_frame(data: Any, person: Given[str | None], people: Any) -> Frame:
    """Assign rows to people; ValueError for frames that cannot be read."""
    data = checked_frame(data, "data")
    data = data.copy()  # What the user does to the frame afterwards must not reach the problem.
    if person is None:
        if people is not None:
            raise ValueError("A person-level frame needs person=, the column that both frames share.")
        rows = tuple(data.index) if data.index.is_unique else tuple(range(len(data)))
        return Frame(data, np.arange(len(data)), rows, None, None)
    check_name(person, "person=")
    if person not in data.columns:
        indexed = person in data.index.names
        hint = "It is their index: use data.reset_index()." if indexed else nearest(person, data.columns)
        raise ValueError(f"person= names the column {person!r}, which the data do not have. {hint}")
    check_ids(data[person], f"The person column {person!r}", data.index.tolist(), ADVICE)
    codes, found = pd.factorize(data[person])
    ids: list[Hashable] = pd.Index(found).tolist()
    extra = None if people is None else _read_people(people, person, data)
    if extra is not None:
        known = set(ids)
        new = [i for i in extra.index if i not in known]
        if len(new) == len(extra):
            raise ValueError(
                f"No person of the data stands in the person-level frame: column {person!r} holds "
                f"{ids[0]!r}, ... in the one and {new[0]!r}, ... in the other. Use the same identifiers, of "
                "the same type."
            )
        ids += new
    return Frame(data, codes, tuple(ids), extra, person)


def read_frames(data: Given[Any], person: Given[str | None], people: Given[Any]) -> dict[str | None, Frame]:
    """The data as frames of the same people, by name; the first, which holds items and covariates, also under None.

    A single frame has the name None alone. People come in the order of the first frame; those only in others follow.
    """
    if not isinstance(data, Mapping):
        return {None: read_frame(data, person, people)}
    if not data:
        raise ValueError("data is an empty mapping: it has no frame.")
    if person is None:
        raise ValueError("Several frames need person=, the column that they share.")
    names = list(data)
    first, *others = [
        _named(name, data[name], person, people if i == 0 else None) for i, name in enumerate(names)
    ]
    _check_alike(person, names, [first, *others])
    ids = tuple(dict.fromkeys([*first.people, *(p for frame in others for p in frame.people)]))
    place = {p: i for i, p in enumerate(ids)}
    found: dict[str | None, Frame] = {}
    for name, frame in zip(names, (first, *others), strict=True):
        moved = np.array([place[p] for p in frame.people])
        found[name] = replace(frame, codes=moved[frame.codes], people=ids)
    return {None: found[names[0]], **found}


def _check_alike(person: str, names: Sequence[str], frames: Sequence[Frame]) -> None:
    """Refuse identifiers that are text in one frame and not in another, in which nobody would be the same person."""
    text = [all(isinstance(p, str) for p in frame.people) for frame in frames]
    if all(text) or not any(text):
        return
    one, other = text.index(True), text.index(False)
    raise ValueError(
        f"The person column {person!r} holds text in the frame {names[one]!r} ({frames[one].people[0]!r}, ...) and none in "
        f"{names[other]!r} ({frames[other].people[0]!r}, ...), so that nobody would stand in both. Use identifiers of one "
        "type."
    )


def _named(name: str, data: Any, person: Given[str], people: Any) -> Frame:
    try:
        return read_frame(data, person, people)
    except ValueError as error:
        raise ValueError(f"The frame {name!r}: {error}") from None


def checked_frame(frame: Any, argument: str) -> pd.DataFrame:
    """A frame of any library as pandas'; ValueError for what is no data frame, is empty, or has two columns of one name."""
    frame = as_pandas(frame, argument)
    if len(frame) == 0:
        raise ValueError(f"{argument} is empty: it has no rows.")
    if frame.columns.nlevels > 1:
        such = f", such as {frame.columns[0]!r}" if len(frame.columns) else ""
        raise ValueError(
            f"The columns of {argument} have names of {frame.columns.nlevels} parts{such}. Give each column one name."
        )
    twice = duplicates(str(c) for c in frame.columns)
    if twice:
        raise ValueError(f"{argument} has two columns called {twice[0]!r}. Rename or drop one.")
    return frame


def check_name(name: Any, what: str) -> None:
    """Refuse what cannot be the name of a column, such as a list of names."""
    if not is_label(name):
        raise ValueError(f"{what} is the name of one column, not {name!r}.")


def _read_people(people: Any, person: str, data: pd.DataFrame) -> pd.DataFrame:
    people = checked_frame(people, "people")
    if person in people.columns:
        people = people.set_index(person)
    elif people.index.name != person:
        raise ValueError(
            f"The person-level frame has neither a column nor an index called {person!r}. "
            f"{nearest(person, people.columns)}"
        )
    ids = people.index.to_series()
    check_ids(ids, "The person column of the person-level frame", range(len(people)), ADVICE)
    repeated = people.index[people.index.duplicated()].tolist()
    if repeated:
        raise ValueError(
            f"The person-level frame has person {repeated[0]!r} more than once. Keep one row per person."
        )
    both = [c for c in people.columns if c in data.columns]
    if both:
        raise ValueError(
            f"Column {both[0]!r} stands in the data and in the person-level frame. Keep it in one of them."
        )
    return people.set_axis(identifiers(people.index.tolist()), axis=0)


def check_values(column: pd.Series, what: str) -> None:
    """Refuse lists and other containers as values."""
    if column.dtype == object:
        for row, value in zip(column.index.tolist(), column.tolist(), strict=True):
            if not has_hash(value):
                raise ValueError(
                    f"{what} holds {value!r} in row {row!r}. Its values are single numbers or text."
                )


def check_ids(values: pd.Series, what: str, labels: Sequence[Any], advice: str) -> None:
    """Refuse identifiers that are missing, naming the first row."""
    check_values(values, what)
    missing = values.isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"{what} is missing (NaN) in {counted(int(missing.sum()), 'row')}, first in row "
            f"{labels[int(np.argmax(missing))]!r}. {advice}"
        )


def identifiers(ids: Sequence[Hashable]) -> pd.Index:
    """An index of identifiers as they are, tuples among them."""
    return pd.Index(list(ids), dtype=object, tupleize_cols=False)


def _some(people: Sequence[Hashable]) -> str:
    more = f" and {len(people) - 5} more" if len(people) > 5 else ""
    return ("person " if len(people) == 1 else "people ") + ", ".join(map(repr, people[:5])) + more
