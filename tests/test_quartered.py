"""Draws that are shared out among people: some have all, others a quarter or a sixteenth."""

import pickle
from dataclasses import replace

import jax
import numpy as np
import pytest
from test_integration import lognormals

import iclv_jax as iclv
from iclv_jax import Adaptive, Conditioned
from iclv_jax._integration import Quartered
from iclv_jax._likelihood import log_terms
from iclv_jax._problem._elsewhere import Elsewhere
from iclv_jax._problem._shared_out import likely, shared_out

DRAWS = 64
TIMES = np.arange(120) % 2 * 2


@pytest.fixture(scope="module")
def plain():
    model, data, truth = lognormals(2)
    rule = Adaptive(DRAWS, "sobol", final_draws=DRAWS, proposal="mean")
    problem = model.bind(data, person="id", integration=rule)
    params = problem.vector(truth)
    return problem.recentre(params), params


@pytest.fixture(scope="module")
def parted(plain):
    problem, params = plain
    return problem.integrate(replace(problem.rule, quartered=TIMES)).recentre(params)


@pytest.mark.slow
def test_each_person_has_the_first_of_the_draws_and_of_those_from_the_prior(plain, parted):
    problem, params = plain
    core, tails = problem.core, problem.from_prior
    theta = core.theta(params)
    values = np.asarray(parted.loglike_person(params))
    for i in range(6):
        person, nodes = jax.tree.map(lambda a, i=i: a[i], (core.person, core.nodes))
        part = 4 ** int(TIMES[i])
        kept = np.r_[0 : DRAWS // part, DRAWS : DRAWS + tails // part]
        terms = np.asarray(log_terms(core.structure, theta, person, nodes))[kept]
        assert np.isclose(np.logaddexp.reduce(terms) + np.log(part), values[i], rtol=1e-13)


def test_it_is_that_of_all_nodes_together(parted, plain):
    _, params = plain
    whole = parted.with_people(parted.core.people.padded())
    assert parted.core.people.node_counts.tolist() == (80 // 4**TIMES).tolist()
    assert [length.nodes for length in parted.core.people.lengths] == [5, 80]
    assert whole.core.people.node_counts is None
    for name in ("loglike", "score", "hessian", "score_person", "effective_sizes"):
        one, other = (np.asarray(getattr(p, name)(params)) for p in (parted, whole))
        assert np.allclose(one, other, rtol=1e-10, atol=1e-10), name


@pytest.mark.slow
def test_some_people_keep_theirs(parted, plain):
    _, params = plain
    at = np.array([7, 2, 2, 90, 31])
    some = parted.take(at)
    assert some.rule.quartered == tuple(TIMES[at])
    assert some.core.people.node_counts.tolist() == (80 // 4 ** TIMES[at]).tolist()
    values = np.asarray(parted.loglike_person(params))[at]
    assert np.allclose(some.loglike_person(params), values, rtol=1e-12)
    assert np.allclose(some.recentre(params).loglike_person(params), values, rtol=1e-12)


@pytest.mark.slow
def test_other_rules_and_batches_follow(parted, plain):
    problem, params = plain
    back = parted.integrate(problem.rule).recentre(params)
    assert back.core.people.node_counts is None
    assert np.allclose(back.loglike_person(params), problem.loglike_person(params), rtol=1e-12)
    few = parted.with_people(parted.core.people.in_batches_of(7))
    assert np.allclose(few.hessian(params), parted.hessian(params), rtol=1e-10)


def test_a_rule_that_was_bound_is_the_rule_that_was_given(parted, plain):
    _, params = plain
    model, data, _ = lognormals(2)
    bound = model.bind(data, person="id", integration=parted.rule).recentre(params)
    assert bound.core.people.node_counts.tolist() == parted.core.people.node_counts.tolist()
    assert float(bound.loglike(params)) == pytest.approx(float(parted.loglike(params)), rel=1e-13)
    there = pickle.loads(pickle.dumps(parted))
    assert float(there.loglike(params)) == float(parted.loglike(params))


def test_other_people_have_all_draws():
    rule = Adaptive(DRAWS, "sobol", final_draws=DRAWS, proposal="mean", quartered=[1, 0])
    assert rule.standard(3, 2).log_weights.shape == (80,)
    assert np.isneginf(rule.standard(2, 2).log_weights).sum() == 60
    assert rule.of(np.array([1, 1])).quartered == (0, 0)
    assert "a quarter of that for 1 of 2 people" in Conditioned(rule).describe(2)
    assert repr(rule.quartered) == "<0: 1 person, 1: 1 person>"


@pytest.mark.slow
def test_a_fit_with_such_a_rule_comes_back_from_its_file(parted, tmp_path):
    model, data, truth = lognormals(2)
    fit = model.fit(data, person="id", integration=parted.rule, start=truth)
    fit.save(tmp_path / "fit")
    known = iclv.load(tmp_path / "fit", model, data)
    assert known.problem.rule == fit.problem.rule
    assert known.llf == fit.llf
    assert "sixteenth of that for 60 of 120 people" in str(fit.integration_report())
    frame = fit.predict()
    assert np.allclose(frame.to_numpy().sum(axis=1), 1.0)
    assert len(fit.latent_scores()) == 120


def test_whoever_is_least_certain_has_most():
    variances = np.full(752, 1e-6)
    variances[:10] = 1e-2
    counts = np.full(752, 256)
    draws, parts = shared_out(variances, counts, 8_192, 0.1)
    assert parts is not None and set(parts[:10]) == {0} and set(parts[10:]) != {0}
    spent = draws // 4 ** np.asarray(parts)
    assert (variances * (256 / spent) ** 1.6).sum() <= 0.1**2
    assert 2 * spent.sum() < 752 * 1_024
    # Where nobody stands out all have as many.
    assert shared_out(np.full(752, 1e-4), counts, 8_192, 0.1)[1] is None
    # What cannot be reached is not paid for.
    most, parts = shared_out(variances, counts, 1_024, 1e-3)
    assert most == 1_024 and (parts is None or min(parts) == 0)


def test_variances_are_those_of_the_seeds(plain):
    problem, params = plain
    here = Elsewhere(problem, params)
    each = here.scattered(problem.rule, 3, 4)
    assert here.randomised(problem.rule, 3, 4)[1] == pytest.approx(float(each.variances.sum()), rel=1e-12)
    seeds = [problem.integrate(problem.rule.reseeded(3 + k)).recentre(params) for k in range(4)]
    assert np.allclose(each.sizes, np.min([s.effective_sizes(params) for s in seeds], axis=0), rtol=1e-10)


def test_luck_with_few_seeds_is_not_believed():
    variances, sizes = np.array([1.0, 1.0, 1.0, 0.01, 5.0]), np.array([50.0, 50.0, 50.0, 10.0, 50.0])
    found = likely(variances, sizes, np.full(5, 100))
    assert found.tolist() == pytest.approx([1.0, 1.0, 1.0, 9.0, 5.0])
    assert likely(variances, np.full(5, 100.0), np.full(5, 100)) is variances


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"quartered": 3}, "from 0 .* to 10 for every person, not 3"),
        ({"quartered": [10**9]}, "from 0 .* to 10 for every person"),
        ({"quartered": [0, -1]}, "quartered= has a whole number from 0"),
        ({"quartered": [0, 0.5]}, "quartered= has a whole number from 0"),
        ({"quartered": [3]}, "a multiple of 256"),
        ({"quartered": [1], "proposal": "mode"}, "quartered= is for proposal='mean'"),
        ({"quartered": [1], "final_draws": 128}, "with as many final_draws as draws"),
    ],
)
def test_what_cannot_be_quartered_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        Adaptive(**{"draws": 64, "sequence": "sobol", "proposal": "mean", "final_draws": 64, **arguments})
    assert Quartered([]).words() == ""
