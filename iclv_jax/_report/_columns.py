"""The columns of a summary: estimates with what was asked for beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._arguments import is_word
from iclv_jax._base._distributions import quantile
from iclv_jax._base._types import Given
from iclv_jax._inference._covariance import KINDS as PLAIN_KINDS
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._modules import MODULE_KINDS
from iclv_jax._report._table import table
from iclv_jax._spec._names import as_tuple, nearest
from iclv_jax._tables._format import estimated, fixed, number, probability

USUAL = ("se", "t", "p", "t_one")
HEADS = {
    "se": ("std. error",), "t": ("t (0)",), "p": ("p",), "t_one": ("t (1)",), "ci": ("2.5 %", "97.5 %"), "start": ("start",),
}  # fmt: skip
KINDS = tuple(dict.fromkeys((*PLAIN_KINDS, *MODULE_KINDS)))
REASONS = {"fixed": "fixed", "free": "none", "equal": "none", "defined": "none"}


@runtime_checkable
class Started(Maximum, Protocol):
    """A maximum that knows where its joint stage started."""

    @property
    def start(self) -> np.ndarray: ...


def checked(columns: Given[Sequence[str] | str | None]) -> tuple[str, ...]:
    """The columns asked for, or the usual ones; ValueError for others."""
    if columns is None:
        return USUAL
    found = as_tuple(columns)
    known = (*HEADS, *KINDS)
    for name in found:
        if not is_word(name, known):
            raise ValueError(
                f"columns= lists {', '.join(map(repr, known))}, not {name!r}. {nearest(name, known)}"
            )
    return found


class Columns:
    """What stands beside the estimates: `heads`, and the cells of a parameter."""

    def __init__(self, fit: Started, cov: str, columns: Given[Sequence[str] | str | None]) -> None:
        self.columns = checked(columns)
        self.frame = table(fit, cov)
        self._errors = pd.DataFrame({"": self.frame["se"]} | {k: table(fit, k)["se"] for k in self.kinds})
        self._start = dict(zip(fit.names, np.asarray(fit.start, float), strict=True))

    @property
    def kinds(self) -> list[str]:
        """Kinds of covariance that have columns of their own."""
        return [name for name in self.columns if name not in HEADS]

    @property
    def heads(self) -> tuple[str, ...]:
        each = (HEADS.get(name, (f"s.e. ({name})", f"t ({name})")) for name in self.columns)
        return ("", "estimate", *(head for heads in each for head in heads))

    def cells(self, name: str) -> tuple[str, ...]:
        """The row of a parameter."""
        row = self.frame.loc[name].to_dict()
        errors: np.ndarray = np.asarray(self._errors.loc[name], float)
        estimate = float(row["estimate"])
        reach = quantile(0.975) * errors[0]
        first, *texts = estimated(estimate, *map(float, errors))
        _, *ends = (*estimated(errors[0], estimate - reach, estimate + reach),)
        if np.isnan(errors).all():
            texts[0] = REASONS[str(row["status"])]
            texts[1:] = [texts[0]] * len(texts[1:])
        of_kind = dict(zip(self.kinds, texts[1:], strict=True))
        plain = {
            "se": (texts[0],), "t": (fixed(float(row["t"]), 2),), "p": (probability(float(row["p"])),),
            "t_one": (fixed(float(row["t_one"]), 2),), "ci": tuple("" if np.isnan(reach) else end for end in ends),
            "start": (number(self._start.get(name, float("nan"))),),
        }  # fmt: skip
        t = dict(zip(("", *self.kinds), estimate / np.where(errors > 0.0, errors, np.nan), strict=True))
        each = (plain[c] if c in HEADS else (of_kind[c], fixed(float(t[c]), 2)) for c in self.columns)
        return (name, first, *(cell for cells in each for cell in cells))
