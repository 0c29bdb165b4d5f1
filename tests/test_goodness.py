"""The parametric bootstrap: expected frequencies, p under true and false models, and what is said of failures."""

import after
import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Latent, Ordered
from iclv_jax._predict._features import expected_sums, layout, standard_shocks
from iclv_jax._predict._residuals import Looker, standardised
from iclv_jax._predict._simulate import draw_answers

ITEMS = [f"q{k}" for k in range(1, 8)]


def attitude():
    return iclv.Model([Latent("warmth", on=["age"])], [Ordered(q, of="warmth") for q in ITEMS])


def survey(shared):
    """Seven items of one attitude; the first two have something else in common, too."""
    generator = np.random.default_rng(3)
    age = generator.normal(size=250)
    warmth, other = 0.5 * age + generator.normal(size=250), generator.normal(size=250)
    frame = {"age": age}
    for k, q in enumerate(ITEMS):
        response = 0.9 * warmth + shared * other * (k < 2) + generator.normal(size=250)
        frame[q] = np.where(generator.uniform(size=250) < 0.05, np.nan, np.digitize(response, [-0.6, 0.7]))
    return pd.DataFrame(frame)


@pytest.fixture(scope="module")
def true():
    return attitude().fit(survey(0.0), progress=False)


@pytest.fixture(scope="module")
def false():
    return attitude().fit(survey(1.3), progress=False)


@pytest.mark.slow
def test_a_true_model_is_not_rejected(true):
    found = true.goodness_of_fit(samples=30)
    assert found.failed == 0
    assert list(found.table.index) == [
        "log-likelihood",
        "answers to items",
        "associations of items",
        "worst pair of items",
    ]
    assert found.table["p"].between(0.05, 1.0).all()
    assert found.table.loc["log-likelihood", "observed"] == true.llf
    np.testing.assert_allclose(found.table["mean"], found.simulated.mean())
    assert len(found.simulated) == 30
    assert "no p is below 1 / 31" in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("refit", [pytest.param(True, marks=pytest.mark.slow), False])
def test_what_two_items_share_is_found(false, refit):
    found = false.goodness_of_fit(samples=30, refit=refit)
    assert found.table.loc["worst pair of items", "p"] == pytest.approx(1 / 31)
    assert found.pairs.index[0] == ("q1", "q2")
    assert found.pairs["p"].iloc[0] == pytest.approx(1 / 31)
    assert found.pairs["residual"].iloc[0] > 2.0
    assert found.table.loc["answers to items", "p"] > 0.05
    assert ("without refits" in str(found)) == (not refit)
    assert "q1, q2" in found.to_latex()


def test_the_seed_draws_the_data_sets(true):
    a, b, c = (true.goodness_of_fit(samples=3, seed=s, refit=False).simulated for s in (0, 0, 1))
    pd.testing.assert_frame_equal(a, b)
    assert not np.allclose(a, c)


def test_simulated_data_keep_what_is_given():
    problem = after.at("likert5").problem
    old = problem.core.person
    new = draw_answers(problem, jnp.asarray(after.at("likert5").estimates), 1)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), old) == jax.tree.map(lambda a: (a.shape, a.dtype), new)
    assert (old.covariates == new.covariates).all() and (old.tables[0] == new.tables[0]).all()
    for a, b in zip(old.data, new.data, strict=True):
        assert (a.occurs == b.occurs).all() and (a.offered == b.offered).all()
    assert (np.asarray(new.data[-1].outcome) != np.asarray(old.data[-1].outcome)).any()


def test_expected_frequencies_of_answers_are_those_of_predict_items(true):
    problem = true.problem
    where = layout(problem)
    one, two = expected_sums(
        problem.core, jnp.asarray(true.estimates), standard_shocks(problem), jnp.asarray(where.owner)
    )
    seen = survey(0.0)[ITEMS].notna()
    wanted = [true.predict_items()[q][seen[q].to_numpy()].sum() for q in where.items]
    # Draws and quadrature: 250 x 128 draws of probabilities.
    np.testing.assert_allclose(one, np.concatenate(wanted), atol=0.2)
    both = (seen["q1"] & seen["q2"]).sum()
    assert float(two[:3, 3:6].sum()) == pytest.approx(both)


def test_expected_products_of_continuous_items():
    """`E[y1 y2]` of everybody in closed form, with missing answers left out."""
    fit, data = after.at("mimic"), bank.get("mimic").data
    problem, values = fit.problem, bank.get("mimic").params
    where = layout(problem)
    _, two = expected_sums(
        problem.core, jnp.asarray(fit.estimates), standard_shocks(problem), jnp.asarray(where.owner)
    )
    mean = (
        values["health ~ 1"]
        + data["age"] * values["health ~ age"]
        + data["income"] * values["health ~ income"]
    )
    first, second = 0.25 + mean, values["y2 ~ 1"] + values["health =~ y2"] * mean
    product = first * second + values["health =~ y2"] * values["health ~~ health"]
    places = [int(np.flatnonzero(where.owner == where.items.index(q))[0]) for q in ("y1", "y2")]
    assert float(two[tuple(places)]) == pytest.approx(product[data["y2"].notna()].sum(), abs=0.4)
    looker = Looker(problem)
    rows, columns = looker.pairs
    assert len(rows) == 6 and where.paired[rows].all() and where.paired[columns].all()


@pytest.mark.slow
def test_shares_that_constants_reproduce_are_not_tested():
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, "choice"))
    frame = bank.single(120, 1, price="normal")
    data = model.simulate({"asc": 0.3, "price": -1.0}, frame, seed=1)
    found = model.fit(data, progress=False).goodness_of_fit(samples=20)
    assert np.isnan(found.table.loc["shares of alternatives", "p"])
    assert "the estimates reproduce them" in str(found)
    bare = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"a": b.price * x.price, "b": 0.0}, "choice"))
    shifted = bare.fit(data.assign(choice=np.where(data.index % 3, "a", data["choice"])), progress=False)
    assert shifted.goodness_of_fit(samples=20).table.loc["shares of alternatives", "p"] == pytest.approx(
        1 / 21
    )


def test_residuals_are_standardised_over_all_data_sets():
    generator = np.random.default_rng(0)
    observed = generator.normal(size=(5, 3))
    residuals = observed * [1.0, 1e-5, 0.5]
    found = standardised(residuals, observed) ** 2
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_allclose(found[:, [0, 2]].sum(axis=0), 4.0)


@pytest.mark.slow
def test_data_sets_without_a_maximum_are_counted():
    """Fourteen choices are often told apart completely."""
    generator = np.random.default_rng(0)
    price, time = generator.normal(size=(2, 14))
    better = 0.5 - price - 0.5 * time + generator.logistic(size=14) > 0
    data = pd.DataFrame({"price": price, "time": time, "choice": np.where(better, "a", "b")})

    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}

    fit = iclv.Model(choice=iclv.Logit(utility, "choice")).fit(data, progress=False)
    found = fit.goodness_of_fit(samples=30)
    assert 0 < found.failed < 30
    assert len(found.simulated) == 30 - found.failed
    assert f"{found.failed} of 30 fits" in str(found)


@pytest.mark.slow
def test_numbers_of_samples_are_checked(true):
    with pytest.raises(ValueError, match="samples"):
        true.goodness_of_fit(samples=0)
