"""Coefficients that are drawn anew in every situation, against sums by hand."""

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, roots_hermitenorm
from scipy.stats import norm

import iclv_jax as iclv

PEOPLE, ROWS = 25, 3


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    count = PEOPLE * ROWS
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), ROWS)})
    frame["t"], frame["c"] = rng.normal(size=count), rng.normal(size=count)
    taste = rng.normal(-0.4, 0.7, count) + np.repeat(rng.normal(0.0, 0.5, PEOPLE), ROWS)
    frame["y"] = np.where(rng.logistic(size=count) < 0.2 + taste * frame.t - 0.5 * frame.c, "a", "b")
    return frame


def utility(b, x, lv):
    return {"a": b.asc + b.t * x.t + b.c * x.c, "b": 0.0}


def model(**random):
    return iclv.Model(choice=iclv.Logit(utility, "y"), random=random)


VALUES = {"asc": 0.2, "t": -0.4, "t.sd": 0.7, "c": -0.5, "c.sd": 0.6}


def by_hand(data, between, within, count=40):
    """Person by person, a sum over nodes of the person's coefficient and, in every row, over nodes of the row's."""
    points, weights = roots_hermitenorm(count)
    weights = weights / weights.sum()
    at = {"t": VALUES["t"], "c": VALUES["c"]}
    total = 0.0
    for _, rows in data.groupby("id"):
        logs = np.zeros(count)
        for r in rows.itertuples():
            sign = 1.0 if r.y == "a" else -1.0
            outer = at[between] + VALUES[f"{between}.sd"] * points[:, None] if between else 0.0
            inner = at[within] + VALUES[f"{within}.sd"] * points[None, :]
            base = VALUES["asc"] + inner * getattr(r, within)
            base = base + (outer * getattr(r, between) if between else at["c"] * r.c)
            logs = logs + np.log(expit(sign * base) @ weights)
        total += np.log(np.exp(logs) @ weights)
    return total


def test_one_in_every_row_is_a_sum_over_rows(data):
    problem = model(t=iclv.Normal(within=True)).bind(data, person="id")
    params = problem.vector({n: VALUES[n] for n in problem.names})
    assert float(problem.loglike(params)) == pytest.approx(by_hand(data, "", "t"), abs=2e-5)
    # Rows share nothing, so that it does not matter whose they are.
    alone = model(t=iclv.Normal()).bind(data, integration=iclv.GaussHermite(40, adaptive=False))
    assert float(alone.loglike(params)) == pytest.approx(by_hand(data, "", "t"), abs=1e-8)


def test_beside_one_of_the_person(data):
    problem = model(t=iclv.Normal(within=True), c=iclv.Normal()).bind(
        data, person="id", integration=iclv.GaussHermite(20)
    )
    params = problem.vector({n: VALUES[n] for n in problem.names})
    problem = problem.recentre(params)
    assert float(problem.loglike(params)) == pytest.approx(by_hand(data, "c", "t"), abs=2e-5)
    exact = problem.hessian(params, method="exact")
    np.testing.assert_allclose(exact, problem.hessian(params, method="autodiff"), rtol=1e-9, atol=1e-9)
    step = 1e-5 * jnp.eye(len(params))
    slopes = jax.vmap(lambda d: problem.loglike(params + d) - problem.loglike(params - d))(step) / 2e-5
    np.testing.assert_allclose(problem.score(params), slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_after_the_fit(data):
    fit = model(t=iclv.Normal(within=True)).fit(data, person="id", progress=False)
    assert fit.converged and "t.sd" in fit.names
    chances = fit.predict()
    values = fit.params
    points, weights = roots_hermitenorm(15)
    slopes = values["t"] + values["t.sd"] * points
    v = (
        values["asc"]
        + slopes[None, :] * data.t.to_numpy()[:, None]
        + values["c"] * data.c.to_numpy()[:, None]
    )
    np.testing.assert_allclose(chances["a"], expit(v) @ (weights / weights.sum()), rtol=1e-8)
    worth = fit.willingness_to_pay("t", cost="c")
    # The mean of the ratio is the ratio of the means, as the cost is the same for all.
    assert worth.estimate == pytest.approx(-values["t"] / values["c"], rel=1e-6)
    drawn = model(t=iclv.Normal(within=True)).simulate(
        {"asc": 0.0, "t": 0.0, "t.sd": 5.0, "c": 0.0}, data.assign(t=1.0, c=0.0), seed=3, person="id"
    )
    # Within a person the rows go their own ways.
    assert drawn.groupby("id")["y"].nunique().eq(2).mean() > 0.5


def test_surplus_where_the_worth_of_money_is_drawn_anew(data):
    """The average of a ratio in every draw, not a ratio of averages."""
    problem = model(c=iclv.LogNormal(sign=-1, within=True)).bind(data, person="id")
    p = {"asc": 0.2, "t": -0.4, "c": -0.5, "c.sd": 0.6}
    fit = after.fit_at(problem, problem.vector(p))
    found = fit.scenario(data, data.assign(t=data["t"] + 1.0), cost="c")
    points, weights = roots_hermitenorm(15)
    cost = -np.exp(p["c"] + p["c.sd"] * points)
    v = p["asc"] + p["t"] * data["t"].to_numpy()[:, None] + cost * data["c"].to_numpy()[:, None]
    each = (np.logaddexp(0.0, v + p["t"]) - np.logaddexp(0.0, v)) / -cost
    np.testing.assert_allclose(found.surplus, each @ (weights / weights.sum()), rtol=1e-9)
    assert not found.notes


def test_what_a_person_would_pay_is_told_by_each_choice(data):
    """By Bayes' rule in every row, over what is drawn there, and the mean over rows."""
    choice = iclv.Model(choice=iclv.Logit(utility, "y"), random={"t": iclv.Normal(within=True)})
    problem = choice.bind(data, person="id")
    fit = after.fit_at(problem, problem.vector({n: VALUES[n] for n in problem.names}))
    points, weights = roots_hermitenorm(15)
    slopes = VALUES["t"] + VALUES["t.sd"] * points
    v = (
        VALUES["asc"]
        + slopes[None, :] * data.t.to_numpy()[:, None]
        + VALUES["c"] * data.c.to_numpy()[:, None]
    )
    posterior = weights * expit(np.where(data["y"] == "a", 1.0, -1.0)[:, None] * v)
    each = -(posterior @ slopes) / posterior.sum(axis=1) / VALUES["c"]
    expected = pd.Series(each).groupby(data["id"].to_numpy()).mean()
    worth = fit.willingness_to_pay("t", cost="c")
    np.testing.assert_allclose(worth.people, expected, rtol=1e-10)
    # What was known before any choice is the same for all.
    assert worth.people.std() > 0.05 and worth.estimate == pytest.approx(-VALUES["t"] / VALUES["c"])


@pytest.mark.slow
def test_what_a_person_would_pay_beside_classes_and_people(data):
    """Two equal classes know what one does; and posterior means scatter about the mean of the population."""
    plain = iclv.Logit(utility, "y")
    classes = iclv.LatentClasses(lambda b, x, lv: {"p": b.m, "q": 0.0}, {"p": plain, "q": plain})
    random, found = {"t": iclv.Normal(within=True), "c": iclv.LogNormal(sign=-1)}, []
    for choice in (plain, classes):
        problem = iclv.Model(choice=choice, random=random).bind(data, person="id")
        values = VALUES | {"m": 0.3, "c": -0.5, "c.sd": 0.4}
        fit = after.fit_at(problem, problem.vector({n: values[n] for n in problem.names}))
        found.append(
            fit.willingness_to_pay("t", cost="c", alternative="a" if choice is plain else ("p", "a")).people
        )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def medians_by_hand(data, values, spread):
    """Of the ratio over a person's situations: in each by Bayes' rule over what is drawn there, beside a coefficient of time
    of the person that scatters by `spread`."""
    at, of_person = (norm.ppf((np.arange(n) + 0.5) / n) for n in (401, 101 if spread else 1))
    time = (values["t"] + spread * of_person)[:, None]
    cost = (values["c"] + values["c.sd"] * at)[None, :]
    ratio, found = (-time / cost).ravel(), []
    order = np.argsort(ratio)
    for _, rows in data.groupby("id"):
        sign = np.where(rows["y"] == "a", 1.0, -1.0)[:, None, None]
        index = (
            values["asc"]
            + time * rows["t"].to_numpy()[:, None, None]
            + cost * rows["c"].to_numpy()[:, None, None]
        )
        each = expit(sign * index)
        others = each.mean(axis=2).prod(axis=0)[:, None]
        mass = (others * each / each.mean(axis=2, keepdims=True)).sum(axis=0).ravel()[order]
        found.append(ratio[order][np.searchsorted(np.cumsum(mass) / mass.sum(), 0.5)])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.7])
def test_what_has_no_mean_has_medians(data, spread):
    """The cost, drawn anew in every situation, is of either sign: quantiles over people, and medians by person."""
    random = {"c": iclv.Normal(within=True)} | ({"t": iclv.Normal()} if spread else {})
    problem = model(**random).bind(data, person="id")
    found = after.fit_at(problem, problem.vector({n: VALUES[n] for n in problem.names})).willingness_to_pay(
        "t", "c"
    )
    assert np.isnan(found.estimate) and found.people.name == "posterior median"
    np.testing.assert_allclose(found.people, medians_by_hand(data, VALUES, spread), rtol=0.01, atol=0.005)
    at = norm.ppf((np.arange(1001) + 0.5) / 1001)
    ratio = -(VALUES["t"] + spread * (at if spread else np.zeros(1))[:, None]) / (
        VALUES["c"] + VALUES["c.sd"] * at
    )
    expected = np.quantile(ratio, [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(found.distribution.iloc[1:], expected, rtol=0.02, atol=0.005)


def other_utility(b, x, lv):
    return {"a": b.asc + b.u * x.t + b.d * x.c, "b": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("of", ["person", "situation"])
def test_worth_over_classes_that_differ(data, of):
    """By Bayes' rule over classes and what is drawn. `t` and `c`: coefficients of one class, columns of both."""
    kernels = {"p": iclv.Logit(utility, "y"), "q": iclv.Logit(other_utility, "y")}
    classes = iclv.LatentClasses(lambda b, x, lv: {"p": b.m, "q": 0.0}, kernels, of=of)
    problem = iclv.Model(choice=classes, random={"t": iclv.Normal(within=True)}).bind(data, person="id")
    at = VALUES | {"m": 0.3, "u": -0.2, "d": -1.4}
    fit = after.fit_at(problem, problem.vector({n: at[n] for n in problem.names}))
    points, weights = roots_hermitenorm(15)
    slope = np.stack([at["t"] + at["t.sd"] * points, np.full(15, at["u"])])[:, None, :]
    cost, share = np.array([at["c"], at["d"]])[:, None, None], np.array([expit(0.3), 1.0 - expit(0.3)])
    v = at["asc"] + slope * data.t.to_numpy()[:, None] + cost * data.c.to_numpy()[:, None]
    mass = expit(np.where(data["y"] == "a", 1.0, -1.0)[:, None] * v) * weights / weights.sum()
    if of == "person":
        logs = pd.DataFrame(np.log(mass.sum(axis=2)).T).groupby(data["id"].to_numpy()).sum() + np.log(share)
        known = np.exp(logs).div(np.exp(logs).sum(axis=1), axis=0).loc[data["id"]].to_numpy().T
        mass = known[:, :, None] * mass / mass.sum(axis=2, keepdims=True)
    else:
        mass = share[:, None, None] * mass
    each = np.sum(mass * -slope / cost, axis=(0, 2)) / mass.sum(axis=(0, 2))
    found = fit.willingness_to_pay("t", cost="c")
    expected = pd.Series(each).groupby(data["id"].to_numpy()).mean()
    np.testing.assert_allclose(found.people, expected, rtol=1e-10)
    assert found.estimate == pytest.approx(share @ [-at["t"] / at["c"], -at["u"] / at["d"]])
    one = fit.willingness_to_pay("t", cost="c", alternative=("q", "a"))
    assert one.estimate == pytest.approx(-at["u"] / at["d"])


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: model(t=iclv.Normal(within=1)), "within is True or False"),
        (
            lambda: iclv.Model(
                choice=iclv.Logit(utility, "y"),
                random={"t": iclv.Normal(within=True), "c": iclv.Normal()},
                covariances=[("t", "c")],
            ),
            "'t', which is drawn anew in every situation",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()
