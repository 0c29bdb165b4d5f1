"""A stack of items as a block: items of one family, evaluated as arrays over items.

Given the latent variables an item's own parameters meet no other item's. So one seed carries a parameter of every item
at once, and second derivatives are taken by own slot and by index alone; loadings follow by the chain rule.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar
from iclv_jax._density._block import Block
from iclv_jax._density._places import Places
from iclv_jax._density._world import First, Second, World
from iclv_jax._panel import Data, Person
from iclv_jax._spec import Expected, Indicator

LOADINGS = "loadings"


@dataclass(frozen=True)
class Items(Block):
    """`family` is one of the items, which speaks for all; `latents` the length of the rows of loadings, `widths` the
    entries of every array per item."""

    name: str
    at: int
    family: Indicator
    items: tuple[str, ...]
    latents: int
    widths: tuple[tuple[str, int], ...]

    @property
    def seen(self) -> tuple[int, ...]:
        return tuple(range(self.latents))

    def index(self, cells: Arrays, eta: Float[Array, "*node latent"]) -> Float[Array, "*node item"]:
        """Loadings times latent variables; drivers of random coefficients measure nothing."""
        # In this order nodes and items stay where they are; the other way round the product would be transposed.
        return eta[..., : self.latents] @ cells[LOADINGS].T

    def each(self, cells: CellTree, person: Person, world: World) -> Float[Array, " item"]:
        return self.each_at(cells, person.data[self.at], self.index(cells, world.eta))

    def each_at(self, cells: CellTree, data: Data, index: Float[Array, " item"]) -> Float[Array, " item"]:
        """Log densities of the items at their indices."""
        return self.family.log_density(cells, data.outcome, index)

    def expected_at(self, cells: CellTree, index: Float[Array, " item"]) -> Expected:
        """What is expected of the items at their indices."""
        return self.family.expected(cells, index)

    def sample(self, cells: CellTree, world: World, key: Array) -> Array:
        """Answers to all items at one draw."""
        return self.family.sample(cells, self.index(cells, world.eta), key)

    def first(self, live: Places, cells: CellTree, person: Person, eta: Array) -> First:
        slots = self._slots(live)
        data, rows = person.data[self.at], {key: cells[key] for key in slots.keys}
        each = jax.vmap(jax.value_and_grad(self._sum, argnums=(2, 3)), in_axes=(None, None, None, 0))
        value, (own, felt) = each(cells, data, rows, self.index(cells, eta))
        by_loading = felt[:, :, None] * eta[:, slots.loaded]
        scores = jnp.concatenate([_own(slots, own, (eta.shape[0],)), by_loading], axis=2)
        pull = felt @ _fitted(cells[LOADINGS], eta.shape[1])
        return First(value, scores.reshape(eta.shape[0], -1)[:, slots.columns], pull, felt)

    def second(
        self,
        live: Places,
        cells: CellTree,
        person: Person,
        eta: Float[Array, "node latent"],
        memo: Float[Array, "node item"],
        shares: Float[Array, " node"],
        basis: Float[Array, "node basis"],
        moved: int,
    ) -> Second:
        slots = self._slots(live)
        own, curve, side = self._curvature(slots, cells, person.data[self.at], eta, shares)
        loadings = _fitted(cells[LOADINGS], moved)
        bend = jnp.einsum("rk,kl,km->rlm", curve, loadings, loadings)
        by_loading = curve[:, :, None] * eta[:, slots.loaded]
        side = jnp.concatenate([side, by_loading], axis=2)
        mixed = jnp.einsum("rka,rkl->kal", side, eta[:, slots.loaded])
        width = own.shape[1]
        cross = jnp.einsum("rb,rka->bka", basis, side)[..., None] * loadings[None, :, None, :]
        # A loading's score is slope times eta: moved by eta itself as well.
        felt = jnp.einsum("rb,rk->bk", basis, memo * shares[:, None])
        same = (slots.loaded[..., None] == np.arange(moved)).astype(float)
        turned = felt[:, :, None, None] * same[None]
        cross = cross.at[:, :, width:].add(turned) if width else cross + turned
        across = jnp.swapaxes(mixed[:, :width], 1, 2)
        whole = jnp.concatenate([jnp.concatenate([own, across], axis=1), mixed], axis=2)
        flat = cross.reshape(basis.shape[1], whole.shape[0] * whole.shape[1], moved)
        return Second(whole, bend, flat[:, slots.columns])

    def merge(self, live: Places, weights: Array, own: Any) -> Float[Array, "live live"]:
        total = jnp.tensordot(weights, own, 1)
        item, slot = np.divmod(self._slots(live).columns, max(total.shape[1], 1))
        same = item[:, None] == item[None, :]
        return jnp.where(same, total[item[:, None], slot[:, None], slot[None, :]], 0.0)

    def _curvature(
        self, slots: "Slots", cells: CellTree, data: Data, eta: Array, shares: Array
    ) -> tuple[Array, Array, Array]:
        """Second derivatives of the mean over nodes: (item, own, own); at every node by the index (node, item), and by
        the index and own slots (node, item, own)."""
        rows = {key: cells[key] for key in slots.keys}

        def mean(own: Arrays, index: Array) -> Scalar:
            each = jax.vmap(lambda at: self._sum(cells, data, own, at))
            return jnp.dot(shares, each(index))

        at = (rows, self.index(cells, eta))
        _, push = jax.linearize(jax.grad(mean, argnums=(0, 1)), *at)
        still, blocks, sides = jnp.zeros_like(at[1]), [], []
        for slot in range(slots.own.shape[1]):
            own, index = push(_seed(slots, rows, slot), still)
            blocks.append(_own(slots, own, ()))
            sides.append(index)
        none = jax.tree.map(jnp.zeros_like, rows)
        curve = push(none, jnp.ones_like(at[1]))[1]
        items = len(self.items)
        stacked = jnp.stack(blocks, axis=2) if blocks else jnp.zeros((items, 0, 0))
        side = jnp.stack(sides, axis=2) if sides else jnp.zeros((*curve.shape, 0))
        return stacked, curve, side

    def _slots(self, live: Places) -> "Slots":
        return slots_of(live, len(self.items), self.widths)

    def _sum(self, cells: CellTree, data: Data, rows: Arrays, index: Array) -> Scalar:
        each = self.each_at({**cells, **rows}, data, index)
        return jnp.sum(jnp.where(data.occurs, each, 0.0))


@dataclass(frozen=True, eq=False)
class Slots:
    """The live parameters of the items of a stack, packed: every item has the same number of slots.

    Attributes
    ----------
    keys
        Arrays with live entries beside the loadings, each of shape (items, ...).
    own
        (items, own slots): column in an item's concatenated rows of these arrays; 0 where unused.
    used
        Which of these slots are in use.
    loaded
        (items, loading slots): latent variable of each live loading; 0 where unused.
    columns
        For every live entry of the stack its place among (items, own slots + loading slots), flat.
    """

    keys: tuple[str, ...]
    own: np.ndarray
    used: np.ndarray
    loaded: np.ndarray
    columns: np.ndarray


@lru_cache(maxsize=256)
def slots_of(live: Places, items: int, widths: tuple[tuple[str, int], ...]) -> Slots:
    """The slots of a stack's live places; `widths` are the entries per item of every array."""
    width = dict(widths)
    keys = tuple(dict.fromkeys(path[0] for path in live.paths if path[0] != LOADINGS))
    starts = dict(zip(keys, np.cumsum([0, *(width[k] for k in keys)]), strict=False))
    own: list[list[int]] = [[] for _ in range(items)]
    loaded: list[list[int]] = [[] for _ in range(items)]
    slots = []
    for (key, *_), position in zip(live.paths, live.positions, strict=True):
        item, column = divmod(position, width[key])
        mine = loaded[item] if key == LOADINGS else own[item]
        slots.append((item, key == LOADINGS, len(mine)))
        mine.append(column if key == LOADINGS else int(starts[key]) + column)
    columns, used = _padded(own)
    latents, _ = _padded(loaded)
    first, total = columns.shape[1], columns.shape[1] + latents.shape[1]
    places = [item * total + slot + (first if loading else 0) for item, loading, slot in slots]
    return Slots(keys, columns, used, latents, np.array(places, int))


def _padded(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    width = max((len(one) for one in lists), default=0)
    values = np.array([one + [0] * (width - len(one)) for one in lists], int).reshape(len(lists), width)
    used = np.array([[i < len(one) for i in range(width)] for one in lists], bool).reshape(len(lists), width)
    return values, used


def _fitted(loadings: Float[Array, "item latent"], columns: int) -> Float[Array, "item column"]:
    """Loadings on the first entries of eta, of which the last may be drivers that no item measures."""
    kept = loadings[:, :columns]
    return jnp.pad(kept, ((0, 0), (0, columns - kept.shape[1])))


def _own(slots: Slots, rows: Arrays, lead: tuple[int, ...]) -> Array:
    """Entries of the own slots (*lead, item, slot), from arrays with `lead` axes before those of the items."""
    items, count = slots.own.shape
    if not count:
        return jnp.zeros((*lead, items, 0))
    flat = jnp.concatenate([a.reshape(*lead, items, -1) for a in rows.values()], axis=-1)
    return jnp.where(slots.used, flat[..., np.arange(items)[:, None], slots.own], 0.0)


def _seed(slots: Slots, rows: Arrays, slot: int) -> Arrays:
    """Ones at this own slot of every item, in the shapes of `rows`."""
    items = slots.own.shape[0]
    widths = [int(np.prod(a.shape[1:], initial=1)) for a in rows.values()]
    flat = np.zeros((items, sum(widths)))
    flat[np.arange(items), slots.own[:, slot]] = slots.used[:, slot]
    pieces = np.split(flat, np.cumsum(widths)[:-1], axis=1)
    return {k: jnp.asarray(p.reshape(a.shape)) for p, (k, a) in zip(pieces, rows.items(), strict=True)}
