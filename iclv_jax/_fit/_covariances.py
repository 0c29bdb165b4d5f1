"""Covariances of one fit side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._penalised import known_parameters
from iclv_jax._inference import HypothesisTest
from iclv_jax._inference._hypotheses import chi_squared
from iclv_jax._inference._information import information_matrix_test, scaled_eigenvalues
from iclv_jax._inference._people import person_hessians
from iclv_jax._tables import Report, Section, Tabular, fixed, number

SHOWN = 3


@dataclass(frozen=True, eq=False)
class CovarianceComparison(Tabular):
    """Standard errors of all kinds.

    Attributes
    ----------
    errors
        Standard errors by parameter and kind.
    ratios
        The same over those from the Hessian. All near 1 speaks for the model; robust ones far from it speak for
        dependence or a wrong model.
    eigenvalues
        The smallest eigenvalues of the information, scaled to a unit diagonal, from Hessian and scores.
    information_test
        White's test that these two agree.
    notes
        What a reader must know of each kind.
    """

    errors: pd.DataFrame = field(repr=False)
    ratios: pd.DataFrame = field(repr=False)
    eigenvalues: pd.DataFrame = field(repr=False)
    information_test: HypothesisTest
    notes: tuple[str, ...]

    def __str__(self) -> str:
        ratios = self.ratios.drop(columns="hessian").add_suffix(" / hessian")
        blocks = [
            "Standard errors",
            self.errors.to_string(float_format=number),
            ratios.to_string(float_format=lambda v: fixed(v, 3)),
            "Smallest eigenvalues of the scaled information",
            self.eigenvalues.to_string(float_format=lambda v: f"{v:.2e}"),
            str(self.information_test),
        ]
        return "\n".join(blocks + [f"* {note}" for note in self.notes])

    def as_report(self) -> Report:
        test, kinds = self.information_test, list(self.errors.columns)
        ratios = self.ratios.drop(columns="hessian").reindex(columns=kinds)
        values = self.eigenvalues.reindex(columns=kinds).rename(index=lambda i: f"{i + 1}")
        sections = (
            _section("Standard errors", self.errors, number),
            _section("Over those from the Hessian", ratios, lambda v: fixed(v, 3)),
            _section("Smallest eigenvalues of the scaled information", values, number),
        )
        return Report(
            "Covariances", ((test.name, test.outcome),), ("", *kinds), sections, (*self.notes, *test.notes)
        )


def _section(heading: str, frame: pd.DataFrame, show: Callable[[float], str]) -> Section:
    rows = zip(frame.index, frame.to_numpy(), strict=True)
    return Section(heading, tuple((str(name), *(show(float(v)) for v in row)) for name, row in rows))


def compare_covariances(fit: Estimates) -> CovarianceComparison:
    """See `Fit.compare_covariances`."""
    kinds = ["hessian", "bhhh", "robust"]
    kinds += ["cluster"] if fit.problem.panel.clusters is not None else []
    kinds += [k for k in ("bootstrap", "jackknife") if k in fit._covariances]
    errors = pd.DataFrame({kind: fit.standard_errors(kind) for kind in kinds})
    notes = dict.fromkeys(f"{k}: {n}" for k in kinds for n in fit.covariance(k).notes)
    free = ~known_parameters(fit)[0]
    scores, weights = fit.scores.to_numpy()[:, free], fit.problem.panel.weights
    information = {"hessian": -fit.hessian.to_numpy()[np.ix_(free, free)]}
    information["bhhh"] = (scores.T * weights) @ scores
    values = pd.DataFrame({k: scaled_eigenvalues(m)[:SHOWN] for k, m in information.items()})
    return CovarianceComparison(
        errors,
        errors.div(errors["hessian"], axis=0),
        values,
        _information_test(fit, scores, free),
        tuple(notes),
    )


def _information_test(fit: Estimates, scores: np.ndarray, free: np.ndarray) -> HypothesisTest:
    weights = fit.problem.panel.weights
    if np.ptp(weights) > 0.0 or fit.penalties is not None:
        what = "weighted people" if fit.penalties is None else "penalised estimates"
        words, note = ("the model is true",), f"it is not defined for {what}"
        return chi_squared("Information-matrix test (diagonal)", words, np.nan, len(scores[0]), (note,))
    hessians = np.asarray(person_hessians(fit.problem.core, jnp.asarray(fit.estimates)))
    curvatures = np.diagonal(hessians, axis1=1, axis2=2)[:, free]
    return information_matrix_test(scores, curvatures)
