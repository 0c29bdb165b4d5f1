"""Marginal utilities: which coefficient or derivative of the utilities a name stands for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, CellTree, Float, Params, Theta
from iclv_jax._density import Choice, Structure, World
from iclv_jax._diagnose._utility import generic, situations
from iclv_jax._integration import Nodes
from iclv_jax._panel import Person
from iclv_jax._predict._view import View
from iclv_jax._predict._worlds import Worlds, worlds
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import nearest

PROBES = 3
"""Arbitrary points beside those of the data."""
AT_ONCE = 256
"""Situations that are differentiated at a time."""
SAME = 1e-10


@dataclass(frozen=True)
class Marginal:
    """A marginal utility: `sign` times the coefficient at place `coefficient` where it is nothing else, otherwise
    (-1) the derivative of the utility at place `alternative` by the column at place `column`.

    `latent`, `random` and `situational`: whether it depends on latent variables, on random coefficients, and on columns.
    """

    coefficient: int = -1
    sign: float = 1.0
    alternative: int = -1
    column: int = -1
    latent: bool = False
    random: bool = False
    situational: bool = False

    @property
    def plain(self) -> bool:
        return self.coefficient >= 0

    def at(self, utility: Utility, coefficients: Array, columns: Array, latents: Array) -> Array:
        if self.plain:
            return self.sign * coefficients[self.coefficient]
        unit = jnp.zeros(columns.shape).at[self.column].set(1.0)
        return jax.jvp(lambda x: utility(coefficients, x, latents), (columns,), (unit,))[1][self.alternative]


class _Points(NamedTuple):
    """Where utilities are differentiated: every situation (row, column) at each of a few coefficients and latent
    variables (setting, ...). The second setting has other coefficients than the first, the third other random ones, the
    rest other latent variables."""

    rows: np.ndarray
    coefficients: np.ndarray
    latents: np.ndarray


def find_marginal(
    problem: Problem,
    choice: Kernel,
    name: str,
    alternative: Hashable | None,
    what: str,
    views: Sequence[View] = (),
    of_class: str | None = None,
) -> Marginal:
    """The marginal utility that a coefficient or a column stands for.

    A coefficient stands for the column that it multiplies; one that multiplies none (a constant, the weight of a
    latent variable) for itself. What a marginal utility is is read off at every situation of the data, and of `views`:
    a utility may be another function there than elsewhere (`jnp.where`). `of_class`: in the utilities of a latent class
    alone. ValueError for a name that the utility does
    not use, and where several alternatives have different marginal utilities and none was chosen.
    """
    utility = choice.utility
    points = _points(problem, choice, views)
    random = {utility.parameters.index(n) for n, _ in problem.spec.random if n in utility.parameters}
    if name in utility.parameters:
        k = utility.parameters.index(name)
        pairs = np.argwhere(_multiplied(utility, k, points)).tolist()
        if not pairs:
            return Marginal(coefficient=k, random=k in random)
    elif name in utility.columns:
        c = utility.columns.index(name)
        moves = (np.nan_to_num(_slopes(utility, c, points)) != 0.0).any(axis=(0, 1))
        pairs = [[j, c] for j in np.flatnonzero(moves).tolist()]
    else:
        known = (*utility.parameters, *utility.columns)
        raise ValueError(
            f"{what} names {name!r}, which the utility function does not use. {nearest(name, known)}"
        )
    if of_class is not None:
        # Utilities of membership are called ("class", name), those of a class (name, alternative).
        pairs = [p for p in pairs if utility.alternatives[p[0]][0] == of_class]  # pyright: ignore[reportIndexIssue]
        if not pairs:
            raise ValueError(
                f"{what} names {name!r}, which is in no utility of the class {of_class!r}, so that money has no worth "
                "there. Name a column of cost that all classes use."
            )
    if alternative is not None:
        if alternative not in utility.alternatives:
            raise ValueError(
                f"alternative={alternative!r} is none of the model. {nearest(alternative, utility.alternatives)}"
            )
        at = utility.alternatives.index(alternative)
        pairs = [p for p in pairs if p[0] == at] or pairs
    return _common(utility, points, pairs, name, what, random)


def marginals(
    problem: Problem, choice: Kernel, name: str, what: str, views: Sequence[View]
) -> tuple[Marginal, ...]:
    """The marginal utility that a coefficient or a column stands for, in each latent class where there are some."""
    classes = [c for c, _ in choice.classes] or [None]
    return tuple(find_marginal(problem, choice, name, None, what, views, c) for c in classes)


def _points(problem: Problem, choice: Kernel, views: Sequence[View]) -> _Points:
    """The first settings are positive, so that logarithms and roots in a utility have values."""
    utility = choice.utility
    seen = [np.asarray(v.columns)[np.asarray(v.data.occurs)] for v in views]
    sizes = len(utility.coefficients), len(utility.columns), len(utility.latents)
    rows = np.concatenate([situations(problem, choice, None)[0], *seen, generic(PROBES, sizes[1], 0)])
    coefficients, latents = np.tile(generic(1, sizes[0], 1), (5, 1)), np.tile(generic(1, sizes[2], 2), (5, 1))
    coefficients[1] = generic(1, sizes[0], 3)
    for name, _ in problem.spec.random:
        if name in utility.parameters:
            coefficients[2, utility.parameters.index(name)] *= -0.7
    latents[3:] = 2.0 * np.random.default_rng(4).standard_normal((2, sizes[2]))
    return _Points(rows, coefficients, latents)


def _common(
    utility: Utility, points: _Points, pairs: list[list[int]], name: str, what: str, random: set[int]
) -> Marginal:
    """The one marginal utility of these pairs of alternative and column."""
    by_column = {c: _slopes(utility, c, points) for c in {c for _, c in pairs}}
    found = [by_column[c][:, :, j] for j, c in pairs]
    if not all(_agree(one, found[0]) for one in found):
        names = ", ".join(dict.fromkeys(repr(utility.alternatives[j]) for j, _ in pairs))
        columns = ", ".join(dict.fromkeys(repr(utility.columns[c]) for _, c in pairs))
        raise ValueError(
            f"{what}: {name!r} has different marginal utilities in the alternatives {names} (columns {columns}). "
            "Choose one by alternative=, or name a column."
        )
    slope, (j, c) = found[0], pairs[0]
    for k in range(len(utility.parameters)):
        for sign in (1.0, -1.0):
            if _agree(slope, sign * points.coefficients[:, k, None]):
                return Marginal(coefficient=k, sign=sign, random=k in random)
    return Marginal(
        alternative=j,
        column=c,
        latent=not _agree(slope[[3, 4]], slope[0]),
        random=not _agree(slope[2], slope[0]),
        situational=not _agree(slope, slope[:, -1:]),
    )


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two derivatives are the same wherever both have a value."""
    both = np.isfinite(one) & np.isfinite(other)
    return bool(np.isclose(one, other, rtol=SAME, atol=0.0)[both].all())


def _slopes(utility: Utility, column: int, points: _Points) -> np.ndarray:
    """Derivatives of the utilities by a column, (setting, row, alternative)."""
    unit = np.zeros(points.rows.shape[1])
    unit[column] = 1.0
    return np.stack(
        [
            np.asarray(_along_column(utility, unit, points.rows, b, lv))
            for b, lv in zip(points.coefficients, points.latents, strict=True)
        ]
    )


@partial(compiled, static_argnums=0)
def _along_column(utility: Utility, unit: Array, rows: Array, coefficients: Array, latents: Array) -> Array:
    def one(row: Array) -> Array:
        return jax.jvp(lambda x: utility(coefficients, x, latents), (row,), (unit,))[1]

    return jax.lax.map(one, rows, batch_size=AT_ONCE)


def _multiplied(utility: Utility, coefficient: int, points: _Points) -> np.ndarray:
    """Marks the columns (alternative, column) that a coefficient multiplies in some situation."""
    unit = np.zeros(points.coefficients.shape[1])
    unit[coefficient] = 1.0
    size = -(-len(points.rows) // AT_ONCE)
    filled = np.resize(points.rows, (size * AT_ONCE, points.rows.shape[1]))
    batches = filled.reshape(size, AT_ONCE, -1)
    settings = zip(points.coefficients, points.latents, strict=True)
    return np.any([_along_both(utility, unit, batches, b, lv) for b, lv in settings], axis=0)


@partial(compiled, static_argnums=0)
def _along_both(utility: Utility, unit: Array, batches: Array, coefficients: Array, latents: Array) -> Array:
    def one(row: Array) -> Array:
        def by_coefficient(x: Array) -> Array:
            return jax.jvp(lambda b: utility(b, x, latents), (coefficients,), (unit,))[1]

        return jnp.nan_to_num(jax.jacfwd(by_coefficient)(row), nan=0.0) != 0.0

    return jax.lax.map(lambda rows: jax.vmap(one)(rows).any(axis=0), batches).any(axis=0)


@partial(compiled, static_argnames="marginal")
def fixed_marginal(view: View, params: Params, marginal: Marginal) -> Array:
    """A marginal utility that depends on neither latent variables nor random coefficients, (person, situation)."""
    shape, block = view.core.structure, view.block
    theta, latents = view.core.theta(params), jnp.zeros(len(block.utility.latents))

    def one(person: Person) -> Array:
        coefficients = shape.cells(theta, person)[block.name]["coefficients"]
        each = jax.vmap(lambda row: marginal.at(block.utility, coefficients, row, latents))
        return each(person.tables[block.table])

    return jax.vmap(one)(view.person)


@partial(compiled, static_argnums=(0, 1, 3, 4))
def coefficients_of(
    structure: Structure, choice: str, constants: Array, first: Marginal, second: Marginal, params: Params
) -> Array:
    """Two plain marginal utilities at any parameters."""
    theta = structure.map.theta(constants, params)
    coefficients = structure.map.dense(theta)[choice]["coefficients"]
    return jnp.stack([m.sign * coefficients[m.coefficient] for m in (first, second)])


@partial(compiled, static_argnames=("attribute", "cost"))
def trade_offs(view: View, params: Params, attribute: Marginal, cost: Marginal) -> tuple[Array, Array, Array]:
    """Minus the ratio of two marginal utilities and the second of them, (person, situation, node), and the weights of nodes
    in every situation. One situation stands for all where neither depends on columns, and where none says by its choice
    what was drawn in it."""
    core, shape, block = view.core, view.core.structure, view.block
    theta, utility = core.theta(params), block.utility
    told = bool(block.within) and not view.prior
    several = attribute.situational or cost.situational or told

    def one(known: Person, nodes: Nodes, person: Person, theta: Theta) -> tuple[Array, Array, Array]:
        cells = shape.cells(theta, person)[block.name]
        draws = worlds(shape, theta, view.seen, known, nodes)
        columns = person.tables[block.table]

        eta, inner = _with_inner(block, draws.eta)
        weights = _inner_weights(block, cells, known if told else None, draws)

        def both(row: Array, eta: Array, at: Array) -> tuple[Array, Array]:
            world = World(eta, known.covariates, at)
            b, lv = block.coefficients(cells, world), block.felt(world)
            per_cost = cost.at(utility, b, row, lv)
            return -attribute.at(utility, b, row, lv) / per_cost, per_cost

        each = jax.vmap(jax.vmap(both, in_axes=(None, 0, 0)), in_axes=(0, None, None))
        return *each(columns if several else columns[:1], eta, inner), weights

    return core.people.each(one, view.person, shared=(theta,))


def _with_inner(block: Choice, eta: Array) -> tuple[Array, Array]:
    """Draws of eta with those of what is drawn anew in every row."""
    if not block.within:
        return eta, jnp.zeros((eta.shape[0], 0))
    points = jnp.asarray(block.inner.nodes[0])
    return jnp.repeat(eta, len(points), axis=0), jnp.tile(points, (eta.shape[0], 1))


def _inner_weights(
    block: Choice, cells: CellTree, known: Person | None, draws: Worlds
) -> Float[Array, "situation node"]:
    """Weights of the nodes that `_with_inner` gives, in the situations of a person whose choices are known: each says what
    was drawn in it. The same in all, in one row, where none is known."""
    if not block.within:
        return draws.weights[None, :]
    inner = jnp.asarray(block.inner.nodes[1])
    if known is None:
        return (draws.weights[:, None] * inner[None, :]).reshape(1, -1)
    points, data = jnp.asarray(block.inner.nodes[0]), known.data[block.at]
    density = block.kernel.log_classes if block.mixed else block.kernel.log_density

    def of_classes(eta: Array) -> Array:
        world = World(eta, known.covariates)
        return jax.nn.softmax(block.log_classes(cells, known, world, known)) if block.mixed else jnp.ones(1)

    def logs(eta: Array, at: Array) -> Array:
        v = block.utilities(cells, known, World(eta, known.covariates, at))
        each = jax.vmap(lambda *row: jnp.atleast_1d(density(cells, *row)))(v, data.outcome, data.offered)
        return jnp.where(data.occurs[:, None], each, 0.0)

    every = jax.vmap(jax.vmap(logs, in_axes=(None, 0)), in_axes=(0, None))(draws.eta, points)
    shares = jax.nn.softmax(every + jnp.log(inner)[None, :, None, None], axis=1)
    found = jnp.einsum("rktc,rc,r->trk", shares, jax.vmap(of_classes)(draws.eta), draws.weights)
    return found.reshape(found.shape[0], -1)


@partial(compiled, static_argnames=("attribute", "cost"))
def mean_trade_off(view: View, params: Params, attribute: Marginal, cost: Marginal) -> Array:
    """The weighted mean over people, situations and tastes, as a vector of one."""
    ratio, _, weights = trade_offs(view, params, attribute, cost)
    each = jnp.sum(ratio * weights, axis=2)
    occurs = view.data.occurs[:, : each.shape[1]].astype(float)
    by_person = jnp.sum(each * occurs, axis=1) / jnp.maximum(jnp.sum(occurs, axis=1), 1.0)
    counted = counted_people(view)
    return (jnp.dot(counted, by_person) / counted.sum())[None]


def counted_people(view: View) -> Array:
    """Weights of the people who have a situation."""
    return view.core.weights * view.data.occurs.any(axis=1).astype(float)
