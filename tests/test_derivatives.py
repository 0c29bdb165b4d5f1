"""Derivatives against finite differences and against each other, for every model of the bank.

All of it runs under strict promotion of types. Programs are compiled with few optimisations: each runs only a
handful of times here.
"""

import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import iclv_jax as iclv

STEP = 1e-3


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


# What these add is in the others; they run with the long tests.
SELDOM = ("likert4", "interactions", "split")
CASES = [pytest.param(n, marks=pytest.mark.slow) if n in SELDOM else n for n in bank.NAMES]


@pytest.fixture(scope="session", params=CASES)
def one(request):
    with jax.numpy_dtype_promotion("strict"):
        return bank.bound(request.param)


def differences(function, params, step=STEP):
    """Central differences of fourth order, along the last axis: one entry per parameter."""
    columns = []
    for direction in step * np.eye(len(params)):
        near, far = (
            np.asarray(function(params + k * direction) - function(params - k * direction)) for k in (1, 2)
        )
        columns.append((8.0 * near - far) / (12.0 * step))
    return np.stack(columns, axis=-1)


# --- every model ------------------------------------------------------------------------------------------------


@pytest.mark.gate("constraints", "likert5", "plain_probit", "mixed_logit", "mimic")
def test_the_score_is_the_slope_of_the_log_likelihood(one):
    score = one.problem.score(one.params)
    expected = differences(one.problem.loglike, one.params)
    np.testing.assert_allclose(score, expected, rtol=1e-6, atol=1e-7)
    assert (np.abs(expected) > 1e-3).all(), "a slope near zero would test nothing"


def test_scores_of_people_add_up_to_the_score(one):
    scores = one.problem.score_person(one.params)
    assert scores.shape == (len(one.problem.panel.people), len(one.problem.names))
    np.testing.assert_allclose(
        one.problem.core.weights @ scores, one.problem.score(one.params), rtol=1e-10, atol=1e-10
    )


@pytest.mark.gate("cfa", "likert5", "mixed_logit", "mimic", "plain_probit")
def test_the_hessian_is_the_slope_of_the_score(one):
    assert_slope_of_the_score(one, "exact")


@pytest.mark.gate("chain", "scaled", "cfa")
def test_the_items_alone_come_with_every_derivative(one):
    """In the same pass, at the same nodes."""
    expected = float(one.problem.part("items").loglike(one.params))
    found = one.problem.slope(one.params)
    np.testing.assert_allclose(found.value, one.problem.loglike(one.params), rtol=1e-12)
    np.testing.assert_allclose(found.gradient, one.problem.score(one.params), rtol=1e-12)
    every = [found, *(one.problem.expansion(one.params, kind) for kind in ("exact", "bhhh"))]
    for one_of in every:
        assert float(one_of.items) == pytest.approx(expected, rel=1e-11, abs=1e-11)


def test_vectors_and_names_round_trip(one):
    problem, values = one.problem, one.case.params
    assert set(problem.names) == set(values)
    assert problem.names == tuple(problem.unpack(one.params))
    assert [float(v) for v in one.params] == [values[n] for n in problem.names]
    np.testing.assert_array_equal(problem.vector(problem.unpack(one.params)), one.params)
    everything = problem.unpack(one.params, everything=True)
    assert set(everything) > set(values) or len(everything) == len(values)
    np.testing.assert_array_equal(problem.vector(everything), one.params)
    shuffled = dict(sorted(values.items(), key=lambda pair: hash(pair[0])))
    np.testing.assert_array_equal(problem.vector(shuffled), one.params)


FIXED_SIZE = ("~~", " | ", ".sd", ".delta", "step", "half", "log_price")
EXPONENTS = {"mixed_logit": ("time",), "correlated": ("cost",)}


def test_everything_is_finite_far_out(one):
    """Loadings, slopes and coefficients, and then thresholds, tens or hundreds of times as large: utilities and
    bounds of thousands, probabilities of 0 and 1, weights of nodes that underflow."""
    params, problem = one.case.params, one.problem
    kept = (*EXPONENTS.get(one.case.name, ()), "w2 | 2")
    for scale in (30.0, 700.0):
        small = {n: any(k in n for k in FIXED_SIZE) or n in kept for n in params}
        steep = {n: v if small[n] else v * scale for n, v in params.items()}
        wide = {
            n: v * scale if (" | " in n or ".delta" in n) and n not in kept else v for n, v in params.items()
        }
        for values in (steep, wide):
            vector = problem.vector(values)
            for part in (problem.loglike, problem.score, problem.score_person, problem.hessian):
                assert np.isfinite(part(vector)).all(), (scale, part)


# --- some models ------------------------------------------------------------------------------------------------


def assert_slope_of_the_score(one, method):
    hessian = np.asarray(one.problem.hessian(one.params, method=method))
    expected = differences(one.problem.score, one.params)
    np.testing.assert_allclose(hessian, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-12)


@pytest.mark.gate("split", "mimic", "plain_logit")
@pytest.mark.parametrize("name", ["mimic", "likert5", "mixed_logit", "plain_logit", "split"])
def test_the_hessian_by_autodiff_is_the_slope_of_the_score(name):
    """Also with fewer parameters than columns of one pass, and with a remainder."""
    assert_slope_of_the_score(bank.bound(name), "autodiff")


@pytest.mark.parametrize("name", ["mimic", "mixed_logit", "plain_probit"])
def test_bhhh_is_minus_the_sum_of_outer_products(name):
    one = bank.bound(name)
    scores = np.asarray(one.problem.score_person(one.params))
    expected = -np.einsum("n,ni,nj->ij", one.problem.core.weights, scores, scores)
    np.testing.assert_allclose(
        one.problem.hessian(one.params, method="bhhh"), expected, rtol=1e-12, atol=1e-12
    )


def test_an_unknown_hessian_is_answered_with_the_known_ones():
    one = bank.bound("plain_probit")
    with pytest.raises(ValueError, match="autodiff"):
        one.problem.hessian(one.params, method="autodif")


def test_derivatives_are_those_at_frozen_centred_nodes():
    one = bank.centred("mimic")
    np.testing.assert_allclose(
        one.problem.score(one.params), differences(one.problem.loglike, one.params), rtol=1e-7
    )
    assert not np.allclose(one.problem.score(one.params), bank.bound("mimic").problem.score(one.params))


@pytest.mark.slow
def test_transformations_from_the_outside():
    one = bank.bound("mimic")
    problem, params = one.problem, one.params
    beside = params[None, :] + jnp.asarray([[0.0], [0.01], [-0.02]])
    same = {"rtol": 1e-11, "atol": 1e-11}
    np.testing.assert_allclose(jax.jit(problem.loglike)(params), problem.loglike(params), **same)
    np.testing.assert_allclose(jax.grad(problem.loglike)(params), problem.score(params), **same)
    np.testing.assert_allclose(
        jax.hessian(problem.loglike)(params), problem.hessian(params, "autodiff"), **same
    )
    np.testing.assert_allclose(
        jax.vmap(problem.loglike)(beside), [problem.loglike(p) for p in beside], **same
    )
    np.testing.assert_allclose(
        jax.vmap(jax.jit(problem.score))(beside), [problem.score(p) for p in beside], **same
    )
    np.testing.assert_allclose(
        jax.jacfwd(problem.loglike_person)(params), problem.score_person(params), **same
    )
    value, slope = jax.jvp(problem.loglike, (params,), (jnp.ones_like(params),))
    assert float(value) == pytest.approx(float(problem.loglike(params)), rel=1e-12)
    assert float(slope) == pytest.approx(float(problem.score(params).sum()), rel=1e-11)


def test_transformations_without_anything_to_integrate():
    one = bank.bound("plain_probit")
    hessian = jax.jit(jax.hessian(lambda p: one.problem.loglike(p)))(one.params)
    np.testing.assert_allclose(hessian, one.problem.hessian(one.params, "autodiff"), rtol=1e-12)
    named = jax.grad(lambda values: one.problem.loglike(jnp.stack([values[n] for n in one.problem.names])))
    by_name, score = named(one.problem.unpack(one.params)), one.problem.score(one.params)
    np.testing.assert_allclose([by_name[n] for n in one.problem.names], score, rtol=1e-12)


def test_a_problem_may_be_an_argument():
    """It is a tree of arrays: weights may be differentiated, and mapped over as in a bootstrap."""
    one = bank.bound("plain_logit")
    people = len(one.problem.panel.people)
    draws = jnp.asarray(
        np.random.default_rng(1).multinomial(people, np.full(people, 1 / people), size=4), float
    )
    each = jax.jit(jax.vmap(lambda w: one.problem.with_weights(w).loglike(one.params)))(draws)
    np.testing.assert_allclose(each, draws @ one.problem.loglike_person(one.params), rtol=1e-12)
    loglike = jax.jit(lambda problem, params: problem.loglike(params))
    again = one.case.model.bind(one.case.data, **one.case.bind)
    for problem, other in (
        (one.problem, again),
        (one.problem.with_weights(draws[0]), again.with_weights(draws[0])),
    ):
        assert loglike(problem, one.params) == loglike(other, one.params) == problem.loglike(one.params)
    by_weight = jax.jit(jax.grad(lambda w: one.problem.with_weights(w).loglike(one.params)))(draws[0])
    np.testing.assert_allclose(by_weight, one.problem.loglike_person(one.params), rtol=1e-12)


def test_a_vector_refuses_what_does_not_fit():
    one = bank.bound("plain_logit")
    params = one.case.params
    with pytest.raises(ValueError, match="ratio"):
        one.problem.vector({n: v for n, v in params.items() if n != "ratio"})
    with pytest.raises(ValueError, match="asc2"):
        one.problem.vector(params | {"asc2": 0.5})
    with pytest.raises(ValueError, match="time3"):
        one.problem.vector(params | {"time3": params["time1"] + 0.1})
    with pytest.raises(ValueError, match=r"asc4.*asc"):
        one.problem.vector(params | {"asc4": 1.0})


# --- extremes ---------------------------------------------------------------------------------------------------


def expansion(problem, params):
    found = problem.loglike(params), problem.score(params), problem.hessian(params, "exact")
    assert all(np.isfinite(part).all() for part in found)
    return [np.asarray(part) for part in found]


@pytest.mark.parametrize("kernel", [iclv.Logit, iclv.Probit])
def test_choices_with_probabilities_of_zero_and_one(kernel):
    """The exact value and slope where the chosen alternative leads or trails by 1,000."""
    model = iclv.Model(choice=kernel(lambda b, x, lv: {"a": b.asc + b.x * x.x, "b": 0.0}, "choice"))
    data = pd.DataFrame({"x": [1000.0, -1000.0, 1000.0, 0.5], "choice": ["a", "a", "b", "b"]})
    problem = model.bind(data)
    value, score, hessian = expansion(problem, problem.vector({"asc": 0.0, "x": 1.0}))
    sure, never = problem.loglike_person(problem.vector({"asc": 0.0, "x": 1.0}))[:2]
    assert sure == 0.0
    if kernel is iclv.Logit:
        share = 1.0 / (1.0 + np.exp(-0.5))
        assert never == -1000.0
        assert float(value) == pytest.approx(-2000.0 + np.log(1.0 - share), rel=1e-14)
        np.testing.assert_allclose(score, [-share, -2000.0 - 0.5 * share], rtol=1e-12)
        np.testing.assert_allclose(
            hessian, -share * (1 - share) * np.array([[1, 0.5], [0.5, 0.25]]), rtol=1e-9
        )
    else:
        # The inverse of Mills' ratio: phi(z) / Phi(-z) is z + 1/z to a relative error of 2/z^4.
        assert float(never) == pytest.approx(norm.logcdf(-1000.0), rel=1e-14)
        assert score[1] == pytest.approx(-2.0 * 1000.0 * (1000.0 + 1e-3), rel=1e-6)
        assert hessian[1, 1] == pytest.approx(-2e6, rel=1e-5)


@pytest.mark.gate("logit")
@pytest.mark.parametrize("link", ["probit", "logit"])
def test_ordered_items_at_bounds_of_a_thousand(link):
    model = iclv.Model(
        latent=[iclv.Latent("l", on=["x"])],
        indicators=[iclv.Ordered("q", of="l", link=link), iclv.Ordered("r", of="l", link=link)],
    )
    data = pd.DataFrame(
        {"x": [1.0, -1.0, 0.5, 0.0, 1.0, 0.1], "q": [1, 2, 3, 4, 1, 2], "r": [1, 2, 2, 1, 2, 1]}
    )
    problem = model.bind(data, integration=iclv.GaussHermite(3, adaptive=False))
    small = {
        "l ~ x": 1.0,
        "l =~ q": 1.0,
        "q | 1": -0.5,
        "q | 2": 0.2,
        "q | 3": 1.0,
        "l =~ r": 0.5,
        "r | 1": 0.1,
    }
    for changes in (
        {"q | 1": -1000.0, "q | 2": -999.0, "q | 3": 1000.0},
        {"q | 1": 999.5, "q | 2": 999.5 + 1e-9, "q | 3": 1000.0},
        {"l =~ q": 1000.0, "l =~ r": -1000.0},
        {"l ~ x": 1000.0},
        {"r | 1": 1000.0},
    ):
        expansion(problem, problem.vector(small | changes))


def test_an_alternative_that_is_not_on_offer_leaves_no_trace():
    """Not even where its attribute is NaN, its utility is huge, or its slope would be infinite."""

    def utility(b, x, lv):
        return {
            "a": b.cost * x.cost_a + b.log * jnp.log(x.size_a),
            "b": b.cost * x.cost_b + b.root * jnp.sqrt(x.size_b),
            "c": 0.0,
        }

    generator = np.random.default_rng(5)
    data = pd.DataFrame(
        generator.uniform(0.5, 2.0, (20, 4)), columns=["cost_a", "cost_b", "size_a", "size_b"]
    )
    data = data.assign(av_a=np.arange(20) % 3 > 0, av_b=np.arange(20) % 4 > 0, choice="c")
    data.loc[data["av_a"] & (np.arange(20) % 2 == 0), "choice"] = "a"
    data.loc[data["av_b"] & (np.arange(20) % 5 == 0), "choice"] = "b"
    model = iclv.Model(choice=iclv.Logit(utility, "choice", available={"a": "av_a", "b": "av_b"}))
    away = {
        "cost_a": ~data["av_a"],
        "size_a": ~data["av_a"],
        "cost_b": ~data["av_b"],
        "size_b": ~data["av_b"],
    }
    params = jnp.asarray([-0.5, 0.7, 0.3])
    expected = expansion(model.bind(data.astype({"av_a": int, "av_b": int})), params)
    for filler in (np.nan, 1e200, 1e-300):
        filled = data.assign(**{name: data[name].mask(gone, filler) for name, gone in away.items()})
        found = expansion(model.bind(filled), params)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
