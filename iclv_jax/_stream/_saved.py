"""Fits of people in chunks in files: written, and read without their model and people.

The file is one of `_base._archive`. It holds sums over people and nothing of anybody: estimates, second derivatives,
products of scores, and where nodes were placed; names, tables and reports.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base import _archive as archive
from iclv_jax._base._arguments import kind_of
from iclv_jax._base._facts import Facts, fact
from iclv_jax._base._types import File, Given
from iclv_jax._base._version import __version__
from iclv_jax._base._whole import place_of
from iclv_jax._fit._stored import Stored
from iclv_jax._inference import Covariance, delta_errors
from iclv_jax._inference._frame import full_jacobian
from iclv_jax._inference._penalised import as_data, known_parameters
from iclv_jax._problem._fingerprint import of_model, of_rule
from iclv_jax._report._table import with_tests
from iclv_jax._stream._sums import About, Sums, covariance_of

FORMAT = archive.Format("saved fit of people in chunks", 2, "Fit the model and save it again.")
ARRAYS = ("estimates", "hessian", "outer", "middle", "clusters", "held", "jacobian", "precision", "placed")
"""All that a file may hold; the last two where the fit has them."""
WANTED = {
    "model": dict, "names": list, "table": dict, "llf": float, "nobs": int, "people": int, "weight": float, "rule": dict,
    "report": dict, "accuracy": dict, "trace": list, "summary": str, "known": list, "usual": str, "weights_are": str,
}  # fmt: skip
"""Facts that reading relies on."""


def write(fit: Any, path: Given[File]) -> None:
    """Write a fit of people in chunks to a file, replaced whole; ValueError for a place that takes none."""
    place = place_of(path, "save")
    archive.save(place, FORMAT, _facts(fit), _arrays(fit))


def _facts(fit: Any) -> Facts:
    problem, table, extent = fit.problem, fit.table(), fit.problem.passed.extent
    accuracy = dataclasses.asdict(fit.accuracy)
    report = dataclasses.asdict(fit.optimizer_report) | {"verdict": fit.optimizer_report.verdict.value}
    return {
        "versions": {"iclv_jax": __version__} | {m.__name__: m.__version__ for m in (jax, np, pd)},
        "model": of_model(problem.first),
        "names": list(fit.names),
        "table": {k: fact(table[k].tolist()) for k in ("block", "role", "status")}
        | {"estimate": table["estimate"].tolist(), "name": list(table.index)},
        "llf": float(fit.llf),
        "nobs": int(fit.nobs),
        "people": int(extent.people),
        "weight": float(extent.weight),
        "weights_are": problem.passed.weights_are,
        "usual": fit.default_covariance,
        "rule": of_rule(problem.first.rule),
        "report": _numbers(report),
        "accuracy": _numbers(accuracy),
        "trace": [_numbers(row) for row in fit._rows],
        "summary": str(fit.summary()),
        "penalties": None if fit.penalties is None else fact(as_data(fit.penalties)),
        "known": list(known_parameters(fit)[1]),
    }


def _arrays(fit: Any) -> dict[str, np.ndarray]:
    first, params = fit.problem.first, jnp.asarray(fit.estimates)
    found = {
        "estimates": fit.estimates,
        **fit.sums._asdict(),
        "held": known_parameters(fit)[0],
        "jacobian": full_jacobian(first.table.map, first.core.constants, params),
    }
    if fit.penalties is not None:
        found["precision"] = fit.penalties.precision
    if fit.problem.at is not None:
        found["placed"] = fit.problem.at
    return {k: np.asarray(v) for k, v in found.items()}


def _numbers(row: Mapping[str, object]) -> Facts:
    return {k: float(v) if isinstance(v, (float, np.floating)) else fact(v) for k, v in row.items()}


def read(path: Path) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
    """Facts and arrays of a file; ValueError for one that is damaged."""
    try:
        about, arrays = archive.read(path, FORMAT, ARRAYS.__contains__)
        wrong = [key for key, kind in WANTED.items() if not isinstance(about.get(key), kind)]
        wrong += [name for name in ARRAYS[:7] if name not in arrays]
        if wrong:
            raise archive.Unreadable(f"is damaged: it lacks {', '.join(map(repr, wrong))}.")
    except archive.Unreadable as trouble:
        raise ValueError(f"{str(path)!r} {trouble}") from trouble
    return about, arrays


@final
@dataclass(frozen=True, eq=False, repr=False)
class SavedStreamedFit(Stored):
    """Estimates, covariances and tables of a saved fit of people in chunks; names and groups as of `StreamedFit`.

    What needs the people (predictions, say) needs `iclv.load(path, model, people)`. Attributes as of `SavedFit`.
    """

    def __str__(self) -> str:
        return self.summary()

    @property
    def nobs(self) -> int:
        return self.about["nobs"]

    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """As of `StreamedFit.covariance`."""
        sums = Sums(*(self.arrays[name] for name in Sums._fields))
        smooth = self.arrays.get("precision")
        about = About(self.names, self.arrays["held"], smooth, self.about["known"], self.nobs)
        return covariance_of(kind_of(kind, self.about["usual"]), sums, about)

    def table(self, cov: Given[str | None] = None) -> pd.DataFrame:
        """Every parameter, free or not, as of `StreamedFit.table`."""
        known = self.about["table"]
        frame = pd.DataFrame({k: known[k] for k in ("block", "role", "status", "estimate")})
        frame.index = pd.Index(known["name"], name="parameter")
        errors = delta_errors(self.arrays["jacobian"], self.covariance(cov).of_functions)
        return with_tests(frame.assign(se=errors), errors)
