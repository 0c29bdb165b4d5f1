"""Whether the estimator is consistent: scores of simulated data have mean zero at the parameters that made them."""

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._distributions import chi2_tail, two_sided
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Maximum
from iclv_jax._integration._rule import check_count
from iclv_jax._predict._residuals import with_person
from iclv_jax._predict._simulate import draw_answers
from iclv_jax._tables import Report, Section, Tabular, number, probability

WORST = 10
SMALL = 0.01
"""Probability of the joint test below which a note is made."""
LARGE = 0.25
"""Bias, in standard errors, that matters for intervals: one of 95 % then covers some 94.3 %."""


@final
@dataclass(frozen=True, eq=False)
class Consistency(Tabular):
    """A test that the mean score is zero, and what the mean score does to the estimates.

    Attributes
    ----------
    table
        By free parameter: `bias` in its own units, `bias_in_se` in standard errors of the fit, `se` the simulation
        standard error of the latter, `p` of its being zero.
    statistic, df, p
        The joint test: chi-squared where the scores have mean zero.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    statistic: float
    df: int
    p: float
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        worst = self.table.sort_values("bias_in_se", key=np.abs, ascending=False).head(WORST)
        rows = tuple(
            (str(name), number(r["bias"]), number(r["bias_in_se"]), number(r["se"]), probability(r["p"]))
            for name, r in worst.iterrows()
        )
        facts = ("chi-squared", number(self.statistic)), ("df", str(self.df)), ("p", probability(self.p))
        columns = ("", "bias", "in standard errors", "of simulation", "p")
        title = "Consistency: mean scores of simulated data"
        return Report(title, facts, columns, (Section("Bias of estimates, the largest", rows),), self.notes)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


@one_thread
def check_consistency(fit: Maximum, samples: Given[int] = 20, seed: Given[int] = 0) -> Consistency:
    """Simulate data at the estimates and test that their scores are zero on average.

    At the parameters that made the data, scores of the likelihood have mean zero. Here the likelihood is the one that was
    maximised, with its rule of integration and its nodes placed anew for every data set: what is wrong with the integral,
    or with the code of a density or a simulation of one's own, shows as a mean score, and the inverse Hessian turns it into
    the bias of every estimate. It says nothing of whether the model is true: the data are simulated from it.

    Parameters
    ----------
    samples
        How many data sets, each with the covariates, situations and missing answers of the data. The simulation error of a
        bias is about `1 / sqrt(samples)` standard errors.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        For fewer than one sample, for a fit with penalties, and where there is no covariance matrix.

    Notes
    -----
    After `checkConsistency` of TMB (Kristensen, Nielsen, Berg, Skaug and Bell 2016, Journal of Statistical Software 70(5)),
    which does the same for the Laplace approximation.

    Examples
    --------
    >>> logit_fit.check_consistency(samples=4).df
    4
    """
    check_seed(seed)
    check_count(samples, "samples")
    if fit.penalties is not None:
        raise ValueError("check_consistency is about maximum likelihood, and this fit has penalties.")
    names = list(fit.names)
    covariance = fit.covariance("hessian").matrix
    moving = np.flatnonzero(np.isfinite(np.diagonal(covariance)) & (np.diagonal(covariance) > 0.0))
    mean, spread = _scores(fit, samples, seed)
    mean, spread = mean[moving], spread[np.ix_(moving, moving)]
    covariance = covariance[np.ix_(moving, moving)]
    statistic = float(samples * mean @ np.linalg.solve(spread, mean))
    errors = np.sqrt(np.diagonal(covariance))
    # The estimate that solves `score = 0` is off by the inverse information times the mean score.
    bias = covariance @ mean
    noise = np.sqrt(np.diagonal(covariance @ spread @ covariance) / samples)
    columns = {
        "bias": bias,
        "bias_in_se": bias / errors,
        "se": noise / errors,
        "p": [two_sided(float(t)) for t in bias / noise],
    }
    table = pd.DataFrame(columns, index=pd.Index([names[i] for i in moving], name="parameter"))
    p = chi2_tail(statistic, len(moving))
    return Consistency(table, statistic, len(moving), p, _notes(fit, table, p, samples, seed, len(moving)))


def _scores(fit: Maximum, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean over data sets of the summed scores, and the covariance matrix of such a sum."""
    problem, at = fit.problem, jnp.asarray(fit.estimates)
    weights, total = np.asarray(problem.core.weights), np.zeros(len(fit.estimates))
    square = np.zeros((len(total), len(total)))
    for sample in np.random.default_rng(seed).integers(0, 2**31 - 1, samples):
        other = with_person(problem, draw_answers(problem, at, int(sample))).recentre(at)
        scores = weights[:, None] * np.asarray(other.score_person(at))
        total += scores.sum(axis=0)
        square += scores.T @ scores
    return total / samples, square / samples


def _notes(
    fit: Maximum, table: pd.DataFrame, p: float, samples: int, seed: int, count: int
) -> tuple[str, ...]:
    notes = [f"{samples} data sets simulated at the estimates, seed {seed}"]
    certain = table[(table["bias_in_se"].abs() > LARGE) & (table["p"] < SMALL)]
    if p < SMALL:
        notes.append(
            "the mean score is not zero: use more nodes, or check a density or simulation of your own"
        )
    if len(certain):
        notes.append(f"biased by more than {LARGE:g} standard errors: {', '.join(map(str, certain.index))}")
    if count < len(fit.estimates):
        notes.append("parameters without a standard error are left out")
    if fit.problem.panel.clusters is not None:
        notes.append("people are simulated as independent, within clusters too")
    return tuple(notes)
