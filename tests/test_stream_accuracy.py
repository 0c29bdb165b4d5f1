"""How accurate the integral of people in chunks is: what is stated, and what is done about it, as of people in memory."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from test_integration import lognormals
from test_stream import cut

import iclv_jax as iclv
from iclv_jax._problem._accuracy import accuracy
from iclv_jax._problem._target import suited
from iclv_jax._stream._scratch import Scratch


@pytest.fixture(scope="module")
def skewed():
    model, data, truth = lognormals(2, people=40)
    return model, data, model.bind(data, person="id").vector(truth)


@pytest.mark.gate("grid", "prior")
@pytest.mark.parametrize(
    "rule",
    [
        iclv.GaussHermite(5),
        pytest.param(iclv.Adaptive(20), marks=pytest.mark.slow),
        iclv.Adaptive(16, "sobol", proposal="mean"),
        iclv.MonteCarlo(32, "sobol"),
    ],
    ids=["grid", "spheres", "moments", "prior"],
)
def test_chunks_state_the_error_of_all_people_together(skewed, rule):
    model, data, params = skewed
    whole = accuracy(model.bind(data, person="id", integration=rule).recentre(params), params)
    chunks = [data.iloc[:5], data.iloc[5:130], data.iloc[130:]]
    people = iclv.People.stream(chunks, person="id")
    found = accuracy(model.bind(people, integration=rule).recentre(params), params)
    assert whole.error > 0.01
    assert found.error == pytest.approx(whole.error, rel=1e-7)
    assert (found.nodes, len(found.bent), len(found.lost)) == (whole.nodes, len(whole.bent), len(whole.lost))
    if whole.sizes is not None:
        np.testing.assert_allclose(found.sizes, whole.sizes, rtol=1e-9)


@pytest.mark.slow
def test_chunks_take_the_rule_of_all_people_together(skewed):
    model, data, params = skewed
    rule = iclv.GaussHermite(5)
    whole = suited(model.bind(data, person="id", integration=rule), rule, params, 0.05)
    people = iclv.People.stream(cut(data, 3), person="id")
    assert whole.by_moments
    assert suited(model.bind(people, integration=rule), rule, params, 0.05) == whole


@pytest.mark.slow
def test_a_default_fit_of_chunks_is_as_accurate_as_it_says():
    model, data, _ = lognormals(2)
    whole = model.fit(data, person="id", progress=False)
    found = model.fit(iclv.People.stream(cut(data, 3), person="id"), progress=False)
    assert found.converged and found.accuracy.error <= found.accuracy.target == 0.1
    assert found.problem.first.rule == whole.problem.rule
    assert found.llf == pytest.approx(whole.llf, abs=0.05)
    assert f"{found.accuracy.sentence()}" in str(found.summary())


def test_people_are_called_by_their_places(skewed):
    model, data, _ = skewed
    people = iclv.People.stream([data.iloc[:5], data.iloc[5:130], data.iloc[130:]], person="id")
    problem = model.bind(people, integration=iclv.GaussHermite(3))
    assert problem.called([0, 25, 26]) == (
        "person 1 of frame 1",
        "person 25 of frame 2",
        "person 1 of frame 3",
    )


@pytest.mark.slow
def test_nodes_are_raised_until_the_target_is_met(tmp_path):
    """And what is not reached stands above the title."""
    model, data, truth = lognormals(1, people=40)
    people = iclv.People.stream(cut(data, 2), person="id")
    found = model.fit(people, progress=False, accuracy=1e-5, start=truth)
    rule = found.problem.first.rule
    assert rule.nodes > 15 and found.accuracy.target == 1e-5
    at = found.problem.vector(found.params)
    whole = accuracy(model.bind(data, person="id", integration=rule).recentre(at), at)
    assert whole.error < 1e-5
    assert found.accuracy.error == pytest.approx(whole.error, rel=0.02)
    assert not found.summary().alarm and found.accuracy.sentence() in str(found.summary())
    short = replace(found, accuracy=replace(found.accuracy, target=1e-9))
    said = (
        f"*** INTEGRAL NOT ACCURATE: log L has an error of {found.accuracy.error:.2g} with {rule.nodes} nodes"
    )
    assert str(short.summary()).startswith(said)
    short.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", model, people)
    assert str(again.summary()).startswith(said) and again.accuracy.error == found.accuracy.error


def test_nodes_stay_within_the_room(skewed, monkeypatch):
    model, data, _ = skewed
    people = iclv.People.stream(cut(data, 4), person="id")
    rule = iclv.MonteCarlo(16)
    problem = model.bind(people, integration=rule, memory="1MB")
    assert problem.room == pytest.approx(1e6 / 10)
    monkeypatch.setattr(Scratch, "room", 1_000)
    assert problem.room == 25.0
    with pytest.raises(ValueError, match=r"nodes of MonteCarlo.* for all people take .* GB in files"):
        problem.integrate(iclv.MonteCarlo(17))


@pytest.mark.slow
def test_other_seeds_move_the_maximum_of_chunks_as_that_of_all(skewed):
    from iclv_jax._optimise import Likelihood

    model, data, params = skewed
    rule, free = iclv.Adaptive(20, final_draws=20), np.ones(4, bool)
    whole = model.bind(data, person="id", integration=rule).recentre(params)
    chunks = model.bind(iclv.People.stream(cut(data, 3), person="id"), integration=rule).recentre(params)
    one, other = (Likelihood(p, free) for p in (whole, chunks))
    z = one.z(jnp.asarray(params))
    assert other.noise(z) == pytest.approx(one.noise(z), rel=1e-7)
    assert one.noise(z) != 0.0
