"""Exact conditioning: the normal distribution of the latent variables given normal items.

With `y = c + Lambda eta + e`, `e ~ N(0, D)`, D diagonal but where residuals covary, and `eta = mean + F u`, both the
marginal density of y and the distribution of eta given y are closed forms (Joereskog 1967; the posterior is that of Bayesian
linear regression). Missing items have precision zero. All of it is done in the space of the shocks, whose precision
`I + F' Lambda' D^-1 Lambda F` is never singular.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag

from iclv_jax._base._linear import cholesky, regressed
from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar, Shocks
from iclv_jax._density._correlated import covariance_of, precision_of
from iclv_jax._density._places import Places
from iclv_jax._density._system import Bend, System, reduced_form, structural
from iclv_jax._density._world import Expanded, World
from iclv_jax._panel import Data, Person
from iclv_jax._parameters import EFFECTS, RESIDUAL

Patterns = tuple[tuple[bool, ...], ...]
MOST_PATTERNS = 8
"""Patterns of answers up to which second derivatives are taken pattern by pattern; beyond, by automatic differentiation."""


class Conditional(NamedTuple):
    """`log_marginal` of the items, and mean and covariance of the first entries of eta given them."""

    log_marginal: Scalar
    mean: Float[Array, " moved"]
    covariance: Float[Array, "moved moved"]


def answered(data: Sequence[Data]) -> Patterns:
    """Which items were answered, every way that these stacks of items of all people have; nothing where there are more than
    `MOST_PATTERNS`."""
    if not data:
        return ()
    found = np.unique(np.concatenate([np.asarray(d.occurs) for d in data], axis=1), axis=0)
    return () if len(found) > MOST_PATTERNS else tuple(tuple(map(bool, row)) for row in found)


@dataclass(frozen=True)
class Conditioned(System):
    """Normal items integrated out; the shocks move `kept` entries of eta given them, the others follow by regression.

    `stacks` are the sections of the items and the places of their data; `patterns` which items were answered, every way
    that the data have, or nothing where there are many; `exact` says whether some items have no error.
    """

    latents: int
    drivers: int
    linked: bool
    stacks: tuple[tuple[str, int], ...]
    kept: tuple[int, ...]
    patterns: Patterns = ()
    exact: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        return self.kept

    @property
    def absorbed(self) -> tuple[int, ...]:
        return tuple(at for _, at in self.stacks)

    @property
    def linear(self) -> bool:
        return True

    @property
    def drawn(self) -> tuple[int, ...]:
        """The entries of eta given the items that shocks move; the further shocks are drivers of their own."""
        return tuple(i for i in self.kept if i < self.moved)

    def given(self, cells: CellTree, person: Person) -> Conditional:
        """Eta given the person's items."""
        items = [(cells[section], person.data[at]) for section, at in self.stacks]
        mean, factor = reduced_form(structural(cells), person.covariates)
        levels = [_level(part, person.covariates) for part, _ in items]
        return (condition_exactly if self.exact else condition)(mean, factor, levels, items)

    def world(self, cells: CellTree, person: Person, shocks: Shocks) -> tuple[World, Scalar]:
        given, at = self.given(cells, person), np.array(self.drawn, int)
        eta = given.mean
        if len(at):
            seen = given.covariance[np.ix_(at, at)]
            eta = eta.at[at].add(cholesky(seen) @ shocks[: len(at)])
        eta = jnp.concatenate([eta, shocks[len(at) :]])
        return World(eta, person.covariates), given.log_marginal

    def mean(self, cells: CellTree, person: Person, shocks: Shocks) -> Float[Array, " latent"]:
        # Entries that no shock moves follow those that are moved, by regression.
        given, at = self.given(cells, person), np.array(self.drawn, int)
        eta = given.mean
        if len(at):
            seen = given.covariance[np.ix_(at, at)]
            slopes = jnp.linalg.solve(seen, given.covariance[at]).T
            eta = eta + slopes @ (jnp.linalg.cholesky(seen) @ shocks[: len(at)])
        return jnp.concatenate([eta, shocks[len(at) :]])

    def uncertain(self, cells: CellTree, person: Person) -> Float[Array, "latent latent"]:
        given, at = self.given(cells, person), np.array(self.drawn, int)
        left = given.covariance
        if len(at):
            seen = left[np.ix_(at, at)]
            slopes = jnp.linalg.solve(seen, left[at]).T
            left = left - slopes @ seen @ slopes.T
        rest = self.size - self.moved
        return jnp.pad(left, ((0, rest), (0, rest)))

    def expand(
        self, places: Places, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]
    ) -> tuple[Expanded, Bend]:
        raise ValueError(
            "Items meet through the posterior mean here, so that they cannot be taken one by one."
        )


def _level(cells: Arrays, covariates: Float[Array, " covariate"]) -> Float[Array, " item"]:
    """Means of the items where the latent variables are zero."""
    level = cells["intercept"]
    return level + cells[EFFECTS] @ covariates if EFFECTS in cells else level


def condition(
    mean: Float[Array, " moved"],
    factor: Float[Array, "moved moved"],
    levels: list[Array],
    items: list[tuple[Arrays, Data]],
) -> Conditional:
    """Eta given normal items, each stack as its cells and data; `levels` are their means where eta is zero."""
    size = mean.shape[0]
    stacks = [(c, d, level) for level, (c, d) in zip(levels, items, strict=True)]
    parts = [_information(*stack, mean, factor) for stack in stacks]
    pull = sum((part.pull for part in parts), jnp.zeros(size))
    shocks = regressed(sum((part.of_shocks for part in parts), jnp.eye(size)), pull)
    eta = mean + factor @ shocks.solution
    apart = sum((_log_density(*stack, mean) for stack in stacks), jnp.zeros(())) + 0.5 * shocks.square
    # Where an item has hardly any error, this is a difference of large squares. The joint density at the posterior mean is
    # the same without one, and flat there, so that rounding of the mean does nothing. Slopes keep their digits as it is.
    joint = sum((_log_density(*stack, eta) for stack in stacks), jnp.zeros(()))
    joint = joint - 0.5 * jnp.dot(shocks.solution, shocks.solution)
    apart = apart + jax.lax.stop_gradient(joint - apart)
    return Conditional(apart - 0.5 * shocks.log_determinant, eta, factor @ shocks.inverse @ factor.T)


class Information(NamedTuple):
    """What a stack of items says of the shocks: the slope of its log density where all shocks are zero, and minus its second
    derivatives."""

    pull: Float[Array, " moved"]
    of_shocks: Float[Array, "moved moved"]


def _loadings(cells: Arrays, size: int) -> Float[Array, "item moved"]:
    return jnp.pad(cells["loadings"], ((0, 0), (0, size - cells["loadings"].shape[1])))


def _residual(cells: Arrays, data: Data, level: Array, eta: Array) -> Float[Array, " item"]:
    return jnp.where(data.occurs, data.outcome - level - _loadings(cells, eta.shape[0]) @ eta, 0.0)


def _information(cells: Arrays, data: Data, level: Array, mean: Array, factor: Array) -> Information:
    observed, residual = data.occurs, _residual(cells, data, level, mean)
    design = _loadings(cells, mean.shape[0]) @ factor
    if RESIDUAL in cells:
        inverse, _ = precision_of(cells, observed)
        weighted = jnp.where(observed, inverse @ residual, 0.0)
        by_shock = jnp.where(observed[:, None], inverse @ jnp.where(observed[:, None], design, 0.0), 0.0)
    else:
        weight = jnp.where(observed, 1.0 / cells["variance"], 0.0)
        weighted, by_shock = weight * residual, weight[:, None] * design
    return Information(design.T @ weighted, design.T @ by_shock)


def _log_density(cells: Arrays, data: Data, level: Array, eta: Array) -> Scalar:
    """Of a stack of items given eta."""
    observed, residual = data.occurs, _residual(cells, data, level, eta)
    constant = jnp.sum(jnp.where(observed, jnp.log(2.0 * jnp.pi), 0.0))
    if RESIDUAL in cells:
        known = regressed(covariance_of(cells, observed), residual)
        return -0.5 * (known.square + known.log_determinant + constant)
    logs = jnp.where(observed, residual**2 / cells["variance"] + jnp.log(cells["variance"]), 0.0)
    return -0.5 * (jnp.sum(logs) + constant)


def condition_exactly(
    mean: Float[Array, " moved"],
    factor: Float[Array, "moved moved"],
    levels: list[Array],
    items: list[tuple[Arrays, Data]],
) -> Conditional:
    """The same in the space of the items, whose covariance is not singular where some have no error."""
    size = mean.shape[0]
    loadings = jnp.concatenate([c["loadings"] for c, _ in items])
    loadings = jnp.pad(loadings, ((0, 0), (0, size - loadings.shape[1])))
    values = jnp.concatenate([d.outcome for _, d in items])
    seen = jnp.concatenate([d.occurs for _, d in items])
    errors = block_diag(*(jnp.diag(c["variance"]) + c.get(RESIDUAL, 0.0) for c, _ in items))
    residual = jnp.where(seen, values - jnp.concatenate(levels) - loadings @ mean, 0.0)
    spread = factor @ factor.T
    whole, crossed = loadings @ spread @ loadings.T + errors, jnp.where(seen, spread @ loadings.T, 0.0)
    both = seen[:, None] & seen[None, :]
    known = regressed(jnp.where(both, whole, jnp.diag(jnp.where(seen, 0.0, 1.0))), residual)
    constant = jnp.sum(jnp.where(seen, jnp.log(2.0 * jnp.pi), 0.0))
    left = spread - crossed @ known.inverse @ crossed.T
    # Of what is observed nothing is left, up to rounding.
    left = left + jnp.diag(jnp.maximum(-jnp.diagonal(left), 0.0))
    return Conditional(
        -0.5 * (known.square + known.log_determinant + constant),
        mean + crossed @ known.solution,
        left,
    )
