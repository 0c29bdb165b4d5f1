"""A stack of items as a block: items of one family, evaluated as arrays over items.

Given the latent variables an item's own parameters meet no other item's. So one seed carries a parameter of every item
at once, and second derivatives are taken by own slot and by index alone; loadings and effects of covariates follow by the
chain rule.
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
from iclv_jax._parameters import EFFECTS
from iclv_jax._spec import Expected, Indicator

LOADINGS = "loadings"


@dataclass(frozen=True)
class Items(Block):
    """`family` is one of the items, which speaks for all; `latents` the length of the rows of loadings, `widths` the
    entries of every array per item. `indices` is how many indices an item has where it has several, None where it has one.
    """

    name: str
    at: int
    family: Indicator
    items: tuple[str, ...]
    latents: int
    widths: tuple[tuple[str, int], ...]
    indices: int | None = None

    @property
    def seen(self) -> tuple[int, ...]:
        return tuple(range(self.latents))

    def index(
        self, cells: Arrays, eta: Float[Array, "*node latent"], covariates: Float[Array, " covariate"]
    ) -> Array:
        """Loadings times latent variables and effects times covariates, (*node, item), with a last axis of indices where an
        item has several; drivers of random coefficients measure nothing."""
        found = self.by_latents(cells, eta)
        return (
            found + jnp.broadcast_to(cells[EFFECTS] @ covariates, found.shape) if EFFECTS in cells else found
        )

    def by_latents(self, cells: Arrays, eta: Float[Array, "*node latent"]) -> Array:
        """Loadings times latent variables, in the shape of `index`."""
        own = eta[..., : self.latents]
        if self.indices is not None:
            return jnp.einsum("...l,kml->...km", own, cells[LOADINGS])
        # In this order nodes and items stay where they are; the other way round the product would be transposed.
        return own @ cells[LOADINGS].T

    def each(self, cells: CellTree, person: Person, world: World) -> Float[Array, " item"]:
        index = self.index(cells, world.eta, world.covariates)
        return self.each_at(cells, person.data[self.at], index)

    def each_at(self, cells: CellTree, data: Data, index: Array) -> Float[Array, " item"]:
        """Log densities of the items at their indices."""
        return self.family.log_density(cells, data.outcome, index)

    def expected_at(self, cells: CellTree, index: Array) -> Expected:
        """What is expected of the items at their indices."""
        return self.family.expected(cells, index)

    def sample(self, cells: CellTree, world: World, key: Array) -> Array:
        """Answers to all items at one draw."""
        return self.family.sample(cells, self.index(cells, world.eta, world.covariates), key)

    def first(self, live: Places, cells: CellTree, person: Person, eta: Array) -> First:
        slots = self._slots(live)
        data, rows = person.data[self.at], {key: cells[key] for key in slots.keys}
        each = jax.vmap(jax.value_and_grad(self._sum, argnums=(2, 3)), in_axes=(None, None, None, 0))
        value, (own, felt) = each(cells, data, rows, self.index(cells, eta, person.covariates))
        by_slope = self._of_slots(slots, felt) * self._regressors(eta, person.covariates)[:, slots.regressors]
        scores = jnp.concatenate([_own(slots, own, (eta.shape[0],)), by_slope], axis=2)
        pull = felt.reshape(eta.shape[0], self._count) @ _fitted(self._flat(cells[LOADINGS]), eta.shape[1])
        return First(value, scores.reshape(eta.shape[0], -1)[:, slots.columns], pull, felt)

    def second(
        self,
        live: Places,
        cells: CellTree,
        person: Person,
        eta: Float[Array, "node latent"],
        memo: Array,
        shares: Float[Array, " node"],
        basis: Float[Array, "node basis"],
        moved: int,
    ) -> Second:
        slots = self._slots(live)
        regressors = self._regressors(eta, person.covariates)[:, slots.regressors]
        own, curve, side = self._curvature(slots, cells, person, eta, shares)
        loadings = _fitted(self._flat(cells[LOADINGS]), moved)
        loadings = loadings.reshape(len(self.items), self.indices or 1, moved)
        bend = jnp.einsum("rkmn,kml,knp->rlp", curve, loadings, loadings)
        items = np.arange(len(self.items))[:, None]
        side = jnp.concatenate([side, curve[:, items, slots.indices] * regressors[..., None]], axis=2)
        every = np.arange(side.shape[2])[None, :, None]
        mixed = jnp.einsum(
            "rkas,rks->kas", side[:, items[..., None], every, slots.indices[:, None]], regressors
        )
        cross = jnp.einsum("bkam,kml->bkal", jnp.einsum("rb,rkam->bkam", basis, side), loadings)
        # A loading's score is slope times eta: moved by eta itself as well.
        felt = jnp.einsum("rb,rks->bks", basis, self._of_slots(slots, memo) * shares[:, None, None])
        places = np.arange(moved)
        same = (slots.regressors[..., None] == places) & (places < self.latents)
        turned, width = felt[..., None] * same.astype(float)[None], own.shape[1]
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
        self, slots: "Slots", cells: CellTree, person: Person, eta: Array, shares: Array
    ) -> tuple[Array, Array, Array]:
        """Second derivatives of the mean over nodes: (item, own, own); at every node by two indices of an item (node, item,
        index, index), and by own slots and an index (node, item, own, index)."""
        rows, data = {key: cells[key] for key in slots.keys}, person.data[self.at]

        def mean(own: Arrays, index: Array) -> Scalar:
            each = jax.vmap(lambda at: self._sum(cells, data, own, at))
            return jnp.dot(shares, each(index))

        at = (rows, self.index(cells, eta, person.covariates))
        _, push = jax.linearize(jax.grad(mean, argnums=(0, 1)), *at)
        still, blocks, sides = jnp.zeros_like(at[1]), [], []
        shape = (eta.shape[0], len(self.items), self.indices or 1)
        for slot in range(slots.own.shape[1]):
            own, index = push(_seed(slots, rows, slot), still)
            blocks.append(_own(slots, own, ()))
            sides.append(index.reshape(shape))
        none, units = jax.tree.map(jnp.zeros_like, rows), np.eye(shape[2])
        seeds = [jnp.broadcast_to(unit, still.shape) if self.indices else still + 1.0 for unit in units]
        curve = jnp.stack([push(none, seed)[1].reshape(shape) for seed in seeds], axis=2)
        items = len(self.items)
        stacked = jnp.stack(blocks, axis=2) if blocks else jnp.zeros((items, 0, 0))
        side = jnp.stack(sides, axis=2) if sides else jnp.zeros((*shape[:2], 0, shape[2]))
        return stacked, curve, side

    def _of_slots(self, slots: "Slots", felt: Array) -> Float[Array, "node item slot"]:
        """Derivatives by the index that each slope stands in."""
        if self.indices is None:
            return felt[:, :, None]
        return felt[:, np.arange(len(self.items))[:, None], slots.indices]

    def _regressors(
        self, eta: Float[Array, "node latent"], covariates: Float[Array, " covariate"]
    ) -> Float[Array, "node regressor"]:
        """What slopes multiply: the latent variables, and behind them the covariates where there are effects."""
        if EFFECTS not in dict(self.widths):
            return eta
        covered = jnp.broadcast_to(covariates, (eta.shape[0], len(covariates)))
        return jnp.concatenate([eta[:, : self.latents], covered], axis=1)

    def _flat(self, loadings: Array) -> Float[Array, "slope latent"]:
        """Loadings with items and indices in one axis."""
        return loadings.reshape(self._count, self.latents)

    @property
    def _count(self) -> int:
        """Indices of all items together."""
        return len(self.items) * (self.indices or 1)

    def _slots(self, live: Places) -> "Slots":
        return slots_of(live, len(self.items), self.widths, self.indices or 1)

    def _sum(self, cells: CellTree, data: Data, rows: Arrays, index: Array) -> Scalar:
        each = self.each_at({**cells, **rows}, data, index)
        return jnp.sum(jnp.where(data.occurs, each, 0.0))


@dataclass(frozen=True, eq=False)
class Slots:
    """The live parameters of the items of a stack, packed: every item has the same number of slots.

    Attributes
    ----------
    keys
        Arrays with live entries beside the loadings and effects, each of shape (items, ...).
    own
        (items, own slots): column in an item's concatenated rows of these arrays; 0 where unused.
    used
        Which of these slots are in use.
    regressors, indices
        (items, slope slots): what each live loading or effect multiplies, a latent variable or, behind these, a
        covariate, and the index that it stands in; 0 where unused.
    columns
        For every live entry of the stack its place among (items, own slots + slope slots), flat.
    """

    keys: tuple[str, ...]
    own: np.ndarray
    used: np.ndarray
    regressors: np.ndarray
    indices: np.ndarray
    columns: np.ndarray


@lru_cache(maxsize=256)
def slots_of(live: Places, items: int, widths: tuple[tuple[str, int], ...], indices: int) -> Slots:
    """The slots of a stack's live places; `widths` are the entries per item of every array."""
    width = dict(widths)
    # Regressors by array: where the first of them stands, and how many there are.
    slopes = {LOADINGS: (0, width[LOADINGS] // indices)}
    slopes[EFFECTS] = (slopes[LOADINGS][1], width.get(EFFECTS, 0) // indices)
    keys = tuple(dict.fromkeys(path[0] for path in live.paths if path[0] not in slopes))
    starts = dict(zip(keys, np.cumsum([0, *(width[k] for k in keys)]), strict=False))
    own: list[list[int]] = [[] for _ in range(items)]
    loaded: list[list[tuple[int, int]]] = [[] for _ in range(items)]
    slots = []
    for (key, *_), position in zip(live.paths, live.positions, strict=True):
        item, column = divmod(position, width[key])
        if key in slopes:
            first, count = slopes[key]
            slots.append((item, True, len(loaded[item])))
            loaded[item].append((column // count, first + column % count))
        else:
            slots.append((item, False, len(own[item])))
            own[item].append(int(starts[key]) + column)
    columns, used = _padded(own)
    (index, _), (regressor, _) = (_padded([[pair[i] for pair in one] for one in loaded]) for i in (0, 1))
    first, total = columns.shape[1], columns.shape[1] + regressor.shape[1]
    places = [item * total + slot + (first if slope else 0) for item, slope, slot in slots]
    return Slots(keys, columns, used, regressor, index, np.array(places, int))


def _padded(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    width = max((len(one) for one in lists), default=0)
    values = np.array([one + [0] * (width - len(one)) for one in lists], int).reshape(len(lists), width)
    used = np.array([[i < len(one) for i in range(width)] for one in lists], bool).reshape(len(lists), width)
    return values, used


def _fitted(loadings: Float[Array, "slope latent"], columns: int) -> Float[Array, "slope column"]:
    """Loadings on the first entries of eta, of which the last may be drivers that no item measures."""
    kept = loadings[:, :columns]
    return jnp.pad(kept, ((0, 0), (0, columns - kept.shape[1])))


def _own(slots: Slots, rows: Arrays, lead: tuple[int, ...]) -> Array:
    """Entries of the own slots (*lead, item, slot), from arrays with `lead` axes before those of the items."""
    items, count = slots.own.shape
    if not count:
        return jnp.zeros((*lead, items, 0))
    # By name: a mapping that has gone through a transformation comes back sorted.
    flat = jnp.concatenate([rows[key].reshape(*lead, items, -1) for key in slots.keys], axis=-1)
    return jnp.where(slots.used, flat[..., np.arange(items)[:, None], slots.own], 0.0)


def _seed(slots: Slots, rows: Arrays, slot: int) -> Arrays:
    """Ones at this own slot of every item, in the shapes of `rows`."""
    items = slots.own.shape[0]
    widths = [int(np.prod(rows[key].shape[1:], initial=1)) for key in slots.keys]
    flat = np.zeros((items, sum(widths)))
    flat[np.arange(items), slots.own[:, slot]] = slots.used[:, slot]
    pieces = np.split(flat, np.cumsum(widths)[:-1], axis=1)
    return {k: jnp.asarray(p.reshape(rows[k].shape)) for p, k in zip(pieces, slots.keys, strict=True)}
