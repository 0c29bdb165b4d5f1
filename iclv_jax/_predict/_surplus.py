"""Log-sums in units of cost: consumer surplus up to a constant (Small and Rosen 1981)."""

from functools import partial

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._density._density import Structure
from iclv_jax._likelihood._likelihood import over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE
from iclv_jax._predict._marginal import Marginal
from iclv_jax._predict._responses import shares, situation_weights
from iclv_jax._predict._tastes import tastes
from iclv_jax._predict._view import View


@partial(compiled, static_argnames=("cost", "pooled"))
def surplus(view: View, params: Params, cost: Marginal, pooled: bool) -> Float[Array, "person situation"]:
    """The expected log-sum over the marginal utility of money (minus that of cost), which vary together over latent
    variables and random coefficients; the log-sum itself where the division is `pooled`."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    cells = shape.map.dense(theta)[CHOICE]
    utility = shape.utility
    assert utility is not None

    def one(known: Person, person: Person, nodes) -> Array:
        draws = tastes(shape, theta, view.prior, known, nodes)

        def at(b: Array, lv: Array) -> Array:
            sums = _log_sums(shape, cells, person, b, lv)
            return sums if pooled else -sums / jax.vmap(lambda x: cost.at(utility, b, x, lv))(person.columns)

        return draws.weights @ jax.vmap(at)(draws.coefficients, draws.latents)

    return over_people(one, core.batch, core.person, view.person, core.nodes)


@partial(compiled, static_argnames="cost")
def mean_worth(view: View, params: Params, cost: Marginal) -> Array:
    """The marginal utility of money, averaged over people, situations and tastes."""
    core = view.core
    theta, shape = core.theta(params), core.structure
    utility = shape.utility
    assert utility is not None

    def one(known: Person, person: Person, nodes) -> Array:
        draws = tastes(shape, theta, view.prior, known, nodes)

        def at(b: Array, lv: Array) -> Array:
            return -jax.vmap(lambda x: cost.at(utility, b, x, lv))(person.columns)

        return draws.weights @ jax.vmap(at)(draws.coefficients, draws.latents)

    weights = situation_weights(view)
    each = over_people(one, core.batch, core.person, view.person, core.nodes)
    return jnp.sum(weights * each) / weights.sum()


def _log_sums(shape: Structure, cells, person: Person, coefficients: Array, latents: Array) -> Array:
    assert shape.kernel is not None and shape.kernel.log_sum is not None and shape.utility is not None
    v = jax.vmap(shape.utility, in_axes=(None, 0, None))(coefficients, person.columns, latents)
    return jax.vmap(shape.kernel.log_sum, in_axes=(None, 0, 0))(cells, v, person.available)


@partial(compiled, static_argnames=("cost", "pooled"))
def scenario_totals(first: View, second: View, params: Params, cost: Marginal | None, pooled: bool) -> Array:
    """Shares in both, their difference, and (with a cost) the mean change of the surplus, in one vector."""
    a, b = shares(first, params), shares(second, params)
    parts = [a, b, b - a]
    if cost is not None:
        means = []
        for view in (first, second):
            weights = situation_weights(view)
            means.append(jnp.sum(weights * surplus(view, params, cost, pooled)) / weights.sum())
        worth = mean_worth(first, params, cost) if pooled else 1.0
        parts.append(((means[1] - means[0]) / worth)[None])
    return jnp.concatenate(parts)
