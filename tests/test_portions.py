"""Many nodes in portions of few: the same values, effective numbers, scores and Hessians."""

import bank
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import iclv_jax as iclv
from iclv_jax._problem._portions import Portion, scores, values


@pytest.fixture(scope="module")
def problems():
    """A hybrid at 23 nodes, at once and in portions of 7 of which the last is not full."""
    case = bank.get("chain")
    coarse = case.model.bind(case.data, **(case.bind | {"integration": iclv.Adaptive(7, sequence="sobol")}))
    params = coarse.vector(case.params)
    rule = iclv.Adaptive(23, sequence="sobol")
    whole = case.model.bind(case.data, **(case.bind | {"integration": rule})).recentre(params)
    return coarse.integrate(rule).recentre(params), whole, params


@pytest.mark.slow
def test_portions_add_up(problems):
    portioned, whole, params = problems
    nodes = whole.core.nodes.log_weights.shape[1]
    assert portioned.portion.nodes < nodes and nodes % portioned.portion.nodes
    assert whole.portion == Portion(nodes, whole.core.people.batch)
    moved = params + 0.01
    for method in ("loglike", "loglike_person", "effective_sizes", "score", "score_person"):
        found, expected = (getattr(p, method)(moved) for p in (portioned, whole))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11, err_msg=method)
    np.testing.assert_allclose(portioned.slope(moved).items, whole.slope(moved).items, rtol=1e-11)
    np.testing.assert_allclose(portioned.hessian(moved, "bhhh"), whole.hessian(moved, "bhhh"), rtol=1e-10)


@pytest.mark.slow
def test_within_transformations_all_nodes_are_taken_at_once(problems):
    portioned, whole, params = problems
    np.testing.assert_array_equal(jax.jit(portioned.loglike)(params), jax.jit(whole.loglike)(params))
    np.testing.assert_allclose(jax.grad(portioned.loglike)(params), portioned.score(params), rtol=1e-10)


def test_a_portion_without_likelihood_counts_for_nothing(problems):
    portioned, _, params = problems
    first = jnp.arange(portioned.core.nodes.log_weights.shape[1]) < portioned.portion.nodes
    nodes = portioned.core.nodes._replace(
        log_weights=jnp.where(first, portioned.core.nodes.log_weights, -jnp.inf)
    )
    core = portioned.core.of(portioned.core.people.with_nodes(nodes))
    assert all(np.isfinite(array).all() for array in scores(core, params, portioned.portion))
    sizes = values(core, params, portioned.portion)[1]
    assert np.isfinite(sizes).all() and (sizes <= portioned.portion.nodes).all()


def test_a_staged_grid_goes_in_portions_of_its_search():
    """Its search compiles the programs; the maximum needs none of its own."""
    case = bank.get("chain")
    rules = iclv.GaussHermite(6, search=3), iclv.GaussHermite(6)
    staged, whole = (case.model.bind(case.data, **(case.bind | {"integration": r})) for r in rules)
    assert staged.portion.nodes == staged.coarse.core.people.node_count < whole.portion.nodes
    params = staged.vector(case.params)
    found, expected = (np.asarray(p.recentre(params).loglike_person(params)) for p in (staged, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-11)
