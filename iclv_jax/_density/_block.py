"""The terms of the log density: each says what one kind of data has to say of a person's draw."""

import abc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, CellTree, Float, Scalar
from iclv_jax._density._places import Places
from iclv_jax._density._world import First, Second, World
from iclv_jax._panel import Person

COLUMNS = 32
"""Coefficients whose second derivatives are taken at a time."""


class Block(abc.ABC):
    """A term of the log density. A member is a frozen dataclass, static in jit, that holds recorded programs and no
    functions of the user's.

    `name` is its section of theta, `at` the place of its data, `seen` the entries of eta that it depends on. A member says
    `each`, the log density of every row of its data; derivatives that know more of its structure may replace the
    defaults, which linearise in its live cells and in eta.
    """

    name: str
    at: int

    @property
    @abc.abstractmethod
    def seen(self) -> tuple[int, ...]:
        """Entries of eta that it depends on."""

    @abc.abstractmethod
    def each(self, cells: CellTree, person: Person, world: World) -> Float[Array, " row"]:
        """Log density of every row, padding and missing answers included."""

    def log_density(self, cells: CellTree, person: Person, world: World) -> Scalar:
        """The log density of one person's rows at one draw."""
        # What does not occur carries a valid stand-in, so that the masked branch is finite.
        return jnp.sum(jnp.where(person.data[self.at].occurs, self.each(cells, person, world), 0.0))

    def first(self, live: Places, cells: CellTree, person: Person, eta: Array) -> First:
        """Value and first derivatives at every node."""

        def density(values: Array, draw: Array) -> Scalar:
            return self.log_density(live.replaced(cells, values), person, World(draw, person.covariates))

        each = jax.vmap(jax.value_and_grad(density, argnums=(0, 1)), in_axes=(None, 0))
        value, (scores, pull) = each(live.taken(cells), eta)
        return First(value, scores, pull, ())

    def second(
        self,
        live: Places,
        cells: CellTree,
        person: Person,
        eta: Float[Array, "node latent"],
        memo: Any,
        shares: Float[Array, " node"],
        basis: Float[Array, "node basis"],
        moved: int,
    ) -> Second:
        """Second derivatives of the mean over nodes; by the first `moved` entries of eta alone."""
        felt = np.array([i for i in self.seen if i < moved], int)
        count, nodes = len(live), eta.shape[0]

        def mean(values: Array, some: Array) -> Scalar:
            new = live.replaced(cells, values)
            whole = eta.at[:, felt].set(some) if len(felt) else eta
            each = jax.vmap(lambda draw: self.log_density(new, person, World(draw, person.covariates)))
            return jnp.dot(shares, each(whole))

        # Cells are the same at every node: what depends on them alone (a network of columns) is evaluated once for all
        # nodes, and so is its derivative.
        at = (live.taken(cells), eta[:, felt])
        _, push = jax.linearize(jax.grad(mean, argnums=(0, 1)), *at)

        def along(direction: Array) -> tuple[Array, Array]:
            return push(direction[:count], jnp.broadcast_to(direction[count:], at[1].shape))

        own, sides = in_chunks(along, count + len(felt))
        bend, cross = jnp.zeros((nodes, moved, moved)), jnp.zeros((basis.shape[1], count, moved))
        if len(felt):
            bend = bend.at[:, felt[:, None], felt].set(jnp.swapaxes(sides[count:], 0, 1))
            cross = cross.at[:, :, felt].set(jnp.einsum("crl,rm->mcl", sides[:count], basis))
        return Second(own[:count], bend, cross)

    def merge(self, live: Places, weights: Array, own: Any) -> Float[Array, "live live"]:
        """The weighted sum over a batch of people of what `second` has left as `own`."""
        return jnp.tensordot(weights, own, 1)


def in_chunks(push: Callable[[Array], Any], size: int) -> Any:
    """`push` of every unit vector, `COLUMNS` at a time."""
    if size <= COLUMNS:
        return jax.vmap(push)(jnp.eye(size))
    # Zero directions fill the last chunk: a remainder of its own would be compiled a second time.
    chunks = -(-size // COLUMNS)
    found = jax.lax.map(jax.vmap(push), jnp.eye(chunks * COLUMNS, size).reshape(chunks, COLUMNS, size))
    return jax.tree.map(lambda a: a.reshape(chunks * COLUMNS, *a.shape[2:])[:size], found)
