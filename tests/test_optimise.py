"""The trust-region subproblem, its driver and its objective: negative curvature, the hard case, bounds, verdicts."""

import bank
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood, _objective
from iclv_jax._optimise._subproblem import Model, curvature, predicted_decrease, trial_step
from iclv_jax._problem._evaluated import person_scores


def quadratic(hessian, gradient, lower=None, upper=None, free=None):
    size = len(gradient)
    return Model(
        np.asarray(gradient, float),
        np.asarray(hessian, float),
        np.asarray(np.full(size, -np.inf) if lower is None else lower, float),
        np.asarray(np.full(size, np.inf) if upper is None else upper, float),
        np.asarray(np.ones(size, bool) if free is None else free),
    )


def best_in_ball(model, radius, seeds=40):
    """The best of many constrained local minimisations: an oracle for small problems."""
    g, h = np.asarray(model.gradient), np.asarray(model.hessian)
    found = []
    for seed in range(seeds):
        start = np.random.default_rng(seed).normal(size=len(g))
        start *= radius / max(np.linalg.norm(start), radius)
        end = minimize(
            lambda d: g @ d + 0.5 * d @ h @ d,
            start,
            jac=lambda d: g + h @ d,
            method="SLSQP",
            bounds=list(zip(np.asarray(model.lower), np.asarray(model.upper), strict=True)),
            constraints={"type": "ineq", "fun": lambda d: radius**2 - d @ d, "jac": lambda d: -2.0 * d},
            options={"maxiter": 300, "ftol": 1e-14},
        )
        # A point that SLSQP leaves for want of precision is as good as any, if it is inside the ball.
        if np.linalg.norm(end.x) <= radius * (1 + 1e-9):
            found.append(-end.fun)
    return max(found)


def random_case(seed, size=5):
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(size, size)))[0]
    return vectors, generator.normal(size=size)


@jax.jit
def compiled_step(model, radius):
    return trial_step(model, radius), curvature(model)


@pytest.mark.parametrize("seed", range(8))
def test_numpy_and_compiled_steps_are_the_same(seed):
    """Steps of one fit run in numpy, those of many at once in JAX: with negative and flat directions, bounds, and
    parameters that do not move."""
    generator = np.random.default_rng(seed)
    vectors, gradient = random_case(seed)
    values = np.where(generator.random(5) < 0.2, 0.0, generator.normal(size=5))
    lower = np.where(generator.random(5) < 0.3, -generator.random(5), -np.inf)
    upper = np.where(generator.random(5) < 0.3, generator.random(5), np.inf)
    model = quadratic(vectors * values @ vectors.T, gradient, lower, upper, generator.random(5) < 0.9)
    radius = np.asarray(generator.uniform(0.1, 3.0))
    for one, other in zip(
        (trial_step(model, radius), *curvature(model)),
        jax.tree.leaves(compiled_step(model, radius)),
        strict=True,
    ):
        assert isinstance(one, np.ndarray | np.generic)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_nothing_is_said_of_what_is_not_finite():
    model = quadratic(np.diag([1.0, np.nan]), [0.0, np.inf])
    assert np.isnan(curvature(model).smallest)


@pytest.mark.parametrize("eigenvalues", [(1, 2, 3, 4, 5), (-2, -1, 0.5, 1, 3), (0, 0, 1, 1, 2)])
@pytest.mark.parametrize("radius", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_step_solves_the_ball(eigenvalues, radius, seed):
    vectors, gradient = random_case(seed)
    model = quadratic(vectors * np.array(eigenvalues) @ vectors.T, gradient)
    step = trial_step(model, np.asarray(radius))
    assert float(np.linalg.norm(step)) <= radius * (1 + 1e-8)
    best = best_in_ball(model, radius, seeds=10)
    assert float(predicted_decrease(model, step)) >= best - 1e-7 * (1 + abs(best))


def test_newton_step_when_it_fits():
    vectors, gradient = random_case(3)
    hessian = vectors * np.arange(1.0, 6.0) @ vectors.T
    step = trial_step(quadratic(hessian, gradient), np.asarray(1e3))
    np.testing.assert_allclose(step, -np.linalg.solve(hessian, gradient), rtol=1e-12)


def test_hard_case_goes_along_the_lowest_eigenvector():
    """The gradient has no part along the direction of negative curvature."""
    model = quadratic(np.diag([-1.0, 2.0, 3.0]), [0.0, 1.0, 1.0])
    step = trial_step(model, np.asarray(2.0))
    assert float(np.linalg.norm(step)) == pytest.approx(2.0)
    assert float(predicted_decrease(model, step)) == pytest.approx(best_in_ball(model, 2.0), rel=1e-6)


def test_saddle_with_zero_gradient_is_left():
    step = trial_step(quadratic(np.diag([1.0, -1.0]), [0.0, 0.0]), np.asarray(0.5))
    np.testing.assert_allclose(np.abs(step), [0.0, 0.5], atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_inside_the_step(seed):
    vectors, gradient = random_case(seed)
    hessian = vectors * np.arange(1.0, 6.0) @ vectors.T
    lower, upper = np.full(5, -0.2), np.full(5, 0.1)
    lower[0] = 0.0
    model = quadratic(hessian, gradient, lower, upper)
    step = np.asarray(trial_step(model, np.asarray(10.0)))
    assert (step >= lower - 1e-15).all() and (step <= upper + 1e-15).all()
    best = best_in_ball(model, 10.0)
    assert float(predicted_decrease(model, step)) >= 0.7 * best > 0


def test_held_entries_do_not_move():
    vectors, gradient = random_case(1)
    model = quadratic(vectors @ vectors.T * 2.0, gradient, free=[True, False, True, False, True])
    step = np.asarray(trial_step(model, np.asarray(5.0)))
    assert (step[[1, 3]] == 0).all() and (step[[0, 2, 4]] != 0).all()


def test_decrement_of_definite_indefinite_and_flat_curvature():
    gradient = np.array([1.0, 2.0])
    definite = curvature(quadratic(np.diag([2.0, 4.0]), gradient))
    assert float(definite.decrement) == pytest.approx(0.5 + 1.0)
    assert np.isinf(float(curvature(quadratic(np.diag([2.0, -4.0]), gradient)).decrement))
    flat = curvature(quadratic(np.diag([2.0, 0.0]), [1.0, 0.0]))
    assert int(flat.flat) == 1 and float(flat.decrement) == pytest.approx(0.5)
    held = curvature(quadratic(np.diag([2.0, 4.0]), gradient, lower=[-1.0, 0.0]))
    assert list(np.asarray(held.active)) == [False, True]
    assert float(held.decrement) == pytest.approx(0.5)


# --- the driver, on small real models ---


def logit(**kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price, "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"), **kwargs)


@pytest.fixture(scope="module")
def choices():
    import pandas as pd

    generator = np.random.default_rng(0)
    price = generator.normal(size=300)
    better = 0.5 - price + generator.logistic(size=300) > 0
    return pd.DataFrame({"price": price, "choice": np.where(better, "a", "b"), "one": 1.0})


def test_logit_against_statsmodels(choices):
    import statsmodels.api as sm

    fit = logit().fit(choices, progress=False)
    other = sm.Logit((choices.choice == "a").astype(float), sm.add_constant(choices.price)).fit(disp=0)
    assert fit.converged
    assert fit.llf == pytest.approx(other.llf, abs=1e-9)
    np.testing.assert_allclose(fit.params, other.params, rtol=1e-7)
    np.testing.assert_allclose(fit.bse, other.bse, rtol=1e-6)
    np.testing.assert_allclose(fit.conf_int(), other.conf_int(), rtol=1e-6)
    np.testing.assert_allclose(fit.pvalues, other.pvalues, rtol=1e-5)
    assert fit.aic == pytest.approx(other.aic)
    assert fit.bic == pytest.approx(other.bic)


def test_active_bound_is_reported_and_has_no_error(choices):
    fit = logit(bounds={"price": (-0.3, None)}).fit(choices, progress=False)
    assert fit.converged
    assert fit.params["price"] == pytest.approx(-0.3)
    assert fit.optimizer_report.active == {"price": pytest.approx(-0.3)}
    assert np.isnan(fit.bse["price"]) and fit.bse["asc"] > 0
    assert "price is at its bound" in str(fit.summary())
    held = logit(fixed={"price": -0.3}).fit(choices, progress=False)
    assert fit.llf == pytest.approx(held.llf, abs=1e-9)
    assert fit.bse["asc"] == pytest.approx(held.bse["asc"], rel=1e-6)


def test_inactive_bound_changes_nothing(choices):
    free, bounded = (m.fit(choices, progress=False) for m in (logit(), logit(bounds={"price": (None, 0)})))
    assert bounded.llf == pytest.approx(free.llf, abs=1e-10)


def test_unidentified_parameters_are_named(choices):
    def utility(b, x, lv):
        return {"a": b.asc + b.shift + b.price * x.price, "b": 0.0}

    fit = iclv.Model(choice=iclv.Logit(utility, chosen="choice")).fit(choices, progress=False)
    assert not fit.converged
    assert fit.optimizer_report.verdict.value == "singular"
    text = str(fit.summary())
    assert text.startswith("*** DID NOT CONVERGE (singular)")
    assert "asc (" in text and "shift (" in text
    assert np.isnan(fit.bse["asc"]) and np.isnan(fit.bse["shift"])
    # The price is identified all the same, and its standard error is that of the identified model.
    assert fit.bse["price"] == pytest.approx(logit().fit(choices, progress=False).bse["price"], rel=1e-6)


def test_iteration_limit_is_said_first(choices):
    fit = logit().fit(choices, optimizer=iclv.TrustRegion(max_iterations=1), progress=False)
    assert fit.optimizer_report.verdict.value == "iteration limit"
    assert str(fit.summary()).startswith("*** DID NOT CONVERGE (iteration limit)")


def test_bhhh_steps_reach_the_same_maximum(choices):
    newton = logit().fit(choices, progress=False)
    other = logit().fit(choices, optimizer=iclv.TrustRegion(hessian="bhhh"), progress=False)
    assert other.converged
    np.testing.assert_allclose(other.params, newton.params, rtol=1e-4)


def test_badly_scaled_columns(choices):
    """A price 10,000 times larger gives the same fit in other units."""
    plain = logit().fit(choices, progress=False)
    scaled = logit().fit(choices.assign(price=choices.price * 1e4), progress=False)
    assert scaled.converged
    assert scaled.llf == pytest.approx(plain.llf, abs=1e-9)
    assert scaled.params["price"] * 1e4 == pytest.approx(plain.params["price"], rel=1e-6)
    assert scaled.optimizer_report.iterations == plain.optimizer_report.iterations


def test_start_from_values_and_from_a_fit(choices):
    first = logit().fit(choices, progress=False)
    again = logit().fit(choices, start=first, progress=False)
    assert again.optimizer_report.iterations == 0
    near = logit().fit(choices, start={"price": -5.0}, progress=False)
    assert near.start[1] == -5.0 and near.llf == pytest.approx(first.llf, abs=1e-9)


def test_weights_are_copies_of_people(choices):
    doubled = choices.assign(w=2.0)
    twice = logit().fit(doubled, weights="w", weights_are="frequency", progress=False)
    once = logit().fit(choices, progress=False)
    assert twice.llf == pytest.approx(2 * once.llf)
    np.testing.assert_allclose(twice.bse * np.sqrt(2), once.bse, rtol=1e-6)
    robust = [f.standard_errors("robust").to_numpy() for f in (twice, once)]
    np.testing.assert_allclose(robust[0] * np.sqrt(2), robust[1], rtol=1e-6)


def test_clusters_of_people_against_statsmodels(choices):
    import statsmodels.api as sm

    groups = np.repeat(np.arange(60), 5)
    fit = logit().fit(choices.assign(group=groups), cluster="group", progress=False)
    model = sm.Logit((choices.choice == "a").astype(float), sm.add_constant(choices.price))
    other = model.fit(
        disp=0,
        cov_type="cluster",
        cov_kwds={"groups": groups, "use_correction": False, "df_correction": False},
    )
    np.testing.assert_allclose(fit.standard_errors("cluster"), other.bse, rtol=1e-6)
    robust = model.fit(disp=0, cov_type="HC0")
    np.testing.assert_allclose(fit.standard_errors("robust"), robust.bse, rtol=1e-6)
    with pytest.raises(ValueError, match="need the column of the clusters"):
        logit().fit(choices, progress=False).cov_params("cluster")


@pytest.mark.gate("rule1")
@pytest.mark.parametrize("rule", [iclv.MonteCarlo(32), iclv.Adaptive(20)])
def test_an_objective_asks_few_people_once(rule, monkeypatch):
    """Value, gradient, outer products and scales of one point are sums over the same people."""
    case = bank.get("chain")
    problem = case.model.bind(case.data, **(case.bind | {"integration": rule}))
    params = jnp.asarray(problem.vector(case.params))
    objective = Likelihood(problem.recentre(params), np.ones(len(problem.names), bool))
    asked = []
    monkeypatch.setattr(_objective, "person_scores", lambda *given: asked.append(1) or person_scores(*given))
    z = objective.z(params)
    value, slope = objective.value(z), objective.slope(z)
    outer, scale = objective.derivatives(z, "bhhh"), objective.mean_squared_scores(z)
    assert objective.value(z) == pytest.approx(value, rel=1e-13) and len(asked) == 1
    assert value == pytest.approx(-float(objective.problem.loglike(params)) / objective.size, rel=1e-13)
    np.testing.assert_allclose(slope.gradient, outer.gradient, rtol=1e-12)
    np.testing.assert_allclose(np.diag(objective.mean_outer_scores(z)), scale, rtol=1e-12)
    assert objective.derivatives(z, "none").value == pytest.approx(value, rel=1e-13)
    objective.slope(z + 0.1)
    objective.slope(z)
    assert len(asked) == 2 and not objective.recentred(z).each
