"""Groups of people whose parameters may differ, and what is equal across them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from iclv_jax._base._types import Given, Level
from iclv_jax._spec._names import as_tuple, duplicates, is_label, nearest
from iclv_jax._spec._parameter import Parameter

STRUCTURAL = {"intercept": "means", "variance": "latent variances", "covariance": "covariances"}
MEASUREMENT = {
    "loading": "loadings",
    "intercept": "intercepts",
    "threshold": "thresholds",
    "slope": "regressions",
    "effect": "regressions",
    "covariance": "residual covariances",
}
KINDS = (
    "loadings",
    "intercepts",
    "thresholds",
    "residuals",
    "residual covariances",
    "means",
    "regressions",
    "latent variances",
    "covariances",
    "choice",
)
"""What can be equal across groups."""
PLACED = re.compile(r"(?P<name>.*) \[#(?P<place>\d+) of (?P<count>\d+)\]", re.DOTALL)


class Listed(NamedTuple):
    """Of how many groups a text speaks by c(...), and where it does so first: line, column, and the word behind it."""

    count: int
    line: int
    column: int
    word: str


@dataclass(frozen=True)
class Groups:
    """Groups of people: the column that tells them apart, the kinds of parameters and the parameters (by their plain names)
    that are equal across them, parameters that are free all the same, the groups by name in order, none before data are
    seen; of a text also variances that are free in a group where those of others are units, and the number of groups."""

    column: str
    equal: tuple[str, ...]
    free: tuple[str, ...]
    names: tuple[Level, ...] = ()
    freed: tuple[str, ...] = ()
    listed: Listed | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups as names of parameters have them."""
        return tuple(map(str, self.names))

    def differs(self, parameter: Parameter) -> bool:
        """Whether each group has a parameter of its own."""
        kind = kind_of(parameter)
        if kind is None or parameter.name in self.equal:
            return False
        return kind not in self.equal or parameter.name in self.free


def chosen_group(groups: Groups | None, group: Given[Level | None], what: str) -> int | None:
    """The position of a group by name; None for a model without groups. ValueError where it is none of them."""
    known = () if groups is None else groups.names
    if group is None and not known:
        return None
    if not is_label(group) or group not in known:
        hint = nearest(group, known) if known and group is not None else ""
        said = "The model has no groups" if not known else f"Name a group by group=, one of {list(known)!r}"
        raise ValueError(f"{what}: {said}{'' if known else '; leave group= out'}. {hint}".strip())
    return known.index(group)


def kind_of(parameter: Parameter) -> str | None:
    """The word for parameters of this kind; None for entries of modules, which all groups share."""
    if parameter.role == "weight":
        return None
    if parameter.block == "choice":
        return "choice"
    if parameter.block == "structural":
        return STRUCTURAL.get(parameter.role, "regressions")
    return MEASUREMENT.get(parameter.role, "residuals")


def called(name: str, label: str) -> str:
    """The name of a parameter of one group."""
    return f"{name} [{label}]"


def placed(name: str, group: int, count: int) -> str:
    """The name of a parameter of the group at this place, of so many: what is said before the groups are known."""
    return called(name, f"#{group + 1} of {count}")


def settled(name: str, groups: Groups) -> str:
    """A name with the group that its place stands for."""
    found = PLACED.fullmatch(name)
    return name if found is None else called(found["name"], groups.labels[int(found["place"]) - 1])


def plain(name: str, label: str) -> str:
    """The name without that of its group."""
    return name.removesuffix(f" [{label}]")


def check_groups(
    group: Given["str | Groups | None"],
    equal: Given[Sequence[str]],
    free: Given[Sequence[str]],
    owners: Collection[str] = (),
) -> Groups | None:
    """The groups of a model; ValueError for words that mean nothing, and for equality without groups. `owners` are the words
    that names of parameters without an operator begin with, up to a dot."""
    given = group if isinstance(group, Groups) else None
    column = group.column if isinstance(group, Groups) else group
    equal, free = (given.equal, given.free) if given else (as_tuple(equal), as_tuple(free))
    if column is None:
        if equal or free:
            raise ValueError(
                f"{'equal_across' if equal else 'free_across'}= speaks of groups, but there are none. Name the column that "
                "tells them apart by group=."
            )
        return None
    if not isinstance(column, str) or not column:
        raise ValueError(f"group= is the name of a column, not {column!r}.")
    for word in equal:
        if word not in KINDS and not _may_be_name(word, owners):
            raise ValueError(
                f"equal_across= holds kinds of parameters ({', '.join(map(repr, KINDS))}) or plain names of parameters, not "
                f"{word!r}. {nearest(word, KINDS)}"
            )
    for argument, words in (("equal_across", equal), ("free_across", free)):
        if twice := duplicates(words):
            raise ValueError(f"{argument}= holds {twice[0]!r} twice.")
    if both := [n for n in free if n in equal]:
        raise ValueError(f"{both[0]!r} stands in equal_across= and in free_across=. Keep one of them.")
    return given or Groups(column, equal, free)


def _may_be_name(word: object, owners: Collection[str]) -> bool:
    """Whether a parameter may be called so, which only the data tell of some."""
    if not isinstance(word, str):
        return False
    return any(sign in word for sign in ("~", " | ")) or any(
        word == owner or word.startswith(f"{owner}.") for owner in owners
    )
