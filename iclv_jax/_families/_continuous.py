"""Continuous items: normal given the latent variables."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._spec import Cells, Declared, Expected, Parameter, Positive, Tails, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor


@dataclass(frozen=True)
class Continuous(_shared.Unlevelled):
    """A continuous item: `y ~ N(intercept + loading * latent + effect * covariate, variance)`.

    Parameters
    ----------
    column
        The column that holds it, constant within a person.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    intercept
        Whether it has an intercept `column ~ 1`; without one its mean is that of its latent
        variables times their loadings.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Its error variance is `column ~~ column`, its loadings `latent =~ column`.

    Examples
    --------
    >>> iclv.Model([iclv.Latent("green")], [iclv.Continuous(q, of="green") for q in ("q1", "q2", "q3")]).bind(df).names[:3]
    ('q1 ~ 1', 'green =~ q1', 'q1 ~~ q1')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    intercept: Given[bool] = True
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    normal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _shared.normalise(self)
        _shared.check_switch(self, "intercept")

    @property
    def stack(self) -> Hashable:
        return "continuous"

    @property
    def shared(self) -> str | None:
        return None

    @property
    def location(self) -> str | None:
        return names.intercept(self.column) if self.intercept else None

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _shared.check_numeric(self.column, values, people)
        _shared.check_varied(self, "Continuous", values)

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q = self.column
        parameters = [*_shared.loadings(self)]
        if self.intercept:
            meaning = f"intercept of {q}"
            level = Parameter(names.intercept(q), "measurement", "intercept", 0.0, meaning, owner=q)
            parameters.insert(0, level)
        meaning = f"error variance of {q}"
        spread = Parameter(names.variance(q), "measurement", "variance", 1.0, meaning, owner=q)
        cells = (
            Cells("intercept", (), (one(names.intercept(q)) if self.intercept else 0.0,)),
            _shared.loading_cells(self, positions),
            Cells("variance", (), (one(names.variance(q)),)),
        )
        return Declared((*parameters, spread), cells, (Positive(names.variance(q)),))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        observed = np.asarray(values, float)
        spread = float(observed.std())
        start = _shared.loading_starts(self, sign * spread * communality**0.5)
        start[names.variance(self.column)] = spread**2 * (1.0 - communality)
        if self.intercept:
            start[names.intercept(self.column)] = float(observed.mean())
        return start

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        variance = cells["variance"]
        residual = values - cells["intercept"] - index
        # log() of a negative variance is NaN, as it should be: the optimiser then shortens its step.
        return -0.5 * (residual**2 / variance + jnp.log(2.0 * jnp.pi * variance))

    def expected(self, cells: Arrays, index: Array) -> Expected:
        return Expected(cells["intercept"] + index, cells["variance"], jnp.zeros((index.shape[0], 0)))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        noise = jax.random.normal(key, index.shape, index.dtype)
        return cells["intercept"] + index + jnp.sqrt(cells["variance"]) * noise

    def tails(self, cells: Arrays, values: Array, index: Array) -> Tails:
        z = (values - cells["intercept"] - index) / jnp.sqrt(cells["variance"])
        return Tails(ndtr(z), jnp.zeros_like(z), ndtr(-z))

    def response_variance(self, cells: Arrays) -> Array:
        return cells["variance"]

    def information(self, cells: Arrays, index: Array) -> Array:
        return 1.0 / cells["variance"]
