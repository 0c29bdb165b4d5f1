"""Frequencies of answers and of pairs of answers: observed, and expected by the model before any answers.

An item has features: whether each of its levels was answered, or for a continuous item the answer and its square. Their
means over people, and the means of the products of features of two items, are what a fit can be held against.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Items, Structure, World
from iclv_jax._density._linear import Linear
from iclv_jax._integration import MonteCarlo
from iclv_jax._likelihood import Core
from iclv_jax._panel import Person
from iclv_jax._parameters import RESIDUAL
from iclv_jax._problem import Problem

DRAWS = 128
"""Sobol draws per person behind expected frequencies; they are the same for the data and for what is simulated."""


class Layout(NamedTuple):
    """Of the features: names of items in the order of the stacks, the item of every feature, whether it is paired (the
    square of a continuous answer is not), and its score: the place of a level, 1 for a continuous answer."""

    items: tuple[str, ...]
    owner: np.ndarray
    paired: np.ndarray
    score: np.ndarray


def layout(problem: Problem) -> Layout:
    items, owner, paired, score = [], [], [], []
    for stack in problem.table.stacks:
        discrete = stack.family.discrete
        size = max(len(problem.panel.levels[q]) for q in stack.items) if discrete else 2
        for name in stack.items:
            owner += [len(items)] * size
            paired += [True] * size if discrete else [True, False]
            score += range(size) if discrete else [1, 0]
            items.append(name)
    return Layout(tuple(items), np.array(owner, int), np.array(paired, bool), np.array(score, float))


def standard_shocks(problem: Problem) -> Float[Array, "person draw latent"]:
    """Standard normal draws of the latent variables, independent between people."""
    rule = MonteCarlo(DRAWS, "sobol")
    return jnp.asarray(rule.standard(problem.core.people.size, problem.core.structure.system.latents).points)


@compiled
def observed_sums(core: Core, person: Person) -> tuple[Array, Array]:
    """Weighted sums over people of features and of their products; what was not answered counts as nothing."""
    size = core.people.size
    each = [jnp.zeros((size, 0))]
    for block in core.structure.items:
        data = person.data[block.at]
        if block.family.discrete:
            one = jax.nn.one_hot(data.outcome, _levels(core, block), dtype=float)
        else:
            one = jnp.stack([data.outcome, data.outcome**2], axis=-1)
        each.append((one * data.occurs[..., None].astype(float)).reshape(size, -1))
    features = jnp.concatenate(each, axis=1)
    return core.weights @ features, (features.T * core.weights[None, :]) @ features


def _levels(core: Core, block: Items) -> int:
    """Levels of the longest scale of a stack."""

    def levels(theta: Array) -> Array:
        part = core.structure.map.dense(theta)[block.name]
        index = block.index(part, jnp.zeros(block.latents), jnp.zeros(core.person.covariates.shape[1]))
        return block.expected_at(part, index).levels

    return jax.eval_shape(levels, jnp.zeros(core.structure.map.cells)).shape[-1]


def _answered(core: Core, person: Person, owner: Array) -> Float[Array, "person feature"]:
    """Whether the item of each feature was answered."""
    seen = [person.data[block.at].occurs for block in core.structure.items]
    return jnp.concatenate([jnp.zeros((core.people.size, 0), bool), *seen], axis=1).astype(float)[:, owner]


@compiled
def counted(core: Core, person: Person, owner: Array) -> tuple[Array, Array]:
    """Weights of those who answered an item, by feature, and of those who answered both, by pair of features."""
    seen = _answered(core, person, owner)
    return core.weights @ seen, (seen.T * core.weights[None, :]) @ seen


@compiled
def expected_sums(core: Core, params: Params, shocks: Array, owner: Array) -> tuple[Array, Array]:
    """What the model expects of `observed_sums`, for the people who answered, before they did."""
    shape = core.structure
    theta, system = core.theta(params), shape.system
    before = Linear(system.latents, 0, False) if system.absorbed else system
    seen = _answered(core, core.person, owner)

    def add(
        total: tuple[Array, Array], one: tuple[Person, Array, Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        person, u, weight, mask = one
        cells = shape.cells(theta, person)

        def features(shocks: Array) -> Array:
            return _given(shape, cells, before.world(cells, person, shocks)[0])

        each = jax.vmap(features)(u) * mask[None, :]
        first, second = total
        return (first + weight * each.mean(axis=0), second + weight / len(u) * each.T @ each), None

    size = len(owner)
    start = jnp.zeros(size), jnp.zeros((size, size))
    first, second = jax.lax.scan(add, start, (core.person, shocks, core.weights, seen))[0]
    for cells, weights in _of_groups(core, theta):
        second = second + (seen.T * weights[None, :]) @ seen * _residuals(core, cells)
    return first, second


def _of_groups(core: Core, theta: Theta) -> list[tuple[CellTree, Array]]:
    """The arrays of every group with the weights of its people, zero for others; those of all where there are none."""
    mapping, group = core.structure.map, core.person.group
    if group is None:
        return [(mapping.dense(theta), core.weights)]
    own = [jnp.where(group == at, core.weights, 0.0) for at in range(theta.shape[0])]
    return [(mapping.dense(row), weights) for row, weights in zip(theta, own, strict=True)]


def _residuals(core: Core, cells: CellTree) -> Float[Array, "feature feature"]:
    """Covariances of the residuals of continuous answers, by pair of features."""
    blocks = [jnp.zeros((0, 0))]
    for block in core.structure.items:
        part, count = cells[block.name], len(block.items)
        width = _levels(core, block) if block.family.discrete else 2
        answer = np.zeros((width, width))
        answer[0, 0] = 1.0
        own = part.get(RESIDUAL)
        blocks.append(jnp.zeros((count * width,) * 2) if own is None else jnp.kron(own, jnp.asarray(answer)))
    return block_diag(*blocks)


def _given(shape: Structure, cells: CellTree, world: World) -> Float[Array, " feature"]:
    """Expected features given the latent variables; those of different items are then independent but for residuals that
    covary."""
    found = [jnp.zeros(0)]
    for block in shape.items:
        part = cells[block.name]
        answer = block.expected_at(part, block.index(part, world.eta, world.covariates))
        if block.family.discrete:
            found.append(answer.levels.reshape(-1))
        else:
            found.append(jnp.stack([answer.mean, answer.mean**2 + answer.variance], axis=-1).reshape(-1))
    return jnp.concatenate(found)
