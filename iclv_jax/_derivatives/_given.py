"""The exact Hessian where normal items were integrated in closed form.

Items meet through the posterior mean of the latent variables, so that they cannot be taken one by one. But among people who
answered the same items two things hold. What is left of eta is affine in what is known of a person,
`eta = a + G z + C u` with z = (covariates, answers): the choices have their exact Hessian in a, G and C as in any model.
And the log marginal density of the items is quadratic in z, so that its sum over people is that over the few points that
have the same mean and covariance of z. The chain rule then goes through functions without people in them:

    H = sum_p J_p' H_p J_p + d2 sum_p [ g_p' (a, G, C)_p + sum_k v_pk log f(z_pk) ]    over patterns of answers p.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._linear import cholesky
from iclv_jax._base._types import Array, CellTree, Float, Params, Scalar
from iclv_jax._density import Affine, Conditioned, Places, Structure
from iclv_jax._density._affine import FACTOR, INDEX, SLOPES
from iclv_jax._density._conditioned import Conditional
from iclv_jax._derivatives._basic import Expansion, few, few_at_a_time
from iclv_jax._derivatives._exact import AT_ONCE, batch_expansion, expand_by_blocks
from iclv_jax._derivatives._layout import Layout, layout
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core
from iclv_jax._panel import Data, Person
from iclv_jax._parameters import LATENT

FEW_PEOPLE = 20_000
"""People times parameters up to which automatic differentiation through all people takes less time, most of it to compile.
With 38 items, 127 parameters and 328 people in six situations it took 126 gradients, and this takes 6.6, for 27 seconds of
compilation in place of 16."""


def expand_exact(core: Core, params: Params) -> Expansion:
    """Log-likelihood, gradient and Hessian; equal to automatic differentiation up to rounding."""
    system = core.structure.system
    few_people = core.people.size * params.shape[0] <= FEW_PEOPLE and not of_moments(core)
    # Observed variables among the latent ones leave no spread in some directions.
    if few_people or not isinstance(system, Conditioned) or not _by_patterns(core):
        return expand_by_blocks(core, params)
    return _expanded(core, _Left(core.structure, system, core.person.covariates.shape[1]), params)


def of_moments(core: Core) -> bool:
    """Whether people enter by means and covariances alone, as where normal items are all there is: the program runs in no
    time, however many people there are. Not those who are fewer than the points that stand for them."""
    system = core.structure.system
    if core.structure.choices or not isinstance(system, Conditioned) or not _by_patterns(core):
        return False
    known = core.person.covariates.shape[1] + len(system.patterns[0])
    return core.people.size > (known + 1) * len(system.patterns)


def _by_patterns(core: Core) -> bool:
    system = core.structure.system
    patterns = isinstance(system, Conditioned) and bool(system.patterns) and not system.exact
    return patterns and core.person.group is None


class _Sums(NamedTuple):
    """Over the people of one pattern: the choices' log-likelihood, the nodes' own part in it, and its derivatives by
    `_Left.values`; and the covariance (times the number of people) of what is known."""

    value: Scalar
    items: Scalar
    gradient: Float[Array, " live"]
    curvature: Float[Array, "live live"]
    square: Float[Array, "known known"]


@dataclass(frozen=True)
class _Left:
    """What is left of eta given the answers: its parameters a, G and C by pattern, as functions of theta's arrays."""

    structure: Structure
    system: Conditioned
    covariates: int

    @cached_property
    def inner(self) -> Structure:
        """The model of the choices given the answers."""
        system = self.system
        left = Affine(system.latents, system.drivers, system.linked, system.drawn)
        return Structure(self.structure.map, left, self.structure.choices)

    @property
    def known(self) -> int:
        """How many covariates and items there are."""
        return self.covariates + len(self.system.patterns[0])

    @cached_property
    def layout(self) -> Layout:
        """Live entries: of every drawn entry of eta its intercept and slopes, the lower triangle of C, then the choices'."""
        drawn = self.system.drawn
        lower = [i * len(drawn) + j for i in range(len(drawn)) for j in range(i + 1)]
        places = Places(((INDEX,),) * len(drawn) + ((FACTOR,),) * len(lower), (*drawn, *lower))
        whole = layout(self.structure.map, tuple(block.name for block in self.structure.blocks))
        choices, width = whole.blocks[len(self.system.stacks) :], self.known + 1
        place = np.concatenate([np.repeat(np.arange(len(drawn)), width), len(drawn) + np.arange(len(lower))])
        of_choices = whole.live[len(whole.live) - sum(map(len, choices)) :]
        return Layout(
            # What is left of eta has no place in theta.
            live=np.concatenate([np.full(len(place), -1), of_choices]),
            structural=places,
            place=place,
            covariate=np.concatenate([np.tile(np.arange(width), len(drawn)), np.zeros(len(lower), int)]),
            blocks=choices,
        )

    def given(self, cells: CellTree, known: Array, pattern: tuple[bool, ...]) -> Conditional:
        """Eta given what is known of a person who answered these items."""
        first, data = self.covariates, []
        for section, _ in self.system.stacks:
            count = cells[section]["intercept"].shape[0]
            at = slice(first - self.covariates, first - self.covariates + count)
            occurs = jnp.asarray(np.array(pattern)[at])
            data.append(Data(known[first : first + count], jnp.zeros((count, 0), bool), occurs))
            first += count
        return self.system.given(cells, Person(known[: self.covariates], (), tuple(data)))

    def cells(self, cells: CellTree, pattern: tuple[bool, ...]) -> CellTree:
        """The arrays of `inner`, as arrays of the model."""
        drawn, none = np.array(self.system.drawn, int), jnp.zeros(self.known)
        here = self.given(cells, none, pattern)
        slopes = jax.jacfwd(lambda known: self.given(cells, known, pattern).mean)(none)
        seen = here.covariance[np.ix_(drawn, drawn)]
        factor = cholesky(seen) if len(drawn) else seen
        return {**cells, LATENT: {INDEX: here.mean, SLOPES: slopes, FACTOR: factor}}

    def values(self, theta: Array, pattern: tuple[bool, ...]) -> Float[Array, " live"]:
        """The live entries of `layout`."""
        left = self.cells(self.structure.map.dense(theta), pattern)[LATENT]
        drawn = np.array(self.system.drawn, int)
        index = jnp.concatenate([left[INDEX][:, None], left[SLOPES]], axis=1)[drawn]
        lower = left[FACTOR][np.tril_indices(len(drawn))]
        return jnp.concatenate([index.reshape(-1), lower, theta[self.layout.live[len(self.layout.place) :]]])


def _expanded(core: Core, left: _Left, params: Params) -> Expansion:
    patterns = left.system.patterns
    count, mean = _first_moments(core, left)
    sums = _sums(core, left, params, mean)
    # One call of LAPACK for all: several at a time may wait for each other.
    squares = jnp.stack([s.square for s in sums])
    points = list(zip(*jax.vmap(_points)(jnp.stack(count), jnp.stack(mean), squares), strict=True))

    def items(theta: Array) -> Scalar:
        cells, total = core.structure.map.dense(theta), jnp.zeros(())
        for pattern, (at, weight) in zip(patterns, points, strict=True):
            logs = jax.vmap(lambda known, k=pattern: left.given(cells, known, k).log_marginal)(at)
            total = total + weight * logs.sum()
        return total

    chosen = list(zip(patterns, sums, strict=True)) if left.inner.choices else []

    def along(p: Params) -> tuple[Scalar, Scalar]:
        theta = core.theta(p)
        total = of_items = items(theta)
        for pattern, s in chosen:
            total = total + jnp.dot(s.gradient, left.values(theta, pattern))
        return total, of_items

    slope = jax.value_and_grad(along, has_aux=True)
    ((_, of_items), gradient), push = jax.linearize(slope, params)
    matrix = few_at_a_time(lambda direction: push(direction)[1], jnp.eye(params.shape[0]))
    for pattern, s in chosen:
        jacobian = jax.jacfwd(lambda p, k=pattern: left.values(core.theta(p), k))(params)
        matrix = matrix + jacobian.T @ s.curvature @ jacobian
    value = of_items + sum((s.value for s in sums), jnp.zeros(()))
    return Expansion(
        value, gradient, 0.5 * (matrix + matrix.T), of_items + sum((s.items for s in sums), jnp.zeros(()))
    )


def _known(person: Person, stacks: int) -> Float[Array, "person known"]:
    """Covariates and answers of people, zero where missing."""
    answers = [jnp.where(d.occurs, d.outcome, 0.0) for d in person.data[:stacks]]
    return jnp.concatenate([person.covariates, *answers], axis=1)


def _of_pattern(left: _Left, person: Person, weights: Array) -> list[Array]:
    """The weights of people pattern by pattern, zero for those of the others."""
    patterns = left.system.patterns
    if len(patterns) == 1:
        return [weights]
    occurs = jnp.concatenate([d.occurs for d in person.data[: len(left.system.stacks)]], axis=1)
    return [
        jnp.where((occurs == np.array(pattern)[None, :]).all(axis=1), weights, 0.0) for pattern in patterns
    ]


def _first_moments(core: Core, left: _Left) -> tuple[list[Scalar], list[Array]]:
    """Weight and mean of what is known, by pattern."""

    def batch(person: Person, nodes: Nodes, weights: Array) -> list[tuple[Scalar, Array]]:
        known = _known(person, len(left.system.stacks))
        return [(w.sum(), w @ known) for w in _of_pattern(left, person, weights)]

    zero = [(jnp.zeros(()), jnp.zeros(left.known)) for _ in left.system.patterns]
    found = core.people.fold(batch, zero, few(core, AT_ONCE))
    return [n for n, _ in found], [total / jnp.where(n > 0.0, n, 1.0) for n, total in found]


def _sums(core: Core, left: _Left, params: Params, mean: list[Array]) -> list[_Sums]:
    cells = core.structure.map.dense(core.theta(params))
    choices = bool(left.inner.choices)
    here = [left.cells(cells, pattern) if choices else {} for pattern in left.system.patterns]
    live, none = len(left.layout.live), jnp.zeros(())

    def one(known: Array, about: Array, at: CellTree, person: Person, nodes: Nodes, weights: Array) -> _Sums:
        apart = known - about[None, :]
        square = (apart * weights[:, None]).T @ apart
        if not choices:
            return _Sums(none, none, jnp.zeros(live), jnp.zeros((live, live)), square)
        person = person._replace(covariates=known)
        value, items, gradient, matrix = batch_expansion(
            left.inner, left.layout, lambda _: at, person, nodes, weights
        )
        return _Sums(value, items, gradient, matrix, square)

    def batch(
        person: Person, nodes: Nodes, weights: Array, mean: list[Array], here: list[CellTree]
    ) -> list[_Sums]:
        known = _known(person, len(left.system.stacks))
        each = zip(mean, here, _of_pattern(left, person, weights), strict=True)
        return [one(known, about, at, person, nodes, w) for about, at, w in each]

    size = left.known
    zero = _Sums(none, none, jnp.zeros(live), jnp.zeros((live, live)), jnp.zeros((size, size)))
    return core.people.fold(batch, [zero] * len(mean), few(core, AT_ONCE), shared=(mean, here))


def _points(
    count: Scalar, mean: Array, square: Float[Array, "known known"]
) -> tuple[Float[Array, "point known"], Scalar]:
    """Points that have this mean, and with this weight each this sum of squares about it: corners of a simplex, stretched.

    By eigenvectors of the correlations, since a column may be constant or a sum of others.
    """
    size = mean.shape[0]
    spread = jnp.sqrt(jnp.diagonal(square))
    spread = jnp.where(spread > 0.0, spread, 1.0)
    lengths, axes = jnp.linalg.eigh(square / jnp.outer(spread, spread))
    # Of a matrix of products: what is below zero is rounding.
    arms = spread[:, None] * axes * jnp.sqrt(jnp.maximum(lengths, 0.0))[None, :]
    weight = count / (size + 1)
    scale = jnp.sqrt(jnp.where(weight > 0.0, weight, 1.0))
    return mean[None, :] + (_simplex(size) @ arms.T) / scale, weight


def _simplex(size: int) -> np.ndarray:
    """(size + 1, size): columns orthonormal, each with sum zero."""
    against = np.concatenate([np.ones((size + 1, 1)), np.eye(size + 1)[:, :size]], axis=1)
    return np.linalg.qr(against)[0][:, 1:]
