"""Tests of one fit against another."""

from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._distributions import tail, two_sided
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Maximum, has, needs
from iclv_jax._inference._hypotheses import HypothesisTest, chi_squared
from iclv_jax._inference._penalised import refuse_penalised
from iclv_jax._problem._fingerprint import outcomes

Correction = Literal["none", "aic", "bic"]
SMALLEST = 1e-4
"""Log-likelihoods of integrals that differ by less than this cannot be told apart."""


def lr_test(fit: Maximum, restricted: Given[Maximum]) -> HypothesisTest:
    """Likelihood-ratio test of a smaller model that is nested in this one.

    Raises
    ------
    ValueError
        For fits on different people, choices, items or weights; for a model with as many free parameters or
        more; and where the restricted model has the larger log-likelihood by more than the error of the
        integrals.

    Examples
    --------
    >>> short = iclv.Model(choice=iclv.Logit(plain, "mode"), fixed={"age_bus": 0.0}).fit(df)
    >>> logit_fit.tests.lr_test(short).df
    1
    """
    check_same_outcomes(fit, restricted)
    for one in (fit, restricted):
        refuse_penalised(one, "lr_test")
    df = len(fit.names) - len(restricted.names)
    if df <= 0:
        raise ValueError(
            f"The restricted model has {len(restricted.names)} free parameters and this one {len(fit.names)}. It "
            "must have fewer: call lr_test of the larger fit."
        )
    gain = fit.llf - restricted.llf
    noise = _noise(fit, restricted)
    if gain < -max(SMALLEST, 2.0 * noise):
        raise ValueError(
            f"The restricted model has the larger log-likelihood, {restricted.llf:.4f} against {fit.llf:.4f}, by more "
            "than the error of the integrals. Either it is not nested in this one, or this fit has not found its "
            "maximum: fit it again with start=restricted_fit."
        )
    words = (f"the {df} restrictions of the smaller model hold",) if df > 1 else ("the restriction holds",)
    statistic = 2.0 * max(gain, 0.0)  # Below zero only by the error of the integrals.
    return chi_squared("Likelihood-ratio test", words, statistic, df, _notes(fit, restricted, noise))


def vuong(a: Given[Maximum], b: Given[Maximum], correction: Given[Correction] = "none") -> HypothesisTest:
    """Vuong's (1989) test of two models that are not nested, from each person's log-likelihood.

    Parameters
    ----------
    a, b
        Fits on the same people, choices and items.
    correction
        What is taken off the difference of the log-likelihoods for the difference in the numbers of
        parameters: `"none"`, `"aic"` (the difference itself) or `"bic"` (times half the log of the number of
        people).

    Returns
    -------
    A test whose statistic is standard normal when both are equally close to the truth; positive values speak
    for `a`.

    Raises
    ------
    ValueError
        For fits on different people, choices, items or weights, and an unknown correction.

    Examples
    --------
    >>> other = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"bus": b.asc, "car": b.time * x.time}, "mode")).fit(df)
    >>> bool(iclv.vuong(logit_fit, other).pvalue < 0.05)
    True
    """
    if not is_word(correction, get_args(Correction)):
        raise ValueError(
            f"correction is one of {', '.join(map(repr, get_args(Correction)))}, not {correction!r}."
        )
    check_same_outcomes(a, b)
    for fit in (a, b):
        refuse_penalised(fit, "vuong")
    each = [np.asarray(f.problem.loglike_person(jnp.asarray(f.estimates))) for f in (a, b)]
    panel, differences = a.problem.panel, each[0] - each[1]
    times = panel.weights if panel.weights_count else np.ones(len(differences))
    differences = differences if panel.weights_count else panel.weights * differences
    return _vuong_test(differences, times, (len(a.names), len(b.names)), correction, ("a", "b"))


def _vuong_test(
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
    return HypothesisTest(title, hypothesis, statistic, None, float(two_sided(statistic)), notes)


def ben_akiva_swait(a: Given[Maximum], b: Given[Maximum]) -> HypothesisTest:
    """Ben-Akiva and Swait's (1986) test of two choice models that are not nested.

    Under the model with the worse adjusted rho-squared, `1 - (log L - K) / log L(0)`, the other one is better by
    z or more with a probability of at most `Phi(-sqrt(-2 z log L(0) + K_2 - K_1))`; that is the `pvalue`. log L(0)
    is that of equal shares of the available alternatives.

    Raises
    ------
    ValueError
        For fits on different people or choices, other sets of alternatives, and models with items, whose joint
        log-likelihood has no equal shares to be compared with: take `vuong`.

    Examples
    --------
    >>> other = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"bus": b.asc, "car": b.time * x.time}, "mode")).fit(df)
    >>> bool(iclv.ben_akiva_swait(logit_fit, other).pvalue < 0.001)
    True
    """
    for fit in (a, b):
        needs(fit, "ben_akiva_swait", "problem", "optimizer_report")
        if not fit.problem.spec.choices or fit.problem.spec.indicators:
            raise ValueError(
                "Ben-Akiva and Swait's test is for models of choices alone; this one has items. Take iclv.vuong."
            )
    check_same_outcomes(a, b)
    for fit in (a, b):
        refuse_penalised(fit, "ben_akiva_swait")
    nulls = [f.components.equal_shares for f in (a, b)]
    if not np.isclose(nulls[0], nulls[1], rtol=1e-12):
        raise ValueError("The two models have different sets of available alternatives, so nothing compares.")
    return _ben_akiva_swait_bound((a.llf, b.llf), (len(a.names), len(b.names)), nulls[0], ("a", "b"))


def _ben_akiva_swait_bound(
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
    return HypothesisTest(title, hypothesis, root, None, float(tail(root)), tuple(notes))


def check_same_outcomes(a: Given[Maximum], b: Given[Maximum]) -> None:
    """Raise ValueError when two fits do not explain the same things of the same people."""
    for fit in (a, b):
        if not has(fit, "covariance"):
            raise ValueError(f"A fit is compared with another fit, not with {fit!r}.")
        needs(fit, "The test of one fit against another", "problem", "optimizer_report")
    first, second = outcomes(a.problem), outcomes(b.problem)
    different = [k for k in {**first, **second} if first.get(k) != second.get(k)]
    if different:
        shown = ", ".join(different[:4]) + (", ..." if len(different) > 4 else "")
        raise ValueError(
            f"The two fits do not explain the same data: {shown} differ. Log-likelihoods compare only on the same "
            "people, choices and items."
        )


def _noise(a: Maximum, b: Maximum) -> float:
    return float(np.hypot(a.accuracy.error or 0.0, b.accuracy.error or 0.0))


def _notes(full: Maximum, restricted: Maximum, noise: float) -> tuple[str, ...]:
    notes = []
    for what, fit in (("this fit", full), ("the restricted fit", restricted)):
        if not fit.converged:
            notes.append(f"{what} did not converge")
    rules = [f.problem.rule.describe(f.problem.core.structure.dimension) for f in (full, restricted)]
    if rules[0] != rules[1]:
        notes.append(f"the integrals differ: {rules[0]}, restricted: {rules[1]}")
    if noise > 0.0:
        notes.append(f"the statistic has a simulation error of about {2.0 * noise:.2g}")
    panel = full.problem.panel
    if panel.clusters is not None or not (panel.weights_count or (panel.weights == 1.0).all()):
        notes.append("with weights or clusters the statistic is not chi-squared; a robust Wald test is")
    roles = {r.name: r.parameter.role for r in full.problem.table.rows if r.status == "free"}
    edge = [n for n, role in roles.items() if role in ("spread", "variance") and n not in restricted.names]
    if edge:
        notes.append(f"{', '.join(edge)} may lie at an edge of what it can be: p is then too large")
    return tuple(notes)
