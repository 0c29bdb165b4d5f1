"""Training on minibatches of people: gradients, ends, curves, and what comes before it."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small
from scipy import optimize

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood, Verdict
from iclv_jax._optimise._checkpoint import Slot
from iclv_jax._optimise._epoch import batch_slope, cut
from iclv_jax._optimise._recorded import Recorded
from iclv_jax._optimise._training import Training, course_of, held_out, whitening
from iclv_jax._parameters._penalties import resolve

ADAM = optax.adam(0.05)
"""One for all, so that it is compiled once for each number of batches."""


@pytest.fixture(scope="module")
def frame():
    return small.data()


def train(frame, transformation=ADAM, model=None, fit=None, **options):
    options = {"batch_people": 32, "epochs": 3} | options
    model = small.logit() if model is None else model
    return model.fit(
        frame,
        optimizer=iclv.Stochastic(transformation, **options),
        progress=False,
        **({} if fit is None else fit),
    )


@pytest.fixture(scope="module")
def stopped(frame):
    """Stopped early, by people who were held out."""
    return train(frame, epochs=200, validation=0.3, patience=8, seed=3)


# --- gradients ---


@pytest.mark.gate("None")
@pytest.mark.parametrize(
    "rule",
    [
        None,
        iclv.Adaptive(4),
        *(pytest.param(r, marks=pytest.mark.slow) for r in (small.RULE, iclv.MonteCarlo(6))),
    ],
    ids=repr,
)
def test_batches_average_to_the_full_gradient(frame, rule):
    """With nodes placed in each batch, and of a rule without centres; people weighted, in batches of unequal size."""
    model = small.logit() if rule is None else small.hybrid()
    problem = model.bind(frame, weights="w", integration=rule)
    start = problem.start() + 0.05
    course = course_of(iclv.Stochastic(ADAM), problem, start)
    objective = Likelihood(problem.recentre(start), np.ones(len(problem.names), bool))
    point = course.begin(objective.z(start)).point
    batches, real = cut(np.random.default_rng(0).permutation(len(frame)), 32)
    assert batches.shape == (3, 30) and len(np.unique(batches[real > 0.0])) == len(frame)
    batches, real = cut(np.random.default_rng(0).permutation(len(frame)), 20)
    assert set(real.sum(axis=1)) == {18.0}
    batches, real = cut(np.random.default_rng(0).permutation(len(frame)), 23)
    assert set(real.sum(axis=1)) == {22.0, 23.0}
    one = jax.jit(partial(batch_slope, rule=course.rule))
    each = [
        one(course.everybody, course.setting, point, *map(jnp.asarray, b))
        for b in zip(batches, real, strict=True)
    ]
    share = real.sum(axis=1) / len(frame)
    value, gradient = objective.slope(objective.z(start))[:2]
    assert sum(s * float(v) for s, (v, _) in zip(share, each, strict=True)) == pytest.approx(
        -float(value), abs=1e-12
    )
    mean = sum(s * g for s, (_, g) in zip(share, each, strict=True))
    np.testing.assert_allclose(mean, gradient * course.setting.scale, atol=1e-10)
    assert float(jnp.abs(each[0][1] - mean).max()) > 1e-3


def test_penalties_are_part_of_every_batch(frame):
    problem = small.logit().bind(frame)
    given = {"price": iclv.Gaussian(1.0, 0.1), "time": iclv.L2(7.0)}
    penalties = resolve(given, problem.names, {})
    free, start = np.ones(3, bool), jnp.asarray([0.1, 0.4, -0.3])
    training = Training(iclv.Stochastic(ADAM), problem, free, penalties, lambda row: None, Slot())
    training.run(start)
    course, objective = training.course, Likelihood(problem, free, penalties)
    everyone = jnp.arange(len(frame)), jnp.ones(len(frame))
    one = jax.jit(partial(batch_slope, rule=course.rule))
    _, gradient = one(course.everybody, course.setting, start / course.values, *everyone)
    np.testing.assert_allclose(gradient, objective.slope(start)[1] * course.values, atol=1e-12)


# --- where it ends ---


@pytest.mark.gate("logit-400-False")
@pytest.mark.parametrize(("name", "steps", "whiten"), [("logit", 400, False), ("hybrid", 250, True)])
def test_full_batches_reach_the_maximum(frame, name, steps, whiten):
    best = small.fitted(name)
    model, rule = (small.logit(), None) if name == "logit" else (small.hybrid(), small.RULE)
    adam = optax.adam(optax.cosine_decay_schedule(0.1, steps))
    options = {"batch_people": None, "epochs": steps, "whiten": whiten}
    fit = train(frame, adam, model, {"integration": rule, "start": "default"}, **options)
    assert fit.llf == pytest.approx(best.llf, abs=1e-3)
    distance = (fit.params - best.params) / best.bse
    assert distance.abs().max() < 0.03


def test_whitened_scores_are_uncorrelated(frame):
    problem = small.logit().bind(frame)
    start = jnp.asarray([0.3, -0.5, 0.2])
    objective = Likelihood(problem, np.ones(3, bool))
    matrix = whitening(iclv.Stochastic(ADAM), objective, np.arange(len(frame)), start)
    scores = np.asarray(problem.score_person(start)) @ np.asarray(matrix)
    np.testing.assert_allclose(scores.T @ scores / len(frame), np.eye(3), atol=1e-10)
    one = train(
        frame, optax.sgd(0.5), whiten=True, batch_people=None, epochs=1, fit={"start": {"price": 1.0}}
    )
    at = jnp.asarray(one.start)
    outer = np.asarray(problem.score_person(at)).T @ np.asarray(problem.score_person(at))
    np.testing.assert_allclose(
        one.params, one.start + 0.5 * np.linalg.solve(outer, problem.score(at)), rtol=1e-8
    )


def test_training_is_no_maximum_and_says_so(stopped):
    report = stopped.optimizer_report
    assert report.verdict is Verdict.TRAINED and not stopped.converged
    assert np.isnan(report.decrement) and report.evaluations == report.iterations * 2
    text = str(stopped.summary())
    assert text.startswith("*** DID NOT CONVERGE (training stopped)") and "not a maximum" in text
    assert f"{report.iterations} epochs, {report.evaluations} steps" in text
    assert "standard errors describe the curvature there" in text


def test_early_stopping_restores_the_best_point(stopped, frame):
    trace, report = stopped.trace, stopped.optimizer_report
    best = int(trace["validation"].argmax())
    assert len(trace) == best + 1 + 8 < 200
    assert f"that after epoch {best + 1}" in report.message or f"after epoch {best + 1}," in report.message
    out = held_out(stopped.problem, 0.3, 3)
    assert out.sum() == 27
    each = np.asarray(stopped.problem.loglike_person(stopped.estimates))
    assert each[out].mean() == pytest.approx(trace["validation"].max(), abs=1e-12)
    last = train(frame, epochs=len(trace), validation=0.3, seed=3)
    np.testing.assert_array_equal(last.trace["train"], trace["train"])
    np.testing.assert_array_equal(last.params, stopped.params)
    shorter = train(frame, epochs=best + 1, validation=0.3, seed=3)
    np.testing.assert_array_equal(shorter.params, stopped.params)


def test_the_curve_of_a_full_batch_is_the_log_likelihood(frame):
    fit = train(frame, batch_people=None, epochs=4, trace_parameters=True)
    points = fit.trace[[f"param:{n}" for n in fit.names]].to_numpy()
    values = [small.logit_loglike(frame, p) / len(frame) for p in points]
    np.testing.assert_allclose(fit.trace["train"][1:], values[:-1], atol=1e-12)
    np.testing.assert_allclose(fit.params, points[-1])
    np.testing.assert_allclose(fit.trace["loglike"], fit.trace["train"] * len(frame))


def test_a_seed_decides_everything(frame, stopped):
    again = train(frame, epochs=200, validation=0.3, patience=8, seed=3)
    np.testing.assert_array_equal(again.params, stopped.params)
    other = train(frame, epochs=200, validation=0.3, patience=8, seed=4)
    assert (other.params != stopped.params).all()


def test_whole_clusters_are_held_out(frame):
    problem = small.logit().bind(frame, cluster="group")
    out = held_out(problem, 0.2, 0)
    assert out.sum() == 18 and (out.reshape(-1, 3).all(axis=1) | ~out.reshape(-1, 3).any(axis=1)).all()
    assert (held_out(problem, 0.2, 1) != out).any()


def test_weights_in_all_change_nothing(frame):
    once, twice = train(frame), train(frame.assign(w=2.0), fit={"weights": "w"})
    np.testing.assert_allclose(twice.params, once.params, rtol=1e-12)
    assert twice.llf == pytest.approx(2.0 * once.llf, rel=1e-12)


# --- transformations, clipping, averages, bounds ---

TRANSFORMATIONS = {
    "sgd": optax.sgd(0.3),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "nesterov": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adagrad": optax.adagrad(0.3),
    "rmsprop": optax.rmsprop(0.05),
    "adamw": optax.adamw(0.05),
    "schedule": optax.adam(optax.exponential_decay(0.1, 10, 0.5)),
    "chain": optax.chain(optax.clip(1.0), optax.scale_by_adam(), optax.scale(-0.05)),
    "told": optax.inject_hyperparams(optax.sgd)(optax.linear_schedule(0.3, 0.1, 9)),
}


@pytest.mark.gate("adamw", "schedule", "chain", "told")
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_any_transformation_trains(frame, name):
    fit = train(frame, TRANSFORMATIONS[name], epochs=3, fit={"start": {"price": 1.0}})
    assert fit.optimizer_report.verdict is Verdict.TRAINED
    start = small.logit_loglike(frame, fit.start)
    assert start + 0.5 < fit.llf < small.fitted("logit").llf
    rates = fit.trace["learning_rate"]
    if name == "told":
        np.testing.assert_allclose(rates, [0.3 - 0.2 * k / 9 for k in (2, 5, 8)])
    else:
        assert rates.isna().all()


def test_plain_descent_by_hand(frame):
    """One step, clipped, in scaled parameters."""
    free = train(frame, optax.sgd(1.0), batch_people=None, epochs=1, fit={"start": "default"})
    problem, zero = small.logit().bind(frame), jnp.zeros(3)
    scores = np.asarray(problem.score_person(zero))
    scale = 1.0 / np.sqrt((scores**2).mean(axis=0))
    np.testing.assert_allclose(free.params, scale**2 * scores.mean(axis=0), rtol=1e-10)
    norm = np.linalg.norm(scale * scores.mean(axis=0))
    assert free.trace["gradient"][0] == pytest.approx(norm, rel=1e-10)
    clipped = train(frame, optax.sgd(1.0), batch_people=None, epochs=1, clip=0.1, fit={"start": "default"})
    np.testing.assert_allclose(clipped.params, free.params * 0.1 / norm, rtol=1e-10)
    assert clipped.trace["gradient"][0] == pytest.approx(norm) and clipped.trace["step"][0] == pytest.approx(
        0.1
    )


@pytest.mark.parametrize(
    ("average", "share"), [(0.7, lambda t: max(0.3, 1 / t)), ("polyak", lambda t: 9 / (t + 8))]
)
def test_averages(frame, average, share):
    points = (
        train(frame, batch_people=None, epochs=6, trace_parameters=True)
        .trace.filter(like="param:")
        .to_numpy()
    )
    mean = np.zeros(3)
    for t, point in enumerate(points, start=1):
        mean += share(t) * (point - mean)
    fit = train(frame, batch_people=None, epochs=6, average=average)
    np.testing.assert_allclose(fit.params, mean, rtol=1e-10)


def test_bounds_hold_at_every_step(frame):
    model = small.logit(bounds={"price": (-0.3, None)})
    fit = train(frame, optax.sgd(2.0), model, epochs=5, batch_people=None, trace_parameters=True)
    assert (fit.trace["param:price"] >= -0.3).all()
    assert fit.params["price"] == pytest.approx(-0.3) and "price" in fit.optimizer_report.active
    assert np.isnan(fit.bse["price"])


def test_equal_transformations_compile_nothing_anew():
    assert Recorded(optax.adam(0.05), 3) == Recorded(optax.adam(0.05), 3)
    assert hash(Recorded(optax.adam(0.05), 3)) == hash(Recorded(optax.adam(0.05), 3))
    assert Recorded(optax.adam(0.05), 3) != Recorded(optax.adam(0.0500000001), 3)
    assert Recorded(optax.adam(0.05), 3) != Recorded(optax.adamw(0.05), 3)


# --- other objectives ---


@pytest.mark.parametrize("objective", ["brier", "hinge"])
def test_other_objectives(frame, objective):
    """Against scipy on the loss in plain numpy."""
    side = np.where(frame["choice"] == "a", 1.0, -1.0)

    def loss(p):
        index = side * (p[0] + p[1] * frame["price"].to_numpy() + p[2] * frame["time"].to_numpy())
        each = 2.0 / (1.0 + np.exp(index)) ** 2 if objective == "brier" else np.maximum(0.0, 1.0 - index)
        return each.sum()

    adam = optax.adam(optax.cosine_decay_schedule(0.05, 600))
    fit = train(frame, adam, objective=objective, batch_people=None, epochs=600)
    other = optimize.minimize(
        loss, fit.estimates, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    assert loss(fit.estimates) == pytest.approx(other.fun, abs=0.005)
    assert fit.llf == pytest.approx(small.logit_loglike(frame, fit.estimates), abs=1e-9)
    assert fit.llf < small.fitted("logit").llf
    assert "not the negative log-likelihood" in str(fit.summary())


def test_other_objectives_need_closed_forms(frame):
    with pytest.raises(ValueError, match="objective='brier' takes choice probabilities in closed form"):
        train(frame, model=small.hybrid(), objective="brier")
    with pytest.raises(ValueError, match="polish= maximises the likelihood"):
        iclv.Stochastic(ADAM, objective="hinge", polish=True)
    with pytest.raises(ValueError, match="objective is one of"):
        iclv.Stochastic(ADAM, objective="mse")


# --- absolute values ---


def lasso(frame, strengths):
    """The lasso logit by positive and negative parts."""

    def negative(both):
        p = both[:3] - both[3:]
        return strengths @ (both[:3] + both[3:]) - small.logit_loglike(frame, p)

    found = optimize.minimize(
        negative, np.full(6, 0.1), bounds=[(0, None)] * 6, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    return found.x[:3] - found.x[3:]


def test_lasso_against_scipy(frame):
    adam = optax.adam(optax.cosine_decay_schedule(0.1, 400))
    for strong in (8.0, 25.0):
        given = {"price": iclv.L1(4.0), "time": iclv.L1(strong)}
        fit = train(frame, adam, batch_people=None, epochs=400, fit={"penalties": given})
        np.testing.assert_allclose(fit.params, lasso(frame, np.array([0.0, 4.0, strong])), atol=2e-4)
    assert fit.params["time"] == 0.0 and np.isnan(fit.bse["time"]) and fit.bse["price"] > 0.0
    text = str(fit.summary())
    assert "iclv.L1 has set time to zero" in text and "take its choice as given" in text
    assert fit.penalty == pytest.approx(4.0 * abs(fit.params["price"]))


def test_lasso_of_what_cannot_be_zero_is_refused(frame):
    for name in ("q1 | 2", "q3 | 2"):
        with pytest.raises(ValueError, match=r"iclv.L1 on .*cannot be drawn to zero"):
            train(frame, model=small.hybrid(), fit={"penalties": {name: iclv.L1(1.0)}})
    with pytest.raises(ValueError, match=r"polish= takes second derivatives.*'price'"):
        train(frame, polish=True, fit={"penalties": {"price": iclv.L1(1.0)}})


# --- polish ---


def test_polish_takes_all_parameters_to_the_maximum(frame):
    fit = train(frame, polish=True)
    assert fit.converged and fit.optimizer_report.trained == ()
    assert fit.llf == pytest.approx(small.fitted("logit").llf, abs=1e-9)
    np.testing.assert_allclose(fit.bse, small.fitted("logit").bse, rtol=1e-6)
    assert list(fit.trace["stage"].unique()) == ["training", "polish"]


def test_polish_of_some_holds_the_others(frame):
    trained, fit = train(frame), train(frame, polish=["price"])
    assert fit.optimizer_report.trained == ("asc", "time")
    np.testing.assert_array_equal(fit.params[["asc", "time"]], trained.params[["asc", "time"]])
    assert fit.problem.score(fit.estimates)[1] == pytest.approx(0.0, abs=1e-4)
    assert fit.bse["price"] == pytest.approx((-fit.hessian.loc["price", "price"]) ** -0.5)
    assert np.isnan(fit.bse["asc"]) and fit.converged
    assert "asc, time stayed where training stopped" in str(fit.summary())
    with pytest.raises(ValueError, match="polish= names 'prise'"):
        train(frame, polish=["prise"])


def test_named_parameters_are_those_outside_modules():
    from iclv_jax._optimise._suited import polished
    from iclv_jax._spec import Parameter

    names = ("price", "green ~ region[3]", "taste.layers[0].weight[2,1]", "taste.bias[0]", "q | 1")
    roles = ("coefficient", "slope", "weight", "weight", "threshold")
    known = tuple(Parameter(n, "choice", r, 0.0, "") for n, r in zip(names, roles, strict=True))
    marks = polished(iclv.Stochastic(ADAM, polish="named"), known)
    assert marks.tolist() == [True, True, False, False, True]
    assert polished(iclv.Stochastic(ADAM, polish=["taste"]), known).tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]


# --- interruptions ---


def test_an_interruption_returns_the_best_point_so_far(frame):
    problem, free = small.logit().bind(frame), np.ones(3, bool)

    def interrupt(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    options = iclv.Stochastic(ADAM, batch_people=32, epochs=50)
    start = jnp.zeros(3)
    found = Training(options, problem, free, None, interrupt, Slot()).run(start)
    whole = Training(replace(options, epochs=3), problem, free, None, lambda row: None, Slot()).run(start)
    assert found.verdict is Verdict.INTERRUPTED and "Interrupted" in found.message
    np.testing.assert_array_equal(found.params, whole.params)


def test_a_killed_training_goes_on_to_the_same_answer(frame, tmp_path):
    file, options = tmp_path / "state.npz", {"validation": 0.3, "average": 0.5}
    train(frame, epochs=2, fit={"checkpoint": file}, **options)
    resumed = train(frame, epochs=5, fit={"checkpoint": file}, **options)
    whole = train(frame, epochs=5, **options)
    np.testing.assert_array_equal(resumed.params, whole.params)
    np.testing.assert_array_equal(resumed.trace["train"], whole.trace["train"])
    with pytest.raises(ValueError, match="another optimiser"):
        train(frame, optax.adam(0.06), epochs=5, fit={"checkpoint": file}, **options)


def test_a_time_limit(frame):
    fit = train(frame, epochs=10_000, time_limit=1e-9)
    assert fit.optimizer_report.verdict is Verdict.TIME_LIMIT and len(fit.trace) == 1


def test_what_is_not_finite_restores_the_last_good_point(frame):
    fit = train(frame, optax.sgd(lambda count: jnp.where(count < 5, 0.1, jnp.inf)), epochs=5)
    assert (
        fit.optimizer_report.verdict is Verdict.NOT_FINITE
        and "Lower the learning rate" in fit.optimizer_report.message
    )
    assert np.isfinite(fit.params).all() and np.isfinite(fit.llf)
    good = int(fit.trace["accepted"].sum())
    assert 0 < good == len(fit.trace) - 1
    np.testing.assert_allclose(fit.params, train(frame, optax.sgd(0.1), epochs=good).params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transformation": 0.1}, "Stochastic takes transformations of a gradient alone"),
        ({"transformation": optax.lbfgs()}, "could not be recorded"),
        ({"batch_people": 0}, "batch_people is a whole number"),
        ({"epochs": 1.5}, "epochs is a whole number"),
        ({"epochs": None}, "epochs is a whole number"),
        ({"validation": 1.0}, "validation is a share"),
        ({"patience": 3}, "patience watches people who are held out"),
        ({"clip": 0.0}, "clip is positive"),
        ({"average": 1.0}, "average is a decay"),
        ({"average": "mean"}, "average is a decay"),
        ({"seed": -1}, "seed is a whole number"),
        ({"polish": "price"}, "polish is True, False"),
        ({"tolerance": 0.0}, "tolerance is positive"),
    ],
    ids=lambda v: "",
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        iclv.Stochastic(**({"transformation": ADAM} | options))


def test_what_training_cannot_do_is_refused(frame):
    optimizer = iclv.Stochastic(ADAM)
    with pytest.raises(ValueError, match="Stochastic cannot be compiled"):
        iclv.multistart(small.logit().bind(frame), 2, optimizer=optimizer)
    with pytest.raises(ValueError, match="where training does not end"):
        small.hybrid().fit_sequential(frame, optimizer=optimizer)
    with pytest.raises(ValueError, match="whiten=True mixes parameters"):
        train(frame, model=small.logit(bounds={"price": (None, 0.0)}), whiten=True)
    with pytest.raises(ValueError, match="leaves nobody"):
        train(frame, validation=0.001)


# --- before training ---


@pytest.fixture(scope="module")
def rates(frame):
    return iclv.learning_rate_test(
        small.logit(), frame, optax.sgd, lowest=1e-3, highest=1e3, steps=60, batch_people=30
    )


def test_learning_rates(rates):
    table = rates.table
    np.testing.assert_allclose(table["learning_rate"].iloc[[0, -1]], [1e-3, 1e3])
    assert table["train"].iloc[0] == pytest.approx(-np.log(2.0))
    assert 0.01 < rates.best < 100.0 and rates.suggestion == pytest.approx(rates.best / 10.0)
    assert table["smoothed"].iloc[-1] < table["smoothed"].max() - 0.5
    assert "Suggested" in str(rates)


def test_learning_rates_that_cannot_be(frame):
    with pytest.raises(ValueError, match="0 < lowest < highest"):
        iclv.learning_rate_test(small.logit(), frame, lowest=1.0, highest=0.1)
    with pytest.raises(ValueError, match="makes one from a learning rate"):
        iclv.learning_rate_test(small.logit(), frame, 0.1)


def test_sanity_of_a_sound_model(frame):
    found = iclv.sanity_checks(small.logit(), frame)
    assert found.ok, found
    row = found.table.loc["log-likelihood per choice at the start"]
    assert row["found"] == pytest.approx(-np.log(2.0)) and "equal shares" in row["expected"]
    assert -np.log(2.0) < found.table["found"].iloc[2] < 0.0
    assert "choice parameters" in str(found)


def test_sanity_of_a_model_that_cannot_learn(frame):
    def utility(b, x, lv):
        return {"a": b.asc * 0.0 * x.price + 40.0 * b.far * (x.price > 9.0), "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, chosen="choice"))
    found = iclv.sanity_checks(model, frame, epochs=5)
    assert not found.ok
    assert found.table["ok"].tolist() == [True, True, False, False]
    assert "2 of 2 have no gradient" in found.table["advice"].iloc[-1]
    far = iclv.sanity_checks(small.logit(), frame, start={"price": 30.0}, epochs=5)
    assert not far.table["ok"].iloc[1] and "worse than equal shares" in far.table["advice"].iloc[1]
