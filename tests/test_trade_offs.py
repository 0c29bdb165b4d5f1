"""Willingness to pay against closed forms and brute force."""

import after
import bank
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import iclv_jax as iclv
from iclv_jax import GaussHermite


def plain(first, second, covariance):
    """A fit of two coefficients with these estimates and this covariance."""

    def utility(b, x, lv):
        return {"a": b.asc + b.label * x.label - b.price * x.price, "b": 0.0}

    data = bank.single(30, 5, label="binary", price=(0, 2)).assign(choice=["a", "b"] * 15)
    fit = after.fit_at(iclv.Model(choice=iclv.Logit(utility, "choice")).bind(data), [0.1, first, second])
    matrix = fit._covariances["hessian"].matrix
    matrix[:] = np.eye(3)
    matrix[1:, 1:] = covariance
    return fit


COVARIANCE = np.array([[0.04, 0.006], [0.006, 0.01]])


def test_a_ratio_of_two_coefficients():
    """The utility subtracts the price, so that both are positive."""
    found = plain(0.9, 0.6, COVARIANCE).willingness_to_pay("label", cost="price")
    assert found.estimate == pytest.approx(1.5)
    gradient = np.array([1.0, -1.5]) / 0.6
    assert found.se == pytest.approx(np.sqrt(gradient @ COVARIANCE @ gradient))
    # Fieller's bounds are where the test of label - r price = 0 is on the edge.
    z = norm.ppf(0.975)
    for bound in found.intervals.loc["fieller", ["lower", "upper"]]:
        contrast = np.array([1.0, -bound])
        assert abs(0.9 - bound * 0.6) == pytest.approx(z * np.sqrt(contrast @ COVARIANCE @ contrast))
    assert found.intervals.loc["fieller", "words"] == "bounded"
    draws = np.random.default_rng(1).multivariate_normal([0.9, 0.6], COVARIANCE, 200_000)
    tails = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    np.testing.assert_allclose(
        found.intervals.loc["krinsky-robb", ["lower", "upper"]].astype(float), tails, rtol=0.03
    )


def test_fieller_without_bounds_says_so():
    noisy = COVARIANCE + np.diag([0.0, 1.0])
    found = plain(0.9, 0.6, noisy).willingness_to_pay("label", cost="price").intervals.loc["fieller"]
    assert found["lower"] == -np.inf
    assert "below" in found["words"]
    found = plain(0.1, 0.6, noisy).willingness_to_pay("label", cost="price").intervals.loc["fieller"]
    assert "every value" in found["words"]


def test_krinsky_robb_is_seeded():
    fit = plain(0.9, 0.6, COVARIANCE)
    a, b, c = (fit.willingness_to_pay("label", cost="price", seed=s).intervals for s in (0, 0, 1))
    assert a.equals(b)
    assert not a.equals(c)


def test_random_coefficients_give_a_distribution():
    """A lognormal time against a fixed cost: all quantiles are known."""
    found = after.at("mixed_logit").willingness_to_pay("time", cost="cost")
    centre, spread = -0.5, 0.4
    assert found.estimate == pytest.approx(-np.exp(centre + spread**2 / 2) / 0.7, rel=1e-8)
    expected = -np.exp(centre + spread * norm.ppf([0.95, 0.75, 0.5, 0.25, 0.05])) / 0.7
    np.testing.assert_allclose(found.distribution.iloc[1:], expected, rtol=2e-3)
    slopes = np.array([found.estimate, found.estimate * spread, found.estimate / 0.7])
    names = ["time", "time.sd", "cost"]
    matrix = after.at("mixed_logit").cov_params().loc[names, names].to_numpy()
    assert found.se == pytest.approx(np.sqrt(slopes @ matrix @ slopes), rel=1e-6)
    assert (found.people < 0.0).all()


def test_marginal_utilities_that_depend_on_a_latent_variable():
    """`(time + shift green) / cost` with green normal around its structural mean."""
    fit, data = after.at("likert5", GaussHermite(15)), bank.get("likert5").data
    fit = after.fit_at(fit.problem.recentre(fit.estimates), fit.estimates)
    found = fit.willingness_to_pay("time", cost="cost")
    green = 0.5 * data.drop_duplicates("id")["age"].to_numpy()
    assert found.estimate == pytest.approx(-(-0.6 + 0.4 * green.mean()) / -0.5, rel=1e-9)
    scores = fit.latent_scores()["green"]
    np.testing.assert_allclose(found.people, (-0.6 + 0.4 * scores) / 0.5, rtol=1e-8)
    by_column = fit.willingness_to_pay("shift", cost="cost")
    assert by_column.estimate == found.estimate


@pytest.mark.slow
def test_a_cost_of_either_sign_has_no_mean():
    found = after.at("correlated").willingness_to_pay("cost", cost="time")
    assert np.isnan(found.estimate)
    assert "no mean" in found.notes[0]


def test_by_person_there_is_a_median_where_there_is_no_mean():
    """A normal cost has some of everybody's posterior at zero."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {"id": np.repeat(np.arange(8), 3), "t": rng.normal(size=24), "c": rng.normal(size=24)}
    )
    data["y"] = rng.choice(["a", "b"], 24)

    def utility(b, x, lv):
        return {"a": b.time * x.t + b.cost * x.c, "b": 0.0}

    problem = iclv.Model(choice=iclv.Logit(utility, "y"), random={"cost": iclv.Normal()}).bind(
        data, person="id"
    )
    found = after.fit_at(problem, [-0.8, -0.5, 0.6]).willingness_to_pay("time", cost="cost")
    assert np.isnan(found.estimate) and found.people.name == "posterior median"
    cost = -0.5 + 0.6 * norm.ppf((np.arange(4001) + 0.5) / 4001)
    index = -0.8 * data["t"].to_numpy()[:, None] + cost * data["c"].to_numpy()[:, None]
    logs = -np.logaddexp(0.0, np.where(data["y"] == "a", -1.0, 1.0)[:, None] * index)
    weights = np.exp(logs.reshape(8, 3, -1).sum(axis=1))
    order = np.argsort(0.8 / cost)
    reached = np.cumsum(weights[:, order], axis=1) / weights.sum(axis=1, keepdims=True)
    medians = (0.8 / cost)[order][(reached < 0.5).sum(axis=1)]
    np.testing.assert_allclose(found.people, medians, rtol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mixing", [iclv.TruncatedNormal(upper=0.0), iclv.LogNormal(sign=-1), iclv.JohnsonSB(-2.0, 0.0)]
)
def test_a_ratio_has_a_mean_where_cost_stays_away_from_zero(mixing):
    """That of one over a lognormal is known; that of one over a normal that is cut at zero is infinite."""
    data = pd.DataFrame({"t": [1.0, -0.5, 0.3, 0.8], "c": [0.2, 1.0, -1.0, 0.4], "y": ["a", "b", "b", "a"]})

    def utility(b, x, lv):
        return {"a": b.time * x.t + b.cost * x.c, "b": 0.0}

    problem = iclv.Model(choice=iclv.Logit(utility, "y"), random={"cost": mixing}).bind(data)
    fit = after.fit_at(problem, problem.vector({"time": -0.8, "cost": -0.4, "cost.sd": 0.6}))
    found, changed = (
        fit.willingness_to_pay("time", "cost"),
        fit.scenario(data, data.assign(t=data["t"] + 1.0), "cost"),
    )
    if isinstance(mixing, iclv.TruncatedNormal):
        assert np.isnan(found.estimate) and "too close to zero" in str(found)
        assert "too close to zero" in str(changed)
    else:
        if isinstance(mixing, iclv.LogNormal):
            assert found.estimate == pytest.approx(-0.8 * np.exp(0.4 + 0.18), rel=1e-6)
        assert np.isfinite(found.estimate) and not found.notes and not changed.notes


def test_a_constant_and_a_function_of_a_coefficient():
    fit = after.at("interactions")
    price = fit.willingness_to_pay("asc", cost="price")
    assert price.estimate == pytest.approx(0.9 / np.exp(-0.5), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "tyme", "cost": "cost"}, "Did you mean 'time'"),
        ({"name": "time", "cost": "cots"}, "Did you mean 'cost'"),
        ({"name": "time", "cost": "cost", "level": 95}, "between 0 and 1"),
        ({"name": "time", "cost": "cost", "alternative": "c"}, "none of the model"),
    ],
)
def test_what_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        after.at("likert5", GaussHermite(15)).willingness_to_pay(**arguments)


def piecewise(seed, large=80.0, people=400):
    """Cost weighs less for the few with a large income."""
    generator = np.random.default_rng(seed)

    def utility(b, x, lv):
        cost = jnp.where(x.income > 50.0, b.rich, b.poor)
        return {"a": b.asc + b.time * x.time_a + cost * x.cost_a, "b": b.time * x.time_b + cost * x.cost_b}

    frame = {c: generator.uniform(0.0, 2.0, people) for c in ("time_a", "time_b", "cost_a", "cost_b")}
    data = pd.DataFrame(frame).assign(income=np.where(np.arange(people) % 10 == 3, large, 30.0))
    data["choice"] = generator.choice(["a", "b"], people)
    problem = iclv.Model(choice=iclv.Logit(utility, "choice")).bind(data)
    values = {"asc": 0.1, "time": -0.6, "rich": -0.5, "poor": -1.5}
    return after.fit_at(problem, problem.vector(values)), data, values


def test_a_piecewise_marginal_utility_of_cost_is_that_of_each_situation():
    fit, data, p = piecewise(0)
    rich = (data["income"] > 50).to_numpy()
    each = -p["time"] / np.where(rich, p["rich"], p["poor"])
    share = rich.mean()
    slopes = {
        "time": -((1 - share) / p["poor"] + share / p["rich"]),
        "poor": (1 - share) * p["time"] / p["poor"] ** 2,
        "rich": share * p["time"] / p["rich"] ** 2,
    }
    matrix = fit.cov_params().loc[list(slopes), list(slopes)].to_numpy()
    error = np.sqrt(np.array(list(slopes.values())) @ matrix @ np.array(list(slopes.values())))
    for name, cost in (("time", "cost_a"), ("time_a", "cost_b"), ("time", "rich"), ("time", "poor")):
        found = fit.willingness_to_pay(name, cost=cost)
        assert found.estimate == pytest.approx(each.mean(), rel=1e-10)
        assert found.se == pytest.approx(error, rel=1e-6)
        np.testing.assert_allclose(found.people, each, rtol=1e-10)
        assert found.distribution["5 %"] == pytest.approx(each[rich][0])
        assert found.distribution["50 %"] == pytest.approx(each[~rich][0])


def test_surplus_where_the_marginal_utility_of_cost_is_piecewise():
    """A lower cost, alike in both alternatives, is worth itself to everybody."""
    fit, data, p = piecewise(1)
    cheaper = data.assign(cost_a=data["cost_a"] - 0.3, cost_b=data["cost_b"] - 0.3)
    found = fit.scenario(data, cheaper, cost="cost_a")
    np.testing.assert_allclose(found.surplus, 0.3, rtol=1e-10)
    assert found.mean_surplus == pytest.approx(0.3) and found.mean_surplus_se == pytest.approx(0.0, abs=1e-9)
    quicker = fit.scenario(
        data, data.assign(time_a=data["time_a"] - 1.0, time_b=data["time_b"] - 1.0), "cost_a"
    )
    np.testing.assert_allclose(
        quicker.surplus, p["time"] / np.where(data["income"] > 50, p["rich"], p["poor"]), rtol=1e-10
    )
    assert not quicker.notes


def test_branches_that_only_a_scenario_meets():
    """Nobody in the sample has a large income, everybody in the second state of the world."""
    fit, data, _ = piecewise(2, large=30.0)
    assert fit.willingness_to_pay("time", cost="cost_a").distribution is None
    assert not fit.scenario(data, data, cost="cost_a").notes
    rich = data.assign(income=80.0)
    cheaper = rich.assign(cost_a=rich["cost_a"] - 0.3, cost_b=rich["cost_b"] - 0.3)
    np.testing.assert_allclose(fit.scenario(rich, cheaper, cost="cost_a").surplus, 0.3, rtol=1e-10)
    both = fit.scenario(data, rich, cost="cost_a")
    assert any("divided by its average" in note for note in both.notes)
