"""The mean negative log-likelihood as a function of unconstrained parameters z."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._likelihood import Core
from iclv_jax._parameters._transform import Exponential
from iclv_jax._problem import Problem
from iclv_jax._types import Array, Float

Method = Literal["exact", "bhhh"]


class Derivatives(NamedTuple):
    """Value, gradient and Hessian at a point."""

    value: Array
    gradient: Float[Array, " param"]
    hessian: Float[Array, "param param"]


@jax.jit
def natural(core: Core, z: Array) -> Array:
    return core.structure.map.natural(core.constants, z)


@jax.jit
def unconstrained(core: Core, params: Array) -> Array:
    return core.structure.map.unconstrained(core.constants, params)


@jax.jit
def jacobian(core: Core, z: Array) -> Array:
    return jax.jacfwd(lambda v: core.structure.map.natural(core.constants, v))(z)


@jax.jit
def bend(core: Core, z: Array, gradient: Array) -> Array:
    """`sum_i g_i d2 params_i / dz2`: what the curvature of the transforms adds to the Hessian."""
    return jax.hessian(lambda v: jnp.dot(gradient, core.structure.map.natural(core.constants, v)))(z)


@dataclass(frozen=True)
class Objective:
    """What an optimiser minimises: `-loglike / total weight` of a problem, in z.

    `free` marks the parameters that may move; `method` is how the Hessian is computed.
    """

    problem: Problem
    free: np.ndarray
    method: Method = "exact"

    @property
    def size(self) -> float:
        """The total weight: differences of the objective times this are those of the log-likelihood."""
        return float(self.problem.core.weights.sum())

    def params(self, z: Array) -> Array:
        return natural(self.problem.core, z)

    def z(self, params: Array) -> Array:
        return unconstrained(self.problem.core, jnp.asarray(params))

    def value(self, z: Array) -> float:
        return -float(self.problem.loglike(self.params(z))) / self.size

    def derivatives(self, z: Array) -> Derivatives:
        core, params = self.problem.core, self.params(z)
        j = jacobian(core, z)
        if self.method == "bhhh":
            scores = self.problem.score_person(params)
            gradient = core.weights @ scores
            hessian = j.T @ -((scores.T * core.weights) @ scores) @ j
        else:
            gradient = self.problem.score(params)
            hessian = j.T @ self.problem.hessian(params, "exact") @ j + bend(core, z, gradient)
        value = self.problem.loglike(params)
        return Derivatives(-value / self.size, -(j.T @ gradient) / self.size, -hessian / self.size)

    def mean_squared_scores(self, z: Array) -> np.ndarray:
        core = self.problem.core
        scores = self.problem.score_person(self.params(z)) @ jacobian(core, z)
        return np.asarray(core.weights @ scores**2) / self.size

    def recentred(self, z: Array) -> "Objective":
        return replace(self, problem=self.problem.recentre(self.params(z)))

    @property
    def moves(self) -> bool:
        """Whether nodes are placed at the posterior, so that they move with the parameters."""
        return self.problem.rule.centred and self.problem.core.structure.dimension > 0

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds in z."""
        lower, upper = (b.copy() for b in self.problem.bounds)
        for transform in self.problem.core.structure.map.transforms:
            if isinstance(transform, Exponential):
                at = np.array(transform.positions)
                with np.errstate(divide="ignore"):
                    lower[at], upper[at] = np.log(np.maximum(lower[at], 0.0)), np.log(upper[at])
        return lower, upper
