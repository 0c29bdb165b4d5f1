"""Fit of a covariance structure: the saturated and the independence model, and indices from them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import special

from iclv_jax._base._distributions import chi2_tail
from iclv_jax._density import reduced_form
from iclv_jax._inference._estimated import Estimated
from iclv_jax._parameters import LATENT
from iclv_jax._predict._effects import implied, matrices
from iclv_jax._problem import Problem

NONE = np.zeros(0)
EM_STEPS = 5000
EM_TOLERANCE = 1e-10
SPAN = 0.90
"""Coverage of the interval of the RMSEA."""


def fit_measures(fit: Estimated) -> dict[str, float]:
    """How well a model of continuous items reproduces their means and covariances.

    Returns
    -------
    dict
        `chi2`, `df` and `p` of the likelihood ratio test against the saturated model (in which the items have any means,
        covariances and regressions on the covariates); `baseline_chi2` and `baseline_df` of the model of independent
        items; `cfi`, `tli`; `rmsea` with its 90 % interval (`rmsea_lower`, `rmsea_upper`); `srmr`, over the covariances
        of items and covariates, without means. Definitions are lavaan's. Missing answers are taken as missing at
        random in all three models. With groups everything is a sum over them; the RMSEA is multiplied by the root of their
        number, and the SRMR, their mean weighted by people, counts means too.

    Raises
    ------
    ValueError
        For models with ordered items or a choice (leave the choice out and fit the measurement part alone: its fit at
        the joint estimates is no maximum), and for weighted samples.
    """
    _check_measurable(fit.problem)
    group = fit.problem.panel.person.group
    if group is None:
        parts = [_sample(fit, 0, np.arange(len(fit.problem.panel.people)), False)]
    else:
        parts = [_sample(fit, at, np.flatnonzero(group == at), True) for at in range(int(group.max()) + 1)]
    loglike, size = sum(p.saturated for p in parts), parts[0].items
    outside = len(fit.problem.panel.covariates)
    everything = size + size * (size + 1) // 2 + size * outside
    found = indices(
        2.0 * (loglike - fit.llf),
        len(parts) * everything - len(fit.names),
        2.0 * (loglike - sum(p.independent for p in parts)),
        len(parts) * (size * (size - 1) // 2 + size * outside),
        fit.nobs,
        len(parts),
    )
    residual = sum(p.people * p.srmr for p in parts) / sum(p.people for p in parts)
    return found | {"srmr": residual, "loglike": fit.llf, "saturated_loglike": loglike}


class _Sample(NamedTuple):
    """Of one group: people, items, log-likelihoods of the saturated and the independence model, and SRMR."""

    people: int
    items: int
    saturated: float
    independent: float
    srmr: float


def _sample(fit: Estimated, at: int, people: np.ndarray, means: bool) -> _Sample:
    person = fit.problem.panel.person
    answers = np.concatenate([np.where(d.occurs, d.outcome, np.nan)[people] for d in person.data], axis=1)
    both = np.concatenate([answers, np.asarray(person.covariates)[people]], axis=1)
    mean, covariance = saturated(both)
    size = answers.shape[1]
    loglike = normal_loglike(both, mean, covariance)
    if both.shape[1] > size:
        x = both[:, size:]
        loglike -= normal_loglike(x, x.mean(axis=0), covariance[size:, size:])
    alone = sum(
        normal_loglike(answers[:, [k]], *(np.atleast_1d(m) for m in saturated(answers[:, [k]])))
        for k in range(size)
    )
    model, expected = _implied(fit, at, mean[size:], covariance[size:, size:])
    away = np.zeros(0)
    if means:
        away = (mean[:size] - expected) / np.sqrt(np.diag(covariance)[:size])
    return _Sample(len(people), size, loglike, alone, srmr(covariance, model, away))


def _implied(
    fit: Estimated, at: int, centre: np.ndarray, covariates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of items and covariates that the model of a group implies, and means of the items."""
    core, params = fit.problem.core, jnp.asarray(fit.estimates)
    structure = core.structure.of_group(at)
    m = matrices(structure, core.constants, params)
    moments = implied(m, jnp.asarray(covariates))
    crossed = np.asarray(moments.crossed)
    cells = structure.map.dense(structure.map.theta(core.constants, params))
    eta = reduced_form(cells[LATENT], jnp.asarray(centre))[0]
    x, parts = jnp.asarray(centre), [(block, cells[block.name]) for block in structure.items]
    expected = np.concatenate([np.asarray(p["intercept"] + b.index(p, eta, x)) for b, p in parts])
    return np.block([[np.asarray(moments.items), crossed], [crossed.T, covariates]]), expected


def _check_measurable(problem: Problem) -> None:
    spec = problem.spec
    if spec.choices or not spec.indicators or not all(i.normal for i in spec.indicators):
        raise ValueError(
            "fit_measures are for models of continuous items without a choice. Fit the measurement part alone: "
            "iclv.Model(latent=..., indicators=...)."
        )
    if not np.all(problem.panel.weights == 1.0):
        raise ValueError("fit_measures are for samples without weights: their chi-square has no df.")


def normal_loglike(values: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Of rows under a normal distribution, over their observed (not NaN) entries."""
    from scipy.stats import multivariate_normal  # Heavy, and few fits need it.

    total = 0.0
    for seen, rows in _patterns(values):
        spread: Any = covariance[np.ix_(seen, seen)]
        part = multivariate_normal.logpdf(rows[:, seen], mean[seen], spread)
        total += float(np.sum(part))
    return total


def saturated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood mean and covariance of normal rows; with missing entries by EM (Little and Rubin 2002,
    section 11.2)."""
    mean = np.nanmean(values, axis=0)
    if not np.isnan(values).any():
        return mean, np.cov(values.T, bias=True).reshape(len(mean), len(mean))
    covariance = np.diag(np.nanvar(values, axis=0))
    groups = list(_patterns(values))
    for _ in range(EM_STEPS):
        new_mean, new_covariance = _em_step(groups, mean, covariance)
        moved = max(np.abs(new_mean - mean).max(), np.abs(new_covariance - covariance).max())
        mean, covariance = new_mean, new_covariance
        if moved < EM_TOLERANCE * max(1.0, np.abs(covariance).max()):
            return mean, covariance
    raise ValueError("The saturated model of the items did not converge: too many answers are missing.")


def _em_step(
    groups: Sequence[tuple[np.ndarray, np.ndarray]], mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # Rows without any entry say nothing; they are in no group and must not be counted either.
    count = sum(len(rows) for _, rows in groups)
    first, second = np.zeros_like(mean), np.zeros_like(covariance)
    for seen, rows in groups:
        filled, rest = rows.copy(), np.zeros_like(covariance)
        if not seen.all():
            slope = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, ~seen)])
            filled[:, ~seen] = mean[~seen] + (rows[:, seen] - mean[seen]) @ slope
            rest[np.ix_(~seen, ~seen)] = (
                covariance[np.ix_(~seen, ~seen)] - covariance[np.ix_(~seen, seen)] @ slope
            )
        first += filled.sum(axis=0)
        second += filled.T @ filled + len(rows) * rest
    centre = first / count
    return centre, second / count - np.outer(centre, centre)


def _patterns(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows by which of their entries are observed; rows without any are left out."""
    marks, owner = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    for i, seen in enumerate(marks):
        if seen.any():
            yield seen, values[owner.reshape(-1) == i]


def indices(
    chi2: float, df: int, base_chi2: float, base_df: int, people: int, groups: int = 1
) -> dict[str, float]:
    """CFI, TLI (Bentler 1990) and RMSEA with its interval (Steiger 1990; Browne and Cudeck 1993; of several groups Steiger
    1998)."""
    excess, base = max(chi2 - df, 0.0), max(base_chi2 - base_df, chi2 - df, 0.0)
    nan = float("nan")
    ratio = base_chi2 / base_df if base_df else nan
    lower, upper = _noncentrality(chi2, df)
    scale = people * df / groups if df else nan
    return {
        "chi2": chi2,
        "df": df,
        "p": chi2_tail(chi2, df) if df else nan,
        "baseline_chi2": base_chi2,
        "baseline_df": base_df,
        "cfi": 1.0 - excess / base if base else 1.0,
        "tli": (ratio - chi2 / df) / (ratio - 1.0) if df else nan,
        "rmsea": float(np.sqrt(excess / scale)),
        "rmsea_lower": float(np.sqrt(lower / scale)),
        "rmsea_upper": float(np.sqrt(upper / scale)),
    }


def _noncentrality(chi2: float, df: int) -> tuple[float, float]:
    """Noncentralities at which the observed value is the upper and the lower 5 % point."""
    if not df:
        return float("nan"), float("nan")

    def at(share: float) -> float:
        if 1.0 - chi2_tail(chi2, df) < share:
            return 0.0
        top = chi2 + 10.0 * np.sqrt(chi2 + df) + 100.0
        from scipy.optimize import brentq

        return brentq(lambda c: float(special.chndtr(chi2, df, c)) - share, 1e-10, top)  # pyright: ignore[reportReturnType]

    tail = (1.0 - SPAN) / 2.0
    return at(1.0 - tail), at(tail)


def srmr(sample: np.ndarray, model: np.ndarray, means: np.ndarray = NONE) -> float:
    """Root mean squared residual in units of the sample's standard deviations (Bentler 1995); `means` are standardised
    residuals of means that count as well."""
    spread = np.sqrt(np.diag(sample))
    residual = (sample - model) / np.outer(spread, spread)
    every = np.concatenate([residual[np.tril_indices(len(sample))], means])
    return float(np.sqrt(np.mean(every**2)))
