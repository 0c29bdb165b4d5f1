"""What is named when a model, its data or a point is in trouble, and that nothing is when they are sound."""

import html

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE = 300


def travel(seed=1, people=PEOPLE):
    """Choices between car and bus with two attributes and three items of one attitude."""
    generator = np.random.default_rng(seed)
    age, price_car, price_bus, time = generator.normal(size=(4, people))
    green = 0.5 * age + generator.normal(size=people)
    lead = 0.3 - 0.7 * (price_car - price_bus) - 0.6 * green - 0.5 * time + generator.logistic(size=people)
    items = {f"y{k}": 0.8 * green + 0.6 * generator.normal(size=people) for k in (1, 2, 3)}
    frame = {"age": age, "price_car": price_car, "price_bus": price_bus, "time": time, **items}
    return pd.DataFrame(frame).assign(choice=np.where(lead > 0, "car", "bus"))


def plain(b, x, lv):
    return {"car": b.asc + b.price * x.price_car + b.time * x.time, "bus": b.price * x.price_bus}


def hybrid(b, x, lv):
    return {
        "car": b.asc + b.price * x.price_car + b.time * x.time + b.care * lv.green,
        "bus": b.price * x.price_bus,
    }


def logit(utility=plain, **options):
    return iclv.Model(choice=iclv.Logit(utility, "choice"), **options)


def attitude(utility=hybrid, on=("age",), **options):
    return iclv.Model(
        latent=[iclv.Latent("green", on=list(on))],
        indicators=[iclv.Continuous(f"y{k}", of="green") for k in (1, 2, 3)],
        choice=None if utility is None else iclv.Logit(utility, "choice"),
        **options,
    )


def at(model, data, **values):
    """A diagnosis at the start values, some of them changed."""
    problem = model.bind(data)
    start = dict(zip(problem.names, np.asarray(problem.start()), strict=True))
    return iclv.diagnose(problem, problem.vector(start | values))


def sentence(diagnosis, *parts):
    """The one sentence that holds all parts."""
    found = [s for s in diagnosis.sentences if all(p in s for p in parts)]
    assert len(found) == 1, f"{parts} in {diagnosis.sentences}"
    return found[0]


# --- nothing to worry about -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound():
    return attitude().fit(travel(), progress=False)


def test_a_sound_fit_gives_nothing_to_worry_about(sound):
    diagnosis = sound.diagnose()
    assert diagnosis.healthy and diagnosis.sentences == ()
    assert "Nothing to worry about" in str(diagnosis)
    assert len(str(diagnosis).splitlines()) < 25
    assert diagnosis.directions["eigenvalue"].min() > 0.01


def test_a_fit_knows_the_curvature_of_its_last_step(sound):
    before = sound.optimizer_report.previous
    assert list(before) == list(sound.names)
    previous = sound.problem.vector(before)
    expected = iclv.diagnose(sound.problem, jnp.asarray(sound.estimates), previous).blocks["curvature"]
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(sound.diagnose().blocks["curvature"], expected)


def test_the_trace_has_the_parts_of_the_log_likelihood(sound):
    joint = sound.trace[sound.trace["stage"] == sound.trace["stage"].iloc[-1]]
    np.testing.assert_allclose(joint["loglike_items"] + joint["loglike_choices"], joint["loglike"])
    assert joint["loglike_items"].iloc[-1] == pytest.approx(sound.components.items, abs=1e-3)
    first = sound.trace[sound.trace["stage"] == "items and structure"]
    assert first["loglike_items"].isna().all() and len(first)


def test_blocks_are_found_by_differentiation(sound):
    blocks = sound.diagnose().parameters["block"]
    assert blocks["care"] == "choice latent effects"
    assert {blocks["asc"], blocks["price"], blocks["time"]} == {"choice fixed effects"}
    assert (blocks["green ~ age"], blocks["green =~ y1"]) == ("structural", "measurement")


def test_a_latent_effect_inside_a_product_is_found():
    def utility(b, x, lv):
        return {"car": b.asc + (b.price + b.shift * lv.green) * x.price_car, "bus": b.price * x.price_bus}

    blocks = at(attitude(utility), travel()).parameters["block"]
    assert blocks["shift"] == "choice latent effects"
    assert blocks["price"] == "choice fixed effects"


def test_numbers_are_those_of_the_problem():
    problem = attitude().bind(travel(), weights=np.linspace(0.5, 1.5, PEOPLE))
    params = problem.vector(dict(zip(problem.names, np.asarray(problem.start()) + 0.05, strict=True)))
    table = iclv.diagnose(problem, params).parameters
    total = float(problem.core.weights.sum())
    scores, gradient = np.asarray(problem.score_person(params)), np.asarray(problem.score(params)) / total
    typical = np.sqrt(np.asarray(problem.core.weights) @ scores**2 / total)
    # The optimiser moves logs of variances.
    stretch = np.where([" ~~ " in n for n in problem.names], np.asarray(params), 1.0)
    np.testing.assert_allclose(table["gradient"], gradient * stretch, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(table["score"], typical * stretch, rtol=1e-9)
    np.testing.assert_allclose(table["scaled_gradient"], gradient / typical, rtol=1e-9, atol=1e-14)


def test_sign_conventions_are_notes_and_no_worry(sound):
    (note,) = sound.diagnose().notes
    assert "'green'" in note and "convention" in note


@pytest.mark.parametrize(
    "options",
    [{"fixed": {"green =~ y1": 1.0}}, {"bounds": {"care": (None, 0.0)}}, {"fixed": {"green ~ age": 0.5}}],
)
def test_a_constraint_on_the_sign_silences_the_note(options):
    assert at(attitude(**options), travel()).notes == ()


def test_it_shows_as_html(sound):
    shown = sound.diagnose()._repr_html_()
    assert "Nothing to worry about" in html.unescape(shown)


# --- balance ----------------------------------------------------------------------------------------------------


def test_price_in_thousands_is_flagged_before_scaling_and_not_after():
    data = travel().assign(
        price_car=lambda d: 1e4 * (5.0 + d["price_car"]), price_bus=lambda d: 1e4 * (5.0 + d["price_bus"])
    )
    diagnosis = at(attitude(), data)
    blocks = diagnosis.blocks
    assert blocks.loc["choice fixed effects", "ratio"] > 1e3
    assert blocks["scaled_ratio"].max() < 100.0
    assert "'price'" in sentence(diagnosis, "mean |gradient|", "choice fixed effects", "scal")
    advice = sentence(diagnosis, "very different scales")
    assert "divide 'price_car' and 'price_bus' by 100,000" in advice
    assert diagnosis.columns.loc["price_car", "factor"] == 1e-5
    assert diagnosis.columns.loc["time", "factor"] == 1.0


def test_columns_of_one_size_are_not_flagged():
    data = travel().assign(
        price_car=lambda d: 20.0 * d["price_car"], price_bus=lambda d: 20.0 * d["price_bus"]
    )
    assert at(attitude(), data).healthy


def test_the_curvature_of_a_step_is_that_of_differences():
    problem = logit().bind(travel())
    before, after = jnp.array([0.1, -0.2, 0.1]), jnp.array([0.2, -0.4, 0.0])
    block = iclv.diagnose(problem, after, previous=before).blocks.loc["choice fixed effects"]
    change = np.asarray(problem.score(after) - problem.score(before)) / PEOPLE
    expected = np.linalg.norm(change) / np.linalg.norm(np.asarray(after - before))
    assert block["curvature"] == pytest.approx(expected, rel=1e-10)
    assert 0.1 < block["scaled_curvature"] < 10.0
    assert iclv.diagnose(problem, after).blocks["curvature"].isna().all()


# --- silent parameters ------------------------------------------------------------------------------------------


def test_a_column_of_zeros_is_named():
    found = sentence(at(logit(), travel().assign(time=0.0)), "'time'", "No one")
    assert "column 'time' is zero" in found


def test_a_constant_in_every_alternative_is_named():
    def utility(b, x, lv):
        return {"car": b.asc + b.both + b.price * x.price_car, "bus": b.both + b.price * x.price_bus}

    assert "adds the same to every available alternative" in sentence(at(logit(utility), travel()), "'both'")


def test_a_scale_hidden_by_a_zero_is_named_with_what_hides_it():
    def utility(b, x, lv):
        return {"car": b.asc + b.price * x.price_car**2 * b.curve, "bus": b.time * x.time}

    found = sentence(at(logit(utility), travel(), curve=0.7, price=0.0), "'curve'")
    assert "hidden while 'price' is zero" in found


def test_an_alternative_that_is_never_available_is_named():
    def utility(b, x, lv):
        return {"car": b.price * x.price_car, "bus": b.price * x.price_bus, "boat": b.sail * x.time}

    model = iclv.Model(choice=iclv.Logit(utility, "choice", available={"boat": "av"}))
    diagnosis = at(model, travel().assign(av=0))
    assert "enters only 'boat'" in sentence(diagnosis, "'sail'")
    assert not [s for s in diagnosis.sentences if "never chosen" in s]


def test_an_alternative_that_is_never_chosen_is_named():
    def utility(b, x, lv):
        return {**plain(b, x, lv), "boat": b.asc_boat}

    assert "Remove it" in sentence(at(logit(utility), travel()), "'boat'", "never chosen")


def test_a_parameter_that_enters_nothing_is_named():
    model = logit(define={"price": lambda p: p.a + 0.0 * p.idle})
    assert sentence(at(model, travel()), "'idle'")


def test_a_spread_of_zero_is_a_saddle():
    model = logit(random={"price": iclv.Normal()})
    problem = model.bind(travel(), integration=iclv.GaussHermite(7, adaptive=False))
    params = problem.vector({"asc": 0.1, "price": -0.5, "price.sd": 0.0, "time": 0.1})
    assert "saddle" in sentence(iclv.diagnose(problem, params), "'price.sd'")


def test_a_rare_category_is_named():
    data = travel().assign(rare=lambda d: (np.arange(len(d)) < 2).astype(int))

    def utility(b, x, lv):
        return {"car": b.asc + b.rare * x.rare + b.price * x.price_car, "bus": b.price * x.price_bus}

    diagnosis = at(logit(utility), data)
    assert sentence(diagnosis, "'rare'", "2 of 300 people")
    assert diagnosis.parameters.loc["rare", "people"] == 2


def test_a_nearly_constant_column_is_named_with_its_parameters():
    year = 2020.0 + np.arange(PEOPLE) % 3
    found = sentence(at(attitude(None, on=["year"]), travel().assign(year=year)), "hardly varies")
    assert "'year'" in found and "'green ~ year'" in found
    assert not [s for s in at(attitude(None), travel()).sentences if "hardly" in s]


def test_a_level_that_nobody_has_is_named():
    model = iclv.Model(
        latent=[iclv.Latent("green")],
        indicators=[iclv.Ordered(q, of="green", levels=(1, 2, 3)) for q in ("q1", "q2")],
    )
    data = pd.DataFrame(np.random.default_rng(2).integers(1, 4, (60, 2)), columns=["q1", "q2"])
    levels = model.bind(data).panel.levels
    problem = model.bind(data[data["q1"] < 3].reset_index(drop=True), levels=levels)
    assert "level '3'" in sentence(iclv.diagnose(problem, problem.start()), "Nobody has", "'q1'")


# --- identification ---------------------------------------------------------------------------------------------


def test_a_pair_of_constants_is_named_with_weights():
    def utility(b, x, lv):
        return {"car": b.asc_car + b.price * x.price_car, "bus": b.asc_bus + b.price * x.price_bus}

    problem = logit(utility).bind(travel())
    diagnosis = iclv.diagnose(problem, problem.vector({"asc_car": 0.2, "asc_bus": -0.1, "price": -0.7}))
    found = sentence(diagnosis, "flat", "asc_car (+0.71), asc_bus (+0.71)")
    assert "fixed=" in found
    flat = diagnosis.directions.query("direction == 1")
    assert set(flat["parameter"]) == {"asc_car", "asc_bus"}
    np.testing.assert_allclose(flat["change"], 1.0, atol=1e-6)
    assert abs(flat["eigenvalue"].iloc[0]) < 1e-9


def test_two_flat_directions_are_told_apart():
    def utility(b, x, lv):
        return {
            "car": b.asc_car + (b.p1 + b.p2) * x.price_car,
            "bus": b.asc_bus + (b.p1 + b.p2) * x.price_bus,
        }

    problem = logit(utility).bind(travel())
    diagnosis = iclv.diagnose(
        problem, problem.vector({"asc_car": 0.2, "asc_bus": -0.1, "p1": -0.3, "p2": -0.4})
    )
    groups = diagnosis.directions.groupby("direction")["parameter"].agg(frozenset)
    flat = {frozenset({"asc_car", "asc_bus"}), frozenset({"p1", "p2"})}
    assert flat <= set(groups)
    change = diagnosis.directions.query("eigenvalue < 1e-9").set_index("parameter")["change"]
    assert change["p1"] == pytest.approx(-change["p2"])


def test_the_scale_of_a_latent_variable_is_recognised():
    model = attitude(None, define={"green ~~ green": lambda p: p.spread}, start={"spread": 1.0})
    found = sentence(at(model, travel(), **{"green ~ age": 0.4}), "flat")
    assert "scale of the latent variable 'green'" in found


def test_a_latent_variable_that_nothing_measures_is_named():
    weak = {f"green =~ y{k}": 0.01 for k in (1, 2, 3)}
    diagnosis = at(attitude(), travel(), **weak)
    assert sentence(diagnosis, "'green'", "near zero")
    assert diagnosis.measured["green"] < 0.01


def test_what_the_items_reveal_is_the_reliability():
    """Three normal items with loading l and error variance e give `3 l^2 / e` of information."""
    names = [f"y{k}" for k in (1, 2, 3)]
    values = {f"green =~ {n}": 0.8 for n in names} | {f"{n} ~~ {n}": 0.36 for n in names}
    values |= {f"{n} ~ 1": 0.0 for n in names} | {"green ~ age": 0.0}
    model, generator = attitude(None), np.random.default_rng(5)
    # The mean squared derivative is the information where items vary by their error alone.
    data = pd.DataFrame(0.6 * generator.normal(size=(4_000, 3)), columns=names).assign(
        age=generator.normal(size=4_000)
    )
    problem = model.bind(data)
    share = iclv.diagnose(problem, problem.vector(values)).measured["green"]
    assert share == pytest.approx(1.0 - 1.0 / (1.0 + 3 * 0.64 / 0.36), abs=0.02)


def test_loadings_that_hide_each_other_are_named():
    """At zero loadings every score of a loading vanishes, although it is no maximum."""
    data = travel()
    problem = attitude(None, on=()).bind(data[["y1", "y2", "y3"]])
    values = {f"y{k} ~ 1": data[f"y{k}"].mean() for k in (1, 2, 3)}
    values |= {f"y{k} ~~ y{k}": data[f"y{k}"].var(ddof=0) for k in (1, 2, 3)}
    diagnosis = iclv.diagnose(problem, problem.vector(values | {f"green =~ y{k}": 0.0 for k in (1, 2, 3)}))
    assert "by symmetry (a saddle)" in sentence(diagnosis, "depends on 'green =~ y1'")
    assert "hidden while 'green =~ y1' is zero" in sentence(diagnosis, "depends on 'green =~ y2'")
    assert set(diagnosis.parameters.query("people == 0").index) == {f"green =~ y{k}" for k in (1, 2, 3)}


def test_a_saddle_is_named():
    """Everyone stands there twice, once with either sign of `turn`: the score of `bend` sums to zero."""

    def utility(b, x, lv):
        return {"car": 5.0 * b.bend**2 * x.price_car + b.bend * x.turn, "bus": 0.0}

    one = travel().assign(choice=lambda d: np.where(d["price_car"] + 0.5 * d["time"] > 0, "car", "bus"))
    both = pd.concat([one.assign(turn=1.0), one.assign(turn=-1.0)], ignore_index=True)
    problem = logit(utility).bind(both)
    assert "bend (+1.00)" in sentence(iclv.diagnose(problem, problem.vector({"bend": 0.0})), "saddle")
    assert not [s for s in iclv.diagnose(problem, problem.vector({"bend": 0.5})).sentences if "saddle" in s]


@pytest.mark.parametrize(("people", "words"), [(40, "by about 1.15 times"), (10, "singular")])
def test_many_parameters_for_few_people_are_said(people, words):
    """10 parameters: sqrt(40 / (40 - 10)) = 1.15."""
    diagnosis = at(attitude(None), travel(people=people))
    (note,) = [n for n in diagnosis.notes if "P / N" in n]
    assert words in note


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "word"),
    [
        (np.zeros(2), "3 free parameters"),
        (np.zeros((3, 3)), "shape"),
        (np.array([0.0, np.nan, 0.0]), "'price'"),
    ],
)
def test_wrong_vectors_are_refused(params, word):
    with pytest.raises(ValueError, match=word):
        iclv.diagnose(logit().bind(travel()), params)


def test_a_log_likelihood_that_is_not_finite_is_refused():
    problem = attitude(None).bind(travel())
    params = problem.vector(
        dict(zip(problem.names, np.asarray(problem.start()), strict=True)) | {"y1 ~~ y1": -1.0}
    )
    with pytest.raises(ValueError, match="not finite"):
        iclv.diagnose(problem, params)
