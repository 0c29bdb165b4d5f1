"""What optimisers minimise where people come in chunks."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._optimise._objective import (
    Derivatives,
    Likelihood,
    Supplied,
    mean_in_z,
    mean_slope,
    squares_in_z,
)
from iclv_jax._stream._problem import StreamedProblem


@dataclass(frozen=True)
class StreamedLikelihood:
    """`-loglike / total weight` of a streamed problem, in z; what does not depend on people is that of the first chunk."""

    problem: StreamedProblem
    known: dict[bytes, Array] = field(default_factory=dict, compare=False, repr=False)
    """The last exact Hessian of the log-likelihood in natural units, by the parameters' bytes."""

    @cached_property
    def _first(self) -> Likelihood:
        return Likelihood(self.problem.first, self.free)

    @property
    def free(self) -> np.ndarray:
        return np.ones(len(self.names), bool)

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.names

    @property
    def inside(self) -> np.ndarray:
        return self._first.inside

    @property
    def size(self) -> float:
        return self.problem.passed.weight

    @property
    def count(self) -> float:
        counted = self.problem.first.panel.weights_count
        return self.size if counted else self.size**2 / self.problem.passed.squares

    @property
    def stand_ins(self) -> np.ndarray:
        return self._first.stand_ins

    @property
    def moves(self) -> bool:
        return self._first.moves

    def params(self, z: Array) -> Array:
        return self._first.params(z)

    def z(self, params: Array) -> Array:
        return self._first.z(params)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._first.bounds()

    def value(self, z: Array) -> float:
        return -self.problem.loglike(self.params(z)) / self.size

    def cost(self, z: Array) -> float:
        return 0.0

    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        value, gradient, _ = self.problem.slope(self.params(z))
        mean, down = mean_slope(*self._first._map, z, value, gradient, self.size)
        second = jax.device_put(np.zeros((len(z), len(z)))) if hessian is None else hessian
        return Derivatives(mean, down, second)

    def derivatives(self, z: Array, supplied: Supplied) -> Derivatives:
        if supplied == "none":
            return self.slope(z)
        params = self.params(z)
        found = self.problem.expansion(params, supplied)
        if supplied == "exact":
            self.known.clear()
            self.known[np.asarray(params).tobytes()] = found.hessian
        exact = supplied == "exact"
        return mean_in_z(*self._first._map, z, found._replace(items=None), self.size, exact)

    def mean_squared_scores(self, z: Array) -> np.ndarray:
        total = np.zeros(len(z))
        scores = self.problem.score_person(self.params(z))
        for mine, weights in zip(scores, self.problem.weights(), strict=True):
            squares = squares_in_z(*self._first._map, z, jnp.asarray(mine), jnp.asarray(weights))
            total += np.asarray(squares) * weights.sum()
        return total / self.size

    def responds(self, z: Array, step: np.ndarray) -> bool:
        return self._first.responds(z, step)

    def silent(self, z: Array, step: np.ndarray) -> bool:
        return self._first.silent(z, step)

    def steep(self, z: Array) -> tuple[str, ...]:
        return self._first.steep(z)

    def noise(self, z: Array) -> float:
        return 0.0

    def recentred(self, z: Array) -> "StreamedLikelihood":
        return replace(self, problem=self.problem.recentre(self.params(z)), known={})
