"""What the fitted model says about people: posterior means and covariances given their answers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Structure, World
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, log_terms
from iclv_jax._panel import Person


class Posterior(NamedTuple):
    """Mean and covariance of every person's latent variables and random coefficients, given all of
    the person's items and choices."""

    mean: Float[Array, "person quantity"]
    covariance: Float[Array, "person quantity quantity"]


@compiled
def posterior(core: Core, params: Params) -> Posterior:
    """Weighted moments over the nodes of the likelihood; latent variables come in causal order."""
    theta, shape = core.theta(params), core.structure
    latents = shape.system.latents

    def one(person: Person, nodes: Nodes, theta: Theta) -> Posterior:
        cells = shape.cells(theta, person)
        shares = jax.nn.softmax(log_terms(shape, theta, person, nodes))

        def quantities(shocks: Array) -> Array:
            eta = shape.system.mean(cells, person, shocks)
            return jnp.concatenate(
                [eta[:latents], random_values(shape, cells, World(eta, person.covariates))]
            )

        values = jax.vmap(quantities)(nodes.shocks)
        mean = shares @ values
        away = values - mean[None, :]
        spread = away.T @ (away * shares[:, None])
        rest = shape.system.uncertain(cells, person)[:latents, :latents]
        return Posterior(mean, spread.at[:latents, :latents].add(rest))

    return core.people.each(one, shared=(theta,))


def random_values(shape: Structure, cells: CellTree, world: World) -> Float[Array, " random"]:
    """The random coefficients at a draw, in the order of their drivers."""
    found: dict[int, Array] = {}
    for choice in shape.choices:
        # Those that are drawn anew in every row are not the person's.
        here = world._replace(inner=jnp.zeros(len(choice.within))) if choice.within else world
        coefficients = choice.coefficients(cells[choice.name], here)
        for random in choice.random:
            found.setdefault(random.driver, coefficients[random.coefficient])
    return jnp.stack([found[i] for i in sorted(found)]) if found else jnp.zeros(0)
