"""Profile likelihoods, covariances side by side, and the information-matrix test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize

import iclv_jax as iclv
from iclv_jax._inference._compare_covariances import information_matrix_test, scaled_eigenvalues
from iclv_jax._inference._profile import _end


def logit(**kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price, "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"), **kwargs)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    price = generator.normal(size=60)
    better = 0.5 - 1.5 * price + generator.logistic(size=60) > 0
    return pd.DataFrame({"price": price, "choice": np.where(better, "a", "b"), "group": np.arange(60) % 20})


@pytest.fixture(scope="module")
def fit(data):
    return logit().fit(data, progress=False, cluster="group")


def test_profile_interval_of_a_logit_against_scipy(data, fit):
    sign = np.where(data["choice"] == "a", 1.0, -1.0)

    def loglike(asc, price):
        return -np.log1p(np.exp(-sign * (asc + price * data["price"].to_numpy()))).sum()

    def loss(price):
        best = minimize(lambda a: -loglike(a[0], price), [0.5], tol=1e-10)
        return 2 * (fit.llf + best.fun) - stats.chi2.ppf(0.9, 1)

    found = fit.profile("price", level=0.9, points=[-1.0])
    center = fit.params["price"]
    assert found.lower == pytest.approx(brentq(loss, center - 3, center), abs=2e-3 * fit.bse["price"])
    assert found.upper == pytest.approx(brentq(loss, center, center + 3), abs=2e-3 * fit.bse["price"])
    assert not found.notes
    row = found.table.set_index("value").loc[-1.0]
    assert row["loglike"] == pytest.approx(fit.llf - 0.5 * (loss(-1.0) + stats.chi2.ppf(0.9, 1)), abs=1e-6)
    assert (np.diff(found.table["root"]) > 0).all()
    assert "90% profile-likelihood interval" in str(found)


def test_a_profile_ends_at_a_bound_and_says_so(data):
    fit = logit(bounds={"price": (-2.0, None)}).fit(data, progress=False)
    assert fit.profile("price", level=0.999).lower == -2.0
    assert "bound" in fit.profile("price", level=0.999).notes[0]


def test_a_profile_that_closes_far_away():
    """Only a weight of 0.001 speaks against an infinite coefficient, so the loss grows by 0.001 a unit."""
    frame = pd.DataFrame({"price": [0.0, 0.0, 1.0, 1.0] * 10, "choice": ["a", "b", "a", "a"] * 10})
    frame.loc[40] = {"price": 1.0, "choice": "b"}
    fit = logit().fit(frame, progress=False, weights=np.where(np.arange(41) == 40, 1e-3, 1.0))
    found = fit.profile("price")
    # At infinity nothing is lost but what the one person says: -0.001 (price + asc), asc = 0.
    wanted = 1000 * (0.5 * stats.chi2.ppf(0.95, 1) - fit.llf - 20 * np.log(2))
    assert found.upper == pytest.approx(wanted, rel=3e-3)
    with pytest.raises(ValueError, match="Did you mean 'price'"):
        fit.profile("prise")


def test_a_profile_that_does_not_close_is_said():
    end, note = _end(lambda v: 1.9 * (1 - np.exp(-v)), 0.0, 1.0, 1.96, 1.0, np.inf)
    assert end == np.inf
    assert "does not close up to" in note
    end, note = _end(lambda v: np.nan if v < -1.0 else v, 0.0, -1.0, 1.96, 1.0, -np.inf)
    assert end == -np.inf
    assert "no likelihood" in note
    assert _end(lambda v: v + v**2, 0.0, 1.0, 2.0, 1.0, np.inf)[0] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_a_threshold_is_held_though_its_transform_holds_another(data):
    """Thresholds are increments to the optimiser; the profile of the second one is that of the model with it fixed."""
    generator = np.random.default_rng(2)
    eta = generator.normal(size=120)
    cut = {q: np.digitize(eta + generator.normal(size=120), [-0.5, 0.6]) for q in ("q1", "q2", "q3")}
    frame = pd.DataFrame(cut)

    def model(**kwargs):
        items = [iclv.Ordered(q, of="green") for q in cut]
        return iclv.Model([iclv.Latent("green")], items, **kwargs)

    rule = iclv.GaussHermite(9)
    fit = model().fit(frame, progress=False, integration=rule)
    value = float(fit.params["q2 | 2"] + fit.bse["q2 | 2"])
    found = fit.profile("q2 | 2", points=[value], level=0.7).table.set_index("value")
    fixed = model(fixed={"q2 | 2": value}).fit(frame, progress=False, integration=rule)
    assert found.loc[value, "loglike"] == pytest.approx(fixed.llf, abs=1e-5)
    assert fit.lr_test(fixed).statistic == pytest.approx(found.loc[value, "root"] ** 2, abs=1e-4)


# --- covariances side by side -----------------------------------------------------------------------------------


def test_covariances_side_by_side(fit):
    found = fit.compare_covariances()
    assert list(found.errors.columns) == ["hessian", "bhhh", "robust", "cluster"]
    np.testing.assert_allclose(found.errors["cluster"], fit.standard_errors("cluster"))
    np.testing.assert_allclose(found.ratios["robust"], fit.standard_errors("robust") / fit.bse)
    h = -fit.hessian.to_numpy()
    wanted = 1 - abs(h[0, 1]) / np.sqrt(h[0, 0] * h[1, 1])
    assert found.eigenvalues["hessian"].iloc[0] == pytest.approx(wanted)
    fit.standard_errors("jackknife")
    assert "jackknife / hessian" in str(fit.compare_covariances())


def test_information_matrix_test_of_a_logit_by_hand(data, fit):
    x = np.column_stack([np.ones(60), data["price"]])
    p = 1 / (1 + np.exp(-(x @ fit.estimates)))
    scores = x * ((data["choice"] == "a").to_numpy() - p)[:, None]
    rows = np.column_stack([scores, scores**2 - x**2 * (p * (1 - p))[:, None]])
    ones = np.ones(60)
    wanted = ones @ rows @ np.linalg.solve(rows.T @ rows, rows.T @ ones)
    found = fit.compare_covariances().information_test
    assert found.statistic == pytest.approx(wanted, rel=1e-6)
    assert found.df == 2
    assert "far too often" in str(found)


def test_information_matrix_test_tells_overdispersion_from_a_true_model():
    """Normal data with the variance taken to be one: scores x, curvatures -1."""
    x = np.random.default_rng(0).normal(size=(2000, 1))
    assert information_matrix_test(x, -np.ones((2000, 1))).pvalue > 0.01
    assert information_matrix_test(1.3 * x, -np.ones((2000, 1))).pvalue < 1e-6


def test_information_matrix_test_needs_people():
    found = information_matrix_test(np.eye(4), -np.eye(4))
    assert np.isnan(found.statistic)
    assert "more than 8 people" in str(found)


def test_eigenvalues_do_not_depend_on_units():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    units = np.diag([1e6, 1e-3])
    np.testing.assert_allclose(scaled_eigenvalues(units @ matrix @ units), scaled_eigenvalues(matrix))
