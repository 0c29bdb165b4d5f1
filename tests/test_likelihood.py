"""The log-likelihood against plain implementations, closed forms and dense integration; nodes and batches."""

import dataclasses

import bank
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import plain
import pytest
from scipy.integrate import trapezoid
from scipy.special import logsumexp, ndtr
from scipy.stats import multivariate_normal, norm

import iclv_jax as iclv
from iclv_jax import Adaptive, Continuous, GaussHermite, Latent, Logit, MonteCarlo, Ordered
from iclv_jax._likelihood import Core

SEQUENCES = ("halton", "sobol", "mlhs", "random")
CENTRED = ("mimic", "cfa", "likert5", "scaled", "correlated")


@pytest.fixture(scope="session", params=bank.NAMES)
def one(request):
    return bank.centred(request.param)


# --- the bank against the plain implementation ------------------------------------------------------------------


@pytest.mark.gate("scaled", "likert5", "interactions", "mimic", "plain_probit", "mixed_logit", "constraints")
def test_every_person_against_the_plain_implementation(one):
    found = one.problem.loglike_person(one.params)
    assert found.shape == (len(one.problem.panel.people),)
    np.testing.assert_allclose(found, one.plain(), rtol=1e-10)


def test_every_value_by_name_against_the_plain_implementation(one):
    values = plain.Values(one.case.parts, one.case.params)
    found = one.problem.unpack(one.params, everything=True)
    assert {name: float(v) for name, v in found.items()} == pytest.approx(
        {name: values(name) for name in found}
    )


def test_people_stand_in_the_order_of_the_data(one):
    keywords = {k: one.case.bind[k] for k in ("person", "people") if k in one.case.bind}
    people = plain.read_people(one.case.parts, one.case.data, **keywords)
    assert list(one.problem.panel.people) == [p.id for p in people]
    assert one.problem.panel.situations == sum(len(p.rows) for p in people)


def test_the_bank_holds_people_without_items_and_people_without_choices():
    *items, choice = (data.occurs.any(axis=1) for data in bank.bound("split").problem.panel.person.data)
    answered, chose = np.any(items, axis=0), choice
    assert (answered & ~chose).sum() == 8
    assert (~answered & chose).sum() == 6


def everywhere(problem):
    """The problem with every column taken situation by situation."""
    core = problem.core
    blocks = [
        dataclasses.replace(b, steady=()) if b in core.structure.choices else b for b in core.structure.blocks
    ]
    shape = dataclasses.replace(core.structure, blocks=tuple(blocks))
    other = Core(shape, core.constants, core.people)
    return eqx.tree_at(lambda p: p.core, problem, other)


@pytest.fixture(scope="module")
def steady():
    """A model with a column that does not change over a person's situations, its data, and what `bind` takes."""

    def utility(b, x, lv):
        time = b.time + b.bend * jnp.tanh(x.trait)
        return {"a": b.asc + time * x.time + b.lv * lv.ease, "b": b.old * x.trait}

    generator = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(12), 3), "trait": np.repeat(generator.normal(size=12), 3)}
    )
    frame["time"], frame["q"] = generator.normal(size=36), np.repeat(generator.normal(size=12), 3)
    frame = frame.assign(choice=generator.choice(["a", "b"], size=36)).drop(index=[35])
    model = iclv.Model([Latent("ease")], [Continuous("q", of="ease")], Logit(utility, "choice"))
    return model, frame, {"person": "id", "integration": GaussHermite(5)}


def test_what_does_not_change_over_situations_is_taken_once_per_person(steady):
    """The answers are those of every situation by itself."""
    model, frame, bind = steady
    problem = model.bind(frame, **bind)
    (choice,) = problem.core.structure.choices
    columns, places = choice.utility.columns, choice.steady
    assert [columns[i] for i in places] == ["trait"]
    params = problem.start() + 0.02 * jnp.arange(float(len(problem.names)))
    problem = problem.recentre(params)
    every = everywhere(problem)
    np.testing.assert_allclose(problem.loglike_person(params), every.loglike_person(params), rtol=1e-14)
    for one, other in zip(problem.expansion(params), every.expansion(params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
    assert model.bind(frame.assign(time=1.0), **bind).core.structure.choices[0].steady == ()


def test_in_other_data_such_a_column_may_change(steady):
    model, frame, bind = steady
    stopped = iclv.TrustRegion(max_iterations=2)
    fit = model.fit(frame, **bind, optimizer=stopped, start="default", progress=False)
    moved = frame.assign(trait=np.linspace(-1, 1, 35))
    other = dataclasses.replace(fit, problem=everywhere(fit.problem))
    assert np.ptp(np.asarray(fit.predict(moved, given="answers"))[:3, 0]) > 1e-6
    np.testing.assert_allclose(
        fit.predict(moved, given="answers"), other.predict(moved, given="answers"), rtol=1e-12
    )


@pytest.mark.slow
def test_elasticities_by_such_a_column(steady):
    model, frame, bind = steady
    stopped = iclv.TrustRegion(max_iterations=2)
    fit = model.fit(frame, **bind, optimizer=stopped, start="default", progress=False)
    other, moved = (
        dataclasses.replace(fit, problem=everywhere(fit.problem)),
        frame.assign(trait=np.linspace(-1, 1, 35)),
    )
    for given in ("nothing", "answers"):
        slopes = (f.elasticities("trait", data=moved, given=given).rows for f in (fit, other))
        np.testing.assert_allclose(*slopes, rtol=1e-10, atol=1e-12)


def test_start_values_are_finite_and_give_a_finite_likelihood(one):
    """Also those of the parameters that only definitions use."""
    start = one.problem.start()
    assert start.shape == one.params.shape
    assert np.isfinite(start).all()
    assert np.isfinite(one.problem.loglike_person(start)).all()


@pytest.mark.parametrize("name", ["chain", "mixed_logit", "mimic"])
def test_weights_multiply_the_people(name):
    one = bank.bound(name)
    weights = one.case.bind.get("weights", 1.0)
    if isinstance(weights, str):
        weights = one.case.data.drop_duplicates("id")[weights].to_numpy()
    total = np.sum(weights * one.problem.loglike_person(one.params))
    assert float(one.problem.loglike(one.params)) == pytest.approx(float(total), rel=1e-12)


def test_the_parts_of_a_model_without_latent_variables_in_the_utility_add_up():
    """Items alone and choices alone, at the same nodes, when only one of them depends on the nodes."""
    one = bank.bound("split")
    params = one.problem.vector(one.case.params | {"will": 0.0})
    items, choices = (one.problem.part(keep).loglike_person(params) for keep in ("items", "choices"))
    np.testing.assert_allclose(items + choices, one.problem.loglike_person(params), rtol=1e-12)


@pytest.mark.parametrize("keys", [(3, 1, 2), ("b", "c", "a"), (2, "z", 0.5), ((1, "x"), "x", 1)], ids=str)
def test_alternatives_of_any_type_keep_the_order_of_the_mapping(keys):
    generator = np.random.default_rng(1)
    costs = generator.normal(size=(30, 3))
    chosen = generator.integers(0, 3, 30)
    choice = pd.Series([keys[c] for c in chosen], dtype=object)
    data = pd.DataFrame({"choice": choice, **{f"x{j}": costs[:, j] for j in range(3)}})
    model = iclv.Model(
        choice=Logit(lambda b, x, lv: {k: b[f"c{j}"] * x[f"x{j}"] for j, k in enumerate(keys)}, "choice")
    )
    problem = model.bind(data)
    assert problem.names == ("c0", "c1", "c2")
    v = np.array([0.5, -1.0, 2.0]) * costs
    expected = v[np.arange(30), chosen] - logsumexp(v, axis=1)
    np.testing.assert_allclose(problem.loglike_person(jnp.array([0.5, -1.0, 2.0])), expected, rtol=1e-13)


def test_thresholds_out_of_order_make_the_likelihood_nan_where_they_matter():
    one = bank.bound("scaled")
    answers = one.case.data.drop_duplicates("id")["w2"].to_numpy()
    found = one.problem.loglike_person(one.problem.vector(one.case.params | {"w2 | 2": 1.1}))
    np.testing.assert_array_equal(np.isnan(found), answers == 3)


# --- closed forms -----------------------------------------------------------------------------------------------


def normal_loglike(answers, mean, covariance):
    """Of every row by the multivariate normal density, over its observed entries."""
    found = []
    for row, centre in zip(answers, mean, strict=True):
        seen = np.flatnonzero(~np.isnan(row))
        found.append(multivariate_normal.logpdf(row[seen], centre[seen], covariance[np.ix_(seen, seen)]))
    return np.array(found)


def test_continuous_items_of_one_latent_variable_are_jointly_normal():
    one = bank.centred("mimic")
    value, data = one.case.params, one.case.data
    answers = data[["y1", "y2", "y3", "y4"]].replace(-9.0, np.nan).to_numpy()
    loadings = np.array([1.0, value["health =~ y2"], value["health =~ y3"], value["health =~ y4"]])
    intercepts = np.array([0.25, value["y2 ~ 1"], value["y3 ~ 1"], 0.0])
    mean = (
        value["health ~ 1"] + value["health ~ age"] * data["age"] + value["health ~ income"] * data["income"]
    )
    errors = np.diag([value[f"y{k} ~~ y{k}"] for k in (1, 2, 3, 4)])
    covariance = value["health ~~ health"] * np.outer(loadings, loadings) + errors
    expected = normal_loglike(answers, intercepts + np.outer(mean, loadings), covariance)
    np.testing.assert_allclose(one.problem.loglike_person(one.params), expected, rtol=1e-11)


def test_linear_structural_equations_imply_the_normal_moments():
    """Paths, covariances of disturbances in either unit, cross-loadings, missing answers. The posterior is
    normal, so that posterior-centred draws are exact whatever their number."""
    model = iclv.Model(
        latent=[Latent("c", on=["b", "x"]), Latent("a", on=["x"]), Latent("b", on=["a"], scale="loading")],
        indicators=[
            Continuous("y1", of="a"),
            Continuous("y2", of=["b", "a"]),
            Continuous("y3", of="b"),
            Continuous("y4", of=["a", "b", "c"], intercept=False),
            Continuous("y5", of="c"),
        ],
        covariances=[("a", "b"), ("c", "a")],
    )
    generator = np.random.default_rng(4)
    data = pd.DataFrame(generator.normal(size=(30, 6)), columns=["x", "y1", "y2", "y3", "y4", "y5"])
    data = data.mask(generator.uniform(size=data.shape) < np.array([0.0, 0.2, 0.3, 0.1, 0.2, 0.4]))
    problem = model.bind(data, integration=Adaptive(3))
    value = dict(zip(problem.names, generator.uniform(0.3, 0.9, len(problem.names)).tolist(), strict=True))
    value |= {"c ~~ a": 0.25, "a ~~ b": -0.3} if "c ~~ a" in value else {}
    params = problem.vector(value)

    v = {"a ~~ a": 1.0, "c ~~ c": 1.0, "b =~ y2": 1.0, "y4 ~ 1": 0.0, **value}
    order, items = "abc", [f"y{k}" for k in range(1, 6)]

    def matrix(rows, columns, join):
        return np.array([[v.get(f"{r}{join}{c}", 0.0) for c in columns] for r in rows])

    upper = matrix(order, order, " ~~ ")
    psi = upper + upper.T - np.diag(np.diag(upper))
    total = np.linalg.inv(np.eye(3) - matrix(order, order, " ~ "))
    loadings = matrix(order, items, " =~ ").T
    mean = np.outer(data["x"], matrix(order, ["x"], " ~ ")[:, 0]) @ total.T @ loadings.T
    intercepts = np.array([v[f"{q} ~ 1"] for q in items])
    errors = np.diag([v[f"{q} ~~ {q}"] for q in items])
    covariance = loadings @ total @ psi @ total.T @ loadings.T + errors
    expected = normal_loglike(data[items].to_numpy(), intercepts + mean, covariance)
    np.testing.assert_allclose(problem.recentre(params).loglike_person(params), expected, rtol=1e-10)


# --- dense integration ------------------------------------------------------------------------------------------

GRID = np.linspace(-9.0, 9.0, 721)


def test_an_ordered_item_and_a_binary_choice_by_the_trapezoidal_rule():
    """The integral written out, apart from everything else here."""
    model = iclv.Model(
        latent=[Latent("l", on=["age"])],
        indicators=[Ordered("q", of="l", levels=[1, 2, 3])],
        choice=Logit(lambda b, x, lv: {"a": b.asc + b.taste * lv.l, "b": b.cost * x.cost}, "choice"),
    )
    generator = np.random.default_rng(2)
    age, cost, q = generator.normal(size=12), generator.normal(size=12), np.arange(12) % 3 + 1
    data = pd.DataFrame({"age": age, "cost": cost, "q": q, "choice": ["a", "b"] * 6})
    problem = model.bind(data, integration=GaussHermite(30))
    params = problem.vector(
        {"l ~ age": 0.7, "l =~ q": -1.3, "q | 1": -0.4, "q | 2": 0.9, "asc": 0.2, "taste": 1.5, "cost": -0.8}
    )
    eta = 0.7 * age[:, None] + GRID
    ends = np.array([-np.inf, -0.4, 0.9, np.inf])
    item = ndtr(ends[q][:, None] + 1.3 * eta) - ndtr(ends[q - 1][:, None] + 1.3 * eta)
    lead = 0.2 + 1.5 * eta + 0.8 * cost[:, None]
    choice = 1.0 / (1.0 + np.exp(np.where(np.arange(12)[:, None] % 2 == 0, -lead, lead)))
    expected = np.log(trapezoid(item * choice * norm.pdf(GRID), GRID))
    np.testing.assert_allclose(problem.recentre(params).loglike_person(params), expected, rtol=1e-9)


def test_a_lognormal_coefficient_over_a_panel_by_the_trapezoidal_rule():
    model = iclv.Model(
        choice=Logit(lambda b, x, lv: {"a": b.time * x.time + b.asc, "b": 0.0}, "choice"),
        random={"time": iclv.LogNormal(sign=-1)},
    )
    generator = np.random.default_rng(3)
    time, owner = generator.uniform(0, 3, 24), np.sort(generator.integers(0, 6, 24))
    yes = generator.uniform(size=24) < 0.4
    data = pd.DataFrame({"id": owner, "time": time, "choice": np.where(yes, "a", "b")})
    problem = model.bind(data, person="id", integration=GaussHermite(120, adaptive=False))
    params = problem.vector({"time": -0.3, "time.sd": 0.6, "asc": 0.8})
    lead = 0.8 - np.exp(-0.3 + 0.6 * GRID) * time[:, None]
    probability = 1.0 / (1.0 + np.exp(np.where(yes[:, None], -lead, lead)))
    people = [probability[owner == i].prod(axis=0) for i in dict.fromkeys(owner)]
    expected = np.log(trapezoid(np.array(people) * norm.pdf(GRID), GRID))
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-8)


def test_gauss_hermite_grids_agree_with_dense_integration_whether_centred_or_not():
    one = bank.get("likert5")
    adaptive, fixed = (
        one.model.bind(one.data, person="id", integration=GaussHermite(count, adaptive=moves))
        for count, moves in ((20, True), (90, False))
    )
    params = adaptive.vector(one.params)
    centred = adaptive.recentre(params).loglike_person(params)
    people = len(adaptive.panel.people)
    grid = np.broadcast_to(GRID[::4, None], (people, len(GRID[::4]), 1))
    weights = np.broadcast_to(norm.logpdf(GRID[::4]) + np.log(4 * (GRID[1] - GRID[0])), grid.shape[:2])
    dense = plain.loglike_person(one.parts, one.data, one.params, grid, weights, person="id")
    np.testing.assert_allclose(centred, dense, rtol=1e-9)
    np.testing.assert_allclose(fixed.loglike_person(params), dense, rtol=1e-7)


# --- sequences and rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [MonteCarlo, Adaptive])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequences_are_seeded(rule, sequence):
    first, again, other = (rule(16, sequence, seed=s).standard(5, 3) for s in (3, 3, 4))
    assert first.points.shape == (5, 16 + first.from_prior, 3)
    np.testing.assert_array_equal(first.points, again.points)
    assert not np.isclose(first.points, other.points).any()


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_every_person_has_a_block_of_their_own(sequence):
    points = MonteCarlo(8, sequence, seed=1).standard(40, 2).points
    for dimension in (0, 1):
        assert len(np.unique(points[:, :, dimension])) == 320
    # Not even the errors of the people's means are the same.
    assert points.mean(axis=1).std() > 0.02


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_moments_are_those_of_the_standard_normal(sequence):
    rule = MonteCarlo(128, sequence, seed=2).standard(64, 3)
    points = rule.points.reshape(-1, 3)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.04)
    np.testing.assert_allclose(np.cov(points.T), np.eye(3), atol=0.05)
    np.testing.assert_allclose((points**4).mean(axis=0), 3.0, atol=0.3)
    assert logsumexp(rule.log_weights) == pytest.approx(0.0, abs=1e-12)


def strata(points, count):
    """How many points fall into each of `count` equal shares of probability."""
    return np.bincount((ndtr(points) * count).astype(int), minlength=count)


def test_latin_hypercubes_are_stratified_within_the_person():
    points = MonteCarlo(20, "mlhs", seed=5).standard(6, 2).points
    for person, dimension in np.ndindex(6, 2):
        column = points[person, :, dimension]
        assert (strata(column, 20) == 1).all()
        # One shift for a person and dimension (Hess, Train and Polak 2006), and a shuffled order.
        np.testing.assert_allclose(np.diff(np.sort(ndtr(column))), 1 / 20, rtol=1e-9)
        assert (np.diff(column) < 0.0).any()
    assert np.abs(np.corrcoef(points.reshape(12, -1)) - np.eye(12)).max() < 0.95


def test_blocks_together_are_one_low_discrepancy_sequence():
    sobol = MonteCarlo(16, "sobol", seed=6).standard(16, 3).points.reshape(-1, 3)
    halton = MonteCarlo(27, "halton", seed=6).standard(8, 3).points.reshape(-1, 3)
    for dimension in range(3):
        assert (strata(sobol[:, dimension], 256) == 1).all()
    assert (strata(halton[:, 0], 8) == 27).all()
    assert (strata(halton[:, 1], 27) == 8).all()


@pytest.mark.parametrize("dimension", [1, 2])
def test_gauss_hermite_is_exact_for_polynomials(dimension):
    rule = GaussHermite(6, adaptive=False).standard(9, dimension)
    weights, points = np.exp(rule.log_weights), rule.points[0]
    assert rule.points.shape == (1, 6**dimension, dimension)
    for power, moment in ((0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0), (8, 105.0), (10, 945.0)):
        assert weights @ points[:, -1] ** power == pytest.approx(moment, rel=1e-11, abs=1e-11)
    assert weights @ np.prod(points**2, axis=1) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "rule", [MonteCarlo(4), Adaptive(4), GaussHermite(3), GaussHermite(3, adaptive=False)], ids=repr
)
def test_without_dimensions_the_integral_is_the_integrand(rule):
    standard = rule.standard(3, 0)
    assert standard.points.shape[-1] == 0
    assert logsumexp(standard.log_weights) == pytest.approx(0.0, abs=1e-14)


# --- centres ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=CENTRED)
def adaptive(request):
    return bank.centred(request.param)


def test_centres_are_modes(adaptive):
    centre = adaptive.problem.centres(adaptive.params)
    assert np.asarray(centre.found).all()
    assert (np.asarray(centre.gradient) < 1e-8).all()
    posterior = plain_posterior(adaptive)
    for n in (0, 7, len(centre.mode) - 1):
        mode, beside = np.asarray(centre.mode[n]), 1e-4 * np.eye(centre.mode.shape[1])
        slopes = [posterior(n, mode + e) - posterior(n, mode - e) for e in beside]
        np.testing.assert_allclose(np.array(slopes) / 2e-4, 0.0, atol=1e-6)


def test_proposals_have_the_curvature_of_the_posterior(adaptive):
    centre = adaptive.problem.centres(adaptive.params)
    posterior, size, step = plain_posterior(adaptive), centre.mode.shape[1], 1e-3
    axes = step * np.eye(size)
    for n in (0, 11):
        mode, factor = np.asarray(centre.mode[n]), np.asarray(centre.factor[n])
        precision = np.empty((size, size))
        for i, j in np.ndindex(size, size):
            corners = [
                s * t * posterior(n, mode + s * axes[i] + t * axes[j]) for s in (1, -1) for t in (1, -1)
            ]
            precision[i, j] = -sum(corners) / (4 * step**2)
        if centre.log_concave[n]:
            np.testing.assert_allclose(factor @ factor.T, np.linalg.inv(precision), rtol=1e-4, atol=1e-5)


def plain_posterior(one):
    """(position of a person, shocks) -> log f - u'u / 2, by the plain implementation."""
    parts, case = one.case.parts, one.case
    keywords = {k: case.bind[k] for k in ("person", "people") if k in case.bind}
    everyone, values = plain.read_people(parts, case.data, **keywords), plain.Values(parts, case.params)
    levels, size = plain.item_levels(parts, everyone), len(parts.get("latent", ()))
    latent_variables, random = plain.structural(parts, values), plain.coefficients(parts, values)

    def posterior(n, u):
        eta = latent_variables(everyone[n].covariates, u[:size])
        return plain.log_density(parts, everyone[n], levels, values, eta, random(u[size:])) - u @ u / 2

    return posterior


def test_weights_of_centred_nodes_change_the_variable(adaptive):
    centre, problem = adaptive.problem.centres(adaptive.params), adaptive.problem
    for n in (0, 5):
        shocks, proposal = proposed(problem, centre, n)
        np.testing.assert_allclose(problem.core.nodes.shocks[n], shocks, rtol=1e-10, atol=1e-12)
        expected = problem.log_weights + norm.logpdf(shocks).sum(axis=1) - proposal
        np.testing.assert_allclose(problem.core.nodes.log_weights[n], expected, rtol=1e-9, atol=1e-9)


def proposed(problem, centre, n):
    """A person's standard points moved to the posterior, and their log density there."""
    mode, factor = np.asarray(centre.mode[n]), np.asarray(centre.factor[n])
    points = np.asarray(problem.points)
    shocks = mode + points[min(n, len(points) - 1)] @ factor.T
    return shocks, np.atleast_1d(multivariate_normal.logpdf(shocks, mode, factor @ factor.T))


def test_draws_from_the_prior_bound_the_weights_of_adaptive_ones():
    """All draws are weighted by the mixture of prior and proposal that they come from (Owen and Zhou 2000)."""
    case = bank.get("mimic")
    problem = case.model.bind(case.data, integration=Adaptive(40, "sobol", seed=2))
    params = problem.vector(case.params)
    centre, nodes = problem.centres(params), problem.recentre(params).core.nodes
    assert problem.from_prior == 2
    for n in (0, 5):
        points, (shocks, _) = np.asarray(problem.points[n]), proposed(problem, centre, n)
        shocks = np.concatenate([shocks[:-2], points[-2:]])
        np.testing.assert_allclose(nodes.shocks[n], shocks, rtol=1e-10, atol=1e-12)
        spread = np.asarray(centre.factor[n])[0, 0]
        prior, posterior = norm.pdf(shocks[:, 0]), norm.pdf(shocks[:, 0], centre.mode[n][0], abs(spread))
        weights = prior / (2 * prior + 40 * posterior)
        np.testing.assert_allclose(np.exp(nodes.log_weights[n]), weights, rtol=1e-9)
        assert weights.max() < 1 / 2


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_draws_from_the_prior_are_added_to_a_whole_sequence(sequence):
    """A net of which points were taken away would no longer be balanced."""
    rule = Adaptive(64, sequence, seed=3).standard(5, 2)
    assert rule.from_prior == 3
    np.testing.assert_array_equal(rule.points[:, :64], MonteCarlo(64, sequence, seed=3).standard(5, 2).points)


@pytest.mark.parametrize("name", ["chain", "likert4", "split", "plain_logit", "plain_probit", "constraints"])
def test_a_rule_without_centres_returns_itself(name):
    """So does any rule where there is nothing to integrate."""
    one = bank.bound(name)
    assert one.problem.recentre(one.params) is one.problem


def test_recentring_leaves_the_first_problem_alone_and_is_not_differentiated():
    one = bank.bound("mimic")
    before = np.asarray(one.problem.core.nodes.shocks)
    moved = one.problem.recentre(one.params)
    assert not np.allclose(moved.core.nodes.shocks, before)
    np.testing.assert_array_equal(one.problem.core.nodes.shocks, before)
    through = jax.grad(lambda p: one.problem.recentre(p).loglike(p))(one.params)
    np.testing.assert_allclose(through, moved.score(one.params), rtol=1e-10, atol=1e-10)


def test_centring_where_the_posterior_is_far_from_normal_stays_finite():
    case = bank.get("interactions")
    problem = case.model.bind(case.data, person="id", integration=GaussHermite(9))
    for scale in (1.0, 8.0, 60.0):
        steep = dict.fromkeys(("twist", "calm", "haste =~ h1", "calm =~ c2"), scale)
        params = problem.vector({name: value * steep.get(name, 1.0) for name, value in case.params.items()})
        centre = problem.centres(params)
        assert np.asarray(centre.found).all()
        assert (np.asarray(centre.gradient) < 1e-8).all()
        assert np.isfinite(problem.recentre(params).loglike_person(params)).all()


def test_a_posterior_with_two_modes_gets_a_wider_proposal():
    """Only a product of two latent variables is left, so that the prior's mode is a saddle point."""
    case = bank.get("interactions")
    problem = case.model.bind(case.data, person="id", integration=GaussHermite(9))
    quiet = {name: 0.0 if " | " not in name and "~~" not in name else v for name, v in case.params.items()}
    params = problem.vector(quiet | {"twist": 5.0, "log_price": -60.0})
    centre = problem.centres(params)
    guarded = ~np.asarray(centre.log_concave)
    assert guarded.sum() > 10
    covariances = np.einsum("nij,nkj->nik", centre.factor, centre.factor)
    largest = np.linalg.eigvalsh(covariances)[:, -1]
    np.testing.assert_allclose(largest[guarded], 4.0, rtol=1e-9)
    found, prior = problem.recentre(params).loglike_person(params), problem.loglike_person(params)
    np.testing.assert_allclose(found, prior, atol=0.2)


# --- batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_batches_of_people_do_not_change_the_answer(batch):
    one = bank.bound("mimic")
    problem = one.case.model.bind(one.case.data, **one.case.bind, batch_people=batch)
    assert problem.core.people.batch == batch
    same = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(
        problem.loglike_person(one.params), one.problem.loglike_person(one.params), **same
    )
    if batch == 7:
        scores = one.problem.score_person(one.params)
        np.testing.assert_allclose(problem.score_person(one.params), scores, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(problem.score(one.params), scores.sum(axis=0), rtol=1e-11, atol=1e-11)
        hessians = (p.hessian(one.params) for p in (problem, one.problem))
        np.testing.assert_allclose(*hessians, rtol=1e-11, atol=1e-10)
        centres, whole = problem.centres(one.params), one.problem.centres(one.params)
        np.testing.assert_allclose(centres.mode, whole.mode, **same)


def test_a_panel_in_batches():
    one = bank.bound("chain")
    problem = one.case.model.bind(one.case.data, **one.case.bind, batch_people=10)
    expected = one.problem.loglike_person(one.params)
    np.testing.assert_allclose(problem.loglike_person(one.params), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [None, iclv.GaussHermite(9)])
def test_a_latent_variable_without_a_disturbance_beside_two_that_covary(rule):
    """What forms it decides it: a composite of its covariates, against the normal density of the items given these."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(30, 6)), columns=["a", "b", "t1", "t2", "c1", "c2"])
    model = iclv.Model(
        [iclv.Latent("s", on=["a", "b"]), iclv.Latent("t", on=["s"]), iclv.Latent("c", on=["s"])],
        [iclv.Continuous(f"{name}{k}", of=name) for name in "tc" for k in (1, 2)],
        covariances=[("t", "c")],
        fixed={"s ~~ s": 0.0, "s ~ a": 1.0},
    )
    problem = model.bind(frame, integration=rule)
    truth = {"s ~ b": 0.6, "t ~ s": 0.5, "c ~ s": -0.4, "t ~~ c": 0.3}
    for q in ("t1", "t2", "c1", "c2"):
        truth |= {f"{q[0]} =~ {q}": 0.8, f"{q} ~ 1": 0.1, f"{q} ~~ {q}": 0.9}
    params = problem.vector(truth)
    status = frame["a"] + 0.6 * frame["b"]
    centre = 0.1 + 0.8 * np.outer(status, [0.5, 0.5, -0.4, -0.4])
    latent = np.kron([[1.0, 0.3], [0.3, 1.0]], np.ones((2, 2)))
    spread = 0.64 * latent + 0.9 * np.eye(4)
    expected = multivariate_normal(cov=spread).logpdf(frame[["t1", "t2", "c1", "c2"]] - centre)
    np.testing.assert_allclose(problem.recentre(params).loglike_person(params), expected, rtol=1e-6)
    problem = problem.recentre(params)
    exact = problem.hessian(params)
    assert np.isfinite(exact).all()
    np.testing.assert_allclose(exact, problem.hessian(params, "autodiff"), rtol=1e-6, atol=1e-6)
