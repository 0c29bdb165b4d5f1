"""Continuous items whose residuals covary."""

import jax
import jax.numpy as jnp
import moments
import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import iclv_jax as iclv
from iclv_jax import Continuous, Latent
from iclv_jax._base._linear import precision
from iclv_jax._parameters._transform import Covariance, Entry
from iclv_jax._predict._features import expected_sums, layout, standard_shocks

ITEMS = ("q1", "q2", "q3", "q4")
PAIRS = [("q3", "q1"), ("q4", "q3")]
TRUTH = {
    "a ~ x": 0.6,
    **{f"{q} ~ 1": 0.1 * i for i, q in enumerate(ITEMS)},
    **{f"a =~ {q}": 0.8 - 0.2 * i for i, q in enumerate(ITEMS)},
    **{f"{q} ~~ {q}": 0.5 + 0.1 * i for i, q in enumerate(ITEMS)},
    "q1 ~~ q3": 0.25,
    "q3 ~~ q4": -0.2,
}
THETA = np.diag([TRUTH[f"{q} ~~ {q}"] for q in ITEMS])
THETA[0, 2] = THETA[2, 0] = 0.25
THETA[2, 3] = THETA[3, 2] = -0.2


def model(on=("x",), **kwargs):
    return iclv.Model(
        latent=[Latent("a", on=on)],
        indicators=[Continuous(q, of="a") for q in ITEMS],
        covariances=PAIRS,
        **kwargs,
    )


@pytest.fixture(scope="module")
def data():
    frame = model().simulate(
        TRUTH, pd.DataFrame({"x": np.random.default_rng(0).standard_normal(120)}), seed=1
    )
    mask = np.random.default_rng(2).random((120, 4)) < 0.15
    frame[list(ITEMS)] = frame[list(ITEMS)].mask(mask)
    return frame.dropna(how="all", subset=list(ITEMS)).reset_index(drop=True)


def by_numpy(data, slope=lambda x: 0.6 * x):
    """log L of every person, from the moments of the items that they answered."""
    loadings = np.array([TRUTH[f"a =~ {q}"] for q in ITEMS])
    found = []
    for row in data.itertuples():
        values = np.array([getattr(row, q) for q in ITEMS])
        mean = np.array([TRUTH[f"{q} ~ 1"] for q in ITEMS]) + loadings * slope(row.x)
        seen = ~np.isnan(values)
        spread = (np.outer(loadings, loadings) + THETA)[np.ix_(seen, seen)]
        found.append(multivariate_normal.logpdf(values[seen], mean[seen], spread) if seen.any() else 0.0)
    return np.array(found)


def curved(b, x, lv):
    return jnp.sin(b["a ~ x"] * x.x)


@pytest.mark.gate("conditioned")
@pytest.mark.parametrize(
    ("on", "rule", "slope"),
    [
        (("x",), None, lambda x: 0.6 * x),
        pytest.param(("x",), iclv.GaussHermite(8), lambda x: 0.6 * x, marks=pytest.mark.slow),
        (curved, None, lambda x: np.sin(0.6 * x)),
    ],
    ids=["conditioned", "integrated", "function"],
)
def test_likelihood_is_normal_and_the_hessian_exact(data, on, rule, slope):
    problem = model(on).bind(data, integration=rule)
    params = problem.vector(TRUTH)
    problem = problem.recentre(params)
    np.testing.assert_allclose(problem.loglike_person(params), by_numpy(data, slope), rtol=1e-8, atol=1e-9)
    exact = problem.hessian(params)
    auto = problem.hessian(params, method="autodiff")
    np.testing.assert_allclose(exact, auto, rtol=1e-8, atol=1e-8 * np.abs(auto).max())
    step = 1e-5 * jnp.eye(len(params))[list(problem.names).index("q1 ~~ q3")]
    slope_ = (problem.score(params + step) - problem.score(params - step)) / 2e-5
    np.testing.assert_allclose(exact[list(problem.names).index("q1 ~~ q3")], slope_, rtol=1e-5, atol=1e-4)


def test_precision_and_its_derivatives():
    draws = np.random.default_rng(0).standard_normal((2, 3, 8))
    matrix, other = (jnp.asarray(d @ d.T) for d in draws)

    def value(function, t):
        inverse, log_determinant = function(matrix + t * other)
        return jnp.sum(jnp.sin(inverse)) + log_determinant

    def by_lapack(m):
        return jnp.linalg.inv(m), jnp.linalg.slogdet(m)[1]

    for derivative in (lambda f: jax.jacfwd(jax.grad(f)), lambda f: jax.grad(jax.grad(f))):
        ours, theirs = (jax.jit(derivative(lambda t, f=f: value(f, t)))(0.1) for f in (precision, by_lapack))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    np.testing.assert_allclose(precision(matrix)[0], np.linalg.inv(matrix), rtol=1e-9)
    assert np.isnan(precision(jnp.asarray([[1.0, 2.0], [2.0, 1.0]]))[1])


def test_a_matrix_with_zeros_stays_positive_definite():
    # A ring of four: (1, 0), (2, 1), (3, 2), (3, 0) covary, (2, 0) and (3, 1) do not.
    diagonal = tuple(Entry(i, True, False) for i in range(4))
    block = Covariance(diagonal, ((), (4,), (None, 5), (6, None, 7)))
    z = jnp.asarray(np.random.default_rng(3).standard_normal(8))

    def forward(z):
        return block.forward(z, z, jnp.zeros(0))

    params = np.asarray(jax.jit(forward)(z))
    matrix = np.diag(params[:4])
    for (i, j), at in {(1, 0): 4, (2, 1): 5, (3, 0): 6, (3, 2): 7}.items():
        matrix[i, j] = matrix[j, i] = params[at]
    assert np.linalg.eigvalsh(matrix)[0] > 0.0
    back = jax.jit(lambda p: block.inverse(p, z, jnp.zeros(0)))(jnp.asarray(params))
    np.testing.assert_allclose(back, z, rtol=1e-9)
    volume, slopes = jax.jit(lambda z: (block.log_volume(z, jnp.zeros(0)), jax.jacfwd(forward)(z)))(z)
    np.testing.assert_allclose(volume, np.linalg.slogdet(slopes)[1], rtol=1e-9)


@pytest.mark.slow
def test_a_fit_with_what_follows(data, tmp_path):
    fit = model().fit(data, progress=False)
    assert fit.converged
    far = np.abs([fit.params[n] - v for n, v in TRUTH.items()]) / np.array([fit.bse[n] for n in TRUTH])
    assert far.max() < 3.5
    measures = fit.fit_measures()
    # Means, covariances and slopes of four items, less the parameters.
    assert measures["df"] == 4 + 10 + 4 - len(fit.names)
    standard = fit.standardized()
    expected = fit.params["q1 ~~ q3"] / np.sqrt(fit.params["q1 ~~ q1"] * fit.params["q3 ~~ q3"])
    np.testing.assert_allclose(standard.loc["q1 ~~ q3", "std.all"], expected, rtol=1e-10)
    np.testing.assert_allclose(standard.loc["q1 ~~ q3", "std.lv"], fit.params["q1 ~~ q3"], rtol=1e-12)
    assert np.isfinite(fit.latent_scores().to_numpy()).all()
    fit.save(tmp_path / "fit.npz")
    assert iclv.load(tmp_path / "fit.npz").params["q1 ~~ q3"] == fit.params["q1 ~~ q3"]
    held = model(fixed={"q1 ~~ q3": 0.0}).fit(data, progress=False)
    index = held.modification_indices().loc["q1 ~~ q3"]
    # A score test is close to twice the gain, in small samples not equal to it.
    np.testing.assert_allclose(index["statistic"], 2.0 * (fit.llf - held.llf), rtol=0.3)


@pytest.mark.slow
def test_posterior_means_are_those_of_regression(data):
    problem = model().bind(data)
    fit_at = problem.core.structure.system.given
    cells = problem.core.structure.map.dense(problem.core.theta(problem.vector(TRUTH)))
    person = jax.tree.map(lambda a: a[5], problem.core.person)
    found = fit_at(cells, person)
    values = data.loc[5, list(ITEMS)].to_numpy(float)
    seen = ~np.isnan(values)
    loadings = np.array([TRUTH[f"a =~ {q}"] for q in ITEMS])[seen]
    mean = 0.6 * data["x"][5]
    gain = loadings @ np.linalg.inv(np.outer(loadings, loadings) + THETA[np.ix_(seen, seen)])
    away = values[seen] - np.array([TRUTH[f"{q} ~ 1"] for q in ITEMS])[seen] - loadings * mean
    np.testing.assert_allclose(found.mean[0], mean + gain @ away, rtol=1e-9)
    np.testing.assert_allclose(found.covariance[0, 0], 1.0 - gain @ loadings, rtol=1e-9)


def test_simulated_and_expected_covariances_hold_the_residuals():
    frame = pd.DataFrame({"x": np.zeros(40_000)})
    drawn = model().simulate(TRUTH, frame, seed=3)[list(ITEMS)].to_numpy()
    loadings = np.array([TRUTH[f"a =~ {q}"] for q in ITEMS])
    truth = np.outer(loadings, loadings) + THETA
    np.testing.assert_allclose(np.cov(drawn.T), truth, atol=0.03)
    few = frame.head(60).assign(**dict.fromkeys(ITEMS, 0.0))
    few.loc[0, "x"] = 1e-9
    few.loc[0, list(ITEMS)] = 1.0
    problem = model().bind(few)
    owner = jnp.asarray(layout(problem).owner)
    first, second = expected_sums(problem.core, problem.vector(TRUTH), standard_shocks(problem), owner)
    first, second = np.asarray(first) / 60, np.asarray(second) / 60
    answers = np.arange(0, 8, 2)
    names = [q for stack in problem.table.stacks for q in stack.items]
    order = [names.index(q) for q in ITEMS]
    found = (second - np.outer(first, first))[np.ix_(answers, answers)][np.ix_(order, order)]
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found[off], truth[off], atol=0.03)


DEMOCRACY = {
    "ind60 =~ x2": 2.180367730938,
    "ind60 =~ x3": 1.8185113039,
    "dem60 =~ y2": 1.256746497913,
    "dem60 =~ y3": 1.057716770412,
    "dem60 =~ y4": 1.264786536247,
    "dem65 =~ y6": 1.18569629881,
    "dem65 =~ y7": 1.27951217695,
    "dem65 =~ y8": 1.265946980752,
    "dem60 ~ ind60": 1.483000540225,
    "dem65 ~ ind60": 0.5723361947593,
    "dem65 ~ dem60": 0.8373448112029,
    "y1 ~~ y5": 0.6236710740302,
    "y2 ~~ y4": 1.313112576733,
    "y2 ~~ y6": 2.152861266103,
    "y3 ~~ y7": 0.7949602763749,
    "y4 ~~ y8": 0.3482260390838,
    "y6 ~~ y8": 1.35616712069,
    "x1 ~~ x1": 0.0815493454005,
    "x2 ~~ x2": 0.1198064781984,
    "x3 ~~ x3": 0.4667025781562,
    "y1 ~~ y1": 1.891395519688,
    "y2 ~~ y2": 7.372868540228,
    "y3 ~~ y3": 5.067462099559,
    "y4 ~~ y4": 3.147904797289,
    "y5 ~~ y5": 2.350970469996,
    "y6 ~~ y6": 4.95396775009,
    "y7 ~~ y7": 3.43137392075,
    "y8 ~~ y8": 3.254085014844,
    "ind60 ~~ ind60": 0.4484371509514,
    "dem60 ~~ dem60": 3.956033107834,
    "dem65 ~~ dem65": 0.1724813254619,
    "x1 ~ 1": 5.05438384,
    "x2 ~ 1": 4.792194626667,
    "x3 ~ 1": 3.557689786667,
    "y1 ~ 1": 5.464666666667,
    "y2 ~ 1": 4.25644288,
    "y3 ~ 1": 6.563110253333,
    "y4 ~ 1": 4.45253304,
    "y5 ~ 1": 5.13625192,
    "y6 ~ 1": 2.97807408,
    "y7 ~ 1": 6.196263893333,
    "y8 ~ 1": 4.04338968,
}
"""Estimates of R's lavaan 0.6-14."""


def democracy():
    latents = [
        Latent("ind60", scale="loading"),
        Latent("dem60", on=["ind60"], scale="loading"),
        Latent("dem65", on=["ind60", "dem60"], scale="loading"),
    ]
    of = {"ind60": ("x1", "x2", "x3"), "dem60": ("y1", "y2", "y3", "y4"), "dem65": ("y5", "y6", "y7", "y8")}
    pairs = [("y1", "y5"), ("y2", "y4"), ("y2", "y6"), ("y3", "y7"), ("y4", "y8"), ("y6", "y8")]
    items = [Continuous(q, of=name) for name, columns in of.items() for q in columns]
    return iclv.Model(latents, items, covariances=pairs)


def test_political_democracy_is_that_of_lavaan():
    problem = democracy().bind(moments.democracy())
    params = problem.vector(DEMOCRACY)
    np.testing.assert_allclose(problem.loglike(params), -1547.790943, atol=2e-6)
    # At the maximum; one unit of the stiffest parameter, a variance of 0.08, is some 50 standard errors.
    np.testing.assert_allclose(problem.score(params), 0.0, atol=2e-3)


@pytest.mark.slow
def test_political_democracy_from_default_starts():
    fit = democracy().fit(moments.democracy(), progress=False)
    np.testing.assert_allclose(fit.llf, -1547.790943, atol=2e-6)
    np.testing.assert_allclose(
        [fit.params[n] for n in DEMOCRACY], list(DEMOCRACY.values()), rtol=1e-3, atol=1e-4
    )
    found = fit.fit_measures()
    assert found["df"] == 35
    np.testing.assert_allclose(
        [found[k] for k in ("chi2", "cfi", "tli", "rmsea")],
        [38.12521823, 0.9953745292, 0.9927314031, 0.03450448268],
        rtol=1e-6,
    )
    # With means in the model lavaan counts their residuals of zero too: 77 moments in place of 66.
    np.testing.assert_allclose(found["srmr"], 0.04112265669 * np.sqrt(77 / 66), rtol=1e-6)
    # lavaan's standard errors by `information="observed"`.
    for name, error in {
        "y1 ~~ y5": 0.369,
        "y2 ~~ y6": 0.726,
        "dem60 =~ y2": 0.186,
        "dem65 ~ dem60": 0.099,
    }.items():
        np.testing.assert_allclose(fit.bse[name], error, atol=6e-4)
    np.testing.assert_allclose(fit.standardized().loc["y6 ~~ y8", "std.all"], 0.3377708572, rtol=1e-4)


def test_bad_pairs_are_refused_by_name():
    a = Latent("a")
    items = [*(Continuous(q, of="a") for q in ("q1", "q2")), iclv.Ordered("o", of="a")]
    for pair, words in (
        (("q1", "o"), "'o', which is Ordered and has no normal residual"),
        (("q1", "a"), "pairs the item 'q1' with 'a', which is no item"),
        (("q1", "q1"), "pairs of two different names"),
        (("q1", "zz"), "pairs the item 'q1' with 'zz'"),
    ):
        with pytest.raises(ValueError, match=words):
            iclv.Model([a], items, covariances=[pair])
    with pytest.raises(ValueError, match="'q1' ~~ 'q2' twice"):
        iclv.Model([a], items, covariances=[("q1", "q2"), ("q2", "q1")])


def test_a_full_matrix_with_one_entry_held():
    """Standard deviations exp(z), rows (z, 1) / norm as the factor of the correlations: by numpy."""
    diagonal = (Entry(0, True, True), Entry(2, False, False), Entry(1, True, False))
    block = Covariance(diagonal, ((), (2,), (3, 4)))
    z, constants = np.array([0.3, -0.2, 0.5, -0.4, 0.8]), jnp.array([0.0, 0.0, 2.5])
    factor = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [-0.4, 0.8, 1.0]])
    factor /= np.linalg.norm(factor, axis=1, keepdims=True)
    deviations = np.array([np.exp(0.3), np.sqrt(2.5), np.exp(-0.2)])
    matrix = (factor @ factor.T) * np.outer(deviations, deviations)
    right = [deviations[0], matrix[2, 2], matrix[1, 0], matrix[2, 0], matrix[2, 1]]
    params = block.forward(jnp.asarray(z), jnp.asarray(z), constants)
    np.testing.assert_allclose(params, right, rtol=1e-12)
    np.testing.assert_allclose(block.inverse(params, params, constants), z, rtol=1e-12)
