"""The log density for other engines: its transforms, its priors, and what samplers and optimisers make of it."""

import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.scipy.stats import norm
from scipy.optimize import minimize

import iclv_jax as iclv


def volume(function, z):
    return float(jnp.linalg.slogdet(jax.jacfwd(function)(z))[1])


@pytest.mark.gate("correlated", "likert4")
# Covariances of latent variables and of random coefficients, variances, thresholds, increments.
@pytest.mark.parametrize("name", ["cfa", "correlated", "scaled", "likert4"])
def test_the_volume_is_the_determinant_of_the_transform(name):
    problem, params = bank.bound(name).problem, bank.bound(name).params
    constants, mapping = problem.core.constants, problem.table.map

    @jax.jit
    def both(params):
        z = mapping.unconstrained(constants, params) + 0.1
        slopes = jax.jacfwd(lambda v: mapping.natural(constants, v))(z)
        return mapping.log_volume(constants, z), jnp.linalg.slogdet(slopes)[1]

    found, wanted = both(params)
    assert float(found) == pytest.approx(float(wanted), abs=1e-9)


@pytest.mark.slow
def test_the_volume_of_slopes_in_standard_units():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": generator.normal(50.0, 9.0, 60), **{f"y{k}": generator.normal(size=60) for k in (1, 2)}}
    )
    latent = iclv.Latent("health", on=[iclv.Standardized("age")], intercept=True, scale="loading")
    model = iclv.Model([latent], [iclv.Continuous(f"y{k}", of="health", intercept=k == 2) for k in (1, 2)])
    density = model.bind(frame).logdensity()
    unit = {
        n: float(g)
        for n, g in zip(density.names, jnp.diag(jax.jacfwd(density.to_params)(density.start)), strict=True)
    }
    assert unit["health ~ age"] == pytest.approx(1.0 / frame["age"].std(ddof=0))
    gap = density(density.start) - model.bind(frame).loglike(density.to_params(density.start))
    assert float(gap) == pytest.approx(volume(density.to_params, density.start))


def test_the_density_is_the_log_likelihood_and_the_determinant():
    problem, params = bank.bound("mixed_logit").problem, bank.bound("mixed_logit").params
    density = problem.logdensity(start=params)
    np.testing.assert_allclose(density.to_params(density.start), params, rtol=1e-10)
    np.testing.assert_allclose(density.to_z(params), density.start, atol=1e-10)
    z = density.start
    wanted = problem.loglike(params) + volume(density.to_params, z)
    assert float(density(z)) == pytest.approx(float(wanted))
    likelihood = problem.logdensity(start=params, jacobian=False)
    assert float(likelihood(z)) == pytest.approx(float(problem.loglike(params)))
    named = dict(zip(density.names, z, strict=True))
    assert float(density(named)) == float(density(z))


@pytest.fixture(scope="module")
def problem():
    """A logit of 250 people, price held between bounds that it is far from."""
    generator = np.random.default_rng(0)
    frame = bank.single(250, 1, price="normal", time="normal")
    better = 0.5 - frame["price"] - 0.5 * frame["time"] + generator.logistic(size=250) > 0
    frame["choice"] = np.where(better, "a", "b")
    model = iclv.Model(
        choice=iclv.Logit(
            lambda b, x, lv: {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}, "choice"
        ),
        bounds={"price": (-9.0, 4.0), "time": (None, 8.0), "asc": (-7.0, None)},
    )
    return model.bind(frame)


@pytest.fixture(scope="module")
def mode(problem):
    """Maximum likelihood estimates and their standard errors, by scipy in natural units."""
    found = minimize(
        jax.jit(lambda p: (-problem.loglike(p), -problem.score(p))), problem.start(), jac=True, method="BFGS",
        options={"gtol": 1e-7},
    )  # fmt: skip
    errors = np.sqrt(np.diag(np.linalg.inv(-np.asarray(problem.hessian(jnp.asarray(found.x))))))
    return found.x, errors


def test_bounded_parameters_stay_inside_and_come_back(problem):
    density = problem.logdensity()
    lower, upper = problem.bounds
    z = 5.0 * np.random.default_rng(0).normal(size=(4, 50, 3))
    params = np.asarray(density.to_params(z))
    assert params.shape == z.shape
    assert (params >= lower).all() and (params <= upper).all()
    np.testing.assert_allclose(density.to_z(params), z, atol=1e-6)
    for one in z[0, :5]:
        wanted = float(problem.loglike(density.to_params(one))) + volume(density.to_params, jnp.asarray(one))
        assert float(density(one)) == pytest.approx(wanted)
    at_bound = problem.logdensity(start=np.array([0.1, -9.0, 0.2]))
    assert np.isfinite(at_bound.start).all()
    assert -9.0 < float(at_bound.to_params(at_bound.start)[1]) < -8.5


def test_it_is_a_pure_function_for_jax(problem):
    density = problem.logdensity(prior=lambda p: norm.logpdf(p.price, -1.0, 0.5))
    points = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3)))
    one = jax.jit(density)
    each = np.array([float(one(z)) for z in points])
    np.testing.assert_allclose(jax.jit(jax.vmap(density))(points), each, rtol=1e-10)
    slopes = jax.jit(jax.vmap(jax.grad(density)))(points)
    for z, slope in zip(points, slopes, strict=True):
        steps = 1e-5 * np.eye(3)
        wanted = [(float(one(z + h)) - float(one(z - h))) / 2e-5 for h in steps]
        np.testing.assert_allclose(slope, wanted, rtol=1e-6, atol=1e-6)
    mapping = {n: points[0, i] for i, n in enumerate(density.names)}
    np.testing.assert_allclose([*jax.jit(jax.grad(density))(mapping).values()], slopes[0], rtol=1e-10)


def test_priors_in_both_forms(problem):
    z = jnp.array([0.3, -0.2, 0.1])
    flat = problem.logdensity()
    params = dict(zip(flat.names, flat.to_params(z), strict=True))
    wanted = norm.logpdf(params["price"], -1.0, 0.5) + norm.logpdf(params["time"], 0.0, 2.0)

    class Distribution:
        def log_prob(self, value):
            return norm.logpdf(value, 0.0, 2.0)

    named = problem.logdensity({"price": lambda v: norm.logpdf(v, -1.0, 0.5), "time": Distribution()})
    joint = problem.logdensity(lambda p: norm.logpdf(p.price, -1.0, 0.5) + norm.logpdf(p["time"], 0.0, 2.0))
    for density in (named, joint):
        assert float(density(z) - flat(z)) == pytest.approx(float(wanted))


def test_a_prior_function_sees_fixed_and_defined_parameters_and_nothing_outside_the_domain():
    case = bank.bound("constraints")
    density = case.problem.logdensity(
        lambda p: norm.logpdf(p.double - p.asc), start=case.params, jacobian=False
    )
    gain = float(density(density.start)) - float(case.problem.loglike(case.params))
    assert gain == pytest.approx(float(norm.logpdf(2.0 * case.case.params["half"] - 0.1)))
    z = np.array(density.start)
    z[density.names.index("u1 | 2")] = 50.0  # Above a threshold that is tied.
    assert float(density(z)) == -np.inf


@pytest.mark.slow
def test_nodes_can_be_placed_anew_at_every_point():
    case = bank.bound("mixed_logit")
    problem = case.problem.integrate(iclv.GaussHermite(3))
    density = problem.logdensity(start=case.params, jacobian=False, recentre=True)
    there = problem.recentre(case.params)
    held = there.logdensity(start=case.params, jacobian=False)
    value, slope = jax.jit(jax.value_and_grad(density))(density.start)
    assert float(value) == pytest.approx(float(there.loglike(case.params)), rel=1e-12)
    np.testing.assert_allclose(slope, jax.jit(jax.grad(held))(density.start), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": {"prise": norm.logpdf}}, "Did you mean 'price'"),
        ({"prior": {"price": 3.0}}, "log_prob"),
        ({"prior": {"price": lambda v: jnp.ones(2) * v}}, "one number"),
        ({"prior": {"price": lambda v: jnp.where(v > 5.0, 0.0, -jnp.inf)}}, "no density at the start"),
        ({"prior": lambda p: p.prise}, "Did you mean 'price'"),
        ({"prior": lambda p: {"a": p.price}}, "must be a number"),
        ({"prior": 3.0}, "is a function of p"),
        ({"start": np.zeros(2)}, "3 free parameters"),
        ({"start": {"price": 1.0}}, "have no value"),
    ],
)
def test_what_is_refused(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        problem.logdensity(**arguments)


def test_priors_of_parameters_that_are_not_free_are_refused():
    with pytest.raises(ValueError, match="'asc' is fixed"):
        bank.bound("constraints").problem.logdensity({"asc": norm.logpdf})


def test_points_of_another_shape_are_refused(problem):
    density = problem.logdensity()
    with pytest.raises(ValueError, match="Use jax"):
        density(jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="time have none"):
        density({"asc": 0.0, "price": 0.0})


# --- engines ----------------------------------------------------------------------------------------------------


def test_scipy_finds_the_maximum(problem, mode):
    density = problem.logdensity(jacobian=False)
    function = jax.jit(jax.value_and_grad(lambda z: -density(z)))
    found = minimize(
        function, density.start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-6}
    )
    np.testing.assert_allclose(density.to_params(found.x), mode[0], atol=1e-5)


def test_optimistix_finds_the_maximum(problem, mode):
    optimistix = pytest.importorskip("optimistix")
    density = problem.logdensity(jacobian=False)
    found = optimistix.minimise(
        lambda z, _: -density(z), optimistix.BFGS(rtol=1e-9, atol=1e-9), density.start, max_steps=200
    )
    np.testing.assert_allclose(density.to_params(found.value), mode[0], atol=1e-5)


def agree(draws, mode):
    """Posterior draws against maximum likelihood: with a flat prior and 250 people the posterior is all but normal around
    a point that is off the estimates by a tenth of a standard error or so."""
    params, errors = mode
    centre, spread = draws.mean(axis=0), draws.std(axis=0, ddof=1)
    effective = 0.3 * len(draws)
    assert (np.abs(centre - params) < (0.15 + 4.0 / np.sqrt(effective)) * errors).all()
    np.testing.assert_allclose(spread, errors, rtol=0.05 + 4.0 / np.sqrt(2.0 * effective))
    halves = draws.reshape(2, -1, len(params)).mean(axis=1)
    assert (np.abs(halves[0] - halves[1]) < 4.0 * 2.0 / np.sqrt(effective) * errors).all()


@pytest.mark.slow
def test_blackjax_samples_the_posterior(problem, mode):
    blackjax = pytest.importorskip("blackjax")
    density = problem.logdensity(start=mode[0])

    spread = jnp.asarray(mode[1]) / jnp.diag(jax.jit(jax.jacfwd(density.to_params))(density.start))
    kernel = blackjax.nuts(density, step_size=0.6, inverse_mass_matrix=spread**2)

    def step(state, key):
        state, _ = kernel.step(key, state)
        return state, state.position

    @jax.jit
    def chain(key):
        return jax.lax.scan(step, kernel.init(density.start + spread), jax.random.split(key, 1500))[1]

    agree(np.asarray(density.to_params(chain(jax.random.key(0))))[100:], mode)


@pytest.mark.slow
def test_numpyro_samples_the_posterior(problem, mode):
    infer = pytest.importorskip("numpyro.infer")
    density = problem.logdensity(start=mode[0])
    sampler = infer.MCMC(
        infer.NUTS(potential_fn=lambda z: -density(z)), num_warmup=300, num_samples=1500, progress_bar=False
    )
    sampler.run(jax.random.key(1), init_params=density.start)
    agree(np.asarray(density.to_params(sampler.get_samples())), mode)
