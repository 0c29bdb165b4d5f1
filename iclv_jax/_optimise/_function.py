"""Any smooth function in the place of a likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._optimise._objective import Derivatives, Supplied
from iclv_jax._optimise._ridges import Ridge


@dataclass(frozen=True)
class Function:
    """Any smooth function to be minimised: `function` maps a vector to a number."""

    function: Callable[[Array], Array]
    lower: np.ndarray
    upper: np.ndarray

    @property
    def free(self) -> np.ndarray:
        return np.ones(len(self.lower), bool)

    @property
    def inside(self) -> np.ndarray:
        return np.zeros(len(self.lower), bool)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"x{i + 1}" for i in range(len(self.lower)))

    @property
    def size(self) -> float:
        return 1.0

    @property
    def count(self) -> float:
        return 1.0

    @property
    def stand_ins(self) -> np.ndarray:
        return np.arange(len(self.lower))

    @property
    def moves(self) -> bool:
        return False

    @cached_property
    def _value(self) -> Callable[[Array], Array]:
        return jax.jit(self.function)

    @cached_property
    def _slope(self) -> Callable[[Array], tuple[Array, Array]]:
        return jax.jit(jax.value_and_grad(self.function))

    @cached_property
    def _hessian(self) -> Callable[[Array], Array]:
        return jax.jit(jax.hessian(self.function))

    def params(self, z: Array) -> Array:
        return z

    def z(self, params: Array) -> Array:
        return jnp.asarray(params, float)

    def value(self, z: Array) -> float:
        return float(self._value(z))

    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        return Derivatives(*self._slope(z), jnp.zeros((len(z),) * 2) if hessian is None else hessian)

    def derivatives(self, z: Array, supplied: Supplied) -> Derivatives:
        if supplied == "bhhh":
            raise ValueError("A function that is not a sum over people has no outer products of scores.")
        return self.slope(z, self._hessian(z) if supplied == "exact" else None)

    def mean_squared_scores(self, z: Array) -> np.ndarray:
        """The length of each row of the Hessian stands in for the scores: a scale of the steps, and nothing else."""
        return np.linalg.norm(np.asarray(self._hessian(z)), axis=1)

    def responds(self, z: Array, step: np.ndarray) -> bool:
        return True

    def silent(self, z: Array, step: np.ndarray) -> bool:
        return False

    def steep(self, z: Array) -> tuple[str, ...]:
        return ()

    def drifting(self, z: Array) -> list[Ridge]:
        return []

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.lower, self.upper

    def recentred(self, z: Array) -> "Function":
        return self

    def noise(self, z: Array) -> float:
        return 0.0

    def cost(self, z: Array) -> float:
        return 0.0
