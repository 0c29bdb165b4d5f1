"""Strange arguments of what is asked of a fit, by a bank of calls times a bank of values, and odd calls of single kinds of
fits: each is refused in a sentence that names the argument. To add a case, add a row.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import small
from test_odd_arguments import INSIDE, ODD

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood
from iclv_jax._predict import _elasticities
from iclv_jax._tables import number

CALLS = {
    "standard_errors, kind": (lambda fit, v: fit.uncertainty.standard_errors(v), "kind of covariance"),
    "bootstrap, samples": (lambda fit, v: fit.uncertainty.bootstrap(v), "samples is"),
    "bootstrap, workers": (lambda fit, v: fit.uncertainty.bootstrap(2, workers=v), "workers="),
    "bootstrap, resume": (lambda fit, v: fit.uncertainty.bootstrap(2, resume=v), "resume="),
    "profile, name": (lambda fit, v: fit.uncertainty.profile(v), "What a parameter is called"),
    "profile, points": (lambda fit, v: fit.uncertainty.profile("price", [v]), "points="),
    "profile, level": (lambda fit, v: fit.uncertainty.profile("price", level=v), "level="),
    "sensitivity, what": (lambda fit, v: fit.uncertainty.sensitivity(v), "sensitivity takes one of"),
    "sensitivity, column": (lambda fit, v: fit.uncertainty.sensitivity(column=v), "column="),
    "sensitivity, fixed": (lambda fit, v: fit.uncertainty.sensitivity(fixed=v), "fixed="),
    "sensitivity, function": (
        lambda fit, v: fit.uncertainty.sensitivity("weights", function=v),
        "function of the parameters",
    ),
    "lm_test, larger": (lambda fit, v: fit.tests.lm_test([v]), "What a parameter is called"),
    "modification_indices, names": (lambda fit, v: fit.tests.modification_indices([v]), "names="),
    "modification_indices, kind": (lambda fit, v: fit.tests.modification_indices(kind=v), "kind is"),
    "cross_validate, folds": (lambda fit, v: fit.tests.cross_validate(v), "folds"),
    "elasticities, column": (lambda fit, v: fit.choices.elasticities(v), "column="),
    "elasticities, given": (lambda fit, v: fit.choices.elasticities("price", given=v), "given= is"),
    "willingness_to_pay, name": (lambda fit, v: fit.choices.willingness_to_pay(v, "price"), "asked for is a name"),
    "willingness_to_pay, cost": (lambda fit, v: fit.choices.willingness_to_pay("price", v), "cost="),
    "willingness_to_pay, alternative": (
        lambda fit, v: fit.choices.willingness_to_pay("price", "price", alternative=v),
        "alternative=",
    ),
    "scenario, cost": (lambda fit, v: fit.choices.scenario(small.data(), small.data(), v), "cost="),
    "shares, by": (lambda fit, v: fit.choices.shares(v), "a column|the column"),
    "shares, choice": (lambda fit, v: fit.choices.shares(choice=v), "name of a choice"),
    "individual_parameters, names": (lambda fit, v: fit.individual_parameters([v]), "names="),
    "module, name": (lambda fit, v: fit.module(v), "What a module is called"),
    "delta, fn": (lambda fit, v: fit.delta(v), "function of the parameters"),
    "delta, draws": (lambda fit, v: fit.delta(lambda p: p.price, draws=v), "draws is"),
    "willingness_to_pay, draws": (lambda fit, v: fit.choices.willingness_to_pay("price", "price", draws=v), "draws is"),
    "predict, cov without errors": (lambda fit, v: fit.predict(cov=v), "cov= counts with errors=True only"),
    "predict_items, cov without errors": (lambda fit, v: fit.measurement.predict_items(cov=v), "cov= counts with"),
    "item_fit, fewest": (lambda fit, v: fit.measurement.item_fit(v), "fewest= is"),
    "lm_test, values without a model": (lambda fit, v: fit.tests.lm_test(["green ~~ green"], v), "values= goes with"),
    "summary, columns": (lambda fit, v: fit.summary(columns=[v]), "columns= lists"),
    "to_latex, long": (lambda fit, v: fit.exports.to_latex(long=v), "long is"),
    "to_latex, path": (lambda fit, v: fit.exports.to_latex(v), "path of a file"),
    "to_csv, path": (lambda fit, v: fit.exports.to_csv(v), "path of a file"),
    "report, title": (lambda fit, v: fit.report(title=v), "title= is"),
    "plot.coefficients, names": (lambda fit, v: iclv.plot.coefficients(fit, [v]), "names="),
    "plot.coefficients, block": (lambda fit, v: iclv.plot.coefficients(fit, block=v), "block is"),
    "plot.coefficients, level": (lambda fit, v: iclv.plot.coefficients(fit, level=v), "level="),
    "plot.coefficients, without": (lambda fit, v: iclv.plot.coefficients(fit, without=[v]), "without="),
    "plot.coefficients, scale": (lambda fit, v: iclv.plot.coefficients(fit, scale=v), "scale= is"),
    "plot.standard_errors, kinds": (lambda fit, v: iclv.plot.standard_errors(fit, [v]), "kinds="),
    "plot.latent_scores, names": (lambda fit, v: iclv.plot.latent_scores(fit, names=[v]), "names="),
    "plot.latent_scores, missing of nothing": (
        lambda fit, v: iclv.plot.latent_scores(fit, missing=[v]),
        "missing= counts with by= only",
    ),
    "plot.item_response, item": (lambda fit, v: iclv.plot.item_response(fit, v), "item_response is a name"),
    "plot.item_response, latent": (lambda fit, v: iclv.plot.item_response(fit, "q1", v), "does not measure"),
    "plot.item_information, items": (lambda fit, v: iclv.plot.item_information(fit, items=[v]), "items="),
    "plot.item_information, latent": (lambda fit, v: iclv.plot.item_information(fit, v), "item_information"),
    "plot.residual_quantiles, items": (lambda fit, v: iclv.plot.residual_quantiles(fit, [v]), "items="),
    "plot.residuals_against, item": (lambda fit, v: iclv.plot.residuals_against(fit, v), "item="),
    "plot.residuals_against, against": (lambda fit, v: iclv.plot.residuals_against(fit, "q1", v), "against="),
    "plot.path_diagram, items": (lambda fit, v: iclv.plot.path_diagram(fit, items=v), "items is"),
    "plot.trace, ax": (lambda fit, v: iclv.plot.trace(fit, v), "ax= is"),
    "plot.willingness_to_pay, unit": (
        lambda fit, v: iclv.plot.willingness_to_pay(fit, "price", "price", unit=v),
        "unit= is",
    ),
}  # fmt: skip
FINE = {("profile, points", "an array that holds one number")}
"""What is taken after all."""


@pytest.mark.parametrize(("call", "value"), [(c, v) for c in CALLS for v in ODD if (c, v) not in FINE])
def test_strange_arguments_of_calls_are_refused_by_name(call, value):
    if call.startswith("plot."):
        pytest.importorskip("matplotlib")
    give, words = CALLS[call]
    with pytest.raises(ValueError, match=words) as error:
        give(small.fitted("hybrid"), ODD[value])
    said = str(error.value).replace(repr(ODD[value]), "")
    assert not INSIDE.search(said), said


@cache
def streamed():
    frame = small.data()
    return small.logit().fit(iclv.People.stream([frame.iloc[:50], frame.iloc[50:]]), progress=False)


PICTURES = {
    "item_response": lambda fit: iclv.plot.item_response(fit, "q1"),
    "item_information": iclv.plot.item_information,
    "residual_quantiles": iclv.plot.residual_quantiles,
    "residuals_against": lambda fit: iclv.plot.residuals_against(fit, "q1"),
    "path_diagram": iclv.plot.path_diagram,
    "shares": iclv.plot.shares,
    "latent_scores": iclv.plot.latent_scores,
    "willingness_to_pay": lambda fit: iclv.plot.willingness_to_pay(fit, "price", "time"),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_of_people_are_not_drawn_of_people_in_chunks(picture):
    with pytest.raises(ValueError, match=f"plot.{picture} needs all people in memory"):
        PICTURES[picture](streamed())


def test_what_everybody_has_alike_stands_in_one_bar():
    figures = pytest.importorskip("matplotlib.figure")
    from iclv_jax.plot._willingness_to_pay import _distribution

    ax = figures.Figure().subplots()
    found = SimpleNamespace(
        people=pd.Series([1.0, 1.0 + 2e-16]), distribution=dict.fromkeys(("5 %", "50 %", "95 %"), 1.0)
    )
    _distribution(ax, found)
    assert [bar.get_height() for bar in ax.patches] == [2.0]


def two_frames():
    return {"trips": small.data(), "cards": small.data()}


REFUSED = {
    "columns with names of two parts": (
        lambda: small.fitted("logit").predict(pd.concat({"a": small.data()}, axis=1)),
        r"names of 2 parts, such as \('a', 'price'\)",
    ),
    "a test of nothing": (lambda: small.fitted("hybrid").tests.lm_test([]), "names no parameter"),
    "a test of None": (lambda: small.fitted("hybrid").tests.lm_test(None), "names no parameter"),
    "more points than anybody waits for": (
        lambda: small.fitted("logit").uncertainty.profile("price", 10**12),
        "10,000 further values at most",
    ),
    "fewer points than none": (
        lambda: small.fitted("logit").uncertainty.profile("price", -1),
        "whole number, or which, finite numbers",
    ),
    "points that are not finite": (
        lambda: small.fitted("logit").uncertainty.profile("price", [0.0, np.inf]),
        "finite numbers",
    ),
    "a function of nothing": (lambda: small.fitted("logit").delta(lambda: 1.0), "function of p, .* cannot be called"),
    "a function without a value": (
        lambda: small.fitted("logit").delta(lambda p: {"a": p.price, "b": p.price * np.nan}),
        r"is nan at the estimates \(at 'b'\)",
    ),
    "what a function without a value rests on": (
        lambda: small.fitted("logit").uncertainty.sensitivity("weights", function=lambda p: p.price / 0.0),
        "inf at the estimates",
    ),
    "a modification of what is free": (
        lambda: small.fitted("hybrid").tests.modification_indices(["price"]),
        "'price' is free; only fixed parameters",
    ),
    "an alternative that no utility has": (
        lambda: small.fitted("logit").choices.willingness_to_pay("asc", "asc", alternative="z"),
        "alternative='z' is none of the model",
    ),
    "less than one cell of people": (
        lambda: small.fitted("hybrid").measurement.item_fit(np.inf),
        "positive number of people, not inf",
    ),
    "residuals of no item": (
        lambda: iclv.plot.residual_quantiles(small.fitted("hybrid"), []),
        "items= names no item",
    ),
    "a frame that nothing uses": (
        lambda: small.logit().bind({k: f.assign(id=range(len(f))) for k, f in two_frames().items()}, person="id"),
        "frame 'cards', which no choice has as its table=",
    ),
    "diagnosed at a mapping": (
        lambda: iclv.diagnose(small.fitted("logit").problem, {"price": 1.0}),
        "vector of the 3 free parameters .* not dict",
    ),
    "a scenario without a state": (
        lambda: small.fitted("logit").choices.scenario(None, small.data()),
        "first is a data frame of situations",
    ),
    "parameters in a list": (
        lambda: small.logit().simulate([1.0, 2.0], small.data()),
        "params is a mapping from names of parameters",
    ),
    "chunks, points": (lambda: streamed().uncertainty.profile("price", "x"), "points="),
    "chunks, name": (lambda: streamed().uncertainty.profile(["price"]), "What a parameter is called"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_odd_calls_are_refused(case):
    does, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        does()


def test_a_truth_value_is_the_alternative_that_it_equals():
    """To pandas a list of truth values is a mask."""
    levels = pd.Index([0, 1, 2], dtype=object)
    rows, aggregate = (
        pd.DataFrame(np.ones((4, 3)), columns=levels),
        pd.DataFrame({"value": 1.0}, index=levels),
    )
    shown = _elasticities._shown(_elasticities.Responses("price", "elasticity", rows, aggregate), True)
    assert (list(shown.rows), list(shown.aggregate.index)) == ([1], [1])


@pytest.mark.parametrize("chunks", [False, True])
def test_a_saved_fit_writes_tables_with_any_standard_errors(chunks, tmp_path):
    whole = streamed() if chunks else small.fitted("logit")
    whole.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    assert number(whole.standard_errors("robust")["price"]) in saved.summary("robust")
    assert saved.summary().splitlines()[0] == str(whole.summary()).splitlines()[0]
    assert "Saved fit" in saved.exports.to_latex(cov="robust", caption="Saved fit")
    with pytest.raises(ValueError, match="'robust'"):
        saved.exports.to_latex(cov="none of these")


def test_a_steep_loading_that_groups_share_is_named():
    """Its slope is that in the group where the latent variable varies most."""
    frame = pd.concat([small.data(80, seed) for seed in (0, 1)], ignore_index=True)
    frame["school"] = np.repeat(["north", "south"], 80)
    items = [iclv.Ordered(q, of="green") for q in ("q1", "q2", "q3")]
    model = iclv.Model(
        [iclv.Latent("green", on=["age"])], items, group="school", equal_across=("loadings", "thresholds")
    )
    problem = model.bind(frame, integration=small.RULE)
    objective = Likelihood(problem, np.ones(len(problem.names), bool))
    params = problem.unpack(problem.start()) | {"green =~ q1": 2.0, "green ~~ green [south]": 16.0}
    assert objective.steep(objective.z(problem.vector(params))) == ("green =~ q1",)
