"""What a method of optimisation is: pure functions of its memory and of a model at the present point.

A turn of the driver evaluates one trial point. `plan` is called once at every new point, `propose` gives the
next trial step from it, `judge` says whether the trial is taken and what is remembered. All quantities are in
scaled parameters, all shapes are fixed, so a turn may be compiled and mapped over many fits.
"""

from typing import Any, NamedTuple

from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyArray
from iclv_jax._optimise._objective import Supplied
from iclv_jax._optimise._subproblem import Curvature, Model

ROUNDING = 1e-13
"""Relative changes of the objective below this are rounding."""
SHORTEST = 1e-12
"""Steps, in scaled units, that cannot be told from rounding."""

Memory = Any


class Trial(NamedTuple):
    """A judged step: objective here and there, gradient there (zero if the method asks for none)."""

    step: AnyArray
    value: AnyArray
    trial: AnyArray
    gradient: AnyArray


class Judgement(NamedTuple):
    """`ratio` of actual to predicted decrease; `memory` for the next turn."""

    accepted: AnyArray
    ratio: AnyArray
    memory: Memory


@runtime_checkable
class Method(Protocol):
    """Hashable, so that compiled functions may take it as a static argument."""

    @property
    def supplied(self) -> Supplied:
        """The Hessian that it wants at accepted points."""
        ...

    @property
    def pure(self) -> "Method":
        """What compiled functions are keyed by: equal for methods whose pure functions are."""
        ...

    @property
    def eager(self) -> bool:
        """Whether its functions take arrays of numpy as well, so that a single fit need not compile them."""
        ...

    @property
    def slopes(self) -> bool:
        """Whether a trial point is judged by its gradient too."""
        ...

    def begin(self, size: int) -> Memory: ...

    def plan(self, memory: Memory, model: Model) -> tuple[Memory, Curvature]: ...

    def propose(self, memory: Memory, model: Model) -> AnyArray: ...

    def judge(self, memory: Memory, model: Model, trial: Trial) -> Judgement: ...

    def rescaled(self, memory: Memory, ratio: AnyArray) -> Memory:
        """After a change of scale: old scaled parameters times `ratio` are the new ones."""
        ...

    def spent(self, memory: Memory) -> AnyArray:
        """Whether no step is left that could be told from rounding."""
        ...

    def restarts(self, memory: Memory) -> AnyArray:
        """Whether the history was dropped after a failed search, so that a new direction is due at the same point."""
        ...

    def progress(self, memory: Memory) -> dict[str, AnyArray]:
        """Columns for the trace; `reset` is a code of `RESETS`."""
        ...


RESETS = {0: "", 1: "periodic reset", 2: "reset: the line search failed", 3: "pair left out: no curvature"}


def rounding(value: AnyArray) -> AnyArray:
    return ROUNDING * (1.0 + abs(value))
