"""The penalties as users name them."""

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from iclv_jax._base._arguments import is_real
from iclv_jax._base._types import Given


class Shape(NamedTuple):
    """A penalty of one parameter p: `precision / 2 (p - mean)^2 + absolute |p|`."""

    precision: Given[float] = 0.0
    mean: Given[float] = 0.0
    absolute: Given[float] = 0.0


class Penalty(abc.ABC):
    """What is subtracted from the log-likelihood for a parameter. A member is a frozen dataclass."""

    @property
    @abc.abstractmethod
    def shape(self) -> Shape: ...

    @property
    def smooth(self) -> bool:
        """Whether it has a derivative everywhere."""
        return self.shape.absolute == 0.0


@dataclass(frozen=True)
class _Strength(Penalty):
    """A penalty with one number."""

    strength: Given[float]

    def __post_init__(self) -> None:
        _check(self, "strength", self.strength, lowest=0.0)


@dataclass(frozen=True)
class L2(_Strength):
    """A ridge: `strength / 2 * p^2` is subtracted from the log-likelihood for every parameter p.

    The unit is that of the log-likelihood of the whole sample (not per person), and p is in natural units, so that
    `L2(strength)` is the normal prior `Gaussian(0, strength ** -0.5)`.

    Parameters
    ----------
    strength
        From 0, which is no penalty.

    Examples
    --------
    >>> logit.fit(df, penalties={"age_bus": iclv.L2(100.0)}).penalty > 0.0
    True
    """

    @property
    def shape(self) -> Shape:
        return Shape(precision=float(self.strength))


@dataclass(frozen=True)
class L1(_Strength):
    """A lasso: `strength * |p|` is subtracted from the log-likelihood for every parameter p, which sets some of them to zero
    exactly (Tibshirani 1996).

    Units as of `L2`. It has no derivative at zero, so that only `Stochastic` takes it.

    Parameters
    ----------
    strength
        From 0, which is no penalty.

    Examples
    --------
    >>> iclv.L1(2.0)
    L1(strength=2.0)
    """

    @property
    def shape(self) -> Shape:
        return Shape(absolute=float(self.strength))


@dataclass(frozen=True)
class Gaussian(Penalty):
    """A normal prior: `((p - mean) / sd)^2 / 2` is subtracted from the log-likelihood, its log density without the constant.

    Parameters
    ----------
    mean, sd
        Of the prior, in natural units of the parameter.

    Examples
    --------
    >>> prior = {"time": iclv.Gaussian(-1.0, 0.1)}
    >>> bool(abs(logit.fit(df, penalties=prior).params["time"] + 1.0) < abs(logit_fit.params["time"] + 1.0))
    True
    """

    mean: Given[float]
    sd: Given[float]

    def __post_init__(self) -> None:
        _check(self, "mean", self.mean)
        _check(self, "sd", self.sd, above=0.0)

    @property
    def shape(self) -> Shape:
        return Shape(precision=float(self.sd) ** -2, mean=float(self.mean))


def _check(
    penalty: Any, name: str, value: Any, lowest: float | None = None, above: float | None = None
) -> None:
    if (
        is_real(value)
        and abs(value) < np.inf
        and (lowest is None or value >= lowest)
        and (above is None or value > above)
    ):
        return
    wanted = "a number" if lowest is None else f"a number from {lowest:g}"
    wanted = wanted if above is None else f"a number above {above:g}"
    raise ValueError(f"{type(penalty).__name__}: {name} is {wanted}, not {value!r}.")
