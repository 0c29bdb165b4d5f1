"""Groups of people whose parameters may differ, and what is equal across them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from iclv_jax._base._types import Given, Level
from iclv_jax._spec._names import as_tuple, duplicates, nearest
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


@dataclass(frozen=True)
class Groups:
    """Groups of people: the column that tells them apart, the kinds of parameters that are equal across them, parameters
    (by their plain names) that are free all the same, and the groups by name in order, none before data are seen."""

    column: str
    equal: tuple[str, ...]
    free: tuple[str, ...]
    names: tuple[Level, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups as names of parameters have them."""
        return tuple(map(str, self.names))

    def differs(self, parameter: Parameter) -> bool:
        """Whether each group has a parameter of its own."""
        kind = kind_of(parameter)
        return kind is not None and (kind not in self.equal or parameter.name in self.free)


def chosen_group(groups: Groups | None, group: Level | None, what: str) -> int | None:
    """The position of a group by name; None for a model without groups. ValueError where it is none of them."""
    known = () if groups is None else groups.names
    if group is None and not known:
        return None
    if group not in known:
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
    """A name with the group that its place stands for; ValueError where there are more or fewer than was said."""
    found = PLACED.fullmatch(name)
    if found is None:
        return name
    if int(found["count"]) != len(groups.labels):
        raise ValueError(
            f"The text gives values for {found['count']} groups by c(...), and column {groups.column!r} has "
            f"{len(groups.labels)} ({', '.join(groups.labels)}). Give one for each."
        )
    return called(found["name"], groups.labels[int(found["place"]) - 1])


def plain(name: str, label: str) -> str:
    """The name without that of its group."""
    return name.removesuffix(f" [{label}]")


def check_groups(
    group: Given[str | None], equal: Given[Sequence[str]], free: Given[Sequence[str]]
) -> Groups | None:
    """The groups of a model; ValueError for words that mean nothing, and for equality without groups."""
    equal, free = as_tuple(equal), as_tuple(free)
    if group is None:
        if equal or free:
            raise ValueError(
                f"{'equal_across' if equal else 'free_across'}= speaks of groups, but there are none. Name the column that "
                "tells them apart by group=."
            )
        return None
    if not isinstance(group, str) or not group:
        raise ValueError(f"group= is the name of a column, not {group!r}.")
    for word in equal:
        if word not in KINDS:
            raise ValueError(
                f"equal_across= holds kinds of parameters ({', '.join(map(repr, KINDS))}), not {word!r}. "
                f"{nearest(word, KINDS)} Single parameters go into equal=."
            )
    for argument, words in (("equal_across", equal), ("free_across", free)):
        if twice := duplicates(words):
            raise ValueError(f"{argument}= holds {twice[0]!r} twice.")
    return Groups(group, equal, free)
