"""Tests of hypotheses: their result, the Wald and likelihood-ratio tests, and those of models that are not nested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from iclv_jax._tables import Report, Tabular, number, probability

DEPENDENT = 1e-10
"""Smallest eigenvalue of the correlations of restrictions that counts as positive."""


@dataclass(frozen=True)
class HypothesisTest(Tabular):
    """The result of a test.

    Attributes
    ----------
    name
        Which test.
    hypotheses
        What is tested, in words.
    statistic
        NaN where it cannot be computed; `notes` say why.
    df
        Degrees of freedom of the chi-squared distribution; None for a statistic that is standard normal.
    pvalue
        Probability of a statistic at least as large under the hypotheses; two-sided for a normal one.
    notes
        What a reader must know.
    """

    name: str
    hypotheses: tuple[str, ...]
    statistic: float
    df: int | None
    pvalue: float
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """Statistic and p in words."""
        p = probability(self.pvalue) or "none"
        return f"{self._symbol} = {number(self.statistic) or 'none'}, p {p if p[0] == '<' else f'= {p}'}"

    @property
    def _symbol(self) -> str:
        return "z" if self.df is None else f"chi2({self.df})"

    def __str__(self) -> str:
        lines = [self.name, *(f"  {h}" for h in self.hypotheses), self.outcome]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    __repr__ = __str__

    def as_report(self) -> Report:
        said = [("Hypothesis" if i == 0 else "", h) for i, h in enumerate(self.hypotheses)]
        values = [(self._symbol, number(self.statistic) or "none"), ("p", probability(self.pvalue) or "none")]
        return Report(self.name, (*said, *values), (), (), self.notes)


def chi_squared(
    name: str, hypotheses: Sequence[str], statistic: float, df: int, notes: Sequence[str] = ()
) -> HypothesisTest:
    """A test whose statistic is chi-squared under the hypotheses."""
    return HypothesisTest(
        name, tuple(hypotheses), statistic, df, float(stats.chi2.sf(statistic, df)), tuple(notes)
    )


def wald(
    contrast: np.ndarray,
    gap: np.ndarray,
    matrix: np.ndarray,
    hypotheses: Sequence[str],
    notes: Sequence[str] = (),
) -> HypothesisTest:
    """`gap' (C V C')^-1 gap` (Wald 1943).

    Parameters
    ----------
    contrast
        Derivatives of the restrictions with respect to the free parameters, (restrictions, P).
    gap
        By how much the estimates miss them.
    matrix
        Covariance of the estimates, NaN where there is none and 0 for parameters that count as known.

    Raises
    ------
    ValueError
        For restrictions that are not independent of each other, or that restrict nothing that was estimated.
    """
    known, moving = ~np.isnan(np.diag(matrix)), np.diag(matrix) != 0.0
    of_known = (contrast != 0.0).any(axis=1) & ~(contrast[:, moving] != 0.0).any(axis=1)
    if (contrast[:, ~known] != 0.0).any() or of_known.any():
        return chi_squared("Wald test", hypotheses, np.nan, len(gap), notes)
    part = contrast[:, known]
    variance = part @ matrix[np.ix_(known, known)] @ part.T
    _check_independent(part, variance, hypotheses)
    statistic = float(gap @ np.linalg.solve(variance, gap))
    return chi_squared("Wald test", hypotheses, statistic, len(gap), notes)


def _check_independent(contrast: np.ndarray, variance: np.ndarray, hypotheses: Sequence[str]) -> None:
    unit = np.sqrt(np.diag(variance))
    if not (unit > 0.0).all():
        idle = hypotheses[int(np.argmin(unit > 0.0))]
        raise ValueError(f"{idle!r} restricts nothing that was estimated. Leave it out.")
    values, vectors = np.linalg.eigh(variance / np.outer(unit, unit))
    if values[0] > DEPENDENT:
        return
    involved = [repr(h) for h, v in zip(hypotheses, vectors[:, 0], strict=True) if abs(v) > 1e-6]
    size = np.linalg.norm(contrast, axis=1, keepdims=True)
    if np.linalg.matrix_rank(contrast / size, tol=1e-8) == len(contrast):
        raise ValueError(
            f"The covariance matrix has too low a rank to test {', '.join(involved)} together. There may be fewer "
            "people or clusters than parameters; take another kind, or test fewer."
        )
    raise ValueError(
        f"The restrictions {', '.join(involved)} are not independent: one follows from the others, or contradicts "
        "them. Leave one out."
    )


def vuong_test(
    differences: np.ndarray,
    times: np.ndarray,
    parameters: tuple[int, int],
    correction: str,
    names: tuple[str, str],
) -> HypothesisTest:
    """From the differences of weighted log-likelihoods by person (Vuong 1989, equation 5.6), and how often each counts."""
    people = float(times.sum())
    penalty = {"none": 0.0, "aic": 1.0, "bic": 0.5 * np.log(people)}[correction]
    mean = float(times @ differences) / people
    spread = float(np.sqrt(times @ (differences - mean) ** 2 / people))
    total = float(times @ differences) - penalty * (parameters[0] - parameters[1])
    label = {"none": "without a correction", "aic": "with the correction of AIC", "bic": "with that of BIC"}
    title = f"Vuong's test of models that are not nested, {label[correction]}"
    hypothesis = (f"{names[0]} and {names[1]} are equally close to the truth",)
    if spread <= 1e-9 * max(1.0, float(np.abs(differences).max())):
        note = "the two models give every person the same likelihood, so there is nothing to tell apart"
        return HypothesisTest(title, hypothesis, np.nan, None, np.nan, (note,))
    statistic = total / (np.sqrt(people) * spread)
    better = names[0] if statistic > 0.0 else names[1]
    notes = (
        f"positive values speak for {names[0]}; here the sign speaks for {better}",
        "it takes for granted that the models differ in more than chance: not for nested models",
    )
    return HypothesisTest(
        title, hypothesis, statistic, None, float(2.0 * stats.norm.sf(abs(statistic))), notes
    )


def ben_akiva_swait_bound(
    loglikes: tuple[float, float], parameters: tuple[int, int], null: float, names: tuple[str, str]
) -> HypothesisTest:
    """The bound `Phi(-sqrt(-2 z L(0) + K_2 - K_1))` on the probability that the model with the worse adjusted
    rho-squared is true and loses by at least z (Ben-Akiva and Swait 1986)."""
    adjusted = [1.0 - (v - k) / null for v, k in zip(loglikes, parameters, strict=True)]
    best = int(adjusted[1] > adjusted[0])
    worse = 1 - best
    gain = adjusted[best] - adjusted[worse]
    inside = -2.0 * gain * null + parameters[best] - parameters[worse]
    notes = [f"adjusted rho-squared {adjusted[i]:.5f} of {names[i]}" for i in (0, 1)]
    title = "Ben-Akiva and Swait's test of models that are not nested"
    hypothesis = (f"{names[worse]} is the true model, though {names[best]} fits better",)
    if not inside > 0.0:
        notes.append("the difference is too small for the bound to say anything")
        return HypothesisTest(title, hypothesis, np.nan, None, np.nan, tuple(notes))
    notes.append("p is an upper bound")
    root = float(np.sqrt(inside))
    return HypothesisTest(title, hypothesis, root, None, float(stats.norm.sf(root)), tuple(notes))
