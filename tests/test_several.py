"""Several choices in one model, each with its own situations; tastes that covary with attitudes; panels of all lengths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp, roots_hermitenorm

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, Logit, Normal, Ordered

RULE = GaussHermite(9, adaptive=False)


def trip(b, x, lv):
    return {"car": b.asc + b.time * x.car_time + b.green * lv.green, "bus": b.time * x.bus_time}


def card(b, x, lv):
    scale = b.scale
    return {
        "a": scale * b.time * x.time_a,
        "b": scale * (b.time * x.time_b + b.green * lv.green),
        "none": 0.0,
    }


def people(count=30, seed=0):
    """Trips and cards in one frame, told apart by `asked`, and items constant within a person."""
    generator = np.random.default_rng(seed)
    rows = []
    for n in range(count):
        q, y = generator.integers(1, 4), generator.normal()
        for kind in ["trip"] * generator.integers(0, 3) + ["card"] * generator.integers(1, 4):
            row = {"id": n, "age": np.round(0.1 * n - 1.0, 2), "q": q, "y": y, "asked": int(kind == "trip")}
            row |= {k: generator.normal() for k in ("car_time", "bus_time", "time_a", "time_b")}
            names = ["car", "bus"] if kind == "trip" else ["a", "b", "none"]
            rows.append(row | {"choice": generator.choice(names)})
    return pd.DataFrame(rows).assign(card=lambda d: 1 - d["asked"])


def both(**names):
    return [
        Logit(trip, "choice", name="trip", rows="asked", **names),
        Logit(card, "choice", name="cards", rows="card"),
    ]


ITEMS = [Ordered("q", of="green", levels=[1, 2, 3]), Continuous("y", of="green")]


@pytest.fixture(scope="module")
def model():
    return iclv.Model([Latent("green", on=["age"])], ITEMS, both())


@pytest.fixture(scope="module")
def problem(model):
    return model.bind(people(), person="id", integration=RULE)


@pytest.fixture(scope="module")
def params(problem):
    return problem.start() + jnp.linspace(0.01, 0.1, len(problem.names))


def by_hand(values, frame, points, weights):
    """log L_n by plain numpy, at standard points of the one latent variable."""
    found = []
    for _, rows in frame.groupby("id", sort=False):
        eta = values["green ~ age"] * rows["age"].iloc[0] + points
        logs = np.log(weights)
        y = rows["y"].iloc[0] - values["y ~ 1"] - values["green =~ y"] * eta
        logs = logs - 0.5 * (y**2 / values["y ~~ y"] + np.log(2 * np.pi * values["y ~~ y"]))
        from scipy.stats import norm

        cuts = np.array([-np.inf, values["q | 1"], values["q | 2"], np.inf])
        q = int(rows["q"].iloc[0])
        mean = values["green =~ q"] * eta
        logs = logs + np.log(norm.cdf(cuts[q] - mean) - norm.cdf(cuts[q - 1] - mean))
        for _, row in rows.iterrows():
            time, green = values["time"], values["green"]
            if row["asked"]:
                v = {
                    "car": values["asc"] + time * row["car_time"] + green * eta,
                    "bus": time * row["bus_time"] + 0 * eta,
                }
            else:
                v = {
                    "a": values["scale"] * time * row["time_a"] + 0 * eta,
                    "b": values["scale"] * (time * row["time_b"] + green * eta),
                    "none": 0 * eta,
                }
            logs = logs + v[row["choice"]] - logsumexp(np.stack(list(v.values())), axis=0)
        found.append(logsumexp(logs))
    return np.array(found)


def test_the_likelihood_of_two_choices_is_that_of_the_formula(problem, params):
    points, weights = roots_hermitenorm(9)
    values = {name: float(v) for name, v in problem.unpack(params, everything=True).items()}
    expected = by_hand(values, people(), points, weights / weights.sum())
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-12)


def test_derivatives_of_two_choices(problem, params):
    np.testing.assert_allclose(
        problem.hessian(params), problem.hessian(params, "autodiff"), rtol=1e-9, atol=1e-9
    )
    step = 1e-5
    moves = step * np.eye(len(params))
    slopes = [(problem.loglike(params + d) - problem.loglike(params - d)) / (2 * step) for d in moves]
    np.testing.assert_allclose(problem.score(params), slopes, rtol=1e-6, atol=1e-6)


def test_a_parameter_of_two_utilities_is_one(problem):
    assert problem.names.count("time") == 1 and problem.names.count("green") == 1
    assert problem.table.row("time").parameter.meaning == "coefficient in the utilities of trip and cards"
    assert problem.table.row("scale").parameter.meaning == "coefficient in the utilities of cards"


def tables(frame):
    """People, trips and cards in frames of their own."""
    return {
        "people": frame.drop_duplicates("id")[["id", "age", "q", "y"]],
        "trips": frame[frame["asked"] == 1].drop(columns=["time_a", "time_b"]),
        "cards": frame[frame["asked"] == 0].drop(columns=["car_time", "bus_time", "age", "q", "y"]),
    }


@pytest.fixture(scope="module")
def apart():
    choices = [
        Logit(trip, "choice", name="trip", table="trips"),
        Logit(card, "choice", name="cards", table="cards"),
    ]
    return iclv.Model([Latent("green", on=["age"])], ITEMS, choices)


def test_tables_of_their_own_are_rows_of_one_frame(apart, problem, params):
    bound = apart.bind(tables(people()), person="id", integration=RULE)
    assert bound.names == problem.names
    np.testing.assert_allclose(bound.loglike_person(params), problem.loglike_person(params), rtol=1e-13)


@pytest.mark.slow
def test_parts_of_the_log_likelihood_by_choice(model, problem):
    fit = model.fit(people(), person="id", integration=RULE, progress=False, start="default")
    parts = fit.components
    assert set(parts.by_choice) == {"trip", "cards"}
    assert parts.equal_shares == pytest.approx(sum(p.equal_shares for p in parts.by_choice.values()))
    alone = iclv.Model([Latent("green", on=["age"])], [], Logit(trip, "choice"), start={"green ~ age": 0.0})
    trips = people()[lambda d: d["asked"] == 1]
    one = alone.bind(trips, person="id", integration=RULE)
    at = one.vector({n: fit.params[n] for n in one.names})
    assert parts.by_choice["trip"].loglike == pytest.approx(float(one.loglike(at)), rel=1e-12)
    text = str(fit.summary())
    assert "of trip (marginal)" in text and "of cards (marginal)" in text
    found = fit.predict(choice="cards")
    assert list(found.columns) == ["a", "b", "none"] and len(found) == (people()["asked"] == 0).sum()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match=r"the model has the choices trip, cards\. Name one by choice="):
        fit.predict()
    with pytest.raises(ValueError, match=r"choice= names 'card', which the model does not have.*'cards'"):
        fit.predict(choice="card")
    assert fit.shares(choice="trip")["situations"].iloc[0] == (people()["asked"] == 1).sum()
    assert np.isfinite(fit.elasticities("time_a", choice="cards").aggregate["se"]).all()


def test_choices_in_tables_are_simulated_into_them(apart):
    """The same mapping comes back, with items in its first frame; what was answered is what the density says."""
    frames = {
        k: f.drop(columns=["choice", "q", "y"], errors="ignore") for k, f in tables(people(400)).items()
    }
    truth = {"green ~ age": 0.4, "asc": 0.3, "time": -1.0, "green": 0.8, "scale": 1.5, "green =~ q": 0.7}
    truth |= {"green =~ y": 0.6, "y ~ 1": 0.1, "y ~~ y": 0.8, "q | 1": -0.5, "q | 2": 0.5}
    found = apart.simulate(truth, frames, seed=1, person="id")
    assert list(found) == list(frames) and "choice" not in frames["trips"]
    assert "q" in found["people"] and "q" not in found["cards"] and "choice" not in found["people"]
    assert set(found["trips"]["choice"]) == {"car", "bus"}
    assert set(found["cards"]["choice"]) == {"a", "b", "none"}
    problem = apart.bind(found, person="id", integration=RULE)
    params = problem.vector(truth)
    _, score, hessian, _ = problem.expansion(params)
    # Scores at the truth are noise: twice what a Newton step gains has as many degrees of freedom as parameters.
    gain = score @ np.linalg.solve(-hessian, score)
    assert gain < 2.0 * len(params) + 10.0


def test_two_choices_are_simulated_into_one_column(model, problem, params):
    frame = people().drop(columns="choice")
    found = model.simulate(problem.unpack(params), frame, seed=1, person="id")
    assert set(found.loc[found["asked"] == 1, "choice"]) <= {"car", "bus"}
    assert set(found.loc[found["asked"] == 0, "choice"]) <= {"a", "b", "none"}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            lambda: [Logit(trip, "choice"), Logit(card, "other")],
            r"The choice 'choice' has a name that is taken",
        ),
        (lambda: [Logit(trip, "choice", name="green")], r"The choice 'green' has a name that is taken"),
        (lambda: [Logit(trip, "choice", name="a b")], r"name= of a choice is a word"),
        (
            lambda: [Logit(trip, "c", name="one"), Logit(card, "c", name="two")],
            r"explain the same column, c of the",
        ),
        (lambda: [Logit(trip, "choice"), 3], r"choice= is a choice kernel.*or several, not 3"),
    ],
)
def test_choices_that_cannot_be_told_apart_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        iclv.Model([Latent("green")], [Continuous("y", of="green")], choices())


def test_tables_that_do_not_exist_are_refused(model):
    one = iclv.Model(choice=Logit(lambda b, x, lv: {"a": b.c, "b": 0.0}, "choice", table="cards"))
    with pytest.raises(ValueError, match=r"stands in the table 'cards', but the data are a single frame"):
        one.bind(people(), person="id")
    with pytest.raises(ValueError, match=r"table 'cards', which the data do not have.*'card'"):
        one.bind({"card": people()}, person="id")
    with pytest.raises(ValueError, match=r"Several frames need person="):
        one.bind({"cards": people()})
    with pytest.raises(ValueError, match=r"The frame 'cards': person= names the column 'who'"):
        one.bind({"cards": people()}, person="who")
    texts = people().assign(id=people()["id"].astype(str))
    with pytest.raises(
        ValueError, match=r"holds text in the frame 'cards' \('0', ...\) and none in 'people' \(0, "
    ):
        one.bind({"people": people(), "cards": texts}, person="id")


# --- tastes that covary with attitudes ------------------------------------------------------------------------------


def taste(b, x, lv):
    return {"car": b.asc + b.price * x.time_a + b.like * lv.green, "bus": b.price * x.time_b}


def linked(covariances, **more):
    return iclv.Model(
        [Latent("green", on=["age"])],
        [Continuous("y", of="green")],
        Logit(taste, "mode"),
        random={"price": Normal()},
        covariances=covariances,
        **more,
    )


def travellers():
    frame = people(40, 3)
    return frame.assign(mode=np.random.default_rng(4).choice(["car", "bus"], len(frame)))


@pytest.mark.slow
def test_a_taste_that_covaries_with_an_attitude_has_the_likelihood_of_the_formula():
    """eta = gamma age + u_1, price = mean + sd (rho u_1 + sqrt(1 - rho^2) u_2)."""
    frame = travellers()
    problem = linked([("price", "green")]).bind(frame, person="id", integration=RULE)
    assert "green ~~ price" in problem.names
    given = {
        "green ~ age": 0.4, "y ~ 1": 0.1, "green =~ y": 0.8, "y ~~ y": 0.7, "asc": 0.2, "price": -0.6, "price.sd": 0.9,
        "like": 0.5, "green ~~ price": 0.45,
    }  # fmt: skip
    params = problem.vector(given)
    points, weights = roots_hermitenorm(9)
    pairs = np.array(list(itertools.product(points, points)))
    logs = np.array([np.log(a) + np.log(b) for a, b in itertools.product(weights, weights)])
    logs -= 2 * np.log(weights.sum())
    rho, expected = 0.45 / 0.9, []
    for _, rows in frame.groupby("id", sort=False):
        eta = 0.4 * rows["age"].iloc[0] + pairs[:, 0]
        price = -0.6 + 0.9 * (rho * pairs[:, 0] + np.sqrt(1 - rho**2) * pairs[:, 1])
        y = rows["y"].iloc[0] - 0.1 - 0.8 * eta
        total = logs - 0.5 * (y**2 / 0.7 + np.log(2 * np.pi * 0.7))
        for _, row in rows.iterrows():
            v = np.stack([0.2 + price * row["time_a"] + 0.5 * eta, price * row["time_b"]])
            total = total + v[0 if row["mode"] == "car" else 1] - logsumexp(v, axis=0)
        expected.append(logsumexp(total))
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-12)
    np.testing.assert_allclose(
        problem.hessian(params), problem.hessian(params, "autodiff"), rtol=1e-9, atol=1e-9
    )
    exact = linked([("price", "green")]).bind(
        frame, person="id", integration=iclv.Conditioned(GaussHermite(40))
    )
    fine = problem.integrate(GaussHermite(40)).recentre(params)
    np.testing.assert_allclose(
        exact.recentre(params).loglike_person(params), fine.loglike_person(params), atol=1e-8
    )


def test_a_covariance_of_zero_is_the_model_without_it():
    frame = travellers()
    free, none = (linked(c).bind(frame, person="id", integration=RULE) for c in ([("green", "price")], []))
    params = none.start() + 0.1
    same = free.vector({**none.unpack(params), "green ~~ price": 0.0})
    np.testing.assert_allclose(free.loglike_person(same), none.loglike_person(params), rtol=1e-13)


def test_an_attitude_and_a_taste_of_one_name_are_refused():
    def utility(b, x, lv):
        return {"car": b.green * x.time_a + b.like * lv.green, "bus": 0.0}

    with pytest.raises(ValueError, match=r"random= names 'green', which is a latent variable too"):
        iclv.Model(
            [Latent("green")],
            [Continuous("y", of="green")],
            Logit(utility, "mode"),
            random={"green": Normal()},
        )


# --- panels of all lengths --------------------------------------------------------------------------------------------


def uneven(people=400, longest=120, seed=0):
    """Most people have one to four situations, one has very many."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 5, people)
    counts[people // 2] = longest
    owner = np.repeat(np.arange(people), counts)
    frame = pd.DataFrame(
        {"id": owner, "x": generator.normal(size=len(owner)), "z": generator.normal(size=len(owner))}
    )
    return frame.assign(
        choice=generator.choice(["a", "b"], len(frame)), w=np.round(1.0 + 0.1 * owner / people, 3)
    )


def mixed():
    def utility(b, x, lv):
        return {"a": b.asc + b.x * x.x, "b": b.z * x.z}

    return iclv.Model(choice=Logit(utility, "choice"), random={"x": Normal()})


@pytest.fixture(scope="module")
def classes():
    bound = mixed().bind(uneven(), person="id", weights="w", integration=GaussHermite(5))
    params = jnp.asarray([0.1, -0.3, 0.7, 0.2])
    bound = bound.recentre(params)
    return bound, bound.with_people(bound.core.people.padded()), params


def test_cost_goes_with_rows(classes):
    """People come in classes of panel length, with little more rows than there are."""
    bound, whole, _ = classes
    lengths = bound.core.people.lengths
    assert len(lengths) > 1 and sum(length.people for length in lengths) == 400
    rows = sum(length.people * length.rows[0] for length in lengths)
    assert rows < 2.2 * len(uneven()) and rows < 0.05 * 400 * 120
    assert len(whole.core.people.lengths) == 1


@pytest.mark.slow
def test_classes_of_length_change_no_number(classes):
    bound, whole, params = classes
    for name in ("loglike_person", "score_person", "effective_sizes", "loglike", "score"):
        np.testing.assert_allclose(
            getattr(bound, name)(params), getattr(whole, name)(params), rtol=1e-11, atol=1e-11
        )
    for method in ("exact", "autodiff", "bhhh"):
        a, b = (p.hessian(params, method) for p in (bound, whole))
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(bound.centres(params).mode, whole.centres(params).mode, atol=1e-9)


@pytest.mark.parametrize("at", [np.arange(0, 400, 7), np.array([200, 200, 3]), np.array([5])])
def test_some_people_have_the_numbers_of_the_whole(classes, at):
    bound, _, params = classes
    some = bound.subsample(at)
    np.testing.assert_allclose(some.loglike_person(params), bound.loglike_person(params)[at], rtol=1e-12)
    assert some.panel.people == tuple(bound.panel.people[i] for i in at)
    assert float(some.core.weights.sum()) == pytest.approx(float(bound.core.weights.sum()))
    again = some.integrate(GaussHermite(7)).recentre(params)
    finer = bound.integrate(GaussHermite(7)).recentre(params)
    np.testing.assert_allclose(again.loglike_person(params), finer.loglike_person(params)[at], rtol=1e-10)
    np.testing.assert_allclose(some.recentre(params).loglike(params), some.loglike(params), rtol=1e-8)


@pytest.mark.slow
def test_weights_of_zero_leave_people_out(classes):
    bound, _, params = classes
    kept = np.arange(400) % 3 > 0
    weights = np.where(kept, np.asarray(bound.core.weights), 0.0)
    part, some = bound.with_weights(weights), np.flatnonzero(kept)
    alone = bound.core.of(bound.core.people.take(some))
    assert float(part.loglike(params)) == pytest.approx(
        float(bound.loglike_person(params)[some] @ weights[some])
    )
    fewer = bound.with_people(alone.people)
    np.testing.assert_allclose(part.hessian(params), fewer.hessian(params), rtol=1e-10, atol=1e-9)


@pytest.mark.slow
def test_a_fit_of_uneven_panels_is_that_of_padded_ones():
    frame = uneven(300, 60, 2)
    fit = mixed().fit(frame, person="id", integration=GaussHermite(5), progress=False)
    assert fit.converged and len(fit.problem.core.people.lengths) > 1
    whole = fit.problem.with_people(fit.problem.core.people.padded())
    np.testing.assert_allclose(whole.score(jnp.asarray(fit.estimates)), 0.0, atol=1e-3)
    found = fit.predict()
    assert found.index.equals(frame.index)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_core_is_made_of_people_that_jax_takes_apart():
    bound = mixed().bind(uneven(), person="id", integration=GaussHermite(3))
    params = bound.start()
    jitted = jax.jit(
        lambda p, core: core.people.each(lambda person, nodes: jnp.sum(nodes.log_weights) * p[0])
    )
    assert jitted(params, bound.core).shape == (400,)
