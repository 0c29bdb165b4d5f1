"""Frequencies of answers and of pairs of answers: observed, and expected by the model before any answers.

An item has features: whether each of its levels was answered, or for a continuous item the answer and its square. Their
means over people, and the means of the products of features of two items, are what a fit can be held against.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Arrays, Float, Params
from iclv_jax._density._density import Structure
from iclv_jax._density._latent import latent_variables
from iclv_jax._integration import MonteCarlo
from iclv_jax._likelihood._likelihood import Core
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT, section
from iclv_jax._predict._probabilities import is_discrete, levels_at
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
        discrete = is_discrete(stack)
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
    return jnp.asarray(rule.standard(problem.core.people, problem.core.structure.latents).points)


@compiled
def observed_sums(core: Core, person: Person) -> tuple[Array, Array]:
    """Weighted sums over people of features and of their products; what was not answered counts as nothing."""
    each = [jnp.zeros((core.people, 0))]
    for stack, values, seen in zip(core.structure.stacks, person.values, person.observed, strict=True):
        if is_discrete(stack):
            size = _levels(core, stack)
            one = jax.nn.one_hot(values, size, dtype=float)
        else:
            one = jnp.stack([values, values**2], axis=-1)
        each.append(jnp.where(seen[..., None], one, 0.0).reshape(core.people, -1))
    features = jnp.concatenate(each, axis=1)
    return core.weights @ features, (features.T * core.weights[None, :]) @ features


def _levels(core: Core, stack) -> int:
    """Levels of the longest scale of a stack."""
    blank = jnp.zeros(core.structure.map.cells)
    shapes = jax.eval_shape(core.structure.map.dense, blank)
    return shapes[section(stack)]["thresholds"].shape[-1] + 1


@compiled
def counted(core: Core, person: Person, owner: Array) -> tuple[Array, Array]:
    """Weights of those who answered an item, by feature, and of those who answered both, by pair of features."""
    seen = _answered(core, person)[:, owner]
    return core.weights @ seen, (seen.T * core.weights[None, :]) @ seen


def _answered(core: Core, person: Person) -> Array:
    """1 where a person answered an item, 0 elsewhere, (person, item)."""
    return jnp.concatenate([jnp.zeros((core.people, 0), bool), *person.observed], axis=1).astype(float)


@compiled
def expected_sums(core: Core, params: Params, shocks: Array, owner: Array) -> tuple[Array, Array]:
    """What the model expects of `observed_sums`, for the people who answered, before they did."""
    cells = core.structure.map.dense(core.theta(params))
    seen = _answered(core, core.person)[:, owner]

    def add(total: tuple[Array, Array], one) -> tuple[tuple[Array, Array], None]:
        covariates, u, weight, mask = one
        functions = core.structure.nonlinear
        eta = jax.vmap(lambda v: latent_variables(cells[LATENT], covariates, v, functions))(u)
        each = jax.vmap(lambda one: _given(core.structure, cells, one))(eta) * mask[None, :]
        first, second = total
        return (first + weight * each.mean(axis=0), second + weight / len(u) * each.T @ each), None

    size = len(owner)
    start = jnp.zeros(size), jnp.zeros((size, size))
    return jax.lax.scan(add, start, (core.person.covariates, shocks, core.weights, seen))[0]


def _given(shape: Structure, cells: dict[str, Arrays], eta: Array) -> Float[Array, " feature"]:
    """Expected features given the latent variables; those of different items are then independent."""
    found = [jnp.zeros(0)]
    for stack in shape.stacks:
        part = cells[section(stack)]
        index = part["loadings"] @ eta
        if is_discrete(stack):
            found.append(levels_at(stack, part, index).reshape(-1))
        else:
            mean = part["intercept"] + index
            found.append(jnp.stack([mean, mean**2 + part["variance"]], axis=-1).reshape(-1))
    return jnp.concatenate(found)
