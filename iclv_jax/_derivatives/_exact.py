"""The exact Hessian for the price of about a dozen gradients.

With `w_nr` the share of node r in person n's likelihood and `s_nr` the score of the log density there,

    H_n = sum_r w_nr d2 l_nr + sum_r w_nr s_nr s_nr' - s_n s_n',    s_n = sum_r w_nr s_nr

(Louis 1982). The outer products are one matrix product. In the first term the entries of theta are
differentiated in the groups of `_layout`. Then `H = J' H_theta J + sum_i g_i d2 theta_i`.
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from iclv_jax._density import Structure, log_density
from iclv_jax._derivatives._basic import hessian_autodiff
from iclv_jax._derivatives._layout import Layout, layout
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, in_batches
from iclv_jax._panel import Person
from iclv_jax._parameters._map import ParameterMap
from iclv_jax._types import Array, Arrays, Hessian, Params

find_layout = lru_cache(maxsize=64)(layout)


def hessian_exact(core: Core, params: Params) -> Hessian:
    """Hessian of the weighted log-likelihood, equal to automatic differentiation up to rounding."""
    if core.structure.conditioned:
        # Items meet through the posterior mean, so no product can carry several of them.
        return hessian_autodiff(core, params)
    mapping: ParameterMap = core.structure.map
    parts = find_layout(mapping)
    live = jnp.array(parts.live, int)
    cells = mapping.dense(core.theta(params))

    def batch(person: Person, nodes: Nodes, weights: Array) -> tuple[Array, Array]:
        return _batch(core.structure, parts, cells, person, nodes, weights)

    curvature, gradient = in_batches(batch, core.batch, core.person, core.nodes, core.weights)

    def live_theta(p: Params) -> Array:
        return core.theta(p)[live]

    jacobian = jax.jacfwd(live_theta)(params)
    # theta is linear in the parameters but where define= is used.
    bend = jax.hessian(lambda p: jnp.dot(gradient, live_theta(p)))(params) if mapping.definitions else 0.0
    matrix = jacobian.T @ curvature @ jacobian + bend
    return 0.5 * (matrix + matrix.T)


def _batch(
    structure: Structure,
    parts: Layout,
    cells: dict[str, Arrays],
    person: Person,
    nodes: Nodes,
    weights: Array,
) -> tuple[Array, Array]:
    """Hessian and gradient of a batch of people with respect to the live entries of theta."""
    center = _flatten(parts, cells)

    def terms(flat: Array, one: Person, shocks: Array) -> Array:
        return log_density(structure, _unflatten(parts, cells, flat), one, shocks)

    def node_scores(one: Person, each: Nodes) -> tuple[Array, Array]:
        values, scores = jax.vmap(jax.value_and_grad(terms), in_axes=(None, None, 0))(
            center, one, each.shocks
        )
        return jax.nn.softmax(values + each.log_weights), scores[:, parts.flat]

    def products(one: Person, each: Nodes, shares: Array) -> Array:
        def mean(flat: Array) -> Array:
            return jnp.dot(shares, jax.vmap(terms, in_axes=(None, None, 0))(flat, one, each.shocks))

        def product(seed: Array) -> Array:
            return jax.jvp(jax.grad(mean), (center,), (seed,))[1]

        return jax.vmap(product)(jnp.asarray(parts.seeds))

    covariates = jnp.concatenate([jnp.ones((weights.shape[0], 1)), person.covariates], axis=1)
    factors = covariates[:, parts.covariates]
    shares, scores = jax.vmap(node_scores)(person, nodes)
    mean_scores = jnp.einsum("nr,nrc->nc", shares, scores) * factors
    outer = _outer(scores * factors[:, None, :], shares * weights[:, None], mean_scores, weights)
    seconds = jax.vmap(products)(person, nodes, shares)
    return outer + _assemble(parts, seconds, factors, weights), weights @ mean_scores


def _outer(scores: Array, node_weights: Array, mean_scores: Array, weights: Array) -> Array:
    size = scores.shape[-1]
    rows = scores.reshape(-1, size)
    within = (rows * node_weights.reshape(-1, 1)).T @ rows
    return within - (mean_scores * weights[:, None]).T @ mean_scores


def _assemble(parts: Layout, seconds: Array, factors: Array, weights: Array) -> Array:
    """The mean second derivatives from the products (person, seed, flat)."""
    entries = seconds[:, :, parts.flat] * factors[:, None, :]
    matrix = jnp.zeros((len(parts.live), len(parts.live)))
    for row, place in enumerate(parts.structural_seeds):
        columns = jnp.array([i for i, f in enumerate(parts.flat) if f == place and parts.slots[i] < 0])
        block = entries[:, row, :].T @ (factors[:, columns] * weights[:, None])
        matrix = matrix.at[:, columns].set(block)
        own = jnp.array([i for i, slot in enumerate(parts.slots) if slot >= 0], int)
        matrix = matrix.at[columns[:, None], own[None, :]].set(block[own].T)
    first, second, seed = parts.pairs
    summed = jnp.einsum("n,nsc->sc", weights, entries[:, len(parts.structural_seeds) :, :])
    shared = summed[seed - len(parts.structural_seeds), first]
    return matrix.at[first, second].set(shared) if len(first) else matrix


def _flatten(parts: Layout, cells: dict[str, Arrays]) -> Array:
    pieces = [cells[section][key].reshape(-1) for section, key, _ in parts.arrays]
    return jnp.concatenate(pieces) if pieces else jnp.zeros(0)


def _unflatten(parts: Layout, cells: dict[str, Arrays], flat: Array) -> dict[str, Any]:
    """The arrays of the density with the differentiated ones taken from `flat`."""
    replaced: dict[str, Any] = {section: dict(arrays) for section, arrays in cells.items()}
    for section, key, shape in parts.arrays:
        start = parts.offsets[section, key]
        stop = start + cells[section][key].size
        replaced[section][key] = flat[start:stop].reshape(shape)
    return replaced
