"""The parametric bootstrap of a fit's goodness."""

from dataclasses import dataclass, field
from typing import final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed, check_switch
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._penalised import penalised_hessian, smooth_penalties
from iclv_jax._inference._refits import refit as fitted_again
from iclv_jax._integration._rule import check_count
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._predict._residuals import Look, Looker, standardised, with_person
from iclv_jax._predict._simulate import check_redrawn, draw_answers
from iclv_jax._problem import Problem
from iclv_jax._tables import Report, Section, Tabular, loglike, number, probability

NAMES = {"items": "answers to items", "pairs": "associations of items", "choices": "shares of alternatives"}
WORST = 5


@final
@dataclass(frozen=True, eq=False)
class GoodnessOfFit(Tabular):
    """Statistics of the data beside those of data that the model has made.

    Attributes
    ----------
    table
        By statistic: `observed`, `mean` and `sd` over simulated data sets, `p`. `log-likelihood`: p is the share of data
        sets with one as low. `answers to items`, `associations of items` and `shares of alternatives` are means of squared
        standardised residuals of frequencies (1 is usual), `worst pair of items` is the largest residual in `pairs`: p is
        the share of data sets with one as high.
    simulated
        The statistics of every simulated data set that counts.
    items
        By item, the worst first: `statistic`, as in `answers to items`, and `p`.
    pairs
        By pair of items, the worst first: `residual`, by how many standard deviations the covariance of their scores (levels
        counted 0, 1, 2, ...) is larger than expected, and `p`. None of the p is adjusted for how many pairs there are;
        that of `worst pair of items` is.
    failed
        Number of simulated data sets whose fit did not converge; they are left out.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    simulated: pd.DataFrame = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    pairs: pd.DataFrame = field(repr=False)
    failed: int
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        sections = [Section("", tuple(_row(str(k), v) for k, v in self.table.iterrows()))]
        if len(self.pairs):
            rows = tuple(
                (f"{a}, {b}", number(row["residual"]), "", "", probability(row["p"]))
                for (a, b), row in self.pairs.head(WORST).iterrows()  # pyright: ignore[reportGeneralTypeIssues]
            )
            sections.append(Section("Single pairs, the worst", rows))
        columns = ("", "observed", "mean", "sd", "p")
        return Report("Goodness of fit by simulation", (), columns, tuple(sections), self.notes)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


def _row(name: str, row: pd.Series) -> tuple[str, ...]:
    show = loglike if name == "log-likelihood" else number
    values = (show(float(v)) if np.isfinite(v) else "" for v in (row["observed"], row["mean"]))
    return (name, *values, number(float(row["sd"])), probability(float(row["p"])))


@one_thread
def goodness_of_fit(
    fit: Maximum, samples: Given[int] = 100, seed: Given[int] = 0, refit: Given[bool] = True
) -> GoodnessOfFit:
    """How the data look beside data that the fitted model has made: a parametric bootstrap.

    Every simulated data set has the covariates, situations, alternatives on offer and missing answers of the data, and
    answers and choices drawn at the estimates. Compared are the log-likelihood, and residuals, observed less expected
    before any answers: of the frequencies of answers; of the associations of two items, the frequency of every pair of
    answers less the product of the two frequencies; and of the shares of alternatives. For a continuous item answers
    are its mean and mean square, associations covariances. Residuals are standardised by their spread over simulated
    data and the data together, so that p is exact up to the estimates being estimates.

    Parameters
    ----------
    samples
        How many data sets: the smallest p is 1 / (samples + 1).
    seed
        Of the draws.
    refit
        Whether to fit the model to every one of them, from the estimates, as it was fitted to the data: a few Newton
        steps each, without compiling. False is quicker and cautious: the data have been fitted and look better than
        they are, so that misfit is found less often.

    Raises
    ------
    ValueError
        For a number of samples that is not a whole number above 0, and when no fit to simulated data converged.

    Notes
    -----
    Associations are what latent variables are for: misfit there shows residual correlations and missing loadings. The
    log-likelihood says little: that of the data is a maximum, and so are those of the simulated data, so that its p
    gathers in the middle whatever the model. Nothing here looks at choices and items together, or at how choices depend
    on columns.

    Examples
    --------
    >>> simulated = logit_fit.tests.goodness_of_fit(samples=5, refit=False)
    >>> len(simulated.table) > 0
    True
    """
    check_seed(seed)
    check_count(samples, "samples")
    check_redrawn(fit.problem.spec)
    check_switch(refit, "refit")
    penalties = smooth_penalties(fit, "goodness_of_fit(refit=True)") if refit else None
    problem, looker = fit.problem, Looker(fit.problem)
    looks = [looker.look(problem.core.person, fit.estimates)]
    values, information = [fit.llf], -penalised_hessian(fit).to_numpy()
    for sample in np.random.default_rng(seed).integers(0, 2**31 - 1, samples):
        other = with_person(problem, draw_answers(problem, jnp.asarray(fit.estimates), int(sample)))
        params, value = _maximum(other, fit.estimates, information, refit, penalties)
        if params is not None:
            looks.append(looker.look(other.core.person, params))
            values.append(value)
    if len(looks) < 2:
        raise ValueError(
            f"None of the {samples} fits to simulated data converged, so there is nothing to compare with. "
            "See fit.diagnose(), or take refit=False."
        )
    return _collected(looker, looks, np.array(values), samples, seed, refit, fit)


def _maximum(
    problem: Problem, params: np.ndarray, information: np.ndarray, again: bool, penalties: Penalties | None
) -> tuple[np.ndarray | None, float]:
    """Maximum from simulated data and their log-likelihood; None where there is no maximum."""
    if not again:
        at = jnp.asarray(params)
        return params, float(problem.recentre(at).loglike(at))
    found = fitted_again(problem, params, information, penalties)
    return (found.params, found.loglike) if found.converged else (None, np.nan)


def _collected(
    looker: Looker,
    looks: list[Look],
    values: np.ndarray,
    samples: int,
    seed: int,
    again: bool,
    fit: Maximum,
) -> GoodnessOfFit:
    residuals, observed = ({k: np.stack([o[i][k] for o in looks]) for k in looks[0][0]} for i in (0, 1))
    squares = {kind: standardised(residuals[kind], observed[kind]) ** 2 for kind in residuals}
    statistics = {"log-likelihood": values} | {NAMES[kind]: _mean(s) for kind, s in squares.items()}
    items = pd.DataFrame({"statistic": [], "p": []})
    pairs = pd.DataFrame({"residual": [], "p": []})
    if "items" in squares:
        items = _by_item(squares["items"], looker)
    if "pairs" in squares and looker.labels:
        each = standardised(looker.of_pairs(residuals["pairs"]), looker.of_pairs(observed["pairs"]))
        statistics["worst pair of items"] = _largest(np.abs(each))
        pairs = _by_pair(each, looker)
    table = pd.DataFrame({name: _judged(v, name) for name, v in statistics.items()}).T
    frame = pd.DataFrame({k: v[1:] for k, v in statistics.items()})
    notes = _notes(fit, samples, seed, again, samples + 1 - len(looks), table)
    return GoodnessOfFit(table, frame, items, pairs, samples + 1 - len(looks), notes)


def _mean(squares: np.ndarray) -> np.ndarray:
    """Over the cells that count; NaN where there is none."""
    kept = squares[:, ~np.isnan(squares).any(axis=0)]
    return kept.mean(axis=1) if kept.shape[1] else np.full(len(squares), np.nan)


def _largest(sizes: np.ndarray) -> np.ndarray:
    """Over the pairs that count; NaN where there is none."""
    found = np.nan_to_num(sizes, nan=-1.0).max(axis=1)
    return np.where(found < 0.0, np.nan, found)


def _judged(values: np.ndarray, name: str) -> dict[str, float]:
    rest = values[1:]
    worse = values <= values[0] if name == "log-likelihood" else values >= values[0]
    p = float(worse.mean()) if np.isfinite(values[0]) else np.nan
    spread = float(rest.std(ddof=1)) if len(rest) > 1 else np.nan
    return {"observed": float(values[0]), "mean": float(rest.mean()), "sd": spread, "p": p}


def _by_item(squares: np.ndarray, looker: Looker) -> pd.DataFrame:
    names, owner = looker.layout.items, looker.layout.owner
    found = [_mean(squares[:, owner == i]) for i in range(len(names))]
    columns = {"statistic": [v[0] for v in found], "p": [_judged(v, "")["p"] for v in found]}
    return pd.DataFrame(columns, index=list(names)).sort_values("statistic", ascending=False)


def _by_pair(residuals: np.ndarray, looker: Looker) -> pd.DataFrame:
    each = [_judged(v, "")["p"] for v in np.abs(residuals).T]
    frame = pd.DataFrame(
        {"residual": residuals[0], "p": each}, index=pd.MultiIndex.from_tuples(looker.labels)
    )
    return frame.sort_values("residual", ascending=False, key=np.abs)


def _notes(
    fit: Maximum, samples: int, seed: int, again: bool, failed: int, table: pd.DataFrame
) -> tuple[str, ...]:
    notes = [
        f"{samples} data sets simulated at the estimates, seed {seed}; no p is below 1 / {samples + 1 - failed}"
    ]
    if failed:
        notes.append(f"{failed} of {samples} fits to simulated data did not converge and are left out")
    if not again:
        notes.append(
            "without refits: the data have been fitted and the simulated ones have not, so that the data look better than "
            "they are; small p are to be believed, large ones are not"
        )
    if "worst pair of items" in table.index:
        notes.append(
            "single pairs: residuals in standard deviations, p not adjusted for how many pairs there are"
        )
    notes += [
        f"{c.name} explains numbers and has no shares: only the log-likelihood looks at it"
        for c in fit.problem.spec.choices
        if not c.discrete
    ]
    notes += [f"{n}: the estimates reproduce them" for n in table.index[table["observed"].isna()]]
    if fit.problem.panel.clusters is not None:
        notes.append("people are simulated as independent, within clusters too")
    if not fit.converged:
        notes.append("the fit itself did not converge")
    return tuple(notes)
