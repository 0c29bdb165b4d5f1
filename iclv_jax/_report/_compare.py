"""Fits side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import has, needs
from iclv_jax._problem._fingerprint import outcomes
from iclv_jax._report._summary import HEADINGS
from iclv_jax._tables import Report, Tabular
from iclv_jax._tables._format import estimated, fixed, loglike
from iclv_jax._tables._table import Section


@dataclass(frozen=True, eq=False)
class Comparison(Tabular):
    """Fits side by side.

    Attributes
    ----------
    params
        Estimates, standard errors and t by parameter; columns (fit, `estimate` | `se` | `t`).
    measures
        Log-likelihood, AIC, BIC (NaN for penalised fits and those in two steps), numbers of parameters and people, by fit.
    report
        The table that is printed, and shown in notebooks.
    """

    params: pd.DataFrame
    measures: pd.DataFrame
    report: Report

    def __str__(self) -> str:
        return str(self.report)

    __repr__ = __str__

    def as_report(self) -> Report:
        return self.report


def compare(
    fits: Given[Mapping[str, Any]], show: Given[Literal["se", "t"]] = "se", cov: Given[str | None] = None
) -> Comparison:
    """Estimates and measures of several fits in one table.

    Parameters
    ----------
    fits
        Fits by the name of their column: of `fit`, of `fit_sequential` (without AIC and BIC), or read by `iclv.load`
        without their data.
    show
        What stands in brackets behind the estimates: standard errors (`"se"`) or t (`"t"`).
    cov
        Kind of covariance, as of `fit.cov_params`.

    Raises
    ------
    ValueError
        For an empty mapping, and what is no fit.

    Examples
    --------
    >>> found = iclv.compare({"logit": logit_fit, "hybrid": fit})
    >>> print(str(found).splitlines()[3])
                             logit          hybrid
    """
    if not isinstance(fits, Mapping) or not fits:
        raise ValueError(f'compare takes fits by name, {{"A": fit, "B": other}}, not {fits!r}.')
    for fit in fits.values():
        needs(fit, "compare", "table", "llf")
    if not is_word(show, ("se", "t")):
        raise ValueError(f"show is 'se' or 't', not {show!r}.")
    tables = {str(name): fit.table(cov) for name, fit in fits.items()}
    params = pd.concat({name: t[["estimate", "se", "t"]] for name, t in tables.items()}, axis=1, sort=False)
    blocks = pd.concat([t["block"].mask(t["role"] == "weight", "modules") for t in tables.values()])
    blocks = blocks[~blocks.index.duplicated()].reindex(params.index)
    measures = pd.DataFrame({str(name): _measures(fit) for name, fit in fits.items()})
    facts = [_row(params, str(name), list(tables), show) for name in params.index]
    sections = [
        Section(
            heading, tuple(row for row, b in zip(facts, blocks, strict=True) if b == block), block in HEADINGS
        )
        for block, heading in (HEADINGS | {"modules": "Modules"}).items()
        if (blocks == block).any()
    ]
    sections.append(Section("Measures", tuple(_measure_rows(measures))))
    notes = (f"In brackets: {'standard errors' if show == 'se' else 't'}", *_warnings(fits))
    report = Report("Comparison of fits", (), ("", *tables), tuple(sections), notes)
    return Comparison(params, measures, report)


def _measures(fit: Any) -> dict[str, float]:
    free = has(fit, "aic") and fit.penalties is None
    found = {
        "log-likelihood": fit.llf,
        "AIC": fit.aic if free else np.nan,
        "BIC": fit.bic if free else np.nan,
    }
    return found | {"parameters": len(fit.names), "people": fit.nobs}


def _row(params: pd.DataFrame, name: str, fits: list[str], show: str) -> tuple[str, ...]:
    cells = []
    for fit in fits:
        estimate, bracket = (float(params.loc[name, (fit, c)]) for c in ("estimate", show))  # pyright: ignore[reportArgumentType]
        error = float(params.loc[name, (fit, "se")])  # pyright: ignore[reportArgumentType]
        first, second = estimated(estimate, error)
        inside = "" if np.isnan(bracket) else f" ({second if show == 'se' else fixed(bracket, 2)})"
        cells.append(first + inside)
    return (name, *cells)


def _measure_rows(measures: pd.DataFrame) -> list[tuple[str, ...]]:
    shown: dict[str, Any] = {"log-likelihood": loglike, "AIC": lambda v: "" if np.isnan(v) else fixed(v, 2)}
    shown["BIC"] = shown["AIC"]
    return [
        (str(what), *(shown.get(str(what), lambda v: f"{int(v):,}")(v) for v in row))
        for what, row in zip(measures.index, measures.to_numpy(), strict=True)
    ]


def _warnings(fits: Mapping[str, Any]) -> list[str]:
    notes = [f"{name} did not converge" for name, fit in fits.items() if not fit.converged]
    notes += [
        f"{name} is penalised: it has no AIC and BIC, and its log-likelihood is not a maximum"
        for name, fit in fits.items()
        if has(fit, "penalties") and fit.penalties is not None
    ]
    notes += [
        f"{name} was estimated in two steps: its log-likelihood is not a maximum, so that it has no AIC and BIC"
        for name, fit in fits.items()
        if not has(fit, "aic")
    ]
    notes += [
        f"{name} was read without its data, so that nothing tells whether it explains the same"
        for name, fit in fits.items()
        if not has(fit, "problem")
    ]
    bound = [(str(n), outcomes(f.problem)) for n, f in fits.items() if has(f, "problem")]
    (first, one), *others = bound or [("", None)]
    notes += [
        f"{first} and {name} do not explain the same data, so their log-likelihoods do not compare"
        for name, other in others
        if one != other
    ]
    return notes
