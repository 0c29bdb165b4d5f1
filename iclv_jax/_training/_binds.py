"""What can be trained: anything that binds to data, as a model does, and from where."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyFrame, AnyFrames, Given, Params
from iclv_jax._integration import Rule
from iclv_jax._problem import Problem


@runtime_checkable
class Binds(Protocol):
    """A model, by the one verb that is needed of it."""

    def bind(
        self,
        data: Given[AnyFrames],
        *,
        person: str | None = None,
        people: Given[AnyFrame | None] = None,
        weights: str | Sequence[float] | np.ndarray | pd.Series | None = None,
        integration: Rule | None = None,
        memory: str | float = "2GB",
    ) -> Problem: ...


def check_binds(model: Given[Binds], what: str) -> None:
    """ValueError for what is no model."""
    if not isinstance(model, Binds) or isinstance(model, type):
        raise ValueError(f"{what} takes an iclv.Model, not {model!r}.")


def begun(problem: Problem, start: Given[Mapping[str, float] | pd.Series | None]) -> Params:
    """The default start with the values that were given in place of its own."""
    if start is None:
        return problem.start()
    if not isinstance(start, (Mapping, pd.Series)):
        raise ValueError(f"start= is a mapping from names of parameters to values, not {start!r}.")
    return problem.vector(dict(problem.unpack(problem.start())) | dict(start))
