"""What the fitted model says about people: posterior means and covariances given their answers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Arrays, Float, Params
from iclv_jax._density._density import Structure, given_items
from iclv_jax._density._latent import latent_variables, random_coefficients, reduced_form
from iclv_jax._likelihood._likelihood import Core, log_terms, over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE, LATENT


class Posterior(NamedTuple):
    """Mean and covariance of every person's latent variables and random coefficients, given all of
    the person's items and choices."""

    mean: Float[Array, "person quantity"]
    covariance: Float[Array, "person quantity quantity"]


@compiled
def posterior(core: Core, params: Params) -> Posterior:
    """Weighted moments over the nodes of the likelihood; latent variables come in causal order."""
    theta = core.theta(params)
    shape = core.structure
    cells = shape.map.dense(theta)
    random = np.array([position for position, _ in shape.random], int)

    def coefficients(shocks) -> Array:
        if not len(random):
            return jnp.zeros(0)
        values = random_coefficients(cells[CHOICE], shape.random, shape.correlated, shocks[shape.shocks :])
        return values[random]

    def one(person, nodes) -> Posterior:
        latent, rest = given_shocks(shape, cells, person)
        shares = jax.nn.softmax(log_terms(shape, theta, person, nodes))
        values = jax.vmap(lambda u: jnp.concatenate([latent(u), coefficients(u)]))(nodes.shocks)
        mean = shares @ values
        away = values - mean[None, :]
        spread = away.T @ (away * shares[:, None])
        return Posterior(mean, spread.at[: shape.latents, : shape.latents].add(rest))

    return over_people(one, core.batch, core.person, core.nodes)


def given_shocks(shape: Structure, cells: dict[str, Arrays], person: Person):
    """Mean of the latent variables as a function of the shocks, and what the shocks leave uncertain."""
    size = shape.latents
    if not shape.conditioned:
        none = jnp.zeros((size, size))
        if shape.nonlinear:
            return lambda u: latent_variables(
                cells[LATENT], person.covariates, u[:size], shape.nonlinear
            ), none
        mean, factor = reduced_form(cells[LATENT], person.covariates)
        return lambda u: mean + factor @ u[:size], none
    given = given_items(shape, cells, person)
    at = np.array(shape.seen, int)
    if not len(at):
        return lambda u: given.mean, given.covariance
    # The latent variables that the utilities do not see follow the seen ones by regression.
    seen = given.covariance[np.ix_(at, at)]
    slopes = jnp.linalg.solve(seen, given.covariance[at]).T
    factor = slopes @ jnp.linalg.cholesky(seen)
    return lambda u: given.mean + factor @ u[: len(at)], given.covariance - slopes @ seen @ slopes.T
