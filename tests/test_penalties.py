"""Penalties: values and derivatives, other programs' answers, and what a penalised fit says of itself."""

import jax.numpy as jnp
import numpy as np
import pytest
import small
from scipy import optimize

import iclv_jax as iclv
from iclv_jax._inference._penalised import penalised_hessian
from iclv_jax._inference._refits import refit
from iclv_jax._inference._resample import draw_weights
from iclv_jax._optimise import Likelihood
from iclv_jax._parameters._penalties import resolve

SMOOTH = {"price": iclv.Gaussian(-0.5, 0.4), "time": iclv.L2(3.0)}


@pytest.fixture(scope="module")
def frame():
    return small.data()


@pytest.fixture(scope="module")
def ridge(frame):
    return small.logit().fit(frame, penalties=SMOOTH, progress=False)


def priced(params):
    """The smooth penalties in plain numpy."""
    return 0.5 * ((params[1] + 0.5) / 0.4) ** 2 + 1.5 * params[2] ** 2


# --- the penalised log-likelihood ---


def test_derivatives_against_finite_differences():
    """In z, of a model with thresholds and variances, some of them penalised."""
    problem = small.hybrid().bind(small.data(), integration=small.RULE)
    problem = problem.recentre(problem.start())
    given = {
        "green =~ q1": iclv.L2(4.0),
        "q1 | 2": iclv.Gaussian(1.5, 0.3),
        "green ~ age": iclv.Gaussian(1.0, 0.2),
    }
    penalties = resolve(given, problem.names, {})
    objective = Likelihood(problem, np.ones(len(problem.names), bool), penalties)
    z = np.asarray(objective.z(problem.start())) + 0.05
    params = np.asarray(objective.params(jnp.asarray(z)))
    at = [problem.names.index(n) for n in given]
    by_hand = 2.0 * params[at[0]] ** 2 + 0.5 * ((params[at[1]] - 1.5) / 0.3) ** 2
    by_hand += 0.5 * ((params[at[2]] - 1.0) / 0.2) ** 2
    size = len(small.data())
    assert objective.value(jnp.asarray(z)) * size == pytest.approx(
        by_hand - float(problem.loglike(params)), abs=1e-10
    )
    assert objective.cost(jnp.asarray(z)) == pytest.approx(by_hand, rel=1e-12)
    found, step = objective.derivatives(jnp.asarray(z), "exact"), 1e-5
    assert float(found.value) == pytest.approx(objective.value(jnp.asarray(z)), rel=1e-13)
    np.testing.assert_allclose(objective.slope(jnp.asarray(z))[1], found.gradient, atol=1e-13)
    for i in range(len(z)):
        ends = [jnp.asarray(z + side * step * np.eye(len(z))[i]) for side in (1.0, -1.0)]
        slope = (objective.value(ends[0]) - objective.value(ends[1])) / (2.0 * step)
        assert float(found.gradient[i]) == pytest.approx(slope, abs=1e-8)
        row = (objective.slope(ends[0])[1] - objective.slope(ends[1])[1]) / (2.0 * step)
        np.testing.assert_allclose(found.hessian[i], row, atol=1e-7)


def test_ridge_logit_against_scipy(frame, ridge):
    other = optimize.minimize(
        lambda p: priced(p) - small.logit_loglike(frame, p),
        np.zeros(3),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    assert ridge.converged
    np.testing.assert_allclose(ridge.params, other.x, atol=1e-6)
    assert ridge.llf == pytest.approx(small.logit_loglike(frame, ridge.estimates), abs=1e-9)
    assert ridge.penalty == pytest.approx(priced(ridge.estimates), rel=1e-12)
    assert ridge.llf - ridge.penalty == pytest.approx(-other.fun, abs=1e-8)
    assert ridge.llf < small.fitted("logit").llf


@pytest.mark.parametrize(
    "optimizer", [iclv.LBFGSB(), iclv.BHHH(), iclv.Scipy("L-BFGS-B"), iclv.TrustRegion("bhhh")], ids=repr
)
def test_every_optimiser_finds_the_penalised_maximum(frame, ridge, optimizer):
    fit = small.logit().fit(frame, penalties=SMOOTH, optimizer=optimizer, progress=False)
    assert fit.converged
    np.testing.assert_allclose(fit.params, ridge.params, atol=1e-4)
    last = fit.trace.iloc[-1]
    assert last["loglike"] == pytest.approx(fit.llf, abs=0.1)
    assert last["penalty"] == pytest.approx(fit.penalty, abs=0.1)


def test_priors_from_none_to_certainty(frame):
    wide, tight = (
        small.logit().fit(frame, penalties={"price": iclv.Gaussian(-2.0, sd)}, progress=False)
        for sd in (1e4, 1e-4)
    )
    np.testing.assert_allclose(wide.params, small.fitted("logit").params, atol=1e-6)
    assert tight.params["price"] == pytest.approx(-2.0, abs=1e-5)
    np.testing.assert_allclose(tight.scores.sum()[["asc", "time"]], 0.0, atol=1e-4)
    held = np.linalg.inv(-tight.hessian.loc[["asc", "time"], ["asc", "time"]].to_numpy())
    np.testing.assert_allclose(tight.cov_params().loc[["asc", "time"], ["asc", "time"]], held, rtol=1e-5)
    assert tight.bse["price"] == pytest.approx(1e-4, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["default", "sequential"])
def test_hybrid(start):
    """Stages, placed nodes and the joint fit see the penalty."""
    free = small.hybrid().fit(small.data(), integration=small.RULE, start=start, progress=False)
    given = {"taste": iclv.L2(20.0)}
    fit = small.hybrid().fit(
        small.data(), integration=small.RULE, start=start, penalties=given, progress=False
    )
    assert fit.converged and 0.0 < fit.params["taste"] < 0.8 * free.params["taste"]
    score = np.array(fit.problem.score(fit.estimates))
    score[fit.names.index("taste")] -= 20.0 * fit.params["taste"]
    np.testing.assert_allclose(score, 0.0, atol=1e-3)
    assert fit.penalty == pytest.approx(10.0 * fit.params["taste"] ** 2)


@pytest.mark.slow
def test_more_nodes_move_a_penalised_fit_little():
    given = {"taste": iclv.L2(20.0)}
    fit = small.hybrid().fit(small.data(), integration=small.RULE, penalties=given, progress=False)
    assert np.abs(fit._finer.shifts).max() < 0.05


# --- what follows ---


def test_covariances_are_those_of_the_penalised_log_likelihood(ridge):
    bread = np.linalg.inv(-ridge.hessian.to_numpy() + np.diag([0.0, 0.4**-2, 3.0]))
    scores = ridge.scores.to_numpy()
    np.testing.assert_allclose(ridge.cov_params(), bread, rtol=1e-8)
    np.testing.assert_allclose(ridge.cov_params("robust"), bread @ scores.T @ scores @ bread, rtol=1e-8)
    outer = np.linalg.inv(scores.T @ scores + np.diag([0.0, 0.4**-2, 3.0]))
    np.testing.assert_allclose(ridge.cov_params("bhhh"), outer, rtol=1e-8)
    np.testing.assert_allclose(np.linalg.inv(bread), -penalised_hessian(ridge), rtol=1e-8)
    assert any("penalised" in note for note in ridge.covariance().notes)


def fit_again(ridge, weights):
    information = -penalised_hessian(ridge).to_numpy()
    other = ridge.problem.with_weights(jnp.asarray(weights))
    return refit(other, ridge.estimates, information, ridge.penalties).params


@pytest.mark.slow
def test_jackknife_against_leaving_people_out(ridge):
    """One Newton step from the estimates, so close to fits without each person."""
    people = np.arange(ridge.nobs)
    fits = np.array([fit_again(ridge, (people != i).astype(float)) for i in people])
    centred = fits - fits.mean(axis=0)
    matrix = (len(fits) - 1) / len(fits) * centred.T @ centred
    np.testing.assert_allclose(ridge.standard_errors("jackknife"), np.sqrt(np.diag(matrix)), rtol=0.01)


@pytest.mark.slow
def test_bootstrap_against_refits(ridge):
    """Samples of weights, each against a penalised fit of its own."""
    found = ridge.bootstrap(3, seed=1)
    drawn = draw_weights(ridge.problem, 3, 1)
    fits = [fit_again(ridge, weights) for weights in drawn]
    np.testing.assert_allclose(found.samples, fits, atol=1e-3)
    without = [
        refit(ridge.problem.with_weights(jnp.asarray(w)), ridge.estimates, -ridge.hessian.to_numpy())
        for w in drawn
    ]
    assert np.abs(found.samples.to_numpy() - [w.params for w in without]).max() > 0.1


def test_cross_validation_is_penalised(frame):
    strong = small.logit().fit(frame, penalties={"price": iclv.L2(1e6)}, progress=False)
    found = strong.cross_validate(folds=2)
    assert found.converged.all()
    np.testing.assert_allclose(found.params.loc["price"], 0.0, atol=1e-3)
    assert found.params.loc["time"].abs().min() > 0.05


def test_summary_says_penalised_and_lists_what(ridge):
    text = str(ridge.summary())
    assert "Penalised log-likelihood" in text and f"{ridge.llf - ridge.penalty:,.4f}" in text
    assert "Gaussian(mean=-0.5, sd=0.4) on price" in text and "L2(strength=3.0) on time" in text
    assert "not for penalised estimates" in text and "negative Hessian, penalised" in text
    assert "Penalised" not in str(small.fitted("logit").summary())
    assert small.fitted("logit").penalty == 0.0


@pytest.mark.parametrize(
    "ask",
    [
        lambda f: f.aic,
        lambda f: f.bic,
        lambda f: f.profile("price"),
        lambda f: f.modification_indices(),
        lambda f: f.lm_test("price"),
        lambda f: f.lr_test(f),
        lambda f: small.fitted("logit").lr_test(f),
        lambda f: iclv.vuong(f, f),
        lambda f: iclv.ben_akiva_swait(f, f),
    ],
    ids=range(9),
)
def test_what_needs_maximum_likelihood_is_refused(ridge, ask):
    with pytest.raises(ValueError, match=r"penalised.*Fit without penalties="):
        ask(ridge)


def test_side_by_side_with_maximum_likelihood(ridge):
    found = iclv.compare({"free": small.fitted("logit"), "ridge": ridge})
    assert np.isnan(found.measures.loc["AIC", "ridge"]) and found.measures.loc["AIC", "free"] > 0.0
    assert "ridge is penalised" in str(found)
    assert np.isnan(ridge.compare_covariances().information_test.statistic)


def test_saved_and_loaded(ridge, frame, tmp_path):
    ridge.save(tmp_path / "fit.npz")
    bare, whole = iclv.load(tmp_path / "fit.npz"), iclv.load(tmp_path / "fit.npz", small.logit(), frame)
    for other in (bare, whole):
        assert other.penalty == pytest.approx(ridge.penalty) and other.llf == pytest.approx(ridge.llf)
        np.testing.assert_allclose(other.bse, ridge.bse)
        np.testing.assert_allclose(other.standard_errors("robust"), ridge.standard_errors("robust"))
        with pytest.raises(ValueError, match="AIC: this fit is penalised"):
            _ = other.aic
    assert whole.penalties == ridge.penalties


def test_a_checkpoint_of_other_penalties_is_refused(frame, tmp_path):
    file = tmp_path / "state.npz"
    small.logit().fit(frame, penalties=SMOOTH, checkpoint=file, progress=False)
    again = small.logit().fit(frame, penalties=SMOOTH, checkpoint=file, progress=False)
    assert again.converged
    with pytest.raises(ValueError, match="other penalties"):
        small.logit().fit(frame, checkpoint=file, progress=False)


# --- keys ---

NAMES = (
    "price",
    "price.sd",
    "taste.layers[0].weight[0,0]",
    "taste.layers[0].bias[0]",
    "taste.layers[1].weight[0,0]",
    "tastes",
)


def covered(given):
    found = resolve(given, NAMES, {"asc": "fixed", "b": "tied to 'price'"})
    return {g.key: g.parameters for g in found.applied}


def test_a_key_is_a_parameter_or_what_names_begin_with():
    two = iclv.L2(1.0)
    assert covered({"price": two}) == {"price": ("price",)}
    assert covered({"taste": two}) == {"taste": NAMES[2:5]}
    assert covered({"taste.layers[0].weight": two}) == {"taste.layers[0].weight": NAMES[2:3]}
    assert covered({"taste": two, "taste.layers[0].bias": None}) == {"taste": (NAMES[2], NAMES[4])}
    longest = covered({"taste.layers[1]": iclv.L2(9.0), "taste": two})
    assert longest == {"taste": NAMES[2:4], "taste.layers[1]": NAMES[4:5]}
    assert resolve({}, NAMES, {}) is None and resolve(None, NAMES, {}) is None
    assert resolve({"price": None}, NAMES, {}) is None


def test_several_penalties_of_one_key_add_up():
    found = resolve({"taste": [iclv.L1(2.0), iclv.L2(3.0), iclv.Gaussian(1.0, 0.5)]}, NAMES, {})
    params = np.array([5.0, 5.0, -0.4, 0.3, 2.0, 5.0])
    mine = params[2:5]
    by_hand = (2.0 * np.abs(mine) + 1.5 * mine**2 + 2.0 * (mine - 1.0) ** 2).sum()
    assert found.cost(params) == pytest.approx(by_hand, rel=1e-13)
    slope = np.zeros(6)
    slope[2:5] = 2.0 * np.sign(mine) + 3.0 * mine + 4.0 * (mine - 1.0)
    np.testing.assert_allclose(found.slope(params), slope, rtol=1e-13)
    assert found.kinked == NAMES[2:5] and found.smooth.kinked == ()
    assert found.smooth.cost(params) == pytest.approx(by_hand - 2.0 * np.abs(mine).sum(), rel=1e-13)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prise": iclv.L2(1.0)}, "'prise', which is no free parameter.*Did you mean 'price'"),
        ({"taste.layers[2]": iclv.L2(1.0)}, "no free parameter"),
        ({"asc": iclv.L2(1.0)}, "'asc', which is fixed"),
        ({"b": iclv.L2(1.0)}, "tied to 'price'"),
        ({3: iclv.L2(1.0)}, "no free parameter"),
        ({"price": 1.0}, r"penalties\['price'\] is one of iclv.L1, iclv.L2, iclv.Gaussian"),
        ([iclv.L2(1.0)], "maps names of parameters"),
    ],
)
def test_keys_and_values_that_cannot_be(given, message):
    with pytest.raises(ValueError, match=message):
        resolve(given, NAMES, {"asc": "fixed", "b": "tied to 'price'"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: iclv.L2(-1.0),
        lambda: iclv.L1(np.nan),
        lambda: iclv.L2("much"),
        lambda: iclv.Gaussian(0.0, 0.0),
        lambda: iclv.Gaussian(np.inf, 1.0),
        lambda: iclv.L1(True),
    ],
    ids=range(6),
)
def test_strengths_that_cannot_be(make):
    with pytest.raises(ValueError, match=r"is a number( from 0| above 0)?, not"):
        make()


def test_the_lasso_is_refused_where_derivatives_are_taken(frame):
    for optimizer in (None, iclv.LBFGSB()):
        with pytest.raises(ValueError, match=r"iclv.L1 on 'price'.*optimizer=iclv.Stochastic"):
            small.logit().fit(frame, penalties={"price": iclv.L1(1.0)}, optimizer=optimizer, progress=False)
