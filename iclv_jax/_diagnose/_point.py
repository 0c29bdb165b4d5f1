"""Everything that the checks read at one point of the parameters, computed once."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array
from iclv_jax._diagnose._utility import multiplied
from iclv_jax._likelihood import Core
from iclv_jax._parameters._table import ParameterTable
from iclv_jax._problem import Problem
from iclv_jax._spec._model import Spec

NEGLIGIBLE = 1e-4
"""Squared distance to the maximum, in standard errors of one parameter, below which a gradient counts as zero."""


@compiled
def maps(core: Core, params: Array) -> tuple[Array, Array, Array]:
    """Jacobians of the full table and of theta in the free parameters, and of these in the optimiser's."""
    mapping, constants = core.structure.map, core.constants
    z = mapping.unconstrained(constants, params)
    return (
        jax.jacfwd(lambda p: mapping.full(constants, p))(params),
        jax.jacfwd(core.theta)(params),
        jax.jacfwd(lambda v: mapping.natural(constants, v))(z),
    )


@dataclass(frozen=True, eq=False)
class Point:
    """A problem at some parameters (natural units). Scores, gradient and Hessian are those of log L."""

    problem: Problem
    params: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.names

    @property
    def spec(self) -> Spec:
        return self.problem.spec

    @property
    def table(self) -> ParameterTable:
        return self.problem.table

    @cached_property
    def weights(self) -> np.ndarray:
        return np.asarray(self.problem.core.weights)

    @cached_property
    def total(self) -> float:
        return float(self.weights.sum())

    @cached_property
    def scores(self) -> np.ndarray:
        """(people, parameters); people of weight zero are left out."""
        return np.asarray(self.problem.score_person(jnp.asarray(self.params)))[self.weights > 0.0]

    def scores_at(self, params: np.ndarray) -> np.ndarray:
        """The scores at other parameters."""
        return Point(self.problem, params).scores

    @cached_property
    def hessian(self) -> np.ndarray:
        return np.asarray(self.problem.hessian(jnp.asarray(self.params)))

    @property
    def curved(self) -> bool:
        """Whether the information is the negative Hessian, or else the outer products of the scores.

        A nonlinear combination that changes nothing (the scale of a latent variable) is a null direction of
        the Hessian only where the gradient is zero; every score vanishes along it anywhere.
        """
        return self.settled or len(self.scores) <= len(self.params)

    @cached_property
    def information(self) -> np.ndarray:
        """In natural parameters."""
        if self.curved:
            return -self.hessian
        return (self.scores.T * self.weights[self.weights > 0.0]) @ self.scores

    @cached_property
    def values(self) -> dict[str, float]:
        """Every parameter of the table, free or not."""
        found = self.problem.unpack(jnp.asarray(self.params), everything=True)
        return {name: float(v) for name, v in found.items()}

    @cached_property
    def latent_effects(self) -> dict[str, tuple[str, ...]]:
        """The coefficients that multiply each latent variable of the utilities."""
        return multiplied(self.problem, "latents")

    @cached_property
    def column_effects(self) -> dict[str, tuple[str, ...]]:
        """The coefficients that multiply each column of the utilities."""
        return multiplied(self.problem, "columns")

    @cached_property
    def _maps(self) -> tuple[np.ndarray, ...]:
        return tuple(np.asarray(m) for m in maps(self.problem.core, jnp.asarray(self.params)))

    @property
    def reach(self) -> np.ndarray:
        """(rows of the table, free parameters): which parameters a free one moves."""
        return self._maps[0]

    @property
    def reach_theta(self) -> np.ndarray:
        """(cells of all groups, free parameters)."""
        return self._maps[1].reshape(-1, len(self.params))

    @cached_property
    def stretch(self) -> np.ndarray:
        """Jacobian of the natural parameters in those of the optimiser; none outside their domain."""
        found = self._maps[2]
        return found if np.isfinite(found).all() else np.eye(len(self.params))

    @cached_property
    def mean_gradient(self) -> np.ndarray:
        """Gradient of the mean log-likelihood in the optimiser's unscaled parameters."""
        return self.weights[self.weights > 0.0] @ self.scores @ self.stretch / self.total

    @cached_property
    def typical_scores(self) -> np.ndarray:
        """Root mean squared scores in the optimiser's unscaled parameters."""
        weights = self.weights[self.weights > 0.0]
        return np.sqrt(weights @ (self.scores @ self.stretch) ** 2 / self.total)

    @cached_property
    def silent(self) -> np.ndarray:
        """Marks parameters on which no one's likelihood depends here, up to rounding."""
        size = np.abs(self.scores).max(axis=0)
        return size <= 1e-13 * float(np.median(size[size > 0.0], axis=0)) if size.any() else size == 0.0

    @cached_property
    def units(self) -> np.ndarray:
        """What the optimiser divides gradients by: typical scores, 1 where there is none."""
        return np.where(self.silent | (self.typical_scores == 0.0), 1.0, self.typical_scores)

    @cached_property
    def settled(self) -> bool:
        """Whether the gradient is zero for all that matters."""
        scaled = np.where(self.silent, 0.0, self.mean_gradient / self.units)
        return bool(self.total * np.max(scaled**2, initial=0.0) < NEGLIGIBLE)


def quoted(names: Iterable[object], most: int = 4) -> str:
    """`'a', 'b' and 'c'`, shortened."""
    shown = [repr(str(n)) for n in names]
    if len(shown) > most:
        return ", ".join(shown[:most]) + f" and {len(shown) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def times(value: float) -> str:
    """A ratio or factor in words."""
    return f"{value:,.0f}" if value >= 10.0 else f"{value:.2g}"
