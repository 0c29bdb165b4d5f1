"""People: everything that has a person axis, and the only code that knows it.

Values, gradients, Hessians, scales and tests are `fold`s over people or `each` of them; subsets, bootstrap samples and
hold-outs are `take`n. People are worked on in batches of one size. Where panels differ much in length they go by classes
of length, each with arrays as long as its own longest panel, so that cost goes with rows; where some need far more nodes
than others, by classes of those.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh

from iclv_jax._base._types import AnyArray, Array, Bool, Float, Int
from iclv_jax._integration import Nodes
from iclv_jax._likelihood._devices import even, over, spread
from iclv_jax._panel import Person

CLASSES = 4
"""Classes of panel length at most: each is compiled by itself."""
SAVING = 0.2
"""Share of all (padded) rows that a further class must save."""
FEW_ROWS = 5_000
"""Rows up to which compiling takes longer than what is saved."""


class Length(NamedTuple):
    """A class of people: how many, how many rows of each table the longest panel of them has, and how many nodes each of
    them has in front of those without weight; None: all."""

    people: int
    rows: tuple[int, ...]
    nodes: int | None = None


class Held(NamedTuple):
    """Arrays over people, as they are kept or as a class of them has them."""

    person: Person
    nodes: Nodes
    weights: Array


class People(eqx.Module):
    """Data, nodes and weights of people.

    `held` are their arrays; over several devices (`mesh`) with a few copies of the last person, of weight zero, behind the
    `size` people, so that all devices have equally many. `order` lists people class by class of `lengths`; None where one
    class has everybody in the order of the data. `batch` of them are evaluated at a time, on each device.
    """

    held: Held
    order: Int[Array, " person"] | None
    lengths: tuple[Length, ...] = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)

    @property
    def person(self) -> Person:
        return self._own(self.held.person)

    @property
    def nodes(self) -> Nodes:
        return self._own(self.held.nodes)

    @property
    def weights(self) -> Float[Array, " person"]:
        return self._own(self.held.weights)

    @property
    def node_count(self) -> int:
        """Nodes of every person; the most that anybody has, where numbers differ."""
        return self.held.nodes.log_weights.shape[1]

    @property
    def node_counts(self) -> np.ndarray | None:
        """Nodes by person; None where all have as many."""
        if self.order is None or self.lengths[0].nodes is None:
            return None
        found = np.zeros(self.size, int)
        found[np.asarray(self.order)] = np.repeat(
            [length.nodes or 0 for length in self.lengths], [length.people for length in self.lengths]
        )
        return found

    def take(self, at: AnyArray, weights: Array | None = None) -> "People":
        """Some people by position, once or several times, with their own or other weights; inside compiled functions,
        where positions are not known, all as one class."""
        person, nodes = jax.tree.map(lambda a: a[at], self.held[:2])
        mine = self.held.weights[at] if weights is None else weights
        known = not isinstance(at, Tracer)
        mesh, counts = self.mesh if known else None, self.node_counts if known else None
        counts = None if counts is None else counts[np.asarray(at)]
        return people(person, nodes, mine, min(self.batch, len(at)), classes=known, mesh=mesh, counts=counts)

    def in_batches_of(self, batch: int) -> "People":
        return replace(self, batch=batch)

    def with_nodes(self, nodes: Nodes) -> "People":
        """Other nodes, as many for each."""
        return self._with(nodes=spread(nodes, self.mesh))

    def with_nodes_by_person(self, nodes: Nodes, counts: np.ndarray | None) -> "People":
        """The nodes of another rule, of which each person has so many in front of those without weight; None: all."""
        if counts is None and self.node_counts is None:
            return self.with_nodes(nodes)
        return people(self.person, nodes, self.weights, self.batch, mesh=self.mesh, counts=counts)

    def with_weights(self, weights: Array) -> "People":
        return self._with(weights=_padded(weights, self.mesh))

    def with_person(self, person: Person) -> "People":
        """Other data of the same people, of the same shapes and with the same rows that occur."""
        return self._with(person=spread(person, self.mesh))

    def padded(self) -> "People":
        """The same people as one class, so that results by row have one shape."""
        return replace(self, order=None, lengths=(_longest(self.held.person, self.size),))

    def on_one(self) -> "People":
        """The same people on the usual device alone."""
        if self.mesh is None:
            return self
        held = jax.tree.map(lambda a: jnp.asarray(np.asarray(a)), Held(self.person, self.nodes, self.weights))
        return replace(self, held=held, mesh=None)

    def __reduce__(self) -> tuple[Any, ...]:
        # The devices of this process are not those of another one.
        one = self.on_one()
        return People, (one.held, one.order, one.lengths, one.batch, one.size, None)

    def each(self, function: Callable[..., Any], *others: Any, shared: tuple[Any, ...] = ()) -> Any:
        """`function(person, nodes, *others, *shared)` of everybody, in the order of the data; `others` are arrays over
        people, `shared` is all else that the function computes with: it must close over no array.

        Within a derivative each batch is evaluated again rather than remembered, so that memory is that
        of one batch; a single batch is remembered.
        """

        def local(arrays: tuple[Held, Sequence[Any]], shared: tuple[Any, ...]) -> Any:
            part, rest = arrays
            given = (part.person, part.nodes, *rest)
            return _mapped(lambda *mine: function(*mine, *shared), self._more(self.batch, part), *given)

        found = [self._run(local, part, shared, summed=False) for part in self._classes(others)]
        if self.mesh is not None:
            sizes = [length.people for length in self.lengths]
            found = [jax.tree.map(lambda a, n=n: a[:n], f) for f, n in zip(found, sizes, strict=True)]
        if self.order is None:
            return found[0]
        back = jnp.argsort(self.order)
        return jax.tree.map(lambda *arrays: jnp.concatenate(arrays)[back], *found)

    def fold(
        self,
        function: Callable[..., Any],
        zero: Any,
        batch: int | None = None,
        weights: Float[Array, "person ..."] | None = None,
        shared: tuple[Any, ...] = (),
    ) -> Any:
        """The sum of `function(person, nodes, weights, *shared)` over batches of people, added to `zero`; `weights` are
        other ones than people have, or several for each, `shared` as in `each`."""
        batch = min(batch or self.batch, self.batch)
        mine = self.held.weights if weights is None else _padded(weights, self.mesh)

        def local(arrays: tuple[Held, Sequence[Any]], shared: tuple[Any, ...]) -> Any:
            part, (here,) = arrays
            nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), zero)
            given = part.person, part.nodes, here
            return _added(lambda *mine: function(*mine, *shared), nothing, self._more(batch, part), *given)

        total = zero
        for part in self._classes((mine,), weighted=True):
            total = jax.tree.map(jnp.add, total, self._run(local, part, shared, summed=True))
        return total

    def _own(self, arrays: Any) -> Any:
        """Without the copies that fill up."""
        return arrays if self.mesh is None else jax.tree.map(lambda a: a[: self.size], arrays)

    def _with(self, **arrays: Any) -> "People":
        return replace(self, held=self.held._replace(**arrays))

    def _more(self, batch: int, part: Held) -> int:
        """People of a class at a time: more, where they have fewer nodes."""
        return batch * max(1, self.node_count // max(1, part.nodes.log_weights.shape[1]))

    def _run(self, local: Callable[..., Any], arrays: Any, shared: tuple[Any, ...], summed: bool) -> Any:
        if self.mesh is None:
            return local(arrays, shared)
        return over(self.mesh, local, arrays, shared, summed)

    def _classes(self, others: Sequence[Any], weighted: bool = False) -> list[tuple[Held, Sequence[Any]]]:
        """The classes of people, with arrays as long as their longest panel, and other arrays over people; those that are
        weights are zero where people only fill up."""
        whole = self.held, spread(others, self.mesh)
        if self.order is None:
            return [whole]
        found, first = [], 0
        for length in self.lengths:
            at = self.order[first : first + length.people]
            count = even(length.people, self.mesh)
            at = at[np.minimum(np.arange(count), length.people - 1)]
            part, rest = spread(jax.tree.map(lambda a, at=at: a[at], whole), self.mesh)
            if weighted and count > length.people:
                rest = tuple(_emptied(r, length.people) for r in rest)
            nodes = Nodes(*(a[:, : length.nodes] for a in part.nodes))
            found.append((part._replace(person=_cut(part.person, length.rows), nodes=nodes), rest))
            first += length.people
        return found


def _emptied(weights: Array, size: int) -> Array:
    """Weights without those of people behind the first so many."""
    real = (np.arange(weights.shape[0]) < size).astype(float)
    return weights * real.reshape(-1, *[1] * (weights.ndim - 1))


def _padded(weights: Array, mesh: Mesh | None) -> Array:
    """Weights over the devices, zero for those who fill up."""
    size = weights.shape[0]
    found = spread(weights, mesh)
    return found if found.shape[0] == size else _emptied(found, size)


def people(
    person: Person,
    nodes: Nodes,
    weights: Array,
    batch: int,
    classes: bool = True,
    mesh: Mesh | None = None,
    counts: np.ndarray | None = None,
) -> People:
    """People by classes of panel length where that saves much, and of how many nodes they have where `counts` says that;
    as they are where `classes` is False."""
    size = weights.shape[0]
    one: tuple[Length, ...] = (_longest(person, size),)
    order, lengths = None, one
    if classes and not any(isinstance(d.occurs, Tracer) for d in person.data):
        occurs = [np.asarray(d.occurs) for d in _of_tables(person)]
        order, lengths = _by_length(occurs) if counts is None else _by_nodes(occurs, counts)
        order, lengths = (None, one) if len(lengths) < 2 else (jnp.asarray(order), lengths)
    held = Held(spread(person, mesh), spread(nodes, mesh), _padded(weights, mesh))
    return People(held, order, lengths, batch, size, mesh)


def _of_tables(person: Person) -> tuple[Any, ...]:
    """The data that have rows of tables of situations, one for each."""
    return person.data[len(person.data) - len(person.tables) :]


def _longest(person: Person, size: int) -> Length:
    return Length(size, tuple(table.shape[1] for table in person.tables))


def _cut(person: Person, rows: tuple[int, ...]) -> Person:
    """Tables and their data without the rows that nobody of a class has."""
    first = len(person.data) - len(rows)
    tables = tuple(t[:, :n] for t, n in zip(person.tables, rows, strict=True))
    data = tuple(
        jax.tree.map(lambda a, n=n: a[:, :n], d) for d, n in zip(person.data[first:], rows, strict=True)
    )
    return person._replace(tables=tables, data=(*person.data[:first], *data))


def _by_length(occurs: Sequence[Bool[np.ndarray, "person _"]]) -> tuple[np.ndarray, tuple[Length, ...]]:
    """People in the order of the length of their panels, cut into classes such that few rows are padded."""
    if not occurs:
        return np.zeros(0, int), ()
    counts = np.stack([mask.sum(axis=1) for mask in occurs], axis=1)
    order = np.argsort(counts.sum(axis=1), kind="stable")
    counts = counts[order]
    ends, padded = [len(order)], _rows(counts)
    if padded <= FEW_ROWS:
        return order, ()
    while len(ends) < CLASSES:
        best = min(_splits(counts, ends), default=(padded, 0))
        if padded - best[0] < SAVING * padded:
            break
        padded, ends = best[0], sorted([*ends, best[1]])
    parts = [counts[a:b] for a, b in pairwise([0, *ends])]
    return order, tuple(Length(len(part), tuple(map(int, part.max(axis=0)))) for part in parts)


def _by_nodes(
    occurs: Sequence[Bool[np.ndarray, "person _"]], counts: np.ndarray
) -> tuple[np.ndarray, tuple[Length, ...]]:
    """People in the order of how many nodes they have and, among those with as many, of the length of their panels."""
    order, lengths = [], []
    for count in np.unique(counts).tolist():
        mine = np.flatnonzero(counts == count)
        here = [mask[mine] for mask in occurs]
        inside, found = _by_length(here)
        if not found:
            inside, found = np.arange(len(mine)), (Length(len(mine), tuple(m.shape[1] for m in here)),)
        order.append(mine[inside])
        lengths += [length._replace(nodes=count) for length in found]
    return np.concatenate(order), tuple(lengths)


def _splits(counts: np.ndarray, ends: list[int]) -> list[tuple[int, int]]:
    """Padded rows after one further cut, and where it is: in front of every new total length."""
    total = counts.sum(axis=1)
    found = []
    for cut in (np.flatnonzero(np.diff(total)) + 1).tolist():
        if cut not in ends:
            edges = [0, *sorted([*ends, cut])]
            found.append((sum(_rows(counts[a:b]) for a, b in pairwise(edges)), cut))
    return found


def _rows(counts: np.ndarray) -> int:
    """Rows of a class, padding included."""
    return int(len(counts) * counts.max(axis=0, initial=0).sum())


def _even(people: int, batch: int) -> tuple[int, int]:
    """How many batches of the same size, at most `batch`, and that size."""
    count = -(-people // batch)
    return count, -(-people // count)


def _mapped(function: Callable[..., Any], batch: int, *arrays: Any) -> Any:
    size = jax.tree.leaves(arrays)[0].shape[0]
    if size <= batch:
        return jax.vmap(function)(*arrays)
    count, width = _even(size, batch)
    # The last person fills up the last batch: a remainder of its own would be compiled a second time.
    rows = np.minimum(np.arange(count * width), size - 1)
    batches = jax.tree.map(lambda a: a[rows].reshape(count, width, *a.shape[1:]), arrays)
    results = jax.lax.map(jax.checkpoint(lambda part: jax.vmap(function)(*part)), batches)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:size], results)


def _added(function: Callable[..., Any], zero: Any, batch: int, *arrays: Any) -> Any:
    size = arrays[-1].shape[0]
    if size <= batch:
        return jax.tree.map(jnp.add, zero, function(*arrays))
    count, width = _even(size, batch)

    def add(total: Any, first: Array) -> tuple[Any, None]:
        # The last batch reaches back to people who have been counted; they have weight zero in it.
        start = jnp.minimum(first, size - width)
        person, nodes, weights = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, width), arrays)
        new = (start + np.arange(width) >= first).astype(float).reshape(width, *[1] * (weights.ndim - 1))
        return jax.tree.map(jnp.add, total, function(person, nodes, weights * new)), None

    return jax.lax.scan(add, zero, jnp.arange(count) * width)[0]
