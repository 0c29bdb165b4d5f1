"""Columns that have structural equations: observed outcomes and mediators."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._spec import Cells, Declared, Expected
from iclv_jax._spec import _names as names


@dataclass(frozen=True)
class Observed(_shared.Unlevelled):
    """A column that is explained by a structural equation of the same name: `Latent("income", on=["age"], scale="loading",
    intercept=True)` with the indicator `Observed("income")`, measured without error.

    So path models, mediation and regressions on latent variables have observed outcomes: `income ~ age`, `income ~ 1` and
    `income ~~ income` are the parameters of its equation, and it may predict others. A missing value is integrated out.

    Parameters
    ----------
    column
        The column that holds it, constant within a person, and the name of its equation.
    missing
        Values that mean "no answer", besides NaN.

    All other items of the model are continuous and its equations linear, since it is conditioned on in closed form.

    Examples
    --------
    >>> path = iclv.Latent("cost", on=["age"], scale="loading", intercept=True)
    >>> iclv.Model([path], [iclv.Observed("cost")]).bind(df).names
    ('cost ~ 1', 'cost ~ age', 'cost ~~ cost')
    """

    column: Given[str]
    missing: Given[Sequence[Level]] = ()
    of: tuple[str, ...] = field(default=(), init=False)
    normal: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", (self.column,))
        _shared.normalise(self)

    @property
    def stack(self) -> Hashable:
        return "observed"

    @property
    def shared(self) -> str | None:
        return None

    @property
    def location(self) -> str | None:
        return None

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _shared.check_numeric(self.column, values, people)
        if len(values) and np.ptp(np.asarray(values, float)) == 0.0:
            raise ValueError(
                f"The outcome {self.column!r} has the same value, {values[0]}, for everyone: there is nothing to explain. "
                "Remove it."
            )

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        row = [0.0] * len(positions)
        row[positions[self.column]] = 1.0
        cells = (
            Cells("intercept", (), (0.0,)),
            Cells("loadings", (len(positions),), tuple(row)),
            Cells("variance", (), (0.0,)),
        )
        return Declared((), cells)

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        observed = np.asarray(values, float)
        return {
            names.variance(self.column): float(observed.var()),
            names.intercept(self.column): float(observed.mean()),
        }

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        # It has none given its variable, and is never asked: it is conditioned on.
        return jnp.full_like(index, jnp.nan)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        return Expected(index, jnp.zeros_like(index), jnp.zeros((index.shape[0], 0)))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        return index

    def response_variance(self, cells: Arrays) -> Array:
        return cells["variance"]
