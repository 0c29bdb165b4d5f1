"""Fits of people in chunks in files: written, and read without their model and people.

The file is one of `_base._archive`. It holds sums over people and nothing of anybody: estimates, second derivatives,
products of scores, and where nodes were placed; names, tables and reports.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from iclv_jax._inference import Covariance, delta_errors
from iclv_jax._inference import _estimated as estimated
from iclv_jax._inference import _intervals as intervals
from iclv_jax._inference._criteria import aic, bic, penalty
from iclv_jax._inference._dependence import correlations, eigenvalues
from iclv_jax._inference._frame import full_jacobian
from iclv_jax._inference._penalised import as_data, from_data, known_parameters
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem._fingerprint import of_model, of_rule
from iclv_jax._report._table import with_tests
from iclv_jax._stream._sums import About, Sums, covariance_of

FORMAT = archive.Format("saved fit of people in chunks", 1, "Fit the model and save it again.")
ARRAYS = ("estimates", "hessian", "outer", "middle", "clusters", "held", "jacobian", "precision", "placed")
"""All that a file may hold; the last two where the fit has them."""
WANTED = {
    "model": dict, "names": list, "table": dict, "llf": float, "nobs": int, "people": int, "weight": float, "rule": dict,
    "report": dict, "trace": list, "summary": str, "known": list, "usual": str, "weights_are": str,
}  # fmt: skip
"""Facts that reading relies on."""


def write(fit: Any, path: Given[File]) -> None:
    """Write a fit of people in chunks to a file, replaced whole; ValueError for a place that takes none."""
    place = Path(path)
    archive.check_place(place, repr(str(path)))
    try:
        archive.write(place, FORMAT, _facts(fit), _arrays(fit), pack=True)
    except OSError as trouble:
        reason = trouble.strerror or str(trouble)
        said = f"The fit could not be saved ({reason}); what was there before is unchanged"
        raise OSError(trouble.errno, said, str(place)) from trouble


def _facts(fit: Any) -> Facts:
    problem, table, extent = fit.problem, fit.table(), fit.problem.passed.extent
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
class SavedStreamedFit:
    """Estimates, covariances and tables of a saved fit of people in chunks; names as of `StreamedFit`.

    What needs the people (predictions, say) needs `iclv.load(path, model, people)`.

    Attributes
    ----------
    about
        The facts of the file: versions, model, rule of integration, report of the optimiser.
    arrays
        Its arrays by name.
    """

    about: Mapping[str, Any] = field(repr=False)
    arrays: Mapping[str, np.ndarray] = field(repr=False)

    penalty, aic, bic = property(penalty), property(aic), property(bic)
    standard_errors, conf_int = intervals.standard_errors, intervals.conf_int
    correlations, eigenvalues = correlations, eigenvalues
    bse, tvalues, pvalues = (
        property(f) for f in (intervals.standard_errors, intervals.tvalues, intervals.pvalues)
    )

    def __repr__(self) -> str:
        return estimated.introduced(self)

    def __str__(self) -> str:
        return self.summary()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.about["names"])

    @property
    def estimates(self) -> np.ndarray:
        return self.arrays["estimates"]

    @property
    def params(self) -> pd.Series:
        return estimated.labelled(self, self.estimates, "estimate")

    @property
    def converged(self) -> bool:
        return self.about["report"]["verdict"] == "converged"

    @property
    def llf(self) -> float:
        return self.about["llf"]

    @property
    def nobs(self) -> int:
        return self.about["nobs"]

    @property
    def penalties(self) -> Penalties | None:
        return from_data(self.names, self.about.get("penalties"))

    @property
    def hessian(self) -> pd.DataFrame:
        return pd.DataFrame(self.arrays["hessian"], index=list(self.names), columns=list(self.names))

    @property
    def trace(self) -> pd.DataFrame:
        return pd.DataFrame(self.about["trace"])

    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """As of `StreamedFit.covariance`."""
        sums = Sums(*(self.arrays[name] for name in Sums._fields))
        smooth = self.arrays.get("precision")
        about = About(self.names, self.arrays["held"], smooth, self.about["known"], self.nobs)
        return covariance_of(kind_of(kind, self.about["usual"]), sums, about)

    def cov_params(self, kind: Given[str | None] = None) -> pd.DataFrame:
        """Covariance matrix of the estimates, of the kinds of `covariance`."""
        return intervals.covariance_frame(self, kind)

    def table(self, cov: Given[str | None] = None) -> pd.DataFrame:
        """Every parameter, free or not, as of `StreamedFit.table`."""
        known = self.about["table"]
        frame = pd.DataFrame({k: known[k] for k in ("block", "role", "status", "estimate")})
        frame.index = pd.Index(known["name"], name="parameter")
        errors = delta_errors(self.arrays["jacobian"], self.covariance(cov).of_functions)
        return with_tests(frame.assign(se=errors), errors)

    def summary(self) -> str:
        """The summary as it was printed when the fit was saved."""
        return self.about["summary"]
