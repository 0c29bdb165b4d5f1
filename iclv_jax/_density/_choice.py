"""A choice as a block: a kernel over utilities, in every situation of its table."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, CellTree, Float, Scalar
from iclv_jax._density._block import Block
from iclv_jax._density._cut_off import cut_off
from iclv_jax._density._inner import Inner
from iclv_jax._density._world import World
from iclv_jax._panel import Person
from iclv_jax._spec import Kernel, Mixing, Utility
from iclv_jax._spec._random import MEAN

AMONG = "classes"
"""Marks of classes among the arrays of a choice; no kernel has arrays of this name without a class before it."""


@dataclass(frozen=True)
class Random:
    """A random coefficient: its place among the coefficients, its distribution, the place of its driver (in eta, or among
    the inner draws), and where its parameters but the mean stand in the array `mixing`, by key."""

    coefficient: int
    mixing: Mixing
    driver: int
    cells: tuple[tuple[str, int], ...]

    def value(self, means: Array, others: Array, drivers: Array) -> Array:
        """The coefficient at a draw."""
        cells = {MEAN: means[self.coefficient]} | {key: others[i] for key, i in self.cells}
        return self.mixing.coefficient(cells, drivers[self.driver])


@dataclass(frozen=True)
class Choice(Block):
    """`latents` are the places in eta of the utilities' latent variables, `random` the random coefficients; `steady` the
    places of the columns that are the same in all of a person's situations: what depends on them alone is computed once
    per person. `masked`: utilities that do not count are cut off, and so are their derivatives. `within` are the random
    coefficients that are drawn anew in every row."""

    name: str
    at: int
    table: int
    kernel: Kernel
    latents: tuple[int, ...]
    random: tuple[Random, ...]
    steady: tuple[int, ...] = ()
    masked: bool = False
    within: tuple[Random, ...] = ()

    @property
    def inner(self) -> Inner:
        """The rule for what is drawn anew in every row."""
        return Inner(len(self.within))

    @property
    def utility(self) -> Utility:
        return self.kernel.utility

    @property
    def seen(self) -> tuple[int, ...]:
        """In the order in which conditioned draws move them: latent variables as the utilities name them, then drivers."""
        return (*self.latents, *(r.driver for r in self.random))

    def each(self, cells: CellTree, person: Person, world: World) -> Float[Array, " row"]:
        data = person.data[self.at]

        def rows(world: World) -> Array:
            v = self.utilities(cells, person, world)
            return jax.vmap(lambda *row: self.kernel.log_density(cells, *row))(v, data.outcome, data.offered)

        return self.inner.log_mean(rows, world)

    def log_density(self, cells: CellTree, person: Person, world: World) -> Scalar:
        if not self.mixed:
            return super().log_density(cells, person, world)
        occurs = person.data[self.at].occurs
        logs = self.log_classes(cells, person, world, person)
        if AMONG in cells:
            logs = logs + cells[AMONG]
        return jnp.where(occurs.any(), jax.nn.logsumexp(logs), 0.0)

    def of_class(self, cells: CellTree, marks: Float[Array, " class"]) -> CellTree:
        """The arrays of the choice for the part of the density of the classes of people with a mark of 0; others have minus
        infinity."""
        return {**cells, AMONG: marks}

    @property
    def mixed(self) -> bool:
        """Whether a person has one latent class in all situations."""
        return bool(self.kernel.classes) and self.kernel.of == "person"

    def log_classes(
        self, cells: CellTree, person: Person, world: World, known: Person | None
    ) -> Float[Array, " class"]:
        """Log of membership times the density of what is `known` of the person's choices, by class of people."""
        prior = self.log_membership(cells, person, world)
        if known is None:
            return prior
        data = known.data[self.at]

        def rows(world: World) -> Array:
            v = self.utilities(cells, known, world)
            return jax.vmap(lambda *row: self.kernel.log_classes(cells, *row))(v, data.outcome, data.offered)

        logs = self.inner.log_mean(rows, world)
        return prior + jnp.sum(jnp.where(data.occurs[:, None], logs, 0.0), axis=0)

    def log_membership(self, cells: CellTree, person: Person, world: World) -> Float[Array, " class"]:
        """Log shares of the classes of a person, before any choice."""
        return self.inner.log_mean(
            lambda w: self.kernel.log_membership(cells, self.utilities(cells, person, w)[0]), world
        )

    def classes(
        self, cells: CellTree, person: Person, world: World, known: Person | None
    ) -> Float[Array, "row class"]:
        """Probabilities of latent classes in every situation, given what is `known` of the choices."""
        kernel, count = self.kernel, person.tables[self.table].shape[0]
        if self.mixed:
            shares = jax.nn.softmax(self.log_classes(cells, person, world, known))
            return jnp.broadcast_to(shares[None, :], (count, len(shares)))

        def rows(world: World) -> Array:
            v = self.utilities(cells, person, world)
            logs = jax.vmap(lambda row: kernel.log_membership(cells, row))(v)
            if known is None:
                return logs
            data = known.data[self.at]
            each = jax.vmap(lambda *row: kernel.log_classes(cells, *row))(v, data.outcome, data.offered)
            return logs + jnp.where(data.occurs[:, None], each, 0.0)

        return jax.nn.softmax(self.inner.log_mean(rows, world), axis=1)

    def utilities(self, cells: CellTree, person: Person, world: World) -> Float[Array, "row alternative"]:
        """Of every alternative in every situation, padding included; 0 for what is not offered where they are masked."""
        columns = person.tables[self.table]
        rows = columns.shape[0]
        if self.masked:
            return self._cut_off(cells, person, world)
        steady = [i in self.steady for i in range(columns.shape[1])]
        coefficients, latents = self.coefficients(cells, world), self.felt(world)
        if all(steady) or self.utility.program.alike is not None:
            return jax.vmap(lambda row: self.utility(coefficients, row, latents))(columns)
        given = [columns[0, i] if same else columns[:, i] for i, same in enumerate(steady)]
        axes = [None if same else 0 for same in steady]
        found = jax.vmap(self.utility, in_axes=(None, axes, None), axis_size=rows)
        return found(coefficients, given, latents)

    def _cut_off(self, cells: CellTree, person: Person, world: World) -> Float[Array, "row alternative"]:
        columns, offered = person.tables[self.table], person.data[self.at].offered
        coefficients, latents = self.coefficients(cells, world), self.felt(world)
        ends = np.cumsum([len(coefficients), columns.shape[1]])

        def utility(values: Array) -> Array:
            return self.utility(*jnp.split(values, ends))

        def row(columns: Array, needed: Array) -> Array:
            return cut_off(utility)(jnp.concatenate([coefficients, columns, latents]), needed)

        return jax.vmap(row)(columns, self.kernel.needed(offered))

    def coefficients(self, cells: CellTree, world: World) -> Float[Array, " coefficient"]:
        """All coefficients of the utilities, the random ones at this draw."""
        means = cells["coefficients"]
        if not (self.random or self.within):
            return means
        at = np.array([r.coefficient for r in (*self.random, *self.within)])
        values = [r.value(means, cells["mixing"], world.eta) for r in self.random]
        if self.within:
            assert world.inner is not None, "These coefficients are drawn row by row."
            values += [r.value(means, cells["mixing"], world.inner) for r in self.within]
        return means.at[at].set(jnp.stack(values))

    def felt(self, world: World) -> Float[Array, " latent"]:
        """The latent variables that the utilities name, in their order."""
        return world.eta[np.array(self.latents, int)]

    def expected(
        self, cells: CellTree, person: Person, world: World, known: Person | None = None
    ) -> Float[Array, "row alternative"]:
        """Probabilities of the alternatives in every situation, padding included; zero for what is not offered. `known` are
        the choices that say to which class a person belongs, beside the world."""
        offered, of_row = person.data[self.at].offered, self.kernel.expected
        if self.mixed:
            of_row = self.kernel.expected_classes

        def rows(world: World) -> Array:
            v = self.utilities(cells, person, world)
            return jax.vmap(lambda *row: of_row(cells, *row))(v, offered)

        each = self.inner.mean(rows, world)
        return (
            jnp.einsum("tc,tcj->tj", self.classes(cells, person, world, known), each) if self.mixed else each
        )

    def log_sums(self, cells: CellTree, person: Person, world: World) -> Float[Array, "row class"]:
        """Expected maximum utility in every situation, by latent class where there are some, of a kernel that has it in
        closed form."""
        v, offered = self.utilities(cells, person, world), person.data[self.at].offered
        if self.kernel.classes:
            return jax.vmap(lambda *row: self.kernel.log_sum_classes(cells, *row))(v, offered)
        log_sum = self.kernel.log_sum
        assert log_sum is not None
        return jax.vmap(lambda *row: log_sum(cells, *row))(v, offered)[:, None]

    def compensations(
        self, cells: CellTree, before: Person, after: Person, world: World
    ) -> Float[Array, "row class"]:
        """The money that makes up for a change in every situation, by latent class where there are some, of a kernel that
        shares out a budget."""
        v = [self.utilities(cells, person, world) for person in (before, after)]
        offered = [person.data[self.at].offered for person in (before, after)]
        if self.kernel.classes:
            return jax.vmap(lambda *row: self.kernel.compensation_classes(cells, *row))(*v, *offered)
        of_row = self.kernel.compensation
        assert of_row is not None
        return jax.vmap(lambda *row: of_row(cells, *row))(*v, *offered)[:, None]

    def over_classes(
        self,
        of_class: Callable[[World], Float[Array, "row class"]],
        cells: CellTree,
        person: Person,
        world: World,
        known: Person | None,
    ) -> Float[Array, " row"]:
        """The average over latent classes, and over what is drawn anew in every situation, of something in every
        situation."""
        if self.mixed:
            shares = self.classes(cells, person, world, known)
            return jnp.sum(shares * self.inner.mean(of_class, world), axis=1)

        def rows(world: World) -> Array:
            if not self.kernel.classes:
                return of_class(world)[:, 0]
            v = self.utilities(cells, person, world)
            shares = jnp.exp(jax.vmap(lambda row: self.kernel.log_membership(cells, row))(v))
            return jnp.sum(shares * of_class(world), axis=1)

        return self.inner.mean(rows, world)

    def sample(self, cells: CellTree, person: Person, world: World, key: Array) -> Array:
        """Choices in all situations at one draw."""
        if self.within:
            key, inner = jax.random.split(key)
            v = self._drawn(cells, person, world, inner)
        else:
            v = self.utilities(cells, person, world)
        if self.mixed:
            which, key = jax.random.split(key)
            member = jax.random.categorical(which, self.log_membership(cells, person, world))
            keys = jax.random.split(key, v.shape[0])
            draw = jax.vmap(lambda *row: self.kernel.sample_classes(cells, *row)[member])
            return draw(v, person.data[self.at].offered, keys)
        keys = jax.random.split(key, v.shape[0])
        return jax.vmap(lambda *row: self.kernel.sample(cells, *row))(v, person.data[self.at].offered, keys)

    def _drawn(
        self, cells: CellTree, person: Person, world: World, key: Array
    ) -> Float[Array, "row alternative"]:
        """Utilities with what is drawn anew in every row."""
        rows = person.tables[self.table].shape[0]
        draws = jax.random.normal(key, (rows, len(self.within)))
        each = jax.vmap(lambda at, row: self.utilities(cells, person, world._replace(inner=at))[row])
        return each(draws, jnp.arange(rows))
