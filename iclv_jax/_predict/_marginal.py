"""Marginal utilities: which coefficient or derivative of the utilities a name stands for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import check_name
from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Given, Params
from iclv_jax._density import Structure
from iclv_jax._diagnose._utility import generic, situations
from iclv_jax._panel import Person
from iclv_jax._predict._view import View
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import is_label, nearest

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
    name: Given[str],
    alternative: Given[Hashable | None],
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
    if alternative is not None and not (is_label(alternative) and alternative in utility.alternatives):
        raise ValueError(
            f"alternative={alternative!r} is none of the model. {nearest(alternative, utility.alternatives)}"
        )
    points = _points(problem, choice, views)
    random = {utility.parameters.index(n) for n, _ in problem.spec.random if n in utility.parameters}
    if name in utility.parameters and not _is_column(choice, name, of_class, alternative):
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
        at = utility.alternatives.index(alternative)
        pairs = [p for p in pairs if p[0] == at] or pairs
    return _common(utility, points, pairs, name, what, random)


def marginals(
    problem: Problem, choice: Kernel, name: Given[str], what: str, views: Sequence[View]
) -> tuple[Marginal, ...]:
    """The marginal utility that a coefficient or a column stands for, in each latent class where there are some."""
    check_name(name, what)
    classes = [c for c, _ in choice.classes] or [None]
    return tuple(find_marginal(problem, choice, name, None, what, views, c) for c in classes)


def trade_marginals(
    problem: Problem,
    choice: Kernel,
    name: Given[str],
    cost: Given[str],
    alternative: Given[Hashable | None],
) -> tuple[tuple[Marginal | None, ...], tuple[Marginal, ...]]:
    """The marginal utilities of what is paid for and of cost: in each latent class where a column is valued over classes
    that differ (None: a class that does not attend to it), else one of each.

    ValueError where no class uses both."""
    check_name(name, "What willingness_to_pay is asked for")
    check_name(cost, "cost=")
    what, classes = "willingness_to_pay", [c for c, _ in choice.classes]
    if classes and alternative is None:
        used = [[c for c in classes if _is_used(choice, n, c)] for n in (name, cost)]
        if all(used) and not set(used[0]) & set(used[1]):
            raise ValueError(
                f"{what}: {name!r} is in the class {used[0][0]!r} and cost={cost!r} in the class {used[1][0]!r}, and "
                "no class uses both. Name two of one class, or columns."
            )
        if all(used) and name in choice.utility.columns:
            found = [
                find_marginal(problem, choice, name, None, what, (), c) if c in used[0] else None
                for c in classes
            ]
            money = [find_marginal(problem, choice, cost, None, "cost=", (), c) for c in classes]
            if len(set(found)) > 1 or len(set(money)) > 1:
                return tuple(found), tuple(money)
    attribute = find_marginal(problem, choice, name, alternative, what)
    return (attribute,), (find_marginal(problem, choice, cost, alternative, "cost="),)


def _is_used(choice: Kernel, name: str, of_class: str) -> bool:
    """Whether a coefficient or column stands in the utilities of a latent class."""
    return any(_places(choice, name, of_class))


def _is_column(choice: Kernel, name: str, of_class: str | None, alternative: Given[Hashable | None]) -> bool:
    """Whether a name that a coefficient and a column have is that of the column, since the utilities of a latent class use
    no such coefficient."""
    if of_class is None and choice.classes and isinstance(alternative, tuple) and alternative:
        of_class = alternative[0]
    return of_class is not None and _places(choice, name, of_class) == (False, True)


def _places(choice: Kernel, name: str, of_class: str) -> tuple[bool, bool]:
    """Whether it is a coefficient and whether it is a column that the utilities of a latent class use."""
    utility = choice.utility
    own = [i for i, a in enumerate(utility.alternatives) if a[0] == of_class]  # pyright: ignore[reportIndexIssue]
    reached = set().union(*(utility.program.reaches()[i] for i in own))
    count = len(utility.parameters)
    return (
        name in utility.parameters and utility.parameters.index(name) in reached,
        name in utility.columns and count + utility.columns.index(name) in reached,
    )


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
