"""What can be trained: anything that binds to data, as a model does."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyFrame, AnyFrames, Given
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
