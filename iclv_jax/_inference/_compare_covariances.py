"""Covariances of one fit side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._hypotheses import HypothesisTest, chi_squared
from iclv_jax._inference._intervals import standard_errors
from iclv_jax._inference._penalised import known_parameters
from iclv_jax._inference._people import person_curvatures
from iclv_jax._tables import Report, Section, Tabular, fixed, number

SHOWN = 3
RANK = 1e-9
"""Singular value, as a share of the largest, of columns of unit length that counts as positive."""


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


def compare_covariances(fit: Maximum) -> CovarianceComparison:
    """Standard errors of every kind side by side, their ratios to those from the Hessian, the smallest
    eigenvalues of the information, and White's (1982) test that Hessian and scores agree.

    Bootstrap and jackknife are shown when they have been computed.

    Examples
    --------
    >>> str(logit_fit.uncertainty.compare_covariances()).splitlines()[0]
    'Standard errors'
    """
    kinds = ["hessian", "bhhh", "robust"]
    kinds += ["cluster"] if fit.problem.panel.clusters is not None else []
    kinds += [k for k in ("bootstrap", "jackknife") if k in fit._covariances]
    errors = pd.DataFrame({kind: standard_errors(fit, kind) for kind in kinds})
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


def _information_test(fit: Maximum, scores: np.ndarray, free: np.ndarray) -> HypothesisTest:
    weights = fit.problem.panel.weights
    if np.ptp(weights) > 0.0 or fit.penalties is not None:
        what = "weighted people" if fit.penalties is None else "penalised estimates"
        words, note = ("the model is true",), f"it is not defined for {what}"
        return chi_squared("Information-matrix test (diagonal)", words, np.nan, len(scores[0]), (note,))
    curvatures = np.asarray(person_curvatures(fit.problem.core, jnp.asarray(fit.estimates)))[:, free]
    return information_matrix_test(scores, curvatures)


def information_matrix_test(scores: np.ndarray, curvatures: np.ndarray) -> HypothesisTest:
    """White's (1982) test that Hessian and outer products of scores agree, from their diagonals.

    In the form of Chesher (1983) and Lancaster (1984): N times the uncentred R-squared of a regression of one on the
    scores and on `diag(H_n) + s_n^2`, by person.

    Parameters
    ----------
    scores, curvatures
        Scores and diagonals of the Hessians by person, (N, P).
    """
    people, size = scores.shape
    words = ("the model is true: variances of the scores equal the negative second derivatives",)
    title = "Information-matrix test (diagonal)"
    both = np.concatenate([scores, curvatures + scores**2], axis=1)
    basis, alone = _basis(both), _basis(scores)
    df = basis.shape[1] - alone.shape[1]
    if people <= 2 * size or df <= 0:
        note = f"it takes more than {2 * size} people, two for each parameter"
        return chi_squared(title, words, np.nan, max(df, 1), (note,))
    statistic = float(np.sum(basis.sum(axis=0) ** 2))
    note = (
        "this form rejects true models far too often in small samples (Orme 1990): take a small p as a hint"
    )
    return chi_squared(title, words, statistic, df, (note,))


def _basis(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the space of the columns."""
    size = np.linalg.norm(columns, axis=0)
    scaled = columns[:, size > 0.0] / size[size > 0.0]
    vectors, sizes, _ = np.linalg.svd(scaled, full_matrices=False)
    return vectors[:, sizes > RANK * sizes[0]]


def scaled_eigenvalues(information: np.ndarray) -> np.ndarray:
    """Eigenvalues, the smallest first, of an information matrix scaled to a unit diagonal: 1 where all parameters
    are estimated independently, 0 for a direction that the data do not determine."""
    diagonal = np.diag(information)
    unit = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return np.linalg.eigvalsh(information / np.outer(unit, unit))
