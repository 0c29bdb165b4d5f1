"""Groups of people: who is in which, and what every group must have for parameters of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from iclv_jax._base._types import Level
from iclv_jax._panel._frame import Frame
from iclv_jax._panel._numbers import counted
from iclv_jax._spec import Indicator
from iclv_jax._spec._groups import Groups, kind_of
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import slope

WHAT = "group="
MOST = 200
"""A column with more values than these was hardly meant to tell groups apart."""


def find_groups(groups: Groups, frame: Frame) -> Groups:
    """The groups by name, in the order in which they appear (or that of an ordered categorical column)."""
    column = _column(groups, frame)
    seen = list(dict.fromkeys(column.tolist()))
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        seen = [v for v in column.cat.categories if v in set(seen)]
    if len(seen) < 2:
        raise ValueError(
            f"group=: column {groups.column!r} holds only the group {seen[0]!r}. Groups are compared with each other: leave "
            "group= out, or give data of several."
        )
    if len(seen) > MOST:
        raise ValueError(
            f"group=: column {groups.column!r} has {len(seen)} different values for {counted(len(frame.people), 'person')}. "
            "Name a column that tells few groups apart."
        )
    texts: dict[str, Level] = {}
    for value in seen:
        if str(value) in texts:
            raise ValueError(
                f"group=: column {groups.column!r} holds {texts[str(value)]!r} and {value!r}, which look alike in names of "
                "parameters. Make them one, or rename one."
            )
        texts[str(value)] = value
    return replace(groups, names=tuple(seen))


def read_groups(groups: Groups, frame: Frame) -> np.ndarray:
    """The position of every person's group."""
    column = _column(groups, frame)
    place = {name: i for i, name in enumerate(groups.names)}
    for person, value in zip(frame.people, column.tolist(), strict=True):
        if value not in place:
            raise ValueError(
                f"group=: column {groups.column!r} holds {value!r} for person {person!r}, which is none of the model's "
                f"groups {list(groups.names)!r}."
            )
    return np.array([place[value] for value in column.tolist()], int)


def _column(groups: Groups, frame: Frame) -> pd.Series:
    column = frame.people_of(groups.column, WHAT, everyone=True)
    missing = column.isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"group=: column {groups.column!r} is missing (NaN) for {counted(int(missing.sum()), 'person')}, first for "
            f"person {frame.people[int(np.argmax(missing))]!r}. Drop them, or give them a group."
        )
    return column


def check_groups(
    spec: Spec,
    frame: Frame,
    group: np.ndarray,
    levels: Mapping[str, tuple[Level, ...]],
    values: Mapping[str, np.ndarray],
    covariates: Mapping[str, np.ndarray],
) -> None:
    """Raise ValueError where a group lacks what its own parameters would be estimated from."""
    groups = spec.groups
    assert groups is not None
    for at, name in enumerate(groups.names):
        if not (group == at).any():
            raise ValueError(f"group=: nobody is in the group {name!r} in these data.")
        for covariate, column in covariates.items() if "regressions" not in groups.equal else ():
            if np.ptp(column[group == at]) == 0.0 and not _shared(spec, groups, covariate):
                raise ValueError(
                    f"The covariate {covariate!r} is constant in the group {name!r}, so its coefficients there are "
                    "unidentified. Let the groups share them by equal_across=('regressions', ...), or leave it out."
                )
        for item in spec.indicators:
            answers = values[item.column][group == at]
            people = [p for p, mine in zip(frame.people, group == at, strict=True) if mine]
            _check_item(spec, groups, item, levels[item.column], answers, (name, people))


def _shared(spec: Spec, groups: Groups, covariate: str) -> bool:
    """Whether the groups share every coefficient of a covariate, one by one."""
    users = spec.users(covariate)
    return bool(users) and all(slope(user, covariate) in groups.equal for user in users)


def _check_item(
    spec: Spec,
    groups: Groups,
    item: Indicator,
    levels: tuple[Level, ...],
    answers: np.ndarray,
    where: tuple[Level, Sequence[Level]],
) -> None:
    seen = ~np.isnan(answers)
    name, people = where
    if not seen.any():
        raise ValueError(
            f"Item {item.column!r} is missing for everyone in the group {name!r}, so its parameters there are unidentified. "
            "Leave the item or the group out."
        )
    if not item.discrete:
        told = [p for p, there in zip(people, seen, strict=True) if there]
        given = item.answered(answers[seen])[item.column]
        _in_group(name, lambda: item.check(given.tolist(), told), "")
        return
    declared = item.declare(levels, spec.positions).parameters
    kinds = {kind_of(p) for p in declared}
    # Binary and nominal items have intercepts in the place of thresholds.
    kind = "thresholds" if "thresholds" in kinds else "intercepts"
    own = [p for p in declared if kind_of(p) == kind]
    if any(groups.differs(p) for p in own) and item.shared is None:
        counts = np.bincount(answers[seen].astype(int), minlength=len(levels)).tolist()
        hint = f" Or let the groups have equal {kind} by equal_across=."
        _in_group(name, lambda: item.check_levels(levels, counts), hint)


def _in_group(name: Level, check: Callable[[], None], hint: str) -> None:
    try:
        check()
    except ValueError as error:
        raise ValueError(f"In the group {name!r}: {error}{hint}") from None
