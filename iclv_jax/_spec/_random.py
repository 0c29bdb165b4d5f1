"""Distributions of random coefficients: `coefficient = transform(mean + deviation)`."""

import abc
from dataclasses import dataclass

import jax.numpy as jnp

from iclv_jax._base._types import Array, Given


class Mixing(abc.ABC):
    """How a normal variable becomes a coefficient. A member is a frozen dataclass."""

    @abc.abstractmethod
    def transform(self, normal: Array) -> Array:
        """The coefficient, from a normal variable with mean `name` and standard deviation `name.sd`."""

    @property
    @abc.abstractmethod
    def start(self) -> tuple[float, float]:
        """Start values of the mean and the standard deviation of the normal variable."""


@dataclass(frozen=True)
class Normal(Mixing):
    """A normally distributed coefficient with mean `name` and standard deviation `name.sd`."""

    def transform(self, normal: Array) -> Array:
        return normal

    @property
    def start(self) -> tuple[float, float]:
        return (0.0, 1.0)


@dataclass(frozen=True)
class LogNormal(Mixing):
    """A coefficient `sign * exp(normal)`; `name` and `name.sd` are mean and spread of the log.

    Parameters
    ----------
    sign
        +1 for a coefficient that is positive for everyone, -1 for a negative one.
    """

    sign: Given[int] = 1

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise ValueError(f"The sign of a LogNormal is 1 or -1, not {self.sign!r}.")

    def transform(self, normal: Array) -> Array:
        return self.sign * jnp.exp(normal)

    @property
    def start(self) -> tuple[float, float]:
        return (-1.0, 0.5)
