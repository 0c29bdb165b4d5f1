"""Start values from the results of other programs: `read_start`, and what of a file a model knows."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, final, get_args

import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given
from iclv_jax._base._whole import there
from iclv_jax._fit._start_formats import READERS, recognised
from iclv_jax._spec._names import nearest

Program = Literal["apollo", "biogeme", "alogit", "lavaan"]
SHORT = 10
"""Letters of a name that an F12 file may keep."""
SHOWN = 6


@runtime_checkable
class Named(Protocol):
    """A problem or a fit, by its parameters."""

    @property
    def names(self) -> tuple[str, ...]: ...


@final
@dataclass(frozen=True, eq=False)
class Start(Mapping[str, float]):
    """Estimates of another program by their names there, renamed where that was asked for: `model.fit(..., start=...)` takes
    those that are free parameters of the model.

    Attributes
    ----------
    values
        By name.
    source, program
        The file, and whose it is.
    """

    values: dict[str, float] = field(repr=False)
    source: str
    program: str

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def match(self, names: Given[Named | Iterable[str]]) -> pd.DataFrame:
        """Which values go to which parameters: one row per name of the file with its `parameter` and `value`, and below
        them the parameters that the file does not have, which start as usual. Missing is what has no partner.

        Parameters
        ----------
        names
            What `model.bind(df)` or a fit has as `names`: either of them, or the names themselves.

        Names match as they are; covariances also with both sides exchanged, and names of ten letters (F12 files keep no
        more) the only parameter that begins with them.
        """
        known = tuple(names.names) if isinstance(names, Named) else tuple(names)
        partner = {name: _partner(name, known, self.program) for name in self.values}
        taken = set(partner.values())
        rows = [(name, partner[name], value) for name, value in self.values.items()]
        rows += [(None, name, None) for name in known if name not in taken]
        frame = pd.DataFrame(rows, columns=["file", "parameter", "value"])
        return frame.astype({"file": object, "parameter": object, "value": float})

    def for_names(self, names: tuple[str, ...]) -> tuple[dict[str, float], str]:
        """Values by parameter, and a sentence about what has no partner; ValueError where nothing has one."""
        table = self.match(names)
        both = table["file"].notna() & table["parameter"].notna()
        if not both.any():
            raise ValueError(
                f"start=: none of the {len(self)} names of {self.source!r} is a parameter of this model: "
                f"{_listed(list(self))}. {nearest(next(iter(self), ''), names)} Say which is which by "
                "read_start(..., rename={'theirs': 'ours'})."
            )
        lost, usual = table[table["parameter"].isna()]["file"], table[table["file"].isna()]["parameter"]
        said = ""
        if len(lost):
            count = f"start=: {len(lost)} of {len(self)} values of {self.source!r}"
            said = f"{count} have no parameter here: {_listed(list(lost))}."
            said += f" {len(usual)} parameters start as usual: {_listed(list(usual))}." if len(usual) else ""
            said += (
                " start.match(problem) has the table; read_start(..., rename={name: None}) leaves a name out."
            )
        return dict(zip(table["parameter"][both], table["value"][both], strict=True)), said


def read_start(
    path: Given[str | os.PathLike[str]],
    *,
    rename: Given[Mapping[str, str | None] | None] = None,
    program: Given[Program | None] = None,
) -> Start:
    """Estimates of another program, as start values: `model.fit(df, start=iclv.read_start("model_estimates.csv"))`.

    Parameters
    ----------
    path
        What the program has written. Apollo: `*_estimates.csv`. Biogeme: `*.yaml`, or the report `*.html`, whose numbers
        have three digits. ALOGIT (and Apollo and Biogeme on request): `*.F12`, which cuts names after ten letters. lavaan:
        `write.csv(parameterEstimates(fit), ...)`; its operators are those of our names, `f=~x` is `f =~ x` and `x|t1` is
        `x | 1`.
    rename
        Names here by names there: `{"B_TIME": "time"}`; None leaves a name out.
    program
        `"apollo"`, `"biogeme"`, `"alogit"` or `"lavaan"`; None: as the file looks.

    Returns
    -------
    Start
        A mapping of names to values; `.match(problem)` is the table of what matches which parameter.

    Raises
    ------
    ValueError
        For a file that does not exist or is none of these, and names in `rename` that it does not have.

    Other programs may mean something else by a like name: Biogeme's and Apollo's ordered hybrids code thresholds by
    increments, their nested logits may have the inverse of our `.lambda`, and signs of latent variables are free. Start
    values only need to be near.

    Examples
    --------
    >>> with open("mnl_estimates.csv", "w") as file:  # as Apollo writes them
    ...     _ = file.write('"","Estimate","s.e."\\n"asc_car",0.25,0.1\\n"b_time",-1.5,0.2\\n')
    >>> start = iclv.read_start("mnl_estimates.csv", rename={"b_time": "time"})
    >>> dict(start)
    {'asc_car': 0.25, 'time': -1.5}
    """
    place = there(path, "read_start")
    if program is not None and not is_word(program, get_args(Program)):
        known = get_args(Program)
        raise ValueError(
            f"program= is one of {', '.join(map(repr, known))}, not {program!r}. {nearest(str(program), known)}"
        )
    text = place.read_text(encoding="utf-8-sig", errors="replace")
    found = program or recognised(place.suffix.lower(), text)
    values = None if found is None else READERS[found](text)
    if found is None or not values:
        whose = f" as those of {found}" if found else ""
        raise ValueError(
            f"read_start: {str(place)!r} holds no estimates that can be read{whose}. Give the *_estimates.csv of Apollo, "
            "the *.yaml or *.html of Biogeme, an *.F12 file, or parameterEstimates of lavaan as CSV."
        )
    return Start(_renamed(values, dict(rename or {})), place.name, found)


def _renamed(values: dict[str, float], rename: dict[str, str | None]) -> dict[str, float]:
    for name in rename:
        if name not in values:
            raise ValueError(f"rename= names {name!r}, which the file does not have. {nearest(name, values)}")
    pairs = ((rename.get(name, name), value) for name, value in values.items())
    return {name: value for name, value in pairs if name is not None}


def _partner(name: str, known: tuple[str, ...], program: str) -> str | None:
    if name in known:
        return name
    left, tied, right = name.partition(" ~~ ")
    if tied and f"{right} ~~ {left}" in known:
        return f"{right} ~~ {left}"
    if program == "alogit" and len(name) == SHORT:
        begun = [other for other in known if other.replace(" ", "")[:SHORT] == name]
        return begun[0] if len(begun) == 1 else None
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
