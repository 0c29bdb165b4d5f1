"""Latent classes: a mixture of choices by hand, posterior probabilities, starts, and what cannot be."""

import after
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, LatentClasses, Logit, NestedLogit, Normal
from iclv_jax._inference._class_labels import relabelled

VALUES = {
    "green ~ age": 0.5, "y ~ 1": 0.1, "green =~ y": 0.8, "y ~~ y": 0.6, "m": 0.3, "m_age": -0.4, "m_green": 0.7,
    "asc": 0.2, "time": -0.9, "time.sd": 0.5, "cost": -1.1, "public.lambda": 0.7,
}  # fmt: skip


def membership(b, x, lv):
    return {"timed": b.m + b.m_age * x.age + b.m_green * lv.green, "thrifty": 0.0}


def timed(b, x, lv):
    return {"car": b.asc + b.time * x.t1, "bus": b.time * x.t2, "train": b.time * x.t3}


def thrifty(b, x, lv):
    return {"train": b.cost * x.c3, "car": b.asc + b.cost * x.c1, "bus": b.cost * x.c2}


def model(of="person", nested=True):
    second = NestedLogit(thrifty, "mode", {"public": ["bus", "train"]}) if nested else Logit(thrifty, "mode")
    choice = LatentClasses(membership, {"timed": Logit(timed, "mode"), "thrifty": second}, of=of)
    items = [Continuous("y", of="green")]
    return iclv.Model([Latent("green", on=["age"])], items, choice, random={"time": Normal()})


def design(people=12, seed=0):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(people), 3), "age": np.repeat(generator.normal(size=people), 3)}
    )
    for name in ("t1", "t2", "t3", "c1", "c2", "c3"):
        frame[name] = generator.normal(size=len(frame))
    return frame


@pytest.fixture(scope="module", params=["person", "situation"])
def bound(request):
    made = model(request.param)
    data = made.simulate(VALUES, design(), seed=1, person="id")
    problem = made.bind(data, person="id", integration=GaussHermite(5, adaptive=False))
    return request.param, made, data, problem, problem.vector(VALUES)


def by_hand(of, data, nodes):
    """Log-likelihood by person and posterior shares of the first class, by plain numpy on the same grid."""
    p, (z, logs) = VALUES, after.grid(nodes, 2)
    names, loglikes, shares = ["car", "bus", "train"], [], []
    for _, rows in data.groupby("id"):
        eta = p["green ~ age"] * rows["age"].iloc[0] + z[:, 0]
        time = p["time"] + p["time.sd"] * z[:, 1]
        y = rows["y"].iloc[0] - p["y ~ 1"] - p["green =~ y"] * eta
        total = logs - 0.5 * (y**2 / p["y ~~ y"] + np.log(2 * np.pi * p["y ~~ y"]))
        m = p["m"] + p["m_age"] * rows["age"].iloc[0] + p["m_green"] * eta
        prior = np.stack([-np.logaddexp(0.0, -m), -np.logaddexp(0.0, m)])
        each = []
        for _, r in rows.iterrows():
            v = time[None, :] * np.array([r.t1, r.t2, r.t3])[:, None] + np.array([p["asc"], 0, 0])[:, None]
            first = (v - logsumexp(v, axis=0))[names.index(r["mode"])]
            w = p["cost"] * np.array([r.c1, r.c2, r.c3]) + np.array([p["asc"], 0, 0])
            s, inside = p["public.lambda"], logsumexp(w[1:] / p["public.lambda"])
            worth = np.array([w[0], s * inside])
            nest = worth - logsumexp(worth)
            logs_two = np.append(nest[0], nest[1] + w[1:] / s - inside)
            each.append(np.stack([first, np.full(len(z), logs_two[names.index(r["mode"])])]))
        if of == "person":
            joint = prior + np.sum(each, axis=0)
            total = total + logsumexp(joint, axis=0)
        else:
            total = total + sum(logsumexp(prior + e, axis=0) for e in each)
            joint = prior + each[0]
        loglikes.append(logsumexp(total))
        shares.append(np.exp(total - logsumexp(total)) @ np.exp(joint - logsumexp(joint, axis=0))[0])
    return np.array(loglikes), np.array(shares)


@pytest.mark.gate("situation")
def test_the_likelihood_and_the_posterior_by_hand(bound):
    of, _, data, problem, params = bound
    loglikes, _ = by_hand(of, data, 5)
    np.testing.assert_allclose(problem.loglike_person(params), loglikes, rtol=1e-11)
    found = after.fit_at(problem, params).class_probabilities()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    first = found if of == "person" else found.iloc[::3]
    # Posteriors come at nodes that follow them.
    np.testing.assert_allclose(first["timed"], by_hand(of, data, 50)[1], rtol=1e-4)


@pytest.mark.gate("person")
def test_the_exact_hessian_is_that_of_autodiff(bound):
    *_, problem, params = bound
    exact, automatic = (np.asarray(problem.hessian(params, m)) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, automatic, rtol=1e-8, atol=1e-8 * np.abs(automatic).max())


@pytest.mark.gate("person")
def test_what_is_asked_after_a_fit(bound, tmp_path):
    _, made, data, problem, params = bound
    fit = after.fit_at(problem, params)
    for given in ("nothing", "answers"):
        np.testing.assert_allclose(fit.predict(given=given).sum(axis=1), 1.0)
    fresh = fit.predict(data=data.drop(columns="mode").head(9))
    np.testing.assert_allclose(fresh, fit.predict().head(9), rtol=1e-10)
    assert fit.willingness_to_pay("asc", cost="cost", alternative=("thrifty", "car")).cost == "cost"
    with pytest.raises(ValueError, match=r"alternative=\(\) is none of the model"):
        fit.willingness_to_pay("asc", cost="cost", alternative=())
    with pytest.raises(ValueError, match="'cost', which is in no utility of the class 'timed'"):
        fit.scenario(data, data, cost="cost")
    fit.save(tmp_path / "fit.npz")
    assert iclv.load(tmp_path / "fit.npz", made, data).llf == pytest.approx(fit.llf, abs=1e-9)
    assert "public.lambda" in str(fit.summary())


def test_kernels_of_classes_have_parameters_of_their_own():
    """Two nested logits with other logsum coefficients, against a mixture of them by hand."""
    nests = {"public": ["bus", "train"]}
    classes = {"one": NestedLogit(thrifty, "mode", nests), "two": NestedLogit(timed, "mode", nests)}
    choice = LatentClasses(lambda b, x, lv: {"one": b.m, "two": 0.0}, classes, apart=True)
    data = model().simulate(VALUES, design(), seed=1, person="id")
    problem = iclv.Model(choice=choice).bind(data, person="id")
    assert {"one.public.lambda", "two.public.lambda"} <= set(problem.names)
    p = {"m": 0.3, "asc": 0.2, "cost": -1.1, "time": -0.9, "one.public.lambda": 0.4, "two.public.lambda": 0.9}
    each = []
    for kernel, scale in ((thrifty, 0.4), (timed, 0.9)):
        alone = iclv.Model(choice=NestedLogit(kernel, "mode", nests)).bind(data, person="id")
        each.append(
            np.asarray(
                alone.loglike_person(
                    alone.vector({n: (p | {"public.lambda": scale})[n] for n in alone.names})
                )
            )
        )
    share = 1.0 / (1.0 + np.exp(-p["m"]))
    expected = np.logaddexp(np.log(share) + each[0], np.log1p(-share) + each[1])
    np.testing.assert_allclose(problem.loglike_person(problem.vector(p)), expected, rtol=1e-10)


@pytest.mark.parametrize("of", [pytest.param("person", marks=pytest.mark.slow), "situation"])
def test_surplus_is_that_of_each_class(of):
    """Log-sums over the worth of money of each class, weighted by its share."""

    def cheap(b, x, lv):
        return {"bus": b.rich * x.c2, "train": b.rich * x.c3, "car": b.asc + b.rich * x.c1}

    data = model().simulate(VALUES, design(), seed=1, person="id")
    classes = {
        "thrifty": Logit(thrifty, "mode"),
        "rich": NestedLogit(cheap, "mode", {"public": ["bus", "train"]}),
    }
    of_class = LatentClasses(lambda b, x, lv: {"thrifty": b.m + b.m_age * x.age, "rich": 0.0}, classes, of=of)
    p = {"m": 0.3, "m_age": -0.4, "asc": 0.2, "cost": -1.1, "rich": -0.4, "public.lambda": 0.7}
    problem = iclv.Model(choice=of_class).bind(data, person="id")
    fit, after_price = after.fit_at(problem, problem.vector(p)), data.assign(c2=data["c2"] + 0.5)
    for given in ("nothing", "answers") if of == "person" else ("nothing",):
        found = fit.scenario(data, after_price, cost="c2", given=given)
        share = fit.class_probabilities(given=given)["thrifty"].to_numpy()
        share = np.repeat(share, len(data) // len(share))
        worths = []
        for frame in (data, after_price):
            c, at = frame[["c1", "c2", "c3"]].to_numpy(), np.array([p["asc"], 0.0, 0.0])
            one, v = logsumexp(p["cost"] * c + at, axis=1), p["rich"] * c + at
            nest = p["public.lambda"] * logsumexp(v[:, 1:] / p["public.lambda"], axis=1)
            worths.append(share * one / -p["cost"] + (1.0 - share) * np.logaddexp(v[:, 0], nest) / -p["rich"])
        np.testing.assert_allclose(found.surplus, worths[1] - worths[0], rtol=1e-9)
        assert not found.notes and found.mean_surplus == pytest.approx(np.mean(worths[1] - worths[0]))


def test_what_a_person_chose_before_says_what_they_choose(bound):
    """The next choice given the earlier ones is the ratio of two likelihoods."""
    of, _, data, *_ = bound
    if of == "situation":
        pytest.skip("classes of situations have no memory")
    simple = iclv.Model(
        choice=LatentClasses(
            lambda b, x, lv: {"timed": b.m, "thrifty": 0.0},
            {"timed": Logit(timed, "mode"), "thrifty": Logit(thrifty, "mode")},
        )
    )
    problem = simple.bind(data, person="id")
    params = problem.vector({n: VALUES[n] for n in problem.names})
    predicted = after.fit_at(problem, params).predict(given="answers")
    assert np.isfinite(predicted).all(axis=None)
    fit = after.fit_at(problem, params)
    shares = fit.class_probabilities()
    one = np.exp(np.stack([[r.t1 * -0.9 + 0.2, r.t2 * -0.9, r.t3 * -0.9] for r in data.itertuples()]))
    two = np.exp(np.stack([[r.c1 * -1.1 + 0.2, r.c2 * -1.1, r.c3 * -1.1] for r in data.itertuples()]))
    one, two = (e / e.sum(axis=1, keepdims=True) for e in (one, two))
    first = np.repeat(shares["timed"].to_numpy(), 3)[:, None]
    np.testing.assert_allclose(predicted, first * one + (1 - first) * two, rtol=1e-10)


def test_equal_classes_are_the_plain_model():
    data = model().simulate(VALUES, design(), seed=1, person="id")
    same = {"a": Logit(timed, "mode"), "b": Logit(timed, "mode")}
    mixed = iclv.Model(choice=LatentClasses(lambda b, x, lv: {"a": b.m, "b": 0.0}, same)).bind(
        data, person="id"
    )
    plain = iclv.Model(choice=Logit(timed, "mode")).bind(data, person="id")
    values = {n: VALUES[n] for n in plain.names}
    expected = plain.loglike_person(plain.vector(values))
    found = mixed.loglike_person(mixed.vector(values | {"m": 0.7}))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_starts_are_never_all_equal():
    def make(name):
        return Logit(lambda b, x, lv: {"a": b[name] * x.t1, "b": 0.0}, "mode")

    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    frame = pd.DataFrame({"t1": x, "mode": np.where(x + generator.logistic(size=200) > 0, "a", "b")})
    mixed = LatentClasses(lambda b, x, lv: {"one": b.m, "two": 0.0}, {"one": make("b1"), "two": make("b2")})
    start = iclv.Model(choice=mixed).bind(frame)
    values = dict(zip(start.names, np.asarray(start.start()).tolist(), strict=True))
    alone = iclv.Model(choice=make("b1")).fit(frame, progress=False).params["b1"]
    assert values["m"] == 0.0
    assert [values["b1"], values["b2"]] == pytest.approx([0.5 * alone, 1.5 * alone], rel=1e-3)


def of_one_form(classes):
    """Classes that differ by their coefficients alone, the second of them without parameters of membership."""

    def make(name):
        return Logit(lambda b, x, lv: {"a": b[f"k_{name}"] + b[f"t_{name}"] * x.t1, "b": 0.0}, "mode")

    def members(b, x, lv):
        return {n: 0.0 if n == "two" else b[f"m_{n}"] + b[f"age_{n}"] * x.age for n in classes}

    return LatentClasses(members, {n: make(n) for n in classes})


TWO = {"m_one": 0.4, "age_one": 0.8, "k_one": 0.5, "t_one": 2.0, "k_two": -0.5, "t_two": -3.0}
THREE = TWO | {"m_three": -0.5, "age_three": -0.6, "k_three": -1.0, "t_three": 1.0}


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_names_of_classes_are_found_again(order):
    """Other names for the same classes are the same model: they are taken back."""
    names = ("one", "two", "three")
    made = iclv.Model(choice=of_one_form(names))
    data = made.simulate(THREE, design(30)[["id", "age", "t1"]], seed=1, person="id")
    problem = made.bind(data, person="id")
    worth = {n: np.array([THREE.get(f"m_{n}", 0.0), THREE.get(f"age_{n}", 0.0)]) for n in names}
    other = {}
    for new, old in zip(names, (names[i] for i in order), strict=True):
        other |= {f"k_{new}": THREE[f"k_{old}"], f"t_{new}": THREE[f"t_{old}"]}
        other |= dict(zip((f"m_{new}", f"age_{new}"), worth[old] - worth[names[order[1]]], strict=True))
    truth, renamed = (np.asarray(problem.vector({n: v[n] for n in problem.names})) for v in (THREE, other))
    assert float(problem.loglike(renamed)) == pytest.approx(float(problem.loglike(truth)), rel=1e-12)
    np.testing.assert_allclose(relabelled(problem, renamed, truth, 1e-6), truth, atol=1e-12)


@pytest.mark.slow
def test_starts_agree_on_the_names_of_classes():
    """One of these starts ends with the classes the other way round."""
    made = iclv.Model(choice=of_one_form(("one", "two")))
    data = made.simulate(TWO, design(200)[["id", "age", "t1"]], seed=1, person="id")
    found = iclv.multistart(made.bind(data, person="id"), 6, spread=2.0, seed=2)
    best = found.params[found.table["group"] == 0]
    default = found.params[found.table["start"] == 0].iloc[0]
    assert len(best) >= 2
    np.testing.assert_allclose(best, np.tile(default, (len(best), 1)), atol=1e-3)


def unlike(**second):
    other = Logit(**({"utility": thrifty, "chosen": "mode"} | second))
    return LatentClasses(lambda b, x, lv: {"a": b.m, "b": 0.0}, {"a": Logit(timed, "mode"), "b": other})


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (lambda: unlike(utility=lambda b, x, lv: {"car": b.k, "bus": 0.0}), "other alternatives"),
        (lambda: unlike(chosen="other"), "other columns"),
        (lambda: unlike(available={"car": "there"}), "other available="),
        (lambda: unlike(rows="asked"), "has rows= or table="),
        (lambda: LatentClasses(membership, {"a": Logit(timed, "mode")}), "two or more classes"),
        (lambda: LatentClasses(membership, {"timed": Logit(timed, "mode"), "thrifty": 3}), "is a choice such as"),
        (lambda: LatentClasses(membership, {"timed": Logit(timed, "mode"), "thrifty": unlike()}), "not LatentClasses.$"),
        (lambda: LatentClasses(membership, {"x": Logit(timed, "mode"), "y": Logit(timed, "mode")}), "membership returns"),
        (lambda: LatentClasses(membership, {"x": Logit(timed, "mode"), "y": Logit(timed, "mode")}, of="people"), "of= is"),
    ],
)  # fmt: skip
def test_classes_that_are_none(choice, message):
    with pytest.raises(ValueError, match=message):
        iclv.Model([Latent("green", on=["age"])], [Continuous("y", of="green")], choice())


def test_membership_by_what_varies_within_people_is_refused():
    data = model().simulate(VALUES, design(), seed=1, person="id")
    varying = data.assign(age=np.arange(len(data)) * 1.0)
    choice = LatentClasses(
        lambda b, x, lv: {"a": b.m * x.age, "b": 0.0},
        {"a": Logit(timed, "mode"), "b": Logit(thrifty, "mode")},
    )
    with pytest.raises(ValueError, match=r"'age', which varies within person 0"):
        iclv.Model(choice=choice).bind(varying, person="id")


def test_people_of_other_choices_have_no_classes():
    plain = iclv.Model(choice=Logit(timed, "mode"))
    problem = plain.bind(design().assign(mode="car"), person="id")
    with pytest.raises(ValueError, match="is a Logit and has no latent classes"):
        after.fit_at(problem, problem.start()).class_probabilities()


@pytest.mark.slow
@pytest.mark.parametrize("of", ["person", "situation"])
def test_what_a_column_is_worth_over_classes(of):
    """By the probabilities of the classes, before choices over people and given them by person; one class does not attend
    to time."""

    def both(b, x, lv):
        return {
            "car": b.asc + b.time * x.t1 + b.price * x.c1,
            "bus": b.time * x.t2 + b.price * x.c2,
            "train": 0.0,
        }

    def money(b, x, lv):
        return {"car": b.cost * x.c1, "bus": b.cost * x.c2, "train": b.walk * x.t3}

    def members(b, x, lv):
        return {"both": b.m + b.m_age * x.age, "money": 0.0}

    data = design(8).assign(mode=np.random.default_rng(4).choice(["car", "bus", "train"], 24))
    classes = {"both": Logit(both, "mode"), "money": Logit(money, "mode")}
    problem = iclv.Model(choice=LatentClasses(members, classes, of=of)).bind(data, person="id")
    p = {"m": 0.3, "m_age": 0.5, "asc": 0.2, "time": -0.9, "price": -0.5, "cost": -1.2, "walk": -0.4}
    fit = after.fit_at(problem, problem.vector(p))
    found = fit.willingness_to_pay("t1", cost="c1")
    one, chosen = np.zeros(24), [["car", "bus", "train"].index(c) for c in data["mode"]]
    first = [
        p["asc"] + p["time"] * data["t1"] + p["price"] * data["c1"],
        p["time"] * data["t2"] + p["price"] * data["c2"],
        one,
    ]
    second = [p["cost"] * data["c1"], p["cost"] * data["c2"], p["walk"] * data["t3"]]
    logs = [(v - logsumexp(v, axis=0))[chosen, np.arange(24)] for v in map(np.array, (first, second))]
    lead = (p["m"] + p["m_age"] * data["age"]).to_numpy()
    gain = logs[0] - logs[1]
    gain = np.repeat(gain.reshape(8, 3).sum(axis=1), 3) if of == "person" else gain
    before, known = (1.0 / (1.0 + np.exp(-v)) for v in (lead, lead + gain))
    worth = -p["time"] / p["price"]
    assert found.estimate == pytest.approx(worth * before.mean(), rel=1e-10)
    np.testing.assert_allclose(found.people, worth * known.reshape(8, 3).mean(axis=1), rtol=1e-10)
    assert set(found.distribution.iloc[1:]) == {0.0, worth}
    slopes = after.differences(
        lambda q: after.fit_at(problem, q).willingness_to_pay("t1", cost="c1").estimate, fit.estimates
    )
    assert found.se == pytest.approx(np.sqrt(slopes @ fit.cov_params().to_numpy() @ slopes), rel=1e-5)
    with pytest.raises(
        ValueError, match="'time' is in the class 'both' and cost='cost' in the class 'money', and no"
    ):
        fit.willingness_to_pay("time", cost="cost")
    assert fit.willingness_to_pay("time", cost="price").estimate == pytest.approx(worth)
