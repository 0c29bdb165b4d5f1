"""Derivatives of the log-likelihood with respect to the free parameters, at frozen nodes."""

import jax
import jax.numpy as jnp

from iclv_jax._likelihood import Core, log_likelihood, loglike, over_people
from iclv_jax._types import Hessian, Params, Scores

COLUMNS = 8
"""Columns of the Hessian that are differentiated at a time."""


def score(core: Core, params: Params) -> Params:
    return jax.grad(loglike, argnums=1)(core, params)


def score_person(core: Core, params: Params) -> Scores:
    """Scores of all people: gradients with respect to theta, times the Jacobian of theta."""
    theta = core.theta(params)
    gradient = jax.grad(log_likelihood, argnums=1)
    each = over_people(
        lambda person, nodes: gradient(core.structure, theta, person, nodes),
        core.batch,
        core.person,
        core.nodes,
    )
    return each @ jax.jacfwd(core.theta)(params)


def hessian_autodiff(core: Core, params: Params) -> Hessian:
    """The Hessian by forward over reverse differentiation, `COLUMNS` columns at a time."""

    def column(direction: Params) -> Params:
        return jax.jvp(lambda p: score(core, p), (params,), (direction,))[1]

    size = params.shape[0]
    # Zero directions fill the last chunk: a remainder of its own would be compiled a second time.
    width = min(COLUMNS, size)
    directions = jnp.eye(-(-size // width) * width, size)
    matrix = jax.lax.map(column, directions, batch_size=width)[:size]
    return 0.5 * (matrix + matrix.T)


def hessian_bhhh(core: Core, params: Params) -> Hessian:
    """Minus the weighted sum of outer products of the scores (Berndt, Hall, Hall and Hausman 1974)."""
    scores = score_person(core, params)
    return -(scores.T * core.weights) @ scores
