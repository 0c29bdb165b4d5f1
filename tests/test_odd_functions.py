"""Strange arguments of the functions of the package, by a bank of calls times a bank of values: each is refused in a
sentence that names the argument. To add a case, add a row.
"""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import small
from test_odd_arguments import INSIDE, ODD

import iclv_jax as iclv

TABLE = pd.DataFrame({"share": [0.5, 0.5]})
LONG = pd.DataFrame({"trip": [1, 1], "mode": ["car", "bus"], "taken": [1, 0], "time": [10.0, 20.0]})
TRIP = {"car": {"time": 10.0}, "bus": {"time": 20.0}}
MODEL = small.logit()
FACTOR = iclv.Model([iclv.Latent("green")], [iclv.Ordered(q, of="green") for q in ("q1", "q2", "q3")])


def long(**options):
    return iclv.from_long(LONG, **{"situation": "trip", "alternative": "mode", "columns": ["time"]} | options)


def rates(**options):
    return iclv.learning_rate_test(MODEL, small.data(), **options)


def sanity(**options):
    return iclv.sanity_checks(MODEL, small.data(), **options)


def search(**options):
    return iclv.search(lambda settings: MODEL, {"s": [1, 2]}, small.data(), trials=1, **options)


def climb(**options):
    return iclv.invariance(FACTOR, small.data().assign(school=np.arange(90) % 2), "school", **options)


CALLS = {
    "load, path": (lambda v: iclv.load(v), "load takes the path of a file"),
    "load, people of nothing": (lambda v: iclv.load("fit.npz", people=v), "people= counts with data= only"),
    "read_start, path": (lambda v: iclv.read_start(v), "read_start takes the path of a file"),
    "optima, path": (lambda v: iclv.datasets.optima(v), "datasets.optima takes the path of a file"),
    "optima, raw": (lambda v: iclv.datasets.optima(raw=v), "raw is"),
    "swissmetro, download": (lambda v: iclv.datasets.swissmetro(download=v), "download is"),
    "political_democracy, path": (
        lambda v: iclv.datasets.political_democracy(v),
        "datasets.political_democracy takes the path",
    ),
    "holzinger_swineford, download": (lambda v: iclv.datasets.holzinger_swineford(download=v), "download is"),
    "sugar_substitutes, items": (lambda v: iclv.datasets.sugar_substitutes(items=v), "items is five numbers"),
    "to_latex, caption": (lambda v: iclv.to_latex(TABLE, caption=v), "caption= is"),
    "to_latex, label": (lambda v: iclv.to_latex(TABLE, label=v), "label= is"),
    "to_latex, long": (lambda v: iclv.to_latex(TABLE, long=v), "long is"),
    "to_latex, blocks": (lambda v: iclv.to_latex(TABLE, blocks=v), "blocks is"),
    "boxcox, x": (lambda v: iclv.boxcox({"x": v}, 1.0), "boxcox: x is"),
    "boxcox, power": (lambda v: iclv.boxcox(1.0, {"power": v}), "boxcox: power is"),
    "piecewise, knots": (lambda v: iclv.piecewise(1.0, [v], [1.0, 2.0]), "piecewise: knots (is|are)"),
    "piecewise, slopes": (lambda v: iclv.piecewise(1.0, [1.0], {"far": v}), "piecewise: slopes is a list"),
    "regret, attributes": (lambda v: iclv.regret(v, {}), "regret: attributes is"),
    "regret, weights": (lambda v: iclv.regret(TRIP, v), "regret: weights is"),
    "regret, available": (lambda v: iclv.regret(TRIP, {"time": 1.0}, v), "regret: available is"),
    "learning_rate_test, model": (lambda v: iclv.learning_rate_test(v, small.data()), "takes an iclv.Model"),
    "learning_rate_test, lowest": (lambda v: rates(lowest=v), "lowest and highest are"),
    "learning_rate_test, highest": (lambda v: rates(highest=v), "lowest and highest are"),
    "learning_rate_test, transformation": (lambda v: rates(transformation=v), "transformation="),
    "learning_rate_test, start": (lambda v: rates(start=[v]), "start= is a mapping"),
    "sanity_checks, model": (lambda v: iclv.sanity_checks(v, small.data()), "takes an iclv.Model"),
    "sanity_checks, learning_rate": (lambda v: sanity(learning_rate=v), "learning_rate= is"),
    "sanity_checks, start": (lambda v: sanity(start=[v]), "start= is a mapping"),
    "search, method": (lambda v: search(method=v), "method= "),
    "search, prune": (lambda v: search(prune=v), "prune is"),
    "search, progress": (lambda v: search(progress=v), "progress is"),
    "search, time_limit": (lambda v: search(time_limit=v), "time_limit= is"),
    "invariance, alpha": (lambda v: climb(alpha=v), "alpha= lies"),
    "invariance, progress": (lambda v: climb(progress=v), "progress is"),
    "invariance, steps": (lambda v: climb(steps=[v]), "steps= takes names"),
    "invariance, free_across": (lambda v: climb(free_across=[v]), "free_across= takes names"),
    "fit, progress": (lambda v: MODEL.fit(small.data(), progress=v), "progress is"),
    "streamed fit, progress": (
        lambda v: MODEL.fit(iclv.People.stream([small.data()]), progress=v),
        "progress is",
    ),
    "multistart, spread": (
        lambda v: iclv.multistart(small.fitted("logit").problem, 2, spread=[v]),
        "spread",
    ),
    "initialise, scale": (lambda v: iclv.initialise({"a": jnp.ones(2)}, scale=v), "scale is"),
    "Scipy, options": (lambda v: iclv.Scipy(options=v), "options is a mapping"),
    "from_long, situation": (lambda v: long(situation=v), "situation= names the column"),
    "from_long, chosen": (lambda v: long(chosen=v), "chosen= names the column"),
    "from_long, person": (lambda v: long(person=v), "person= names the column"),
    "from_long, columns": (lambda v: long(columns=[v]), "columns= takes names"),
    "check_indicator, item": (lambda v: iclv.families.check_indicator(v, [0, 1]), "check_indicator takes an item"),
    "check_kernel, kernel": (lambda v: iclv.families.check_kernel(v), "check_kernel takes a choice"),
}  # fmt: skip


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("call", CALLS)
def test_strange_arguments_of_functions_are_refused_by_name(call, value):
    give, words = CALLS[call]
    with pytest.raises(ValueError, match=words) as error:
        give(ODD[value])
    said = str(error.value).replace(repr(ODD[value]), "")
    assert not INSIDE.search(said), said


REFUSED = {
    "a name with a zero byte": (lambda: iclv.load("a\0b"), "null byte"),
    "a name too long for a file": (lambda: iclv.read_start("x" * 5000), "there is no file 'xxx"),
    "a file of a stream with such a name": (
        lambda: iclv.People.stream("x" * 5000 + ".csv"),
        "file 'x+.csv' does not exist",
    ),
    "settings that build does not take": (
        lambda: iclv.search(lambda: MODEL, {"s": [1, 2]}, small.data()),
        "build= is a function of settings, but it cannot be called so",
    ),
    "no time": (lambda: search(time_limit=0), "time_limit= is a positive number of seconds"),
    "no step": (lambda: climb(steps=[]), "steps= names no step. This model has 'configural', 'loadings'"),
    "a rate that no transformation takes": (
        lambda: rates(transformation=lambda: 1.0),
        "transformation= is a function of learning_rate",
    ),
    "rates without end": (lambda: rates(highest=np.inf), "lowest and highest are"),
    "a step backwards": (lambda: sanity(learning_rate=-0.1), "learning_rate= is a positive number"),
    "nothing to initialise": (
        lambda: iclv.initialise({"a": 1, "b": jnp.arange(3)}),
        "holds no array of real numbers",
    ),
    "weights without end": (
        lambda: iclv.initialise({"a": jnp.ones((2, 2))}, "normal", scale=np.inf),
        "scale is a positive standard deviation",
    ),
    "a spread that is a truth value": (
        lambda: iclv.multistart(small.fitted("logit").problem, 2, spread=True),
        "spread",
    ),
    "knots without end": (lambda: iclv.piecewise(1.0, [np.inf], [1.0, 2.0]), "knots are finite"),
    "an attribute that is text": (
        lambda: iclv.regret({"a": {"t": "x"}, "b": {"t": 1.0}}, {"t": 1.0}),
        r"attributes\['a'\], at 't', is a number",
    ),
    "answers of nobody": (
        lambda: iclv.families.check_indicator(iclv.Ordered("q", of="f"), []),
        "answers are numbers or labels in a list",
    ),
    "half an alternative": (
        lambda: iclv.families.check_kernel(iclv.Logit(lambda b, x, lv: {1: b.a, 2: 0.0}, "y"), 0.5),
        "alternatives is a positive whole number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_odd_calls_of_functions_are_refused(case):
    does, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        does()


def test_attributes_may_be_arrays_and_whole_numbers_all_the_same():
    np.testing.assert_allclose(iclv.boxcox(np.array([1, 4]), 1), [0.0, 3.0])
    assert float(iclv.piecewise(5, np.array([1.0, 2.0]), (1, 2, 3))) == 12.0


VECTORS = {
    "nothing": None,
    "one number": 1.0,
    "text": "x",
    "a list": [0.0, 0.0, 0.0],
    "a mapping": {"price": 1.0},
    "a series": pd.Series([0.0, 0.0, 0.0]),
    "too few": np.zeros(2),
    "too many": np.zeros(4),
    "rows": np.zeros((2, 3)),
    "a column": np.zeros((3, 1)),
    "words": np.array(["x"] * 3),
    "objects": np.array([None] * 3),
    "complex numbers": np.zeros(3, complex),
    "days": np.array(["2020-01-01"] * 3, "datetime64[D]"),
}
METHODS = (
    "loglike",
    "loglike_person",
    "score",
    "score_person",
    "value_and_score",
    "slope",
    "hessian",
    "expansion",
    "numerical_hessian",
    "effective_sizes",
    "unpack",
    "centres",
    "recentre",
    "centres_of_nodes",
    "check_start",
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("vector", VECTORS)
def test_what_is_no_vector_of_parameters_is_refused_by_every_method(vector, method):
    problem = small.logit().bind(small.data())
    with pytest.raises(
        ValueError, match=r"params is the vector of the 3 free parameters .* Use problem\.vector"
    ):
        getattr(problem, method)(VECTORS[vector])


def test_whole_numbers_are_parameters_too():
    problem = small.logit().bind(small.data())
    whole = np.array([1, -1, 0])
    assert float(problem.loglike(whole)) == float(problem.loglike(whole.astype(float)))
    np.testing.assert_array_equal(problem.score(whole), problem.score(whole.astype(float)))


PROBLEM = {
    "no values by name": (lambda p: p.vector([1.0, 2.0, 3.0]), "mapping takes values by name"),
    "no part": (lambda p: p.part("choise"), r"'choise' is no part of the model.*Did you mean"),
    "a list of parts": (lambda p: p.part(["items"]), r"\['items'\] is no part"),
    "no way to a Hessian": (lambda p: p.hessian(p.start(), np.ones(2)), "method is one of 'exact'"),
    "no expansion": (lambda p: p.expansion(p.start(), "exakt"), "method is one of 'exact', 'bhhh'"),
    "no rule": (lambda p: p.integrate(15), r"rule is a rule such as iclv\.GaussHermite\(15\).*not 15"),
    "people by name": (lambda p: p.take(["x"]), "people= is a list of positions"),
    "people beyond the last": (lambda p: p.take([0, 10**6]), "positions from 0 to 1000000; there are"),
    "one person": (lambda p: p.take(3), "people= is a list of positions"),
    "weights of too few": (
        lambda p: p.with_weights(np.ones(2)),
        r"one for each of the \d+ people, not of shape \(2,\)",
    ),
    "weights of nobody": (lambda p: p.with_weights(0.0 * p.core.weights), "all are zero"),
    "a negative weight": (lambda p: p.with_weights(-1.0 * p.core.weights), r"at position 0 stands -1\.0"),
    "weights of words": (
        lambda p: p.with_weights(["x"] * p.core.weights.shape[0]),
        "one for each of the .* not of <U1",
    ),
    "a density from few": (
        lambda p: p.logdensity(start=np.zeros(2)),
        r"params is the vector of the 3 free parameters",
    ),
    "a density from text": (
        lambda p: p.logdensity(start="x"),
        r"params is the vector of the 3 free parameters",
    ),
    "a density with text": (lambda p: p.logdensity(jacobian="no"), "jacobian="),
    "half of everything": (lambda p: p.unpack(p.start(), 2), "everything="),
    "nothing to diagnose": (lambda p: iclv.diagnose(p.core, p.start()), "diagnose takes a bound problem"),
}


@pytest.mark.parametrize("case", PROBLEM)
def test_odd_questions_to_a_problem_are_refused(case):
    does, words = PROBLEM[case]
    with pytest.raises(ValueError, match=words):
        does(small.logit().bind(small.data()))
