"""Predicted choices and answers against brute force in plain numpy, finite differences and closed forms."""

import after
import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import plain
import pytest
from scipy.stats import qmc

import iclv_jax as iclv
from iclv_jax import GaussHermite
from iclv_jax._predict import prior_view
from iclv_jax._predict._worlds import worlds

FEW = 2


@pytest.mark.parametrize("name", ["chain", "scaled", "interactions", "plain_logit", "plain_probit", "split"])
def test_probabilities_are_probabilities(name):
    fit = after.at(name)
    case = bank.get(name)
    found = fit.predict()
    choice = case.parts["choice"]
    chosen = case.data[choice.chosen]
    assert list(found.index) == list(case.data.index[chosen.notna()])
    assert list(found.columns) == list(fit.problem.spec.utilities[0].alternatives)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    assert (found.to_numpy() >= 0.0).all()
    for alternative, column in dict(choice.available).items():
        closed = case.data.loc[found.index, column] == 0
        assert (found.loc[closed, alternative] == 0.0).all()
        assert (found.loc[~closed, alternative] > 0.0).all()


@pytest.mark.parametrize(
    ("name", "nodes", "dimension"),
    [("chain", 10, 3), ("likert5", 30, 1), ("mixed_logit", 24, 2)],
)
def test_prior_predictions_against_brute_force(name, nodes, dimension):
    expected, _ = after.expectations(name, "nothing", after.grid(nodes, dimension), FEW, after.probabilities)
    found = after.in_order_of_people(bank.get(name), FEW, after.at(name).predict())
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.slow
def test_prior_predictions_from_many_draws_against_brute_force():
    """Four dimensions, where a product rule would be large."""
    points = qmc.MultivariateNormalQMC(np.zeros(4), rng=1).random(1024)
    nodes = points, np.full(1024, -np.log(1024))
    expected, _ = after.expectations("correlated", "nothing", nodes, FEW, after.probabilities)
    found = after.in_order_of_people(bank.get("correlated"), FEW, after.at("correlated").predict())
    np.testing.assert_allclose(found, expected, atol=4e-3)


@pytest.mark.parametrize(
    ("name", "dimension", "given"),
    [("likert5", 1, "items"), ("split", 1, "answers"), ("mixed_logit", 2, "answers")],
)
def test_posterior_predictions_against_brute_force(name, dimension, given):
    expected, _ = after.expectations(
        name, given, after.grid(50 // dimension, dimension), FEW, after.probabilities
    )
    fit = after.at(name, GaussHermite(20))
    found = after.in_order_of_people(bank.get(name), FEW, fit.predict(given=given))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_conditioned_predictions_against_brute_force():
    """Continuous items alone: the latent variable given them in closed form."""
    case, fit = continuous()
    expected = []
    for position in range(FEW):
        row = case.iloc[position]
        z = np.linspace(-8, 8, 4001)
        eta = 0.5 * row["age"] + z
        logs = -0.5 * z**2 - 0.5 * (row["y1"] - eta) ** 2 / 0.5 - 0.5 * (row["y2"] + 0.8 * eta) ** 2 / 0.4
        weights = np.exp(logs - logs.max())
        yes = 1.0 / (1.0 + np.exp(-(0.3 + 0.9 * eta - 0.6 * row["price"])))
        expected.append(weights @ yes / weights.sum())
    found = fit.predict(given="items")["yes"].iloc[:FEW]
    assert fit.problem.core.structure.system.absorbed
    np.testing.assert_allclose(found, expected, atol=1e-8)


def continuous():
    model = iclv.Model(
        latent=[iclv.Latent("mood", on=["age"])],
        indicators=[
            iclv.Continuous("y1", of="mood", intercept=False),
            iclv.Continuous("y2", of="mood", intercept=False),
        ],
        choice=iclv.Logit(
            lambda b, x, lv: {"yes": b.asc + b.mood * lv.mood + b.price * x.price, "no": 0.0}, "choice"
        ),
    )
    params = {
        "mood ~ age": 0.5, "mood =~ y1": 1.0, "y1 ~~ y1": 0.5, "mood =~ y2": -0.8, "y2 ~~ y2": 0.4, "asc": 0.3,
        "mood": 0.9, "price": -0.6,
    }  # fmt: skip
    frame = model.simulate(params, bank.single(40, 1, age="normal", price=(0, 3)), seed=3)
    problem = model.bind(frame)
    return frame, after.fit_at(problem, problem.vector(params))


@pytest.mark.parametrize("given", ["nothing", "items", "answers"])
def test_items_against_brute_force(given):
    def answers(case, values, levels, eta):
        each = {i.column: i for i in case.parts["indicators"]}
        probabilities = [
            np.exp(plain.item_log_density(each[q], level, levels[q], eta, values))
            for q in ("f1", "f2")
            for level in levels[q]
        ]
        mean = values("will =~ f3") * eta["will"]
        return [*probabilities, mean, mean**2 + values("f3 ~~ f3")]

    nodes = after.grid(60, 1)
    _, expected = after.expectations("split", given, nodes, FEW, lambda *_: [0.0], answers)
    found = after.at("split", GaussHermite(25)).predict_items(given=given).iloc[:FEW]
    assert list(found.columns)[:3] == [("f1", "never"), ("f1", "rarely"), ("f1", "often")]
    np.testing.assert_allclose(found.iloc[:, :7], expected[:, :7], atol=1e-6)
    second = found[("f3", "sd")] ** 2 + found[("f3", "mean")] ** 2
    np.testing.assert_allclose(second, expected[:, 7], atol=1e-6)
    np.testing.assert_allclose(found["f2"].sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "given"), [("likert5", "nothing"), ("likert5", "answers"), ("plain_logit", "nothing")]
)
def test_standard_errors_against_finite_differences(name, given):
    fit = after.at(name, GaussHermite(15))
    found = fit.predict(given=given, errors=True)
    alternatives = list(fit.problem.spec.utilities[0].alternatives)

    def predicted(params):
        return after.fit_at(fit.problem, params).predict(given=given).to_numpy()

    jacobian = after.differences(predicted, fit.estimates)
    matrix = fit.cov_params().to_numpy()
    expected = np.sqrt(np.einsum("rjp,pq,rjq->rj", jacobian, matrix, jacobian))
    errors = found[[f"{a}.se" for a in alternatives]].to_numpy()
    np.testing.assert_allclose(np.nan_to_num(errors), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given"), [("split", "nothing"), ("split", "answers"), ("cfa", "items")])
def test_standard_errors_of_items_against_finite_differences(name, given):
    fit = after.at(name, GaussHermite(15))
    found = fit.predict_items(given=given, errors=True)
    plain_columns = fit.predict_items(given=given)
    pd.testing.assert_frame_equal(found[plain_columns.columns], plain_columns)

    def predicted(params):
        return after.fit_at(fit.problem, params).predict_items(given=given).to_numpy()

    jacobian = after.differences(predicted, fit.estimates)
    expected = np.sqrt(np.einsum("rjp,pq,rjq->rj", jacobian, fit.cov_params().to_numpy(), jacobian))
    errors = found[[(q, f"{level}.se") for q, level in plain_columns.columns]].to_numpy()
    np.testing.assert_allclose(np.nan_to_num(errors), expected, atol=1e-6)
    assert list(found.columns.unique(0)) == [i.column for i in fit.problem.spec.indicators]


# --- new data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chain", "plain_probit"])
def test_the_sample_as_new_data_gives_the_same(name):
    fit, data = after.at(name), bank.get(name).data
    pd.testing.assert_frame_equal(fit.predict(data), fit.predict(), rtol=1e-12)
    pd.testing.assert_frame_equal(fit.predict(data, given="answers"), fit.predict(given="answers"), rtol=1e-9)


def test_new_data_may_lack_what_is_not_needed():
    """One person, no items, no choices: constant covariates are no reason to refuse."""
    fit, data = after.at("chain"), bank.get("chain").data
    lone = data[data["id"] == data["id"].iloc[0]].drop(columns=["q1", "q2", "k1", "q3", "q4", "choice"])
    found = fit.predict(lone)
    np.testing.assert_allclose(found, fit.predict().loc[lone.index], rtol=1e-12)
    with pytest.raises(ValueError, match="Item 'q1' needs the column 'q1'"):
        fit.predict(lone, given="items")


def test_levels_are_those_of_the_fit():
    fit, data = after.at("chain"), bank.get("chain").data
    # Other people are at other places of the sequence of draws, so that predictions differ by its noise.
    some = data[data["q1"].isin([2, 3])]
    pd.testing.assert_frame_equal(
        fit.predict(some, given="items"), fit.predict(given="items").loc[some.index], atol=0.02, rtol=0.0
    )
    with pytest.raises(ValueError, match="none of its levels"):
        fit.predict(data.assign(q1=9), given="items")


def test_a_row_without_a_choice_is_predicted_from_the_others():
    fit, data = after.at("likert5", GaussHermite(15)), bank.get("likert5").data
    counts = data["id"].value_counts()
    who = counts.index[counts > 1][0]
    row = data.index[data["id"] == who][0]
    hidden = data.assign(choice=data["choice"].where(data.index != row))
    found = fit.predict(hidden, given="answers")
    assert len(found) == len(data)
    both = [
        fit.predict(data.assign(choice=data["choice"].where(data.index != row, a)), given="answers")
        for a in "ab"
    ]
    # The chain rule of probabilities: what is predicted without the choice lies between what it would teach.
    low, high = sorted(b.loc[row, "a"] for b in both)
    assert low < found.loc[row, "a"] < high


def test_people_in_a_frame_of_their_own():
    fit, data = after.at("split"), bank.get("split").data
    np.testing.assert_allclose(fit.predict(data.head(5)), fit.predict().head(5), rtol=1e-12)
    with pytest.raises(ValueError, match="no row for person 7"):
        fit.predict(data.head(5).assign(id=[7, *data["id"].iloc[1:5]]))


@pytest.mark.parametrize(
    ("name", "call", "words"),
    [
        ("cfa", lambda f: f.predict(), "the model has no choice"),
        ("mixed_logit", lambda f: f.predict_items(), "the model has no items"),
        ("mixed_logit", lambda f: f.predict(given="items"), "the model has no items"),
        ("chain", lambda f: f.predict(given="answer"), "Did you mean 'answers'"),
        ("chain", lambda f: f.predict(people=pd.DataFrame()), "people= goes with new data"),
        ("chain", lambda f: f.predict(bank.get("chain").data.drop(columns="age")), "needs the column 'age'"),
    ],
)
def test_what_cannot_be_predicted_is_refused(name, call, words):
    with pytest.raises(ValueError, match=words):
        call(after.at(name))


def test_a_logit_with_constants_reproduces_the_shares():
    data = bank.get("interactions").data[["choice", "price"]]
    model = iclv.Model(
        choice=iclv.Logit(lambda b, x, lv: {7: b.a, "none": 0.0, 2: b.c + b.p * x.price}, "choice")
    )
    fit = model.fit(data, progress=False)
    shares = data["choice"].value_counts(normalize=True)
    np.testing.assert_allclose(fit.predict().mean()[[7, "none", 2]], shares[[7, "none", 2]], atol=1e-8)
    assert float(jnp.sum(fit.problem.score(jnp.asarray(fit.estimates)) ** 2)) < 1e-8


@pytest.mark.slow
def test_the_latent_variables_that_utilities_see_have_their_joint_distribution():
    """Two of three, correlated, without the shocks of the third."""
    case, problem = bank.get("scaled"), after.at("scaled").problem
    theta = problem.core.theta(problem.vector(case.params))
    view = prior_view(problem, "choice")
    person, nodes = jax.tree.map(lambda a: a[0], (view.core.person, view.core.nodes))
    weights, eta = worlds(problem.core.structure, theta, view.seen, person, nodes)
    latents = eta[:, np.array(view.block.latents)]
    values, age = case.params, case.data["age"].iloc[0]
    wealth = values["wealth ~ 1"] + values["wealth ~ age"] * age
    names = problem.spec.utilities[0].latents
    mean = {"wealth": wealth, "pride": values["pride ~ wealth"] * wealth}
    np.testing.assert_allclose(weights @ latents, [mean[n] for n in names], rtol=1e-10)
    own, path = values["wealth ~~ wealth"], values["pride ~ wealth"]
    covariance = {
        "wealth": {"wealth": own, "pride": path * own},
        "pride": {"wealth": path * own, "pride": path**2 * own + 1},
    }
    centred = latents - (weights @ latents)[None, :]
    np.testing.assert_allclose(
        (centred * weights[:, None]).T @ centred,
        [[covariance[a][b] for b in names] for a in names],
        rtol=1e-8,
    )


def test_people_in_batches_are_predicted_the_same():
    case, fit = bank.get("likert5"), after.at("likert5")
    small = case.model.bind(case.data, **case.bind, memory="90KB")
    found = after.fit_at(small, fit.estimates)
    assert prior_view(small, "choice").core.people.batch < 40
    pd.testing.assert_frame_equal(found.predict(), fit.predict(), rtol=1e-12)


@pytest.mark.slow
def test_labels_of_rows_that_repeat_change_nothing():
    """`pd.concat` of two waves leaves every label twice."""
    generator = np.random.default_rng(32)
    wave = pd.DataFrame({"id": range(60), "x0": 0.0, "x1": 0.0, "y": 0, "g": 0})
    data = pd.concat([wave, wave]).assign(
        x0=generator.normal(size=120), x1=generator.normal(size=120), y=generator.integers(0, 2, 120)
    )
    data["g"] = np.arange(120) % 2
    model = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: b.a + b.x * x.x0, 0: b.x * x.x1}, "y"))
    plain = data.reset_index(drop=True)
    fit, right = (model.fit(d, person="id", progress=False) for d in (data, plain))
    for ask in (
        lambda f, d: f.predict(errors=True),
        lambda f, d: f.predict(d.head(70), errors=True),
        lambda f, d: f.elasticities("x0").rows,
        lambda f, d: f.marginal_effects("x0", data=d.head(70)).rows,
        lambda f, d: f.scenario(d, d.assign(x0=d["x0"] + 1), cost="x0", given="answers").surplus,
        lambda f, d: f.shares(by="g"),
    ):
        found, expected = ask(fit, data), ask(right, plain)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-10)
    assert list(fit.predict(errors=True).index) == list(data.index)
