"""Fit of a covariance structure: the saturated and the independence model, and indices from them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._distributions import chi2_tail
from iclv_jax._base._types import Given
from iclv_jax._density import reduced_form
from iclv_jax._inference._estimated import Estimated
from iclv_jax._parameters import LATENT
from iclv_jax._predict import _limited_information as limited
from iclv_jax._predict._answer_moments import Statistic
from iclv_jax._predict._effects import implied, matrices
from iclv_jax._problem import Problem

NONE = np.zeros(0)
EM_STEPS = 5000
EM_TOLERANCE = 1e-10
SPAN = 0.90
"""Coverage of the interval of the RMSEA."""


def fit_measures(fit: Estimated, statistic: Given[Statistic | None] = None) -> dict[str, float]:
    """How well a model of items reproduces their means and covariances, or where they have levels the frequencies of single
    answers and of pairs of answers.

    Parameters
    ----------
    statistic
        For items with levels (ordered, binary, partial credit, nominal), what is reproduced. `"M2"`: the frequencies of all
        levels and pairs of levels (Maydeu-Olivares and Joe 2006). `"C2"`: the frequencies of levels, and the mean products
        of the places of two levels (Cai and Monro 2014). `"M2*"`: the means of the places, and those products (Cai and
        Hansen 2013); with few items it has no degrees of freedom. None: M2 where all items have two levels, where the three
        are the same, and C2 where some have more, because the frequencies of many pairs of levels are too small for a
        chi-squared distribution. Nominal items, whose levels have no places, are counted by level in all of them.

    Returns
    -------
    dict
        For continuous items `chi2`, `df` and `p` of the likelihood ratio test against the saturated model (in which the
        items have any means, covariances and regressions on the covariates); `baseline_chi2` and `baseline_df` of the model
        of independent items; `cfi`, `tli`; `rmsea` with its 90 % interval (`rmsea_lower`, `rmsea_upper`); `srmr`, over the
        covariances of items and covariates, without means. Definitions are lavaan's. Missing answers are taken as missing at
        random in all three models. With groups everything is a sum over them; the RMSEA is multiplied by the root of their
        number, and the SRMR, their mean weighted by people, counts means too.

        For items with levels the statistic (`m2`, `c2` or `m2*`), its `df` and `p`; the same of the model of independent
        items (`baseline_m2`, `baseline_df`); `cfi2`, `tli2`; `rmsea2` with its 90 % interval (`rmsea2_lower`,
        `rmsea2_upper`); and `srmsr`, the root mean squared residual of the correlations of the places of two levels
        (Maydeu-Olivares and Joe 2014). With covariates everything is given them, and frequencies times covariates are among
        what is reproduced, so that regressions count. Only those who answered both items of a pair count for it: answers
        are taken as missing completely at random.

    Raises
    ------
    ValueError
        For models with a choice (leave the choice out and fit the measurement part alone: its fit at the joint estimates
        is no maximum), for items of which some have levels and others do not, for counts, censored items and durations, of
        which these measures are not known, for sampling weights, and for more than 5,000 moments.

    Notes
    -----
    Expected frequencies are integrals over the distribution of the latent variables by Gauss-Hermite rules (81 nodes for one
    latent variable, 31 x 31 and 15 x 15 x 15; with covariates of more than 50 different rows 31, 15 x 15, 9 x 9 x 9), beyond
    by 4,096 (512) scrambled Sobol draws. They take seconds, but minutes where hundreds of people have different covariates
    and there are four latent variables or more. The statistic is the squared length of the residuals, in the metric of their
    covariance matrix, off the directions in which the parameters move them, so that it holds for all consistent estimates;
    `df` is the number of moments less the number of these directions.

    Examples
    --------
    >>> measured = iclv.Model([iclv.Latent("green")], items).fit(df)
    >>> "rmsea2" in measured.fit_measures()
    True
    """
    _check_measurable(fit.problem)
    if fit.problem.spec.indicators[0].discrete:
        return _of_levels(fit, limited.chosen_statistic(fit.problem, statistic))
    if statistic is not None:
        raise ValueError(
            "fit_measures: statistic= is for items with levels. Leave it out for continuous ones."
        )
    return _of_covariances(fit)


def _of_levels(fit: Estimated, statistic: Statistic) -> dict[str, float]:
    moments = limited.checked_moments(fit.problem, statistic)
    everyone = limited.samples(fit.problem)
    own, alone, correlations = [], [], []
    for sample in everyone:
        found, means, products = limited.of_model(fit, moments, sample)
        own.append(found)
        alone.append(limited.of_independence(moments, sample))
        correlations.append(limited.correlation_residuals(moments, sample, means, products))
    value, base = limited.quadratic(own, shared=True), limited.quadratic(alone, shared=False)
    found = indices(*value, *base, fit.nobs, len(everyone))
    names = {"chi2": statistic.lower(), "baseline_chi2": f"baseline_{statistic.lower()}"}
    known = ("cfi", "tli", "rmsea", "rmsea_lower", "rmsea_upper")
    names |= {name: name.replace(name.split("_")[0], f"{name.split('_')[0]}2") for name in known}
    people = [sample.weights.sum() for sample in everyone]
    squares = [np.sqrt(np.mean(r**2)) if len(r) else np.nan for r in correlations]
    srmsr = float(np.average(squares, weights=people))
    return {names.get(name, name): v for name, v in found.items()} | {"srmsr": srmsr, "loglike": fit.llf}


def _of_covariances(fit: Estimated) -> dict[str, float]:
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
    spec, panel = problem.spec, problem.panel
    with_levels = [i.discrete for i in spec.indicators]
    if (
        spec.choices
        or not spec.indicators
        or not (all(with_levels) or all(i.normal for i in spec.indicators))
    ):
        raise ValueError(
            "fit_measures are for models of continuous items, or of items with levels, without a choice. Fit the "
            "measurement part alone: iclv.Model(latent=..., indicators=...). Counts, censored items and durations have "
            "neither levels whose pairs could be counted nor a saturated normal model: of them, and of items of both kinds "
            "together, goodness_of_fit() says whether their frequencies and associations are reproduced."
        )
    if not np.all(panel.weights == 1.0) and not (all(with_levels) and panel.weights_count):
        raise ValueError(
            "fit_measures are for samples without weights: their chi-square has no df. Frequency weights of items with "
            "levels are the exception."
        )


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
        from scipy.special import chndtr

        return brentq(lambda c: float(chndtr(chi2, df, c)) - share, 1e-10, top)  # pyright: ignore[reportReturnType]

    tail = (1.0 - SPAN) / 2.0
    return at(1.0 - tail), at(tail)


def srmr(sample: np.ndarray, model: np.ndarray, means: np.ndarray = NONE) -> float:
    """Root mean squared residual in units of the sample's standard deviations (Bentler 1995); `means` are standardised
    residuals of means that count as well."""
    spread = np.sqrt(np.diag(sample))
    residual = (sample - model) / np.outer(spread, spread)
    every = np.concatenate([residual[np.tril_indices(len(sample))], means])
    return float(np.sqrt(np.mean(every**2)))
