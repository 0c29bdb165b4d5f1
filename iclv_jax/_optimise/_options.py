"""The optimisers as users name them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from iclv_jax._base._arguments import check_switch, is_real, is_whole, is_word
from iclv_jax._base._types import Given
from iclv_jax._optimise._bhhh import BHHHSteps
from iclv_jax._optimise._lbfgsb import LBFGSBSteps
from iclv_jax._optimise._method import Method
from iclv_jax._optimise._scaling import check_scaling
from iclv_jax._optimise._trust_region import Curved, TrustRegionSteps
from iclv_jax._spec._names import nearest

LIMITS = ("max_iterations", "time_limit", "trace_parameters", "epochs")
"""Settings that may differ when a fit is resumed."""

Scaling = Literal["scores", "start", "none"] | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What all optimisers share.

    Parameters
    ----------
    tolerance
        Bound on the Newton decrement `g' H^-1 g` of the log-likelihood: the squared distance to the
        maximum in standard errors. 1e-9 is 3e-5 standard errors. Optimisers without exact second derivatives
        compute them once they believe to be there, and go on if that is wrong.
    max_iterations
        Trial points, over all placements of the nodes.
    time_limit
        Seconds.
    recentrings
        How often nodes may be placed anew after the first convergence.
    scaling
        `"scores"`: parameters are divided by one over their root mean squared score, so that one unit is
        about sqrt(people) standard errors; `"start"`: by their start values, as Apollo does; `"none"`; or a
        mapping of names to usual sizes. Everything reported is in natural units.
    trace_parameters
        Whether the trace has every parameter and every gradient (`"param:NAME"`, `"gradient:NAME"`, natural
        and unconstrained scale).
    """

    tolerance: Given[float] = 1e-9
    max_iterations: Given[int] = 200
    time_limit: Given[float] = float("inf")
    recentrings: Given[int] = 3
    scaling: Given[Scaling] = field(default="scores", hash=False)
    trace_parameters: Given[bool] = False

    def __post_init__(self) -> None:
        for name in ("tolerance", "max_iterations", "time_limit"):
            _check_positive(self, name)
        if not is_whole(self.max_iterations, 1):
            raise ValueError(
                f"{type(self).__name__}: max_iterations is a whole number from 1, not {self.max_iterations!r}."
            )
        if not math.isfinite(self.tolerance):
            raise ValueError(f"{type(self).__name__}: tolerance is finite, not {self.tolerance!r}.")
        if not is_whole(self.recentrings, 0):
            raise ValueError(
                f"{type(self).__name__}: recentrings is a whole number from 0, not {self.recentrings!r}."
            )
        check_switch(self.trace_parameters, f"{type(self).__name__}: trace_parameters")
        check_scaling(self.scaling)

    @property
    def method(self) -> Method:
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, object]:
        """The settings that the answer depends on, as a checkpoint compares them."""
        return decisive(self)


def decisive(options: Optimizer) -> dict[str, object]:
    """All fields but the limits."""
    return {f.name: getattr(options, f.name) for f in fields(options) if f.name not in LIMITS}


@dataclass(frozen=True)
class TrustRegion(Optimizer):
    """Newton's method in a trust region (the default), with bounds inside the step.

    Parameters
    ----------
    hessian
        `"exact"`: second derivatives, the default at all sizes (a step costs about a dozen gradients, and a dozen
        steps suffice); `"bhhh"`: outer products of the scores; `"sr1"` and `"bfgs"`: updated from gradients.
    radius
        First radius in scaled parameters.

    Examples
    --------
    >>> logit.fit(df, optimizer=iclv.TrustRegion(hessian="bhhh")).converged
    True
    """

    hessian: Given[Curved] = "exact"
    radius: Given[float] = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_word(self.hessian, get_args(Curved)):
            known = ", ".join(map(repr, get_args(Curved)))
            raise ValueError(
                f"hessian is one of {known}, not {self.hessian!r}. {nearest(str(self.hessian), get_args(Curved))}"
            )
        _check_positive(self, "radius")
        if not math.isfinite(self.radius):
            raise ValueError(f"TrustRegion: radius is finite, not {self.radius!r}.")

    @property
    def method(self) -> TrustRegionSteps:
        return TrustRegionSteps(self.hessian, float(self.radius))


@dataclass(frozen=True)
class LBFGSB(Optimizer):
    """Limited-memory BFGS with bounds and a Wolfe line search.

    Parameters
    ----------
    memory
        Pairs of steps and gradient changes that are kept.
    reset_every
        Drop the history after so many steps; None: never. The trace says when it was dropped, and why.

    Examples
    --------
    >>> logit.fit(df, optimizer=iclv.LBFGSB(memory=5)).converged
    True
    """

    memory: Given[int] = 10
    reset_every: Given[int | None] = None
    max_iterations: Given[int] = field(default=5000, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("memory", "reset_every"):
            value = getattr(self, name)
            if not is_whole(value, 1) and not (value is None and name == "reset_every"):
                raise ValueError(f"LBFGSB: {name} is a whole number from 1, not {value!r}.")
        if self.memory > MOST_PAIRS:
            raise ValueError(
                f"LBFGSB: memory is {self.memory:,} pairs of steps and gradients, more than {MOST_PAIRS:,}. Ten or twenty "
                "do; with more take TrustRegion('bfgs')."
            )

    @property
    def method(self) -> LBFGSBSteps:
        return LBFGSBSteps(self.memory, self.reset_every)


@dataclass(frozen=True)
class BHHH(Optimizer):
    """The method of Berndt, Hall, Hall and Hausman (1974): outer products of scores and a line search.

    Examples
    --------
    >>> logit.fit(df, optimizer=iclv.BHHH()).converged
    True
    """

    max_iterations: Given[int] = field(default=1000, kw_only=True)

    @property
    def method(self) -> BHHHSteps:
        return BHHHSteps()


@dataclass(frozen=True)
class Scipy(Optimizer):
    """A bounded method of `scipy.optimize.minimize` on the same scaled objective, for comparison.

    Parameters
    ----------
    method_name
        Such as `"L-BFGS-B"`, `"TNC"`, `"SLSQP"`, `"trust-constr"`.
    options
        Passed on; its iteration limit is `max_iterations`.

    Examples
    --------
    >>> logit.fit(df, optimizer=iclv.Scipy("L-BFGS-B")).converged
    True
    """

    method_name: Given[str] = "L-BFGS-B"
    options: Given[Mapping[str, object]] = field(default_factory=dict, hash=False)
    max_iterations: Given[int] = field(default=5000, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_word(self.method_name, BOUNDED):
            raise ValueError(
                f"Scipy takes a method with gradients and bounds: {', '.join(map(repr, BOUNDED))}; not "
                f"{self.method_name!r}. {nearest(str(self.method_name), BOUNDED)}"
            )
        if not isinstance(self.options, Mapping) or not all(isinstance(name, str) for name in self.options):
            raise ValueError(f"Scipy: options is a mapping from names to values, not {self.options!r}.")

    @property
    def method(self) -> Method:
        raise NotImplementedError("scipy has its own loop")


MOST_PAIRS = 1000
"""Far more than are of any use."""
BOUNDED = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")


def _check_positive(options: object, name: str) -> None:
    value = getattr(options, name)
    if not is_real(value) or not value > 0:
        raise ValueError(f"{type(options).__name__}: {name} is positive, not {value!r}.")
