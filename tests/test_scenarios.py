"""Elasticities, marginal effects, shares and scenarios against finite differences of predictions and closed forms."""

import after
import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import GaussHermite
from iclv_jax._predict import moving, prior_view
from iclv_jax._predict._responses import jacobian, shares

# --- responses --------------------------------------------------------------------------------------------------


@pytest.mark.gate("mixed_logit-time_car-nothing", "chain-age-nothing")
@pytest.mark.parametrize(
    ("name", "column", "given"),
    [
        ("chain", "age", "nothing"),
        ("likert5", "age", "items"),
        ("mixed_logit", "time_car", "nothing"),
    ],
)
def test_responses_against_finite_differences_of_predictions(name, column, given):
    fit, data = after.at(name, None if given == "nothing" else GaussHermite(25)), bank.get(name).data
    step = 1e-4
    up, down = (fit.predict(data.assign(**{column: data[column] + s}), given=given) for s in (step, -step))
    slope, share = (up - down) / (2 * step), fit.predict(given=given)
    effects, elasticities = fit.marginal_effects(column, given=given), fit.elasticities(column, given=given)
    np.testing.assert_allclose(effects.rows, slope, atol=1e-6)
    expected = (slope * data[[column]].to_numpy() / share).where(share > 0.0)
    np.testing.assert_allclose(elasticities.rows, expected, atol=1e-5)
    weights = (
        data["w"]
        if "w" in data
        else pd.Series(fit.problem.panel.weights, fit.problem.panel.people).loc[data["id"]]
    )
    weights = np.asarray(weights)[:, None]
    np.testing.assert_allclose(effects.aggregate["value"], (weights * slope).sum() / weights.sum(), atol=1e-6)
    total = (weights * share * expected.fillna(0.0)).sum() / (weights * share).sum()
    np.testing.assert_allclose(elasticities.aggregate["value"], total, atol=1e-6)


@pytest.mark.slow
def test_the_change_of_a_column_of_zeros_and_ones():
    fit, data = after.at("chain"), bank.get("chain").data
    found = fit.marginal_effects("female")
    both = [fit.predict(data.assign(female=v)) for v in (1, 0)]
    np.testing.assert_allclose(found.changes, both[0] - both[1], atol=1e-12)
    assert list(found.aggregate.columns) == ["value", "se", "change", "change.se"]
    assert fit.marginal_effects("price_free").changes is None
    assert list(fit.elasticities("price_free", "free").rows.columns) == ["free"]


def test_elasticities_of_a_logit_have_a_closed_form():
    fit, data = after.at("plain_logit"), bank.get("plain_logit").data
    found, share = fit.elasticities("time3").rows, fit.predict()
    time = data.loc[share.index, "time3"]
    own, cross = -0.8 * time * (1.0 - share[3]), 0.8 * time * share[3]
    np.testing.assert_allclose(found[3].dropna(), own[share[3] > 0], rtol=1e-10)
    np.testing.assert_allclose(found[2], cross, rtol=1e-10)


@pytest.mark.parametrize("method", ["elasticities", "marginal_effects"])
def test_errors_of_averages_against_finite_differences(method):
    fit = after.at("plain_probit")

    def value(params):
        return getattr(after.fit_at(fit.problem, params), method)("price").aggregate["value"].to_numpy()

    jacobian = after.differences(value, fit.estimates)
    expected = np.sqrt(np.diag(jacobian @ fit.cov_params().to_numpy() @ jacobian.T))
    np.testing.assert_allclose(getattr(fit, method)("price").aggregate["se"], expected, rtol=1e-5)


def test_derivatives_backwards_are_those_forwards():
    """Averages of few entries and many parameters are differentiated backwards."""
    fit = after.at("chain")
    params, view = jnp.asarray(fit.estimates), prior_view(fit.problem, "choice")
    directions = moving(view.core, params, ("latent", "choice"))
    assert len(directions) == 10
    found = jacobian(shares, (view,), params, directions)
    forwards = np.asarray(jax.jacfwd(lambda p: shares(view, p))(params))
    np.testing.assert_allclose(found, forwards, atol=1e-14)
    assert (found != 0.0).any(axis=0).sum() == 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f.elasticities("prise_free"), "Did you mean 'price_free'"),
        (lambda f: f.elasticities("price_free", "fre"), "Did you mean 'free'"),
    ],
)
def test_unknown_columns_and_alternatives_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(after.at("chain"))


# --- shares and scenarios ---------------------------------------------------------------------------------------


def test_shares_overall_and_by_a_column():
    fit, data = after.at("chain"), bank.get("chain").data
    found = fit.shares()
    observed = data.groupby("choice")["w"].sum() / data["w"].sum()
    np.testing.assert_allclose(found["observed"], observed.reindex(found.index), rtol=1e-12)
    predicted = np.average(fit.predict(), axis=0, weights=data["w"])
    np.testing.assert_allclose(found["predicted"], predicted, rtol=1e-12)
    split = fit.shares(by="female")
    assert list(split.index.get_level_values(0).unique()) == [0, 1]
    some = data[data["female"] == 1]
    np.testing.assert_allclose(
        split.loc[1, "predicted"],
        np.average(fit.predict().loc[some.index], axis=0, weights=some["w"]),
        rtol=1e-12,
    )
    np.testing.assert_allclose(split.groupby(level=0)[["observed", "predicted"]].sum(), 1.0, rtol=1e-12)


def test_the_fit_of_the_choices():
    fit = after.at("plain_logit")
    share = fit.predict()
    chosen = bank.get("plain_logit").data.loc[share.index, "choice"]
    of_chosen = np.array([share.loc[i, c] for i, c in chosen.items()])
    found = fit.choice_fit()
    assert found["probability of choice"] == pytest.approx(of_chosen.mean())
    assert fit.hit_rate() == pytest.approx((share.idxmax(axis=1) == chosen).mean())
    assert found["log-likelihood of choices"] == pytest.approx(np.log(of_chosen).sum())
    assert found["rho squared (equal shares)"] == pytest.approx(fit.components.rho_squared)


def test_equal_scenarios_have_no_surplus():
    fit, data = after.at("chain"), bank.get("chain").data
    found = fit.scenario(data, data, cost="price")
    assert found.mean_surplus == 0.0
    assert (found.surplus == 0.0).all()
    np.testing.assert_allclose(found.shares["difference"], 0.0, atol=1e-15)


def test_the_surplus_of_a_logit_has_a_closed_form():
    """A fall of all costs by one is worth one where everything has that cost."""

    def utility(b, x, lv):
        return {"a": b.asc + b.cost * x.c1, "b": b.cost * x.c2}

    data = bank.single(30, 5, c1=(0, 2), c2=(0, 2)).assign(choice=["a", "b"] * 15)
    problem = iclv.Model(choice=iclv.Logit(utility, "choice")).bind(data)
    fit = after.fit_at(problem, [0.3, -0.7])
    found = fit.scenario(data, data.assign(c1=data["c1"] - 1, c2=data["c2"] - 1), cost="cost")
    np.testing.assert_allclose(found.surplus, 1.0, rtol=1e-12)
    assert found.mean_surplus_se < 1e-12
    after_all = fit.scenario(data, data.assign(c1=data["c1"] - 0.5), cost="cost")
    sums = [np.logaddexp(0.3 - 0.7 * (data["c1"] - s), -0.7 * data["c2"]) for s in (0.0, 0.5)]
    np.testing.assert_allclose(after_all.surplus, (sums[1] - sums[0]) / 0.7, rtol=1e-12)
    shares = [fit.predict(data.assign(c1=data["c1"] - s)).mean() for s in (0.0, 0.5)]
    np.testing.assert_allclose(after_all.shares["difference"], shares[1] - shares[0], rtol=1e-10)


def test_answers_were_given_in_the_first_state():
    """What choices say of people does not change with the attributes of the second state, also where these vary over
    situations that were alike before."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(12), 4), "t": rng.normal(size=48), "c": np.repeat(rng.normal(size=12), 4)}
    )
    frame["y"] = np.where(rng.random(48) < 0.5, "a", "b")

    def utility(b, x, lv):
        return {"a": b.asc + b.t * x.t + b.c * x.c, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, "y"), random={"t": iclv.Normal()})
    problem = model.bind(frame, person="id", integration=iclv.GaussHermite(40))
    p = {"asc": 0.2, "t": -0.5, "t.sd": 0.8, "c": -0.6}
    fit = after.fit_at(problem.recentre(problem.vector(p)), problem.vector(p))
    second = frame.assign(c=frame["c"] + rng.normal(size=48), t=frame["t"] + 0.5)
    found = fit.scenario(frame, second.drop(columns="y"), cost="c", given="answers")
    z, logs = after.grid(60, 1)
    time = p["t"] + p["t.sd"] * z[:, 0]

    def index(d):
        return p["asc"] + time * d["t"].to_numpy()[:, None] + p["c"] * d["c"].to_numpy()[:, None]

    sign = np.where(frame["y"] == "a", 1.0, -1.0)[:, None]
    each = (-np.logaddexp(0.0, -sign * index(frame))).reshape(12, 4, -1).sum(axis=1) + logs
    posterior = np.repeat(np.exp(each - each.max(axis=1, keepdims=True)), 4, axis=0)
    posterior /= posterior.sum(axis=1, keepdims=True)
    worth = (np.logaddexp(0.0, index(second)) - np.logaddexp(0.0, index(frame))) / -p["c"]
    np.testing.assert_allclose(found.surplus, (posterior * worth).sum(axis=1), rtol=1e-5)


@pytest.mark.slow
def test_the_errors_of_a_scenario_against_finite_differences():
    fit, data = after.at("mixed_logit"), bank.get("mixed_logit").data
    other = data.assign(cost_car=data["cost_car"] + 0.5)

    def value(params):
        found = after.fit_at(fit.problem, params).scenario(data, other, cost="cost")
        return np.append(found.shares["difference"], found.mean_surplus)

    jacobian = after.differences(value, fit.estimates)
    expected = np.sqrt(np.diag(jacobian @ fit.cov_params().to_numpy() @ jacobian.T))
    found = fit.scenario(data, other, cost="cost")
    np.testing.assert_allclose([*found.shares["difference.se"], found.mean_surplus_se], expected, rtol=1e-5)
    assert found.mean_surplus < 0.0


@pytest.mark.slow
def test_money_that_is_worth_more_to_some_is_pooled():
    """A latent variable with the mean zero moves the weight of cost: by brute force over it, and in closed form where
    all costs fall by one."""

    def utility(b, x, lv):
        cost = b.cost + b.shift * lv.wealth
        return {"a": b.asc + cost * x.c1, "b": cost * x.c2}

    data = bank.single(20, 5, c1=(0, 2), c2=(0, 2), q="normal").assign(choice=["a", "b"] * 10)
    model = iclv.Model(
        [iclv.Latent("wealth")], [iclv.Continuous("q", of="wealth")], iclv.Logit(utility, "choice")
    )
    problem = model.bind(data)
    values = {"q ~ 1": 0.0, "wealth =~ q": 1.0, "q ~~ q": 0.5, "cost": -0.7, "shift": 0.4, "asc": 0.3}
    fit = after.fit_at(problem, problem.vector(values))
    found = fit.scenario(data, data.assign(c1=data["c1"] - 1, c2=data["c2"] - 1), cost="cost")
    np.testing.assert_allclose(found.surplus, 1.0, rtol=1e-10)
    assert "not of one sign" in found.notes[0]
    z, logs = after.grid(40, 1)
    cost = -0.7 + 0.4 * z
    first, second = data["c1"].to_numpy(), data["c2"].to_numpy()
    sums = [
        np.exp(logs) @ np.logaddexp(0.3 + cost * (first - s)[None, :], cost * second[None, :])
        for s in (0.0, 0.5)
    ]
    some = fit.scenario(data, data.assign(c1=data["c1"] - 0.5), cost="c1")
    np.testing.assert_allclose(some.surplus, (sums[1] - sums[0]) / 0.7, rtol=1e-8)
    assert some.mean_surplus == pytest.approx(((sums[1] - sums[0]) / 0.7).mean())


def test_the_log_sum_and_the_density_agree():
    v, available = jnp.array([0.3, 700.0, -2.0]), jnp.array([True, False, True])
    logit = iclv.Logit(lambda b, x, lv: {"a": b.c, "b": 0.0, "c": 0.0}, "choice")
    total = logit.log_sum({}, v, available)
    logs = [logit.log_density({}, v, jnp.asarray(j), available) for j in (0, 2)]
    np.testing.assert_allclose(logs, [0.3 - total, -2.0 - total], rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "call", "words"),
    [
        ("plain_probit", lambda f, d: f.scenario(d, d, cost="price"), "Probit has no log-sum"),
        ("chain", lambda f, d: f.scenario(d, d.head(3)), "different rows"),
        ("chain", lambda f, d: f.scenario(d, d, cost="prise"), "Did you mean 'price'"),
        ("mixed_logit", lambda f, d: f.scenario(d, d, cost="comfort"), "is not negative"),
    ],
)
def test_scenarios_that_cannot_be(name, call, words):
    with pytest.raises(ValueError, match=words):
        call(after.at(name), bank.get(name).data)
