"""Designs on spheres: exact for polynomials, unbiased over directions, and honest about their error."""

import itertools

import bank
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import factorial2

import iclv_jax as iclv
from iclv_jax._integration._spherical import design, sphere, spherical_points
from iclv_jax._problem._accuracy import accuracy, accuracy_near
from iclv_jax._problem._elsewhere import Elsewhere
from iclv_jax._problem._target import suited


def moment(powers):
    """Expectation of a product of powers of independent standard normals."""
    return 0.0 if any(p % 2 for p in powers) else float(np.prod([factorial2(max(p - 1, 0)) for p in powers]))


@pytest.mark.parametrize(
    ("dimension", "degree"), [(n, 3) for n in range(1, 11)] + [(n, 5) for n in range(2, 8)]
)
def test_a_sphere_integrates_polynomials_up_to_its_degree(dimension, degree):
    points, weights = sphere(dimension, degree)
    np.testing.assert_allclose((points**2).sum(axis=1), 1.0, rtol=1e-13)
    assert weights.min() > 0.0
    length = {0: 1.0, 2: dimension, 4: dimension * (dimension + 2)}
    for total in range(degree + 1):
        for axes in itertools.combinations_with_replacement(range(dimension), total):
            powers = np.bincount(np.array(axes, int), minlength=dimension)
            exact = moment(powers) / length[total] if total % 2 == 0 else 0.0
            assert weights @ np.prod(points**powers, axis=1) == pytest.approx(exact, abs=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("draws", [5, 20, 128, 700])
def test_points_have_the_moments_of_a_standard_normal(dimension, draws):
    points, logs = spherical_points(4, draws, dimension, 0)
    weights, degree = np.exp(logs), design(draws, dimension).degree
    assert points.shape == (4, len(logs), dimension)
    assert weights.sum() == pytest.approx(1.0)
    for total in range(degree + 1):
        for axes in itertools.combinations_with_replacement(range(min(dimension, 3)), total):
            powers = np.bincount(np.array(axes, int), minlength=dimension)
            found = np.prod(points**powers, axis=2) @ weights
            np.testing.assert_allclose(found, moment(powers), atol=1e-11)


def test_every_person_and_sphere_is_turned_on_its_own_and_by_the_seed():
    points, _ = spherical_points(3, 128, 5, 0)
    shells = points.reshape(3, 3, -1, 5)
    units = shells / np.linalg.norm(shells, axis=-1, keepdims=True)
    for a, b in itertools.combinations(units.reshape(9, -1, 5), 2):
        assert np.abs(a - b).max() > 0.1
    np.testing.assert_array_equal(points, spherical_points(3, 128, 5, 0)[0])
    assert np.abs(points - spherical_points(3, 128, 5, 1)[0]).max() > 0.1


def test_turned_designs_are_unbiased_over_directions():
    """A function that no design of degree 5 integrates: the mean over many rotations does, for its share of the radii."""
    points, logs = spherical_points(40_000, 42 * 3, 5, 3)
    direction = points[:, :42] / np.linalg.norm(points[:, :1], axis=-1, keepdims=True)
    shares = np.exp(logs[:42]) / np.exp(logs[:42]).sum()
    values = direction[:, :, 0] ** 6 @ shares
    exact = 15.0 / (5 * 7 * 9)
    assert values.std() > 1e-3
    assert abs(values.mean() - exact) < 4.0 * values.std() / 200.0


@pytest.fixture(scope="module")
def bound():
    case = bank.get("chain")
    problem = case.model.bind(case.data, **(case.bind | {"integration": iclv.Adaptive(128)}))
    params = jnp.asarray(problem.vector(case.params))
    return problem.recentre(params), params


@pytest.mark.slow
def test_a_hundred_nodes_do_what_thousands_of_draws_do(bound):
    problem, params = bound

    def value(rule):
        return float(problem.integrate(rule).recentre(params).loglike(params))

    exact = value(iclv.Adaptive(16_384, "sobol"))
    turned = np.array([value(iclv.Adaptive(128, seed=k)) for k in range(4)]) - exact
    drawn = np.array([value(iclv.Adaptive(128, "sobol", seed=k)) for k in range(4)]) - exact
    assert np.sqrt(np.mean(turned**2)) < 0.5 * np.sqrt(np.mean(drawn**2))


def test_the_stated_error_covers_what_all_rotations_miss(bound):
    """Two radii miss the same amount whatever the rotation: spread alone would not show it."""
    problem, params = bound
    few = problem.integrate(iclv.Adaptive(10)).recentre(params)
    exact = float(problem.integrate(iclv.Adaptive(1024)).recentre(params).loglike(params))
    stated = accuracy(few, params).error
    missed = [
        float(few.integrate(iclv.Adaptive(10, seed=k)).recentre(params).loglike(params)) - exact
        for k in range(8)
    ]
    assert 0.4 < stated / np.sqrt(np.mean(np.square(missed))) < 2.5


def test_nodes_in_parts_are_the_nodes_at_once(bound):
    problem, params = bound
    finer = iclv.Adaptive(300, seed=4)
    whole = problem.integrate(finer).recentre(params).loglike_person(params)
    np.testing.assert_allclose(Elsewhere(problem, params).at(problem).values(finer), whole, rtol=1e-12)


def test_the_rule_says_how_many_nodes_it_takes():
    assert iclv.Adaptive(128).describe(5) == "126 nodes per person on 3 spheres at the approximate posterior"
    assert spherical_points(2, 128, 5, 0)[0].shape[1] == 126
    with pytest.raises(ValueError, match="'spherical', 'halton'"):
        iclv.Adaptive(20, "spheric")
    with pytest.raises(ValueError, match="'halton', 'sobol', 'mlhs', 'random', not 'spherical'"):
        iclv.MonteCarlo(20, "spherical")


def test_where_nodes_go_is_found_once_for_rules_that_place_them_alike(bound, monkeypatch):
    problem, params = bound
    asked = []
    centres = type(problem).centres
    monkeypatch.setattr(type(problem), "centres", lambda *given: asked.append(1) or centres(*given))
    here, rules = Elsewhere(problem, params), [iclv.Adaptive(20, seed=3), iclv.GaussHermite(3)]
    rules += [iclv.Adaptive(32, "sobol", proposal="mean", seed=k) for k in range(2)]
    found = [here.value(rule) for rule in rules]
    assert len(asked) == 1
    alone = [float(problem.integrate(r).recentre(params).loglike(params)) for r in rules]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


def test_an_error_far_below_its_target_stands_for_parameters_close_by(bound):
    problem, params = bound
    rule, known = suited(problem, problem.rule, params, 1.0)
    assert rule == problem.rule and known.error == accuracy(problem, params).error < 0.25
    moved = params + 0.01
    near, anew = (
        accuracy_near(problem.recentre(moved), moved, known),
        accuracy(problem.recentre(moved), moved),
    )
    np.testing.assert_array_equal(near.sizes, anew.sizes)
    assert near.error == known.error == pytest.approx(anew.error, rel=0.5)
    # Closer to the target than a factor of four it is looked at again; above it another rule takes its place.
    assert suited(problem, problem.rule, params, 2.0 * known.error) == (problem.rule, None)
    better, none = suited(problem, problem.rule, params, 0.5 * known.error)
    assert better != problem.rule and none is None
