"""The bootstrap and the jackknife, against refits by other programs and against covariances in closed form."""

import bank
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import iclv_jax as iclv
from iclv_jax._inference._people import person_hessians
from iclv_jax._inference._resample import draw_weights, resample
from iclv_jax._inference._signs import turns


def logit(**kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"), **kwargs)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    price, time = generator.normal(size=(2, 400))
    better = 0.5 - price - 0.5 * time + generator.logistic(size=400) > 0
    frame = pd.DataFrame({"price": price, "time": time, "group": np.arange(400) % 40})
    return frame.assign(choice=np.where(better, "a", "b"))


@pytest.fixture(scope="module")
def fit(data):
    return logit().fit(data, progress=False)


@pytest.fixture(scope="module")
def clustered(data):
    return logit().fit(data, progress=False, cluster="group")


def refit(data, weights):
    """The logit of statsmodels with these frequencies."""
    y, x = (data["choice"] == "a").astype(float), sm.add_constant(data[["price", "time"]])
    kept = weights > 0
    model = sm.GLM(y[kept], x[kept], family=sm.families.Binomial(), freq_weights=weights[kept])
    return model.fit(tol=1e-14).params.to_numpy()


@pytest.fixture(scope="module")
def hybrid():
    case = bank.get("likert5")
    rule = iclv.GaussHermite(9)
    return case.model.fit(case.data, progress=False, person="id", integration=rule, start=case.params)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fit", "hybrid"])
def test_hessians_of_people_are_those_of_weights_on_one(request, name):
    fit = request.getfixturevalue(name)
    params = jnp.asarray(fit.estimates)
    found = np.asarray(person_hessians(fit.problem.core, params))
    for n in (0, 7):
        alone = fit.problem.with_weights((np.arange(len(found)) == n) * 1.0)
        np.testing.assert_allclose(found[n], alone.hessian(params), rtol=1e-9, atol=1e-9)


# --- bootstrap --------------------------------------------------------------------------------------------------


def test_bootstrap_samples_are_refits_of_the_drawn_people(data, fit):
    found = fit.bootstrap(samples=20, seed=4)
    weights = draw_weights(fit.problem, 20, 4)
    assert found.failed == 0
    assert (weights.sum(axis=1) == 400).all()
    for k in range(20):
        distance = (found.samples.iloc[k] - refit(data, weights[k])) / fit.bse
        assert np.abs(distance).max() < 2e-3


def test_bootstrap_errors_of_a_logit_are_near_the_robust_ones(fit):
    """400 samples: an error of 1 / sqrt(800), taken four times, and a little for the small sample."""
    found = fit.bootstrap(samples=400)
    np.testing.assert_allclose(
        found.standard_errors / fit.standard_errors("robust"), 1.0, atol=4 / np.sqrt(800) + 0.03
    )
    ends = found.intervals()
    np.testing.assert_allclose(ends["lower"], found.samples.quantile(0.025))
    np.testing.assert_allclose(
        ends["normal_upper"] - ends["normal_lower"], 2 * 1.959964 * found.standard_errors
    )
    assert "400 samples" in str(found)


def test_bootstrap_is_a_kind_of_covariance(fit):
    found = fit.bootstrap()
    assert fit.bootstrap() is found
    np.testing.assert_allclose(fit.cov_params("bootstrap"), found.samples.cov(), rtol=1e-10)
    np.testing.assert_allclose(fit.standard_errors("bootstrap"), found.standard_errors, rtol=1e-10)
    assert "200 samples of people" in str(fit.summary(cov="bootstrap"))
    assert not np.allclose(fit.bootstrap(seed=1).samples.iloc[0], found.samples.iloc[0])
    few = fit.bootstrap(samples=3)
    assert "3 samples of people" in str(fit.summary(cov="bootstrap"))
    np.testing.assert_allclose(fit.compare_covariances().errors["bootstrap"], few.standard_errors, rtol=1e-10)
    with pytest.raises(ValueError, match="samples"):
        fit.bootstrap(samples=0)


@pytest.mark.slow
def test_clusters_are_drawn_whole(clustered):
    weights = draw_weights(clustered.problem, 30, 0)
    by_cluster = weights.reshape(30, 10, 40)  # Person n is in cluster n % 40.
    assert (by_cluster == by_cluster[:, :1]).all()
    assert (weights.sum(axis=1) == 400).all()
    assert any("of clusters" in note for note in clustered.bootstrap(samples=20).notes)


def test_person_weights_stay_with_the_people(data):
    weights = np.where(np.arange(400) < 200, 2.0, 1.0)
    fit = logit().fit(data, progress=False, weights=weights)
    drawn = draw_weights(fit.problem, 5, 0)
    assert (drawn % weights == 0).all()
    found = fit.bootstrap(samples=5)
    np.testing.assert_allclose(found.samples.iloc[2], refit(data, drawn[2]), atol=2e-3 * float(fit.bse.min()))


@pytest.mark.slow
def test_samples_that_have_no_maximum_are_counted_and_left_out(data):
    """Eighteen choices are often told apart completely, so that a coefficient runs away."""
    fit = logit().fit(data.iloc[:18], progress=False)
    assert fit.converged
    found = fit.bootstrap(samples=60)
    assert 0 < found.failed < 60
    assert len(found.samples) == 60 - found.failed
    assert f"{found.failed} of 60 bootstrap samples did not converge" in " ".join(found.notes)


@pytest.mark.slow
def test_bootstrap_of_a_hybrid_model_finds_the_maxima_of_the_weighted_likelihoods(hybrid):
    found = resample(hybrid.problem, hybrid.estimates, 6, 0)
    weights = draw_weights(hybrid.problem, 6, 0)
    assert found.converged.sum() >= 4
    for k in np.flatnonzero(found.converged):
        expansion = hybrid.problem.with_weights(weights[k]).expansion(jnp.asarray(found.params[k]))
        gradient, hessian = np.asarray(expansion.gradient), np.asarray(expansion.hessian)
        assert gradient @ np.linalg.solve(-hessian, gradient) < 1e-4
        assert np.linalg.eigvalsh(hessian)[-1] < 0.0


def test_turning_a_latent_variable_leaves_the_likelihood():
    one = bank.centred("likert5")
    (signs,) = turns(one.problem, np.asarray(one.params))
    turned = {n for n, s in zip(one.problem.names, signs, strict=True) if s < 0}
    assert turned == {"green ~ age", "shift", *(f"green =~ q{k}" for k in (1, 2, 3, 4))}


# --- jackknife --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_jackknife_is_near_the_refits_without_each_person(data, fit):
    refits = np.array([refit(data, (np.arange(400) != n) * 1.0) for n in range(400)])
    centred = refits - refits.mean(axis=0)
    wanted = np.sqrt(np.diag(399 / 400 * centred.T @ centred))
    np.testing.assert_allclose(fit.standard_errors("jackknife"), wanted, rtol=0.02)
    # The first-order jackknife, with everyone's Hessian, is the robust covariance: further away.
    robust = np.abs(fit.standard_errors("robust") / wanted - 1)
    assert (np.abs(fit.standard_errors("jackknife") / wanted - 1) < robust).all()
    assert "one Newton step" in str(fit.summary(cov="jackknife"))


def test_jackknife_over_clusters_by_hand(data, clustered):
    x = np.column_stack([np.ones(400), data[["price", "time"]]])
    p = 1 / (1 + np.exp(-(x @ clustered.estimates)))
    each, steps = x * ((data["choice"] == "a").to_numpy() - p)[:, None], []
    for g in range(40):
        rest = np.arange(400) % 40 != g
        information = (x[rest].T * (p * (1 - p))[rest]) @ x[rest]
        steps.append(np.linalg.solve(information, each[rest].sum(axis=0)))
    centred = np.array(steps) - np.mean(steps, axis=0)
    np.testing.assert_allclose(clustered.cov_params("jackknife"), 39 / 40 * centred.T @ centred, rtol=1e-6)


def test_jackknife_names_who_cannot_be_left_out(data):
    """Only one person, who chose both ways, has seen the second attribute."""
    owner = np.arange(400) // 2
    only = data.assign(id=owner, time=(owner == 3) * 1.0)
    only.loc[owner == 3, "choice"] = ["a", "b"]
    fit = logit().fit(only, progress=False, person="id")
    assert np.isfinite(fit.bse).all()
    assert fit.standard_errors("jackknife").isna().all()
    assert "without person 3 the log-likelihood is not concave" in str(fit.summary(cov="jackknife"))


def test_unknown_kinds_are_refused(fit):
    with pytest.raises(ValueError, match="'jackknife', 'conditional', 'joint', not 'bootstap'"):
        fit.cov_params("bootstap")


def test_outer_products_with_many_parameters_warn_in_the_summary(data):
    few = logit().fit(data.iloc[:14], progress=False)
    assert "poor guide with 3 parameters and 14 people" in str(few.summary(cov="bhhh"))
    assert "poor guide" not in str(few.summary())
