"""A fit in files of other programs: LaTeX, CSV, workbooks, plain data."""

import math
from collections.abc import Mapping

import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._arguments import check_switch, check_text
from iclv_jax._base._types import File, Given
from iclv_jax._inference._dependence import correlations
from iclv_jax._inference._estimated import Known
from iclv_jax._tables import Report, of_frame
from iclv_jax._tables._tidy import csv, workbook


@runtime_checkable
class Told(Known, Protocol):
    """A fit with its table and its summary; a saved one has the summary as text."""

    @property
    def llf(self) -> float: ...

    @property
    def nobs(self) -> int: ...

    @property
    def converged(self) -> bool: ...

    def table(self, cov: str | None = None) -> pd.DataFrame: ...

    def summary(self, cov: str | None = None) -> Report | str: ...


def to_latex(
    fit: Told,
    path: Given[File | None] = None,
    *,
    cov: Given[str | None] = None,
    caption: Given[str | None] = None,
    label: Given[str | None] = None,
    long: Given[bool | None] = None,
    blocks: Given[bool] = False,
) -> str | None:
    """The summary in LaTeX, as `fit.summary(cov).to_latex(...)`: it breaks over pages where it has to (`longtable`), and
    with `blocks` structural equations, measurement and choice have a table each.

    Examples
    --------
    >>> logit_fit.exports.to_latex("fit.tex")
    """
    for what, text in (("caption=", caption), ("label=", label)):
        check_text(text, what)
    check_switch(blocks, "blocks")
    if long is not None:
        check_switch(long, "long")
    found = fit.summary() if cov is None else fit.summary(cov)
    if not isinstance(found, Report):
        found = of_frame(fit.table(cov), caption or "Estimates")
    return found.to_latex(path, caption=caption, label=label, long=long, blocks=blocks)


def to_csv(fit: Told, path: Given[File | None] = None, *, cov: Given[str | None] = None) -> str | None:
    """`fit.table(cov)` as CSV, numbers to all digits: written to `path`, or returned as text when None.

    Examples
    --------
    >>> logit_fit.exports.to_csv("fit.csv")
    """
    return csv(fit.table(cov), path)


def to_excel(fit: Told, path: Given[File], *, cov: Given[str | None] = None) -> None:
    """A workbook with the table of estimates, their covariances and correlations, numbers to all digits, and the facts of
    the summary. It needs the package `openpyxl`.

    Examples
    --------
    >>> logit_fit.exports.to_excel("fit.xlsx")
    """
    about = fit.summary() if cov is None else fit.summary(cov)
    facts = list(about.facts) if isinstance(about, Report) else [("", line) for line in about.splitlines()]
    sheets = {
        "estimates": fit.table(cov),
        "covariances": _square(fit, cov),
        "correlations": correlations(fit, cov),
    }
    workbook(path, {**sheets, "summary": pd.DataFrame(facts, columns=["name", "value"], dtype=str)})


def to_dict(fit: Told, cov: Given[str | None] = None) -> dict[str, object]:
    """The fit as plain data, for JSON or YAML: log-likelihood, numbers of people and parameters, whether it converged, the
    kind of covariance, and `parameters`, by name, with block, role, status, estimate, standard error, t and p; None for what
    is not defined.

    Examples
    --------
    >>> sorted(logit_fit.exports.to_dict())[:3]
    ['converged', 'covariance', 'free_parameters']
    """
    rows: Mapping[str, Mapping[str, object]] = fit.table(cov).to_dict("index")  # pyright: ignore[reportAssignmentType]
    return {
        "llf": float(fit.llf),
        "people": int(fit.nobs),
        "free_parameters": len(fit.names),
        "converged": bool(fit.converged),
        "covariance": fit.covariance(cov).kind,
        "parameters": {str(name): {k: _plain(v) for k, v in row.items()} for name, row in rows.items()},
    }


def _plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _square(fit: Told, cov: str | None) -> pd.DataFrame:
    return pd.DataFrame(fit.covariance(cov).matrix, index=list(fit.names), columns=list(fit.names))
