"""Accuracy of the integral: exact conditioning, honest errors, staged nodes, and hard cases."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import (
    Adaptive,
    Conditioned,
    Continuous,
    GaussHermite,
    Laplace,
    Latent,
    Logit,
    Ordered,
    Trapezoid,
)
from iclv_jax._problem._accuracy import SEEDS, accuracy

PEOPLE = 100


def hybrid(item, chain=False):
    """One latent variable that the utility sees and, in a chain, another that follows from it."""

    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.att * lv.one, "b": 0.0}

    latent = [Latent("one", on=["age"])] + [Latent("two", on=["one"])] * chain
    items = [item(f"p{i}", of="one") for i in range(3)] + [item(f"q{i}", of="two") for i in range(3)] * chain
    return iclv.Model(latent, items, Logit(utility, chosen="choice"))


def truth(model, frame):
    """Moderate values for every parameter, by kind."""
    values = {"asc": 0.3, "price": -0.8, "att": 0.9, "one ~ age": 0.5, "two ~ one": 0.4}
    for i in range(3):
        values |= {f"one =~ p{i}": 1.0, f"two =~ q{i}": 0.8}
        for q in (f"p{i}", f"q{i}"):
            values |= {f"{q} ~ 1": 0.2, f"{q} ~~ {q}": 0.7} | {f"{q} | {k}": float(k - 2) for k in (1, 2, 3)}
    known = {row.name for row in model_table(model).rows if row.status == "free"}
    return {name: value for name, value in values.items() if name in known}


def model_table(model):
    from iclv_jax._parameters import build_table

    levels = {i.column: (1, 2, 3, 4) if i.discrete else () for i in model.spec.indicators}
    return build_table(model.spec, levels)


def survey(model, seed=0, situations=3):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "person": np.repeat(np.arange(PEOPLE), situations),
            "age": np.repeat(generator.normal(size=PEOPLE), situations),
            "price": generator.normal(size=PEOPLE * situations),
        }
    )
    return model.simulate(truth(model, frame), frame, seed=seed, person="person")


def with_gaps(data):
    """Some answers missing, always the same for all rows of a person."""
    data = data.copy()
    items = [c for c in data.columns if c[0] in "pq" and c[1:].isdigit()]
    for i, column in enumerate(items):
        data.loc[data.person % 9 == i, column] = np.nan
    data.loc[data.person % 11 == 3, items] = np.nan
    return data


@pytest.fixture(scope="module")
def normal():
    model = hybrid(Continuous, chain=True)
    return model, with_gaps(survey(model))


@pytest.fixture(scope="module")
def exact(ordered):
    """The fit of the ordered model by quadrature."""
    model, data = ordered
    return model.fit(data, person="person", progress=False)


@pytest.fixture(scope="module")
def ordered():
    model = hybrid(Ordered)
    return model, with_gaps(survey(model))


# --- exact conditioning ---


def test_conditioning_is_chosen_for_continuous_items_and_can_be_turned_off(normal, ordered):
    model, data = normal
    assert isinstance(model.bind(data, person="person").rule, Conditioned)
    assert model.bind(data, person="person", integration=GaussHermite(5)).rule == GaussHermite(5)
    model, data = ordered
    assert model.bind(data, person="person").rule == GaussHermite(15)
    with pytest.raises(
        ValueError, match="Conditioned needs latent variables with linear equations whose items are all"
    ):
        model.bind(data, person="person", integration=Conditioned())


@pytest.mark.slow
def test_conditioning_equals_brute_force_in_two_dimensions(normal):
    model, data = normal
    brute = model.bind(data, person="person", integration=GaussHermite(24))
    params = brute.vector(truth(model, data))
    brute = brute.recentre(params)
    exact = model.bind(data, person="person", integration=Conditioned(GaussHermite(24))).recentre(params)
    assert exact.core.structure.dimension == 1 and brute.core.structure.dimension == 2
    np.testing.assert_allclose(exact.loglike_person(params), brute.loglike_person(params), rtol=0, atol=1e-8)
    np.testing.assert_allclose(exact.score(params), brute.score(params), rtol=0, atol=1e-6)
    both = [np.asarray(p.hessian(params)) for p in (exact, brute)]
    np.testing.assert_allclose(*both, rtol=0, atol=1e-6 * np.abs(both[0]).max())


@pytest.mark.slow
def test_items_alone_need_no_nodes(normal):
    _, data = normal
    model = iclv.Model([Latent("one", on=["age"])], [Continuous(f"p{i}", of="one") for i in range(3)])
    people = data.drop_duplicates("person")
    people = people[people[["p0", "p1", "p2"]].notna().any(axis=1)]
    exact = model.bind(people, person="person")
    assert exact.core.nodes.shocks.shape[1:] == (1, 0)
    brute = model.bind(people, person="person", integration=Trapezoid(401))
    params = exact.start()
    np.testing.assert_allclose(exact.loglike_person(params), brute.loglike_person(params), rtol=0, atol=1e-8)
    assert "exact conditioning" in str(model.fit(people, person="person", progress=False).summary())


@pytest.mark.slow
def test_posterior_moments_are_the_same_with_and_without_conditioning(normal):
    from iclv_jax._predict import posterior

    model, data = normal
    brute = model.bind(data, person="person", integration=GaussHermite(24))
    params = brute.vector(truth(model, data))
    exact = model.bind(data, person="person", integration=Conditioned(GaussHermite(24))).recentre(params)
    brute = brute.recentre(params)
    for a, b in zip(posterior(exact.core, params), posterior(brute.core, params), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7)


@pytest.mark.slow
def test_estimates_under_conditioning_recover_the_truth(normal):
    model, data = normal
    fit = model.fit(data, person="person", progress=False)
    true = pd.Series(truth(model, data))[list(fit.names)]
    z = (fit.params - true) / fit.bse
    assert fit.converged
    assert (np.abs(z) < 4).all(), z
    assert 0.3 < (z**2).mean() < 2.5


# --- adaptive rules ---


def test_few_adaptive_nodes_agree_with_many_plain_ones(ordered):
    model, data = ordered
    plain = model.bind(data, person="person", integration=GaussHermite(60, adaptive=False))
    params = plain.vector(truth(model, data))
    few = model.bind(data, person="person", integration=GaussHermite(15)).recentre(params)
    assert float(few.loglike(params)) == pytest.approx(float(plain.loglike(params)), abs=1e-6)


def test_product_grids_leave_out_negligible_corners():
    assert GaussHermite(15).standard(1, 1).points.shape[1] == 15
    pruned = GaussHermite(20, adaptive=False).standard(1, 3)
    assert pruned.points.shape[1] < 0.6 * 20**3
    assert np.exp(pruned.log_weights).sum() == pytest.approx(1.0, abs=1e-11)
    # Placed at a posterior, those that are light under a normal density reach the tails.
    assert GaussHermite(20).standard(1, 3).points.shape[1] == 20**3


@pytest.mark.slow
def test_few_adaptive_nodes_agree_with_many_plain_ones_in_two_dimensions():
    model = hybrid(Ordered, chain=True)
    data = with_gaps(survey(model))
    plain = model.bind(data, person="person", integration=GaussHermite(60, adaptive=False))
    params = plain.vector(truth(model, data))
    few = plain.integrate(GaussHermite(15)).recentre(params)
    assert float(few.loglike(params)) == pytest.approx(float(plain.loglike(params)), abs=1e-6)


@pytest.mark.slow
def test_stated_error_of_adaptive_draws_is_honest(ordered):
    """Twenty seeds, each with randomisations of its own behind the stated error."""
    model, data = ordered
    exact = model.bind(data, person="person", integration=GaussHermite(25))
    params = exact.vector(truth(model, data))
    value = float(exact.recentre(params).loglike(params))
    first = model.bind(data, person="person", integration=Adaptive(32, "sobol"))
    errors, stated = [], []
    for seed in range(20):
        problem = first.integrate(Adaptive(32, "sobol", seed)).recentre(params)
        errors.append(float(problem.loglike(params)) - value)
        stated.append(accuracy(problem, params, 1_000 + seed * SEEDS).error)
    typical = np.sqrt(np.mean(np.square(stated)))
    assert 0.7 < typical / np.std(errors, ddof=1) < 1.4
    # A standard error from four values is itself uncertain by two fifths, so the typical one is taken.
    assert (np.abs(errors) < 3.0 * typical).all()


def test_laplace_is_one_node_and_close(ordered):
    model, data = ordered
    one = model.bind(data, person="person", integration=Laplace())
    params = one.vector(truth(model, data))
    assert one.core.nodes.shocks.shape[1] == 1
    single = model.bind(data, person="person", integration=GaussHermite(1))
    value = float(one.recentre(params).loglike(params))
    assert value == pytest.approx(float(single.recentre(params).loglike(params)), abs=1e-9)
    exact = model.bind(data, person="person", integration=GaussHermite(20)).recentre(params)
    assert abs(value - float(exact.loglike(params))) < 0.1 * PEOPLE


@pytest.mark.parametrize("rule", [Laplace(), GaussHermite(1)])
def test_one_node_is_not_maximised(ordered, rule):
    model, data = ordered
    with pytest.raises(
        ValueError, match="one node per person, which gives values of the log-likelihood but cannot"
    ):
        model.fit(data, person="person", integration=rule, progress=False)


@pytest.mark.slow
def test_search_and_result_have_their_own_nodes(ordered, exact):
    model, data = ordered
    fit = model.fit(data, person="person", integration=Adaptive(12, "sobol", final_draws=256), progress=False)
    assert fit.converged
    assert fit.problem.core.nodes.shocks.shape[1] == 256 + 13  # One in twenty is added from the prior.
    assert {s.split(",")[1] for s in fit.trace.stage if s.startswith("joint")} == {
        " 12 sobol draws per person from the approximate posterior",
        " 256 sobol draws per person from the approximate posterior",
    }
    assert (np.abs(fit.params - exact.params) < 0.3 * exact.bse).all()
    # Standard errors of large loadings depend on the estimates, so they are compared at the same ones.
    same = exact.problem.recentre(fit.estimates).hessian(fit.estimates)
    errors = np.sqrt(np.diag(np.linalg.inv(-np.asarray(same))))
    # Item p2 has by far the largest loading here: its score is steep across the posterior, and draws then
    # resolve its curvature slowly (10 % with these, nearly all of it in its own parameters).
    steep = np.array([name.endswith("p2") or name.startswith("p2") for name in fit.names])
    assert exact.params["one =~ p2"] == max(exact.params[f"one =~ p{i}"] for i in range(3))
    np.testing.assert_allclose(fit.bse[~steep], errors[~steep], rtol=0.05)
    np.testing.assert_allclose(fit.bse[steep], errors[steep], rtol=0.15)
    report = str(fit.integration_report())
    assert "effective sample size" in report and "Verdict" in report
    assert fit.accuracy.error < 0.5 and fit.accuracy.sizes.min() > 1
    assert "standard error of" in str(fit.summary())


@pytest.mark.slow
def test_nodes_are_doubled_until_the_target_is_met(ordered, exact):
    model, data = ordered
    loose = GaussHermite(3, target_error=0.01)
    fit = model.fit(data, person="person", integration=loose, start=exact, progress=False)
    assert fit.problem.rule.nodes > 3
    assert fit.llf == pytest.approx(exact.llf, abs=0.02)


@pytest.mark.slow
def test_a_fit_with_too_few_prior_draws_says_so(ordered, exact):
    model, data = ordered
    rule = iclv.MonteCarlo(14, "random")
    with pytest.warns(UserWarning, match="of the 14 draws carry weight") as caught:
        fit = model.fit(data, person="person", integration=rule, start=exact, progress=False)
    assert [w.filename for w in caught] == [__file__]
    assert str(fit.summary()).startswith("*** TOO FEW DRAWS: For half of the people at most")
    report = str(fit.integration_report())
    assert "Not accurate enough: half of the people have an effective sample size below 10" in report
    assert "Take iclv.Adaptive or adaptive quadrature" in report


@pytest.mark.slow
def test_a_fit_with_enough_prior_draws_says_nothing(ordered, exact):
    model, data = ordered
    rule = iclv.MonteCarlo(250)
    fit = model.fit(data, person="person", integration=rule, start=exact, accuracy=None, progress=False)
    assert np.median(fit.accuracy.sizes) > 10
    assert not str(fit.summary()).startswith("***")
    assert "effective sample size below" not in str(fit.integration_report())


@pytest.mark.slow
def test_a_rule_that_was_asked_for_is_kept_and_what_it_misses_is_said(ordered, exact):
    model, data = ordered
    rule = iclv.MonteCarlo(60)
    fit = model.fit(data, person="person", integration=rule, start=exact, progress=False)
    assert fit.problem.rule == rule and fit.accuracy.error > 0.1
    said = f"*** INTEGRAL NOT ACCURATE: log L has an error of {fit.accuracy.error:.2g} with 60 nodes per person, above"
    assert str(fit.summary()).startswith(said)


# --- accuracy as a target ---


def lognormals(count, people=120, situations=5):
    """A mixed logit with lognormal coefficients, whose posteriors are skewed, and data of it."""

    def utility(b, x, lv):
        return {j: sum(b[f"b{k}"] * x[f"x{k}_{j}"] for k in range(count)) for j in ("1", "2")}

    generator = np.random.default_rng(7)
    columns = {
        f"x{k}_{j}": generator.uniform(0.0, 4.0, people * situations) for k in range(count) for j in (1, 2)
    }
    frame = pd.DataFrame({"id": np.repeat(np.arange(people), situations), **columns})
    random = {f"b{k}": iclv.LogNormal(sign=-1) for k in range(count)}
    model = iclv.Model(choice=Logit(utility, chosen="y"), random=random)
    truth = {f"b{k}": -0.3 * k for k in range(count)} | {f"b{k}.sd": 1.0 for k in range(count)}
    return model, model.simulate(truth, frame, seed=2, person="id"), truth


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_default_fit_is_as_accurate_as_it_says(count):
    model, data, _ = lognormals(count)
    fit = model.fit(data, person="id", progress=False)
    assert fit.converged and fit.accuracy.error <= fit.accuracy.target == 0.1
    at = jnp.asarray(fit.params.to_numpy())
    many = [Adaptive(8_192, "sobol", seed=k, proposal="mean") for k in (50, 51)]
    truth = np.mean([float(fit.problem.integrate(rule).recentre(at).loglike(at)) for rule in many])
    assert abs(fit.llf - truth) < 0.2
    assert not str(fit.summary()).startswith("***")


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Adaptive(96), marks=pytest.mark.slow),
        Adaptive(64, "sobol", proposal="mean"),
        GaussHermite(5),
    ],
)
def test_the_stated_error_is_honest_for_skewed_posteriors(rule):
    """Seeds and more nodes do not show what a rule at the mode of a skewed posterior misses."""
    model, data, truth = lognormals(3)
    problem = model.bind(data, person="id", integration=rule)
    at = problem.vector(truth)
    many = [Adaptive(8_192, "sobol", seed=k, proposal="mean") for k in (50, 51)]
    exact = np.mean([float(problem.integrate(r).recentre(at).loglike(at)) for r in many])
    seeds = [rule.reseeded(k) or rule for k in range(6)]
    placed = [problem.integrate(r).recentre(at) for r in seeds]
    missed = [float(p.loglike(at)) - exact for p in placed]
    stated = [accuracy(p, at, 1_000 + 50 * k).error for k, p in enumerate(placed)]
    assert 0.5 < np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(missed))) < 2.0


@pytest.mark.parametrize("nodes", [8, 15])
def test_the_stated_error_of_a_grid_is_what_more_nodes_would_change(nodes):
    model, data, truth = lognormals(2)
    problem = model.bind(data, person="id", integration=GaussHermite(nodes))
    at = problem.vector(truth)
    exact = float(problem.integrate(GaussHermite(80)).recentre(at).loglike(at))
    placed = problem.recentre(at)
    missed = abs(float(placed.loglike(at)) - exact)
    assert 0.7 < accuracy(placed, at).error / missed < 1.4


def test_a_reference_less_precise_than_the_rule_is_not_taken_for_its_error(ordered):
    """Items make posteriors nearly normal, where spheres err by far less than draws at means do."""
    model, data = ordered
    problem = model.bind(data, person="person", integration=Adaptive(128))
    params = problem.vector(truth(model, data))
    placed = problem.recentre(params)
    exact = float(problem.integrate(GaussHermite(40)).recentre(params).loglike(params))
    seeds = [problem.integrate(Adaptive(128, seed=k)).recentre(params) for k in range(8)]
    missed = np.sqrt(np.mean([(float(p.loglike(params)) - exact) ** 2 for p in seeds]))
    stated = [accuracy(placed, params, 1_000 + 50 * k).error for k in range(4)]
    assert 0.6 < np.sqrt(np.mean(np.square(stated))) / missed < 1.7


def test_means_and_covariances_are_those_of_a_normal_posterior(normal):
    """Where items are normal and there is no choice, the posterior is too, and its mean is its mode."""
    _, data = normal
    model = iclv.Model([Latent("one", on=["age"])], [Continuous(f"p{i}", of="one") for i in range(3)])
    people = data.drop_duplicates("person").dropna()
    modes = model.bind(people, integration=Adaptive(256, "sobol"))
    at = modes.start()
    means = modes.integrate(Adaptive(256, "sobol", proposal="mean")).recentre(at)
    exact = model.bind(people).loglike_person(at)
    np.testing.assert_allclose(means.loglike_person(at), exact, rtol=0, atol=0.01)
    # Of a proposal with three times the posterior's variance in one dimension a node is worth sqrt(5) / 3, and those of the
    # prior that fall in its middle add to them.
    assert (np.asarray(means.effective_sizes(at)) > 256 * np.sqrt(5.0) / 3.0).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, "low", True])
def test_an_accuracy_that_is_none_is_refused(wrong):
    model, data, _ = lognormals(2)
    with pytest.raises(ValueError, match="accuracy= is the standard error of the log-likelihood"):
        model.fit(data, person="id", accuracy=wrong)


def test_proposals_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="proposal is 'mode', 'mean' or 'classes', not 'median'"):
        Adaptive(20, "sobol", proposal="median")
    with pytest.raises(ValueError, match="Spherical designs are for posteriors that are nearly normal"):
        Adaptive(20, proposal="mean")


def test_nodes_stay_within_the_memory():
    from iclv_jax._problem._elsewhere import Elsewhere
    from iclv_jax._problem._target import enough

    model, data, _ = lognormals(3)
    rule = Adaptive(128, "sobol", proposal="mean")
    problem = model.bind(data, person="id", integration=rule, memory="10MB")
    raised = enough(Elsewhere(problem, problem.start()), rule, 50.0, 0.1)
    assert 128 < raised.draws < 8_192
    assert 120 * raised.draws * 3 * 8 < 10e6


def test_latent_scores_follow_the_answers(ordered, exact):
    _, data = ordered
    scores = exact.latent_scores()
    assert list(scores.columns) == ["one", "one.sd"]
    sums = data.drop_duplicates("person").set_index("person")[["p0", "p1", "p2"]].sum(axis=1, min_count=3)
    assert scores.one.corr(sums) > 0.8
    answered = sums.notna()
    assert scores["one.sd"][answered].mean() < scores["one.sd"][~answered].mean()
    covariances = exact.latent_covariances()
    assert (np.linalg.eigvalsh(covariances) > 0).all()
    np.testing.assert_allclose(np.sqrt(covariances[:, 0, 0]), scores["one.sd"])


# --- hard cases ---


def check_finite(model, data, person, params=None):
    for rule in (GaussHermite(7), Adaptive(20)):
        problem = model.bind(data, person=person, integration=rule)
        at = problem.start() if params is None else problem.vector(params)
        problem = problem.recentre(at)
        for value in (problem.loglike_person(at), problem.score_person(at), problem.hessian(at)):
            assert np.isfinite(np.asarray(value)).all()
        assert np.asarray(problem.centres(at).found).all()


@pytest.mark.slow
def test_product_of_latent_variables_in_the_utility():
    def utility(b, x, lv):
        return {"a": b.asc + b.square * lv.one * lv.two + 4.0 * lv.one, "b": 0.0}

    items = [Ordered("p", of="one", levels=[1, 2, 3]), Ordered("q", of="two", levels=[1, 2, 3])]
    model = iclv.Model([Latent("one"), Latent("two")], items, Logit(utility, chosen="choice"))
    frame = pd.DataFrame({"id": np.repeat(np.arange(60), 8)})
    values = {"asc": 0.5, "square": 6.0, "one =~ p": 1.0, "two =~ q": 1.0}
    values |= {f"{q} | {k}": k - 1.5 for q in "pq" for k in (1, 2)}
    data = model.simulate(values, frame, seed=4, person="id")
    check_finite(model, data, "id", values)
    fit = model.fit(data, person="id", integration=GaussHermite(9), start=values, progress=False)
    assert fit.converged
    assert np.isfinite(fit.scores.to_numpy()).all()
    # No structural parameter is free here: the exact Hessian has no such block.
    params = fit.params.to_numpy()
    autodiff = np.asarray(fit.problem.hessian(params, "autodiff"))
    np.testing.assert_allclose(fit.problem.hessian(params), autodiff, atol=1e-10 * np.abs(autodiff).max())


def test_people_without_items_take_part(ordered, exact):
    """The fit converges with them, and what is known about them comes from covariates and choices."""
    _, data = ordered
    silent = data[data[["p0", "p1", "p2"]].isna().all(axis=1)].person.unique()
    assert len(silent) > 5
    assert exact.converged
    assert np.isfinite(exact.scores.loc[silent].to_numpy()).all()
    assert (exact.scores.loc[silent, [n for n in exact.names if "|" in n]] == 0.0).all(axis=None)
    assert (exact.scores.loc[silent, "att"] != 0.0).all()


@pytest.mark.slow
def test_loading_near_zero_perfect_prediction_and_top_answers(ordered):
    model, data = ordered
    weak = truth(model, data) | {"one =~ p0": 1e-9, "one =~ p1": 0.0, "one =~ p2": 0.0}
    check_finite(model, data, "person", weak)
    certain = truth(model, data) | {"price": -400.0, "asc": 30.0}
    check_finite(model, data, "person", certain)
    model = hybrid(lambda q, of: Ordered(q, of=of, levels=[1, 2, 3, 4]))
    top = data.copy()
    top.loc[top.person < 20, ["p0", "p1", "p2"]] = 4.0
    check_finite(model, top, "person", truth(model, data))


def test_recentring_does_not_depend_on_where_the_nodes_were(ordered):
    model, data = ordered
    problem = model.bind(data, person="person")
    params = problem.vector(truth(model, data))
    far = problem.recentre(params * 0.5).recentre(params)
    near = problem.recentre(params)
    np.testing.assert_array_equal(jnp.asarray(far.core.nodes.shocks), near.core.nodes.shocks)
