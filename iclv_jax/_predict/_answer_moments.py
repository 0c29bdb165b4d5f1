"""Moments of the answers to items with levels, of one and of two items at a time: which they are, and what a model says of
them.

A moment is the mean over people of a function of the answers to one item (also times a covariate) or of a product of
functions of the answers to two. Given the latent variables answers are independent, so that means and covariances of all
moments follow from the probabilities of the levels at nodes.
"""

from typing import Literal, NamedTuple

import numpy as np

from iclv_jax._base._types import AnyArray, Float
from iclv_jax._parameters import ParameterTable
from iclv_jax._problem import Problem

Statistic = Literal["M2", "C2", "M2*"]


class Functions(NamedTuple):
    """Functions of the answers to one item, as sums over indicators of its levels: `weights` (function, level of any item)
    and the item of each. Levels of all items stand in one row, those of a stack padded to its longest scale."""

    weights: Float[np.ndarray, "function level"]
    owner: np.ndarray


class Moments(NamedTuple):
    """Which moments there are: functions of single items, those whose products are taken, and the places of the factors of
    every product, pair of items by pair of items. `items` are names in the order of the stacks, `level` the item of every
    level, `code` its place, `ordered` whether the levels of an item have an order."""

    single: Functions
    paired: Functions
    left: np.ndarray
    right: np.ndarray
    items: tuple[str, ...]
    level: np.ndarray
    code: np.ndarray
    ordered: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """The two items of every product, (2, product)."""
        return np.stack([self.paired.owner[self.left], self.paired.owner[self.right]])


def moments_of(problem: Problem, statistic: Statistic) -> Moments:
    """The moments of a statistic: `"M2"` all frequencies of levels and of pairs of levels, `"M2*"` means of scores and of
    their products, `"C2"` frequencies of levels and means of products of scores. Items without an order have no scores:
    there they stay frequencies."""
    items, level, code, used, ordered = _levels(problem.table, problem)
    single = _functions(level, code, used, ordered if statistic == "M2*" else np.zeros(len(items), bool))
    paired = _functions(level, code, used, np.zeros(len(items), bool) if statistic == "M2" else ordered)
    own = [np.flatnonzero(paired.owner == i) for i in range(len(items))]
    both = [
        (a, b) for i in range(len(items)) for j in range(i + 1, len(items)) for a in own[i] for b in own[j]
    ]
    left, right = np.array(both, int).reshape(-1, 2).T
    return Moments(single, paired, left, right, tuple(items), level, code, ordered)


def _levels(
    table: ParameterTable, problem: Problem
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    items, level, code, used, ordered = [], [], [], [], []
    for stack in table.stacks:
        counts = [len(problem.panel.levels[q]) for q in stack.items]
        for name, count in zip(stack.items, counts, strict=True):
            level += [len(items)] * max(counts)
            code += range(max(counts))
            used += [k < count for k in range(max(counts))]
            ordered.append(not stack.family.several or count == 2)
            items.append(name)
    return items, np.array(level, int), np.array(code, int), np.array(used, bool), np.array(ordered, bool)


def _functions(level: np.ndarray, code: np.ndarray, used: np.ndarray, scored: np.ndarray) -> Functions:
    """The place of the level for items that are `scored`, and else an indicator of every level but the first."""
    rows, owner = [], []
    for item in range(len(scored)):
        mine = np.flatnonzero((level == item) & used)
        if scored[item]:
            rows.append(np.where(level == item, code, 0) * used)
            owner.append(item)
        else:
            rows += list(np.eye(len(level))[mine[1:]])
            owner += [item] * (len(mine) - 1)
    return Functions(np.array(rows, float).reshape(-1, len(level)), np.array(owner, int))


def multipliers(moments: Moments, answered: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """What each row of people multiplies every moment by: one or a covariate, and zero where an item was not answered."""
    seen = answered.astype(float)
    ones = np.column_stack([np.ones(len(seen)), covariates])
    single = seen[:, moments.single.owner, None] * ones[:, None, :]
    left, right = moments.pairs
    return np.concatenate([single.reshape(len(seen), -1), seen[:, left] * seen[:, right]], axis=1)


def given_nodes(moments: Moments, levels: AnyArray, regressors: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of the moments (..., moment) given probabilities of the levels, and those of the paired functions; every single
    function is repeated for each of the `regressors`."""
    each = levels @ moments.paired.weights.T
    single = np.repeat(levels @ moments.single.weights.T, regressors, axis=-1)
    return np.concatenate([single, each[..., moments.left] * each[..., moments.right]], axis=-1), each


def expected_and_covariance(
    moments: Moments, levels: np.ndarray, weights: np.ndarray, counts: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum over people of the expected moments and of their covariance matrices.

    `levels` (row of people, node, level) are probabilities, `weights` those of the nodes, `counts` people in a row,
    `factor` (row, moment) multiplies. The covariance is that of the means given the nodes, and the mean of that given
    the nodes, which only moments with an item in common have.
    """
    repeats = (factor.shape[1] - len(moments.left)) // max(len(moments.single.owner), 1)
    mean, each = given_nodes(moments, levels, repeats)
    centre = np.einsum("r,grs->gs", weights, mean)
    root = np.sqrt(counts[:, None] * weights[None, :])
    away = (root[:, :, None] * factor[:, None, :] * (mean - centre[:, None, :])).reshape(-1, factor.shape[1])
    covariance = away.T @ away
    for item in range(len(moments.items)):
        rows, block = _shared(moments, levels, each, item, repeats)
        block *= (root[:, :, None] * factor[:, None, rows])[:, :, None, :]
        flat = block.reshape(-1, len(rows))
        covariance[np.ix_(rows, rows)] += flat.T @ flat
    _both(moments, levels, each, root, factor, covariance)
    return counts @ (factor * centre), covariance


def _roots(functions: Functions, levels: np.ndarray, mean: np.ndarray, own: np.ndarray, at: np.ndarray):
    """A root (..., function, level) of the covariance of these functions of one item given the nodes: that of indicators
    is `diag(p) - p p'`, with the root `diag(sqrt(p)) - p sqrt(p)'`."""
    p = levels[..., own]
    return (functions.weights[np.ix_(at, own)] - mean[..., at, None]) * np.sqrt(p)[..., None, :]


def _shared(
    moments: Moments, levels: np.ndarray, each: np.ndarray, item: int, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the moments with this item, and how they move with it: (row, node, level, moment)."""
    own = np.flatnonzero(moments.level == item)
    at = np.flatnonzero(moments.single.owner == item)
    mean = levels @ moments.single.weights.T
    single = np.repeat(np.swapaxes(_roots(moments.single, levels, mean, own, at), 2, 3), repeats, axis=3)
    rows = [(at[:, None] * repeats + np.arange(repeats)).reshape(-1)]
    blocks, first = [single], len(moments.single.owner) * repeats
    paired = np.flatnonzero(moments.paired.owner == item)
    root = np.swapaxes(_roots(moments.paired, levels, each, own, paired), 2, 3)
    for mine, other in ((moments.left, moments.right), (moments.right, moments.left)):
        where = np.flatnonzero(moments.paired.owner[mine] == item)
        place = mine[where] - paired[0] if len(paired) else where
        blocks.append(root[:, :, :, place] * each[:, :, None, other[where]])
        rows.append(first + where)
    return np.concatenate(rows), np.concatenate(blocks, axis=3)


def _both(
    moments: Moments,
    levels: np.ndarray,
    each: np.ndarray,
    root: np.ndarray,
    factor: np.ndarray,
    covariance: np.ndarray,
) -> None:
    """Add what products of the same two items have in common beside what each item alone gives."""
    spread = []
    for item in range(len(moments.items)):
        at = np.flatnonzero(moments.paired.owner == item)
        half = _roots(moments.paired, levels, each, np.flatnonzero(moments.level == item), at)
        spread.append(half @ np.swapaxes(half, -1, -2))
    first, pairs = factor.shape[1] - len(moments.left), moments.pairs
    starts = np.flatnonzero(np.any(np.diff(pairs, axis=1, prepend=-1) != 0, axis=0))
    for start in starts:
        i, j = pairs[:, start]
        size = spread[i].shape[-1] * spread[j].shape[-1]
        rows = first + start + np.arange(size)
        weight = (root * factor[:, rows[:1]]) ** 2
        block = np.einsum("gr,grac,grbd->abcd", weight, spread[i], spread[j], optimize=True)
        covariance[np.ix_(rows, rows)] += block.reshape(size, size)
