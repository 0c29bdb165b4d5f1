"""What users run: likelihood and derivatives compiled with every optimisation, for some models of the bank.

The other files compile with few optimisations, as most of their programs run only a handful of times.
"""

import bank
import jax
import numpy as np
import pytest

pytestmark = pytest.mark.optimised
NAMES = ("mimic", "likert5", "correlated", "interactions")
STEP = 1e-3


@pytest.fixture(scope="module", params=[*NAMES[:-1], pytest.param(NAMES[-1], marks=pytest.mark.slow)])
def one(request):
    return bank.centred(request.param)


def test_the_options_are_those_of_users():
    assert not jax.config.read("jax_disable_most_optimizations")


@pytest.mark.gate("likert5", "mimic")
def test_every_person_against_the_plain_implementation(one):
    np.testing.assert_allclose(one.problem.loglike_person(one.params), one.plain(), rtol=1e-9)


@pytest.mark.gate("likert5", "mimic")
def test_the_score_is_the_slope_of_the_log_likelihood(one):
    steps = STEP * np.eye(len(one.params))
    near, far = (
        np.array(
            [one.problem.loglike(one.params + k * s) - one.problem.loglike(one.params - k * s) for s in steps]
        )
        for k in (1, 2)
    )
    slope = (8.0 * near - far) / (12.0 * STEP)
    score = one.problem.score(one.params)
    np.testing.assert_allclose(score, slope, rtol=1e-6, atol=1e-7)
    people = np.asarray(one.problem.score_person(one.params))
    np.testing.assert_allclose(np.asarray(one.problem.core.weights) @ people, score, rtol=1e-10, atol=1e-10)


@pytest.mark.gate("mimic")
def test_the_exact_hessian_is_that_of_automatic_differentiation(one):
    exact = np.asarray(one.problem.hessian(one.params, "exact"))
    scale = np.abs(exact).max()
    np.testing.assert_allclose(
        exact, one.problem.hessian(one.params, "autodiff"), rtol=1e-9, atol=1e-10 * scale
    )
