"""Tests of one fit against another."""

from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np

from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._penalised import refuse_penalised
from iclv_jax._inference import HypothesisTest
from iclv_jax._inference._hypotheses import ben_akiva_swait_bound, chi_squared, vuong_test
from iclv_jax._problem._fingerprint import outcomes

Correction = Literal["none", "aic", "bic"]
SMALLEST = 1e-4
"""Log-likelihoods of integrals that differ by less than this cannot be told apart."""


def likelihood_ratio(full: Estimates, restricted: Estimates) -> HypothesisTest:
    """`2 (log L - log L of the restricted model)`; see `Fit.lr_test`."""
    check_same_outcomes(full, restricted)
    for fit in (full, restricted):
        refuse_penalised(fit, "lr_test")
    df = len(full.names) - len(restricted.names)
    if df <= 0:
        raise ValueError(
            f"The restricted model has {len(restricted.names)} free parameters and this one {len(full.names)}. It "
            "must have fewer: call lr_test of the larger fit."
        )
    gain = full.llf - restricted.llf
    noise = _noise(full, restricted)
    if gain < -max(SMALLEST, 2.0 * noise):
        raise ValueError(
            f"The restricted model has the larger log-likelihood, {restricted.llf:.4f} against {full.llf:.4f}, by more "
            "than the error of the integrals. Either it is not nested in this one, or this fit has not found its "
            "maximum: fit it again with start=restricted_fit."
        )
    words = (f"the {df} restrictions of the smaller model hold",) if df > 1 else ("the restriction holds",)
    statistic = 2.0 * max(gain, 0.0)  # Below zero only by the error of the integrals.
    return chi_squared("Likelihood-ratio test", words, statistic, df, _notes(full, restricted, noise))


def vuong(a: Estimates, b: Estimates, correction: Correction = "none") -> HypothesisTest:
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
    """
    if correction not in get_args(Correction):
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
    return vuong_test(differences, times, (len(a.names), len(b.names)), correction, ("a", "b"))


def ben_akiva_swait(a: Estimates, b: Estimates) -> HypothesisTest:
    """Ben-Akiva and Swait's (1986) test of two choice models that are not nested.

    Under the model with the worse adjusted rho-squared, `1 - (log L - K) / log L(0)`, the other one is better by
    z or more with a probability of at most `Phi(-sqrt(-2 z log L(0) + K_2 - K_1))`; that is the `pvalue`. log L(0)
    is that of equal shares of the available alternatives.

    Raises
    ------
    ValueError
        For fits on different people or choices, other sets of alternatives, and models with items, whose joint
        log-likelihood has no equal shares to be compared with: take `vuong`.
    """
    for fit in (a, b):
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
    return ben_akiva_swait_bound((a.llf, b.llf), (len(a.names), len(b.names)), nulls[0], ("a", "b"))


def check_same_outcomes(a: Estimates, b: Estimates) -> None:
    """Raise ValueError when two fits do not explain the same things of the same people."""
    for fit in (a, b):
        if not isinstance(fit, Estimates):
            raise ValueError(f"A fit is compared with another fit, not with {fit!r}.")
    first, second = outcomes(a.problem), outcomes(b.problem)
    different = [k for k in {**first, **second} if first.get(k) != second.get(k)]
    if different:
        shown = ", ".join(different[:4]) + (", ..." if len(different) > 4 else "")
        raise ValueError(
            f"The two fits do not explain the same data: {shown} differ. Log-likelihoods compare only on the same "
            "people, choices and items."
        )


def _noise(a: Estimates, b: Estimates) -> float:
    return float(np.hypot(a.accuracy.error or 0.0, b.accuracy.error or 0.0))


def _notes(full: Estimates, restricted: Estimates, noise: float) -> tuple[str, ...]:
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
