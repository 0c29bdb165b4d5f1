"""Marginal utilities: which coefficient or derivative of the utilities a name stands for."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params
from iclv_jax._density._density import Structure
from iclv_jax._likelihood._likelihood import over_people
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE
from iclv_jax._predict._tastes import tastes
from iclv_jax._predict._view import View
from iclv_jax._spec import Utility
from iclv_jax._spec._names import nearest

PROBES = 3


@dataclass(frozen=True)
class Marginal:
    """A marginal utility: `sign` times the coefficient at place `coefficient` where it is nothing else, otherwise
    (-1) the derivative of the utility at place `alternative` by the column at place `column`.

    `latent` and `situational`: whether it depends on latent variables, and on columns.
    """

    coefficient: int = -1
    sign: float = 1.0
    alternative: int = -1
    column: int = -1
    latent: bool = False
    situational: bool = False

    @property
    def plain(self) -> bool:
        return self.coefficient >= 0

    def at(self, utility: Utility, coefficients: Array, columns: Array, latents: Array) -> Array:
        if self.plain:
            return self.sign * coefficients[self.coefficient]
        unit = jnp.zeros(columns.shape).at[self.column].set(1.0)
        return jax.jvp(lambda x: utility(coefficients, x, latents), (columns,), (unit,))[1][self.alternative]


@dataclass(frozen=True)
class _Probe:
    """The utilities' derivatives at arbitrary points, which tell what depends on what."""

    coefficients: np.ndarray
    by_column: np.ndarray
    by_both: np.ndarray
    by_column_and_latent: np.ndarray
    by_columns: np.ndarray


def find_marginal(utility: Utility, name: str, alternative: Hashable | None, what: str) -> Marginal:
    """The marginal utility that a coefficient or a column stands for.

    A coefficient stands for the column that it multiplies; one that multiplies none (a constant, the weight of a
    latent variable) for itself. ValueError for a name that the utility does not use, and where several
    alternatives have different marginal utilities and none was chosen.
    """
    probe = _probe(utility)
    if name in utility.parameters:
        k = utility.parameters.index(name)
        pairs = np.argwhere((probe.by_both[..., k] != 0.0).any(axis=0)).tolist()
        if not pairs:
            return Marginal(coefficient=k)
    elif name in utility.columns:
        c = utility.columns.index(name)
        pairs = [[j, c] for j in np.flatnonzero((probe.by_column[..., c] != 0.0).any(axis=0)).tolist()]
    else:
        known = (*utility.parameters, *utility.columns)
        raise ValueError(
            f"{what} names {name!r}, which the utility function does not use. {nearest(name, known)}"
        )
    if alternative is not None:
        if alternative not in utility.alternatives:
            raise ValueError(
                f"alternative={alternative!r} is none of the model. {nearest(alternative, utility.alternatives)}"
            )
        at = utility.alternatives.index(alternative)
        pairs = [p for p in pairs if p[0] == at] or pairs
    return _common(utility, probe, pairs, name, what)


def _common(utility: Utility, probe: _Probe, pairs: list[list[int]], name: str, what: str) -> Marginal:
    """The one marginal utility of these pairs of alternative and column."""
    found = [probe.by_column[:, j, c] for j, c in pairs]
    if any(not np.allclose(one, found[0], rtol=1e-10) for one in found):
        names = ", ".join(dict.fromkeys(repr(utility.alternatives[j]) for j, _ in pairs))
        columns = ", ".join(dict.fromkeys(repr(utility.columns[c]) for _, c in pairs))
        raise ValueError(
            f"{what}: {name!r} has different marginal utilities in the alternatives {names} (columns {columns}). "
            "Choose one by alternative=, or name a column."
        )
    j, c = pairs[0]
    for k in range(len(utility.parameters)):
        for sign in (1.0, -1.0):
            if np.allclose(found[0], sign * probe.coefficients[:, k], rtol=1e-10):
                return Marginal(coefficient=k, sign=sign)
    return Marginal(
        alternative=j,
        column=c,
        latent=bool((probe.by_column_and_latent[:, j, c] != 0.0).any()),
        situational=bool((probe.by_columns[:, j, c] != 0.0).any()),
    )


def _probe(utility: Utility) -> _Probe:
    """Positive numbers, so that logarithms and roots in a utility have values."""
    generator = np.random.default_rng(0)
    sizes = len(utility.coefficients), len(utility.columns), len(utility.latents)
    points = [jnp.asarray(generator.uniform(0.5, 1.5, (PROBES, n))) for n in sizes]
    return _Probe(np.asarray(points[0]), *map(np.asarray, _derivatives(utility, *points)))


@partial(compiled, static_argnums=0)
def _derivatives(utility: Utility, *points: Array) -> tuple[Array, ...]:
    """By column, by column and coefficient, by column and latent variable, by two columns."""
    by_column = jax.jacfwd(utility, argnums=1)
    second = [jax.jacfwd(by_column, argnums=i) for i in (0, 2, 1)]
    return tuple(jax.vmap(function)(*points) for function in (by_column, *second))


@partial(compiled, static_argnums=(0, 2, 3))
def coefficients_of(
    structure: Structure, constants: Array, first: Marginal, second: Marginal, params: Params
) -> Array:
    """Two plain marginal utilities at any parameters."""
    theta = structure.map.theta(constants, params)
    coefficients = structure.map.dense(theta)[CHOICE]["coefficients"]
    return jnp.stack([m.sign * coefficients[m.coefficient] for m in (first, second)])


@partial(compiled, static_argnames=("attribute", "cost"))
def trade_offs(view: View, params: Params, attribute: Marginal, cost: Marginal) -> tuple[Array, Array, Array]:
    """Minus the ratio of two marginal utilities and the second of them, (person, situation, node), and the weights of
    nodes (person, node). One situation stands for all where neither depends on columns."""
    core, shape = view.core, view.core.structure
    theta, utility = core.theta(params), view.core.structure.utility
    assert utility is not None
    several = attribute.situational or cost.situational

    def one(known: Person, person: Person, nodes) -> tuple[Array, Array, Array]:
        draws = tastes(shape, theta, view.prior, known, nodes)
        columns = person.columns if several else person.columns[:1]

        def both(row: Array, b: Array, lv: Array) -> tuple[Array, Array]:
            per_cost = cost.at(utility, b, row, lv)
            return -attribute.at(utility, b, row, lv) / per_cost, per_cost

        each = jax.vmap(jax.vmap(both, in_axes=(None, 0, 0)), in_axes=(0, None, None))
        return *each(columns, draws.coefficients, draws.latents), draws.weights

    return over_people(one, core.batch, core.person, view.person, core.nodes)


@partial(compiled, static_argnames=("attribute", "cost"))
def mean_trade_off(view: View, params: Params, attribute: Marginal, cost: Marginal) -> Array:
    """The weighted mean over people, situations and tastes, as a vector of one."""
    ratio, _, weights = trade_offs(view, params, attribute, cost)
    each = jnp.einsum("ntr,nr->nt", ratio, weights)
    occurs = view.person.occurs[:, : each.shape[1]]
    by_person = jnp.sum(each * occurs, axis=1) / jnp.maximum(jnp.sum(occurs, axis=1), 1)
    counted = counted_people(view)
    return (jnp.dot(counted, by_person) / counted.sum())[None]


def counted_people(view: View) -> Array:
    """Weights of the people who have a situation."""
    return view.core.weights * view.person.occurs.any(axis=1)
