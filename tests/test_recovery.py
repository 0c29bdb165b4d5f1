"""Recovery of known truth from one sample of the benchmark's model; `benchmarks/recovery.py` runs many."""

import numpy as np
import pandas as pd
import pytest
from benchmark_files import benchmark
from scipy.stats import chi2

SEED = 2024
PEOPLE = 400
recovery = benchmark("recovery")


@pytest.fixture(scope="module")
def fit():
    model = recovery.build_model()
    return recovery.fit_sample(model, recovery.draw_sample(model, SEED, PEOPLE))


@pytest.fixture(scope="module")
def z(fit):
    return (fit.params - pd.Series(recovery.TRUTH)[list(fit.names)]) / fit.bse


@pytest.mark.slow
def test_it_converges(fit):
    assert fit.converged
    assert set(fit.names) == set(recovery.TRUTH)


@pytest.mark.parametrize("name", recovery.TRUTH)
@pytest.mark.slow
def test_the_truth_is_within_four_standard_errors(z, name):
    assert abs(z[name]) < 4.0


@pytest.mark.slow
def test_errors_are_neither_too_large_nor_too_small(fit, z):
    """The Wald statistic of the whole truth is chi-squared; so, nearly, is a sum of squared z."""
    low, high = chi2.ppf([0.001, 0.999], len(z))
    assert low < recovery.distance(fit) < high
    # Errors of one equation's parameters are correlated, which widens the spread of this sum.
    assert 0.3 * len(z) < (z**2).sum() < 2.5 * len(z)


def test_the_truth_is_not_too_unlikely(fit):
    """Twice the fall of the log-likelihood from the maximum to the truth is chi-squared too."""
    truth = fit.problem.vector(recovery.TRUTH)
    fall = 2.0 * (fit.llf - float(fit.problem.recentre(truth).loglike(truth)))
    low, high = chi2.ppf([0.001, 0.999], len(recovery.TRUTH))
    assert low < fall < high


@pytest.mark.slow
def test_the_table_counts_bias_and_coverage():
    generator = np.random.default_rng(0)
    truth = pd.Series(recovery.TRUTH)
    noise = 0.1 * generator.standard_normal((2000, len(truth)))
    noise[:, 3] += 0.05
    noise[:, 7] *= 2.0
    estimates = pd.DataFrame(truth.to_numpy() + noise, columns=truth.index)
    errors = pd.DataFrame(0.1, index=estimates.index, columns=estimates.columns)
    found = recovery.table(recovery.Study(estimates, errors, np.ones(2000), np.ones(2000), 1.0, ()))
    biased, spread = truth.index[3], truth.index[7]
    assert found["bias"][biased] == pytest.approx(0.05, abs=0.01)
    assert found["flag"][biased] == "!!"
    assert found["se_ratio"][spread] == pytest.approx(0.5, abs=0.03)
    assert found["coverage"][spread] == pytest.approx(0.673, abs=0.05)
    others = found.drop([biased, spread])
    assert others["coverage"].between(0.93, 0.97).all()
