"""Derivatives through the fit, against refits and closed forms."""

from dataclasses import replace

import bank
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import plain
import pytest

import iclv_jax as iclv
from iclv_jax._optimise import TrustRegion, run

PEOPLE = 100
TIGHT = TrustRegion(tolerance=1e-15)


def utility(b, x, lv):
    return {
        "a": b.asc + b.price * x.price_a + b.time * x.time + b.green * lv.green,
        "b": b.price * x.price_b,
    }


PARTS = {
    "latent": [iclv.Latent("green", on=["age"])],
    "indicators": [
        iclv.Ordered("q1", of="green"),
        iclv.Ordered("q2", of="green"),
        iclv.Continuous("q3", of="green"),
    ],
    "choice": iclv.Logit(utility, "choice"),
    "fixed": {"time": -0.5},
}
TRUTH = {
    "green ~ age": 0.6, "green =~ q1": 0.9, **bank.cut("q1", -0.6, 0.7), "green =~ q2": -0.8, **bank.cut("q2", -0.5, 0.8),
    "q3 ~ 1": 0.3, "green =~ q3": 0.7, "q3 ~~ q3": 0.5, "asc": 0.3, "price": -0.8, "green": 0.7,
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    frame = bank.panel(
        PEOPLE, 3, 5, constant=("age",), age="normal", price_a=(0, 3), price_b=(0, 3), time=(0, 2)
    )
    return plain.simulate(PARTS, frame, TRUTH, bank.levels(q1=3, q2=3), 5, "id")


@pytest.fixture(scope="module")
def fit(data):
    model = iclv.Model(**PARTS)
    rule = iclv.GaussHermite(9)
    return model.fit(data, person="id", integration=rule, progress=False, optimizer=TIGHT, start=TRUTH)


def logit_fit(data, weights=None, optimizer=TIGHT, **keywords):
    """A plain logit; all tests share what is compiled for it."""

    def alone(b, x, lv):
        return {"a": b.asc + b.price * x.price_a + b.time * x.time, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(alone, "choice"), **keywords)
    return model.fit(data, person="id", weights=weights, progress=False, optimizer=optimizer)


def refitted(fit, problem=None, weights=None, optimizer=TIGHT):
    """Estimates of the same model at other data or weights, from those of the fit."""
    problem = fit.problem if problem is None else problem
    if weights is not None:
        problem = problem.with_weights(jnp.asarray(weights))
    free = np.ones(len(fit.names), bool)
    outcome = run(optimizer, problem, free, jnp.asarray(fit.estimates), lambda row: None, None)
    assert outcome.report.verdict.success
    return outcome.params


def moved(fit, change):
    """The problem of a fit with the arrays of its people changed."""
    people = fit.problem.core.people
    return fit.problem.with_people(people.with_person(change(people.person)))


def plus(array, where, by):
    """An array with a part of it raised."""
    copy = np.array(array)
    copy[where] += by
    return jnp.asarray(copy)


def slope(at, step):
    """A central difference."""
    return (at(step) - at(-step)) / (2.0 * step)


# --- people -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def influence(fit):
    return fit.sensitivity("weights")


@pytest.mark.slow
def test_influence_predicts_what_fifty_people_left_out_change(fit, influence):
    left_out = np.random.default_rng(0).choice(PEOPLE, 50, replace=False)
    quick = TrustRegion(tolerance=1e-6, recentrings=1)
    pulls = [
        fit.estimates - refitted(fit, None, np.where(np.arange(PEOPLE) == n, 0.0, 1.0), quick)
        for n in left_out
    ]
    found = np.array(pulls) / fit.bse.to_numpy()
    expected = influence.dfbetas.iloc[left_out].to_numpy()
    each = [np.corrcoef(found[:, k], expected[:, k])[0, 1] for k in range(len(fit.names))]
    assert min(each) > 0.99


def test_influence_is_the_derivative_by_a_weight(fit, influence):
    for n in (3, int(np.argmax(influence.dfbetas["price"]))):
        weight = lambda h, n=n: np.where(np.arange(PEOPLE) == n, 1.0 + h, 1.0)  # noqa: E731
        found = slope(lambda h, w=weight: refitted(fit, weights=w(h)), 0.01)
        np.testing.assert_allclose(influence.people.iloc[n], found, rtol=2e-4, atol=1e-6)


def test_influence_sums_to_nothing_and_orders_people(fit, influence):
    assert list(influence.people.columns) == list(fit.names)
    assert set(influence.table.index) == set(fit.problem.panel.people)
    np.testing.assert_allclose(influence.people.sum(), 0.0, atol=1e-6)
    first = influence.table.iloc[0]
    assert first["displacement"] == influence.table["displacement"].max()
    row = influence.dfbetas.loc[influence.table.index[0]]
    assert row[first["of"]] == first["largest"] == row[row.abs().idxmax()]
    # Displacements add up to the trace of H^-1 sum s s', the robust over the usual covariance.
    trace = np.trace(fit.cov_params("robust") @ -fit.hessian)
    assert influence.table["displacement"].sum() == pytest.approx(trace)


def test_influence_of_weighted_people_on_a_function(data):
    weights = np.linspace(0.5, 1.5, PEOPLE)
    fit = logit_fit(data, weights)
    plain_found = fit.sensitivity("weights")
    found = fit.sensitivity("weights", function=lambda p: {"share": p.asc / p.price}, cov="robust")
    gradient = np.array([1.0 / fit.params["price"], -fit.params["asc"] / fit.params["price"] ** 2, 0.0])
    wanted = plain_found.people.to_numpy() @ gradient
    np.testing.assert_allclose(found.people["share"], wanted, rtol=1e-10)
    error = fit.delta(lambda p: p.asc / p.price, kind="robust").loc["value", "se"]
    np.testing.assert_allclose(found.dfbetas["share"], weights * wanted / error, rtol=1e-10)
    np.testing.assert_allclose(weights @ plain_found.people, 0.0, atol=1e-6)


# --- columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "place"), [("price_a", "columns"), ("age", "covariates")])
@pytest.mark.parametrize("per", ["unit", "percent"])
def test_columns_against_refits(fit, column, place, per):
    found = fit.sensitivity(column=column, per=per)
    panel = fit.problem.panel
    at = (fit.problem.spec.utilities[0].columns if place == "columns" else panel.covariates).index(column)

    def change(h):
        def move(person):
            array = person.tables[0] if place == "columns" else person.covariates
            where = np.index_exp[..., at]
            by = h if per == "unit" else 0.01 * h * np.asarray(array)[where]
            changed = plus(array, where, by)
            return person._replace(**({"tables": (changed,)} if place == "columns" else {place: changed}))

        return refitted(fit, moved(fit, move))

    wanted = slope(change, 0.05 if per == "unit" else 2.0)
    np.testing.assert_allclose(found.table["change"], wanted, rtol=2e-3, atol=2e-4 * np.abs(wanted).max())
    np.testing.assert_allclose(found.people.sum(), found.table["change"], atol=1e-10)
    np.testing.assert_allclose(found.table["in_se"], found.table["change"] / fit.bse)


def test_a_column_for_one_person(fit):
    found = fit.sensitivity(column="price_b").people
    at = fit.problem.spec.utilities[0].columns.index("price_b")

    def change(h):
        return refitted(
            fit, moved(fit, lambda p: p._replace(tables=(plus(p.tables[0], np.index_exp[7, :, at], h),)))
        )

    np.testing.assert_allclose(found.iloc[7], slope(change, 0.1), rtol=5e-3, atol=1e-6)


def test_units_and_origins_of_columns_have_known_effects(data):
    fit = logit_fit(data)
    shift = fit.sensitivity(column="price_a").table["change"]
    np.testing.assert_allclose(shift, [-fit.params["price"], 0.0, 0.0], atol=1e-9)
    stretch = fit.sensitivity(column="price_a", per="percent").table["change"]
    np.testing.assert_allclose(stretch, [0.0, -0.01 * fit.params["price"], 0.0], atol=1e-9)
    value = fit.sensitivity(column="price_a", per="percent", function=lambda p: p.time / p.price).table
    assert value.loc["value", "change"] == pytest.approx(0.01 * fit.params["time"] / fit.params["price"])


def test_a_continuous_item_moves_its_intercept(fit):
    change = fit.sensitivity(column="q3").table["change"]
    np.testing.assert_allclose(change, [float(n == "q3 ~ 1") for n in fit.names], atol=1e-6)


# --- fixed parameters -------------------------------------------------------------------------------------------


def test_a_fixed_parameter_against_refits(fit):
    at = [row.name for row in fit.problem.table.rows].index("time")

    def change(h):
        core = fit.problem.core
        core = replace(core, constants=plus(core.constants, at, h))
        return refitted(fit, replace(fit.problem, core=core))

    found = fit.sensitivity(fixed="time").table["change"]
    np.testing.assert_allclose(found, slope(change, 0.02), rtol=2e-3, atol=1e-5)
    hundredth = fit.sensitivity(fixed="time", per="percent").table["change"]
    np.testing.assert_allclose(hundredth, -0.005 * found, rtol=1e-10, atol=1e-14)


def test_a_variance_sets_the_unit_of_its_latent_variable(fit):
    """With the variance v, loadings are worth 1 / sqrt(v) of what they were and paths sqrt(v)."""
    change = fit.sensitivity(fixed="green ~~ green").table["change"]
    power = {"green ~ age": 0.5, "green =~ q1": -0.5, "green =~ q2": -0.5, "green =~ q3": -0.5, "green": -0.5}
    wanted = [power.get(n, 0.0) * fit.params[n] for n in fit.names]
    np.testing.assert_allclose(change, wanted, atol=1e-6)


def test_a_function_may_use_the_fixed_parameter_itself(fit):
    found = fit.sensitivity(fixed="time", function=lambda p: {"value": p.time / p.price, "price": p.price})
    price, by = fit.params["price"], found.table.loc["price", "change"]
    assert by == pytest.approx(fit.sensitivity(fixed="time").table.loc["price", "change"])
    assert found.table.loc["value", "change"] == pytest.approx(1.0 / price + 0.5 * by / price**2)


# --- what does not move, what is refused, what is shown ---------------------------------------------------------


@pytest.mark.slow
def test_of_penalised_estimates_against_refits(data):
    """A network in the utility, under a ridge: the estimates solve other equations."""

    def utility(b, x, lv):
        price = b.price + b.taste(jnp.stack([x.age, x.time]))
        return {"a": b.asc + price * x.price_a, "b": price * x.price_b}

    layers = eqx.nn.MLP(2, "scalar", 2, 1, activation=jnp.tanh, use_final_bias=False, key=jax.random.key(0))
    network = iclv.initialise(layers, "glorot", seed=2)
    model = iclv.Model(choice=iclv.Logit(utility, "choice"), modules={"taste": network})
    ridge = {"taste": iclv.L2(5.0), "price": iclv.L2(3.0)}

    def fitted(frame, start, weights=None):
        found = model.fit(
            frame, person="id", weights=weights, penalties=ridge, optimizer=TIGHT, start=start, progress=False
        )
        assert found.converged
        return found

    fit = fitted(data, "default")
    step = 1e-3

    def by(change):
        up, down = (fitted(change(sign * step), fit).params for sign in (1, -1))
        return (up - down) / (2.0 * step)

    found = fit.sensitivity(column="price_a").table["change"]
    np.testing.assert_allclose(
        found, by(lambda h: data.assign(price_a=data["price_a"] + h)), rtol=2e-4, atol=1e-6
    )
    person = data["id"].iloc[0]

    def heavier(h):
        return data.assign(w=1.0 + h * (data["id"] == person))

    up, down = (fitted(heavier(sign * step), fit, "w").params for sign in (1, -1))
    moved = fit.sensitivity("weights").people.loc[person]
    np.testing.assert_allclose(moved, (up - down) / (2.0 * step), rtol=2e-4, atol=1e-6)
    value = fit.sensitivity(column="price_a", function=lambda p: p.taste(jnp.array([0.5, 1.0])))
    assert np.isfinite(value.table["change"]).all()


def test_of_training_that_stopped_there_is_none(data):
    still = iclv.Stochastic(optax.sgd(0.01), epochs=1, batch_people=None)
    with pytest.raises(ValueError, match="polish=True"):
        logit_fit(data, optimizer=still).sensitivity("weights")


def test_parameters_at_a_bound_do_not_move(data):
    fit = logit_fit(data, bounds={"price": (-0.2, None)})
    assert list(fit.optimizer_report.active) == ["price"]
    influence = fit.sensitivity("weights")
    assert (influence.people["price"] == 0.0).all()
    assert any("price is at its bound" in note for note in influence.notes)
    found = fit.sensitivity(column="time").table["change"]
    at = fit.problem.spec.utilities[0].columns.index("time")

    def change(h):
        return refitted(
            fit, moved(fit, lambda p: p._replace(tables=(plus(p.tables[0], np.index_exp[..., at], h),)))
        )

    assert found["price"] == 0.0
    np.testing.assert_allclose(found, slope(change, 0.05), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "takes one of"),
        ({"what": "weights", "column": "age"}, "takes one of"),
        ({"what": "people"}, "takes one of"),
        ({"column": "prise_a"}, "Did you mean 'price_a'"),
        ({"column": "q1"}, "holds answers"),
        ({"fixed": "price"}, "which is free"),
        ({"fixed": "prise"}, "no parameter 'prise'"),
        ({"column": "age", "per": "cent"}, "'unit' or 'percent'"),
        ({"what": "weights", "per": "percent"}, "leave per= out"),
    ],
)
def test_what_is_refused(fit, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit.sensitivity(**arguments)


def test_both_print_and_export(fit, influence):
    text = str(influence)
    assert "Influence of people" in text and str(influence.table.index[0]) in text
    assert len(influence.to_frame()) == 10
    found = fit.sensitivity(column="price_a", per="percent")
    assert "one per cent of price_a" in str(found) and "the utilities" in str(found)
    assert isinstance(found.to_frame(), pd.DataFrame) and len(found.to_frame()) == len(fit.names)
    for one in (influence, found):
        assert r"\toprule" in one.to_latex()
        assert "<table" in one._repr_html_()
        assert one.to_csv().startswith(("section", "name", ","))
