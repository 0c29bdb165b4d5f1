"""Log-sums in units of cost: consumer surplus up to a constant (Small and Rosen 1981)."""

from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._density import Structure
from iclv_jax._likelihood import over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE
from iclv_jax._predict._responses import shares, situation_weights
from iclv_jax._predict._tastes import tastes
from iclv_jax._predict._view import View
from iclv_jax._types import Array, Float, Params


@partial(jax.jit, static_argnames=("cost", "sign"))
def surplus(view: View, params: Params, cost: int, sign: float) -> Float[Array, "person situation"]:
    """The expected log-sum over the marginal utility of money, which is minus the marginal utility of cost: `sign`
    times the coefficient at place `cost`. Both vary together over latent variables and random coefficients."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    cells = shape.map.dense(theta)[CHOICE]

    def one(known: Person, person: Person, nodes) -> Array:
        draws = tastes(shape, theta, view.prior, known, nodes)

        def at(coefficients: Array, latents: Array) -> Array:
            return _log_sums(shape, cells, person, coefficients, latents) / (-sign * coefficients[cost])

        return draws.weights @ jax.vmap(at)(draws.coefficients, draws.latents)

    return over_people(one, core.batch, core.person, view.person, core.nodes)


def _log_sums(shape: Structure, cells, person: Person, coefficients: Array, latents: Array) -> Array:
    assert shape.kernel is not None and shape.kernel.log_sum is not None and shape.utility is not None
    v = jax.vmap(shape.utility, in_axes=(None, 0, None))(coefficients, person.columns, latents)
    return jax.vmap(shape.kernel.log_sum, in_axes=(None, 0, 0))(cells, v, person.available)


@partial(jax.jit, static_argnames=("cost", "sign"))
def scenario_totals(first: View, second: View, params: Params, cost: int, sign: float) -> Array:
    """Shares in both, their difference, and the mean change of the surplus, in one vector."""
    a, b = shares(first, params), shares(second, params)
    means = []
    for view in (first, second):
        weights = situation_weights(view)
        means.append(jnp.sum(weights * surplus(view, params, cost, sign)) / weights.sum())
    return jnp.concatenate([a, b, b - a, (means[1] - means[0])[None]])
