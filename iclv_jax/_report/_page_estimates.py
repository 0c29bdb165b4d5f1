"""The table of estimates of a page, with kinds of standard errors side by side."""

import math
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._inference._estimated import has
from iclv_jax._report._summary import HEADINGS
from iclv_jax._tables import _page as page
from iclv_jax._tables._format import estimated, fixed, number, probability

CLASSICAL = ("hessian", "robust")
LARGE = 400
"""Rows of a block above which a page holds only the first ones: entries of networks."""


def estimates_table(fit: Any) -> str:
    """Every parameter by block: estimate, standard errors and t by kind, p from the usual kind, start, standing, meaning."""
    main, notes = fit.table(), []
    errors: dict[str, pd.Series] = {}
    for kind in _kinds(fit):
        try:
            errors[kind] = fit.table(kind)["se"]
        except ValueError as trouble:
            notes.append(f"No standard errors of the kind {kind!r}: {trouble}")
    if not errors:
        errors = {"usual": main["se"]}
    about = _about(fit)
    heads = ["", "estimate", *(h for kind in errors for h in (f"s.e. ({kind})", f"t ({kind})")), "p"]
    heads += ["start", "standing", "meaning"] if about else ["standing"]
    groups = []
    for block, heading in HEADINGS.items():
        names = main.index[main["block"] == block]
        if len(names) > LARGE:
            notes.append(
                f"{heading}: the first {LARGE} of {len(names):,} parameters; fit.table() has them all."
            )
        rows = [
            _row(str(name), main.loc[name], {k: float(v[name]) for k, v in errors.items()}, about)
            for name in names[:LARGE]
        ]
        if rows:
            groups.append((heading, rows))
    words = (0, len(heads) - 2, len(heads) - 1) if about else (0, len(heads) - 1)
    texts = (len(heads) - 1,) if about else ()
    return page.table(heads, groups, words, texts) + page.notes(notes)


def _kinds(fit: Any) -> list[str]:
    if has(fit, "kinds"):
        return list(fit.kinds)
    usual = fit.covariance().kind
    return list(dict.fromkeys((*CLASSICAL, usual))) if usual in (*CLASSICAL, "cluster") else [usual, "robust"]


def _about(fit: Any) -> dict[str, tuple[float, str]]:
    """Start and meaning of every parameter; empty where nobody knows."""
    if not has(fit, "problem"):
        return {}
    starts = dict(zip(fit.names, np.asarray(fit.start, float), strict=True))
    return {
        row.name: (starts.get(row.name, math.nan), row.parameter.meaning) for row in fit.problem.table.rows
    }


def _row(
    name: str, row: "pd.Series[Any]", errors: dict[str, float], about: dict[str, tuple[float, str]]
) -> list[str | page.Cell]:
    value = float(row["estimate"])
    first, *texts = estimated(value, *errors.values())
    cells: list[str | page.Cell] = [name, page.Cell(first, value)]
    for text, error in zip(texts, errors.values(), strict=True):
        t = value / error if error > 0.0 else math.nan
        cells += [page.Cell(text, _sortable(error)), page.Cell(fixed(t, 2), _sortable(t))]
    p = float(row["p"])
    cells.append(page.Cell(probability(p), _sortable(p)))
    standing = str(row["status"])
    without = standing == "free" and all(math.isnan(e) for e in errors.values())
    standing = f"{standing}, no error" if without else standing
    if name not in about:
        return [*cells, standing]
    start, meaning = about[name]
    return [*cells, page.Cell(number(start), _sortable(start)), standing, meaning]


def _sortable(value: float) -> float | None:
    return value if math.isfinite(value) else None
