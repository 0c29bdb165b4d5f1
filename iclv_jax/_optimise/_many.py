"""Many fits at once: the same pure steps inside `lax.while_loop`, mapped over starts, weights or data."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Bool, Float, Int, Number, PyTree, Scalar
from iclv_jax._derivatives import Expansion, expand_exact, outer_products, person_scores, slope
from iclv_jax._likelihood import Core
from iclv_jax._optimise._method import Memory, Method, Trial
from iclv_jax._optimise._objective import Derivatives, Supplied, in_z, penalised
from iclv_jax._optimise._subproblem import Model
from iclv_jax._optimise._turns import scaled
from iclv_jax._parameters._penalties import Terms


class Ended(NamedTuple):
    """Where a fit at frozen nodes ended; `converged` by the decrement, with the second derivatives of the method."""

    z: Float[Array, " param"]
    value: Scalar
    decrement: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]


def derivatives(
    core: Core, z: Array, supplied: Supplied = "exact", terms: Terms | None = None
) -> Derivatives:
    """Of the mean negative (penalised) log-likelihood in z: pure, so that it may be mapped over z and core."""
    mapping, constants = core.structure.map, core.constants
    params, size = mapping.natural(constants, z), core.weights.sum()
    if supplied == "exact":
        found = expand_exact(core, params)
    elif supplied == "bhhh":
        found = outer_products(core.weights, *person_scores(core, params))
    else:
        found = Expansion(*slope(core, params)[:2], jnp.zeros((z.shape[0], z.shape[0])))
    if terms is not None:
        found = penalised(terms, params, found)
    here = in_z(mapping, constants, z, found, supplied == "exact")
    return Derivatives(here.value / size, here.gradient / size, here.hessian / size)


class _State(NamedTuple):
    z: Array
    here: Derivatives
    memory: Memory
    decrement: Scalar
    iterations: Array


@partial(compiled, static_argnames=("method", "max_iterations"))
def minimise_frozen(
    core: Core,
    z: Array,
    scale: Array,
    lower: Array,
    upper: Array,
    tolerance: Number,
    method: Method,
    max_iterations: int,
    matrix: Array | None = None,
    terms: Terms | None = None,
) -> Ended:
    """The steps of any method at frozen nodes, as one compiled loop. Bounds are in z; `matrix` is added to every
    Hessian that the method is given (of the mean negative log-likelihood in z); `terms` are penalties."""
    # As many people as the weights are worth: whether a fit has converged does not depend on their unit.
    size = core.weights.sum() ** 2 / (core.weights**2).sum()

    def model(here: Derivatives, z: Array) -> Model:
        hessian = here.hessian if matrix is None else here.hessian + matrix
        return scaled(here.gradient, hessian, z, scale, lower, upper, jnp.ones(z.shape, bool))

    def unfinished(state: _State) -> Array:
        more = (state.decrement > tolerance) & (state.iterations < max_iterations)
        return more & ~method.spent(state.memory)

    def turn(state: _State) -> _State:
        at = model(state.here, state.z)
        there = jnp.clip(state.z + scale * method.propose(state.memory, at), lower, upper)
        tried = derivatives(core, there, method.supplied, terms)
        finite = jnp.isfinite(tried.value) & jnp.all(jnp.isfinite(tried.hessian))
        value = jnp.where(finite, tried.value, jnp.nan)
        trial = Trial((there - state.z) / scale, state.here.value, value, tried.gradient * scale)
        judged = method.judge(state.memory, at, trial)
        taken = judged.accepted & finite
        z, here = _chosen(taken, (there, tried), (state.z, state.here))
        planned, shape = method.plan(judged.memory, model(here, z))
        # A search along a line goes on where the trial was refused; what was planned for it stays.
        anew = taken | method.restarts(judged.memory)
        memory, decrement = _chosen(anew, (planned, shape.decrement * size), (judged.memory, state.decrement))
        return _State(z, here, memory, decrement, state.iterations + 1)

    z = jnp.clip(z, lower, upper)
    here = derivatives(core, z, method.supplied, terms)
    memory, shape = method.plan(method.begin(z.shape[0]), model(here, z))
    first = _State(z, here, memory, shape.decrement * size, jnp.zeros((), int))
    end = jax.lax.while_loop(unfinished, turn, first)
    return Ended(end.z, end.here.value, end.decrement, end.decrement <= tolerance, end.iterations)


def _chosen(which: Array, first: PyTree, second: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), first, second)
