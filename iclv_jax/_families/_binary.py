"""Binary items: logistic item response curves with up to four parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._distributions import quantile
from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._families import _item_parts as _shared
from iclv_jax._families import _levels
from iclv_jax._families._ordered import LOGISTIC_SPREAD
from iclv_jax._spec import Cells, Declared, Expected, Indicator, Parameter, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._standardized import Predictor

Asymptote = Literal["guessing", "slipping"]
STARTS: dict[Asymptote, float] = {"guessing": 0.15, "slipping": 0.05}


@dataclass(frozen=True)
class Binary(Indicator):
    """A binary item: `P(y = 1) = g + (1 - g - s) / (1 + exp(-(intercept + loading * latent)))`.

    The two-parameter logistic model of item response theory by default, the three-parameter one with guessing (Birnbaum
    1968), the four-parameter one with slipping as well (Barton and Lord 1981). The difficulty of that literature is
    `-intercept / loading`.

    Parameters
    ----------
    column
        The column that holds it, constant within a person: two levels, of which the second counts as 1.
    of
        The latent variable that it measures, or several; `[]` for a regression on covariates alone.
    guessing
        Whether there is a lower asymptote g, the parameter `column.guessing` in [0, 1].
    slipping
        Whether there is an upper asymptote 1 - s, with the parameter `column.slipping` in [0, 1].
    levels
        Its two levels in order. When absent they are read from the data: 0 and 1, or whatever two numbers there are.
    missing
        Values that mean "no answer", besides NaN. A missing item drops out of its person's likelihood.
    on
        Covariates that act on it directly, with the coefficients `column ~ covariate`: columns that are constant within a
        person, or `Standardized(...)`.

    Asymptotes are weakly determined by anything but large samples: a penalty in `fit(penalties={"q.guessing":
    iclv.Gaussian(0.2, 0.1)})` is a prior for them, `bounds={"q.guessing": (0.0, 0.35)}` a narrower interval, and
    `equal=[["q1.guessing", "q2.guessing"]]` makes one of several.

    Examples
    --------
    >>> yes = df.assign(yes=(df["q1"] > 1).astype(int))
    >>> iclv.Model([iclv.Latent("green")], [iclv.Binary("yes", of="green", guessing=True), *items[1:]]).bind(yes).names[:3]
    ('yes ~ 1', 'green =~ yes', 'yes.guessing')
    """

    column: Given[str]
    of: Given[Sequence[str]]
    guessing: Given[bool] = False
    slipping: Given[bool] = False
    levels: Given[Sequence[Level] | None] = None
    missing: Given[Sequence[Level]] = ()
    on: Given[Sequence[Predictor]] = ()
    discrete: ClassVar[bool] = True
    normal: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _shared.normalise(self)
        for field in STARTS:
            _shared.check_switch(self, field)
        object.__setattr__(self, "levels", _levels.declared(self.column, self.levels, self.missing))
        if self.levels is not None:
            self._check_two(tuple(self.levels))

    def _check_two(self, levels: tuple[Level, ...]) -> None:
        if len(levels) > 2:
            raise ValueError(
                f"Binary item {self.column!r} has {len(levels)} levels, {', '.join(map(repr, levels[:5]))}. Two make a "
                "binary item; make it iclv.Ordered or iclv.Nominal, or name codes that mean 'no answer' in `missing=`."
            )

    @property
    def stack(self) -> str:
        return "+".join(["logit", *self._asymptotes])

    @property
    def _asymptotes(self) -> list[Asymptote]:
        return [field for field in STARTS if getattr(self, field)]

    @property
    def shared(self) -> str | None:
        return None

    @property
    def location(self) -> str | None:
        return names.intercept(self.column)

    @property
    def unseen(self) -> tuple[Level, ...]:
        return (0, 1) if self.levels is None else tuple(self.levels)

    def check(self, values: Sequence[Level], people: Sequence[Level]) -> None:
        _levels.check_members(self.column, self.levels, values, people)

    def find_levels(self, values: Sequence[Level], categories: Sequence[Level] | None) -> tuple[Level, ...]:
        return _levels.in_order(self.column, self.levels, values, categories)

    def check_levels(self, levels: tuple[Level, ...], counts: Sequence[int]) -> None:
        who = f"Binary item {self.column!r}"
        _levels.check_several(who, levels)
        self._check_two(levels)
        _levels.check_seen(who, levels, counts, "its intercept is")

    def declare(self, levels: tuple[Level, ...], positions: Mapping[str, int]) -> Declared:
        q = self.column
        parameters = [_shared.location(self, q, f"intercept of {q}"), *_shared.loadings(self)]
        cells = [Cells("intercept", (), (one(names.intercept(q)),)), _shared.loading_cells(self, positions)]
        for field in self._asymptotes:
            meaning = f"probability of {field} at {q}"
            parameters.append(
                Parameter(
                    f"{q}.{field}", "measurement", field, STARTS[field], meaning, owner=q, bounds=(0.0, 1.0)
                )
            )
            cells.append(Cells(field, (), (one(f"{q}.{field}"),)))
        return Declared(tuple(parameters), tuple(cells))

    def starts(
        self, levels: tuple[Level, ...], values: np.ndarray, communality: float, sign: float
    ) -> dict[str, float]:
        low, high = (STARTS[f] if getattr(self, f) else 0.0 for f in STARTS)
        half = 0.5 / len(values)
        share = (float(np.mean(values)) - low) / (1.0 - low - high)
        spread = LOGISTIC_SPREAD / (1.0 - communality) ** 0.5
        start = {names.intercept(self.column): spread * float(quantile(np.clip(share, half, 1.0 - half)))}
        start |= {f"{self.column}.{field}": STARTS[field] for field in self._asymptotes}
        return start | _shared.loading_starts(self, sign * spread * communality**0.5)

    def log_density(self, cells: Arrays, values: Array, index: Array) -> Array:
        logit = cells["intercept"] + index
        if not self._asymptotes:
            return jax.nn.log_sigmoid(jnp.where(values == 1, logit, -logit))
        low, high = _limits(cells)
        floor, signed = jnp.where(values == 1, low, high), jnp.where(values == 1, logit, -logit)
        share = 1.0 - low - high
        whole = floor + share * jax.nn.sigmoid(signed)
        # Without an asymptote on this side it goes to zero with the logistic function, whose log has no end.
        seen = whole > jnp.finfo(whole.dtype).tiny
        far = jnp.log(share) + jax.nn.log_sigmoid(signed)
        return jnp.where(seen, jnp.log(jnp.where(seen, whole, 1.0)), far)

    def expected(self, cells: Arrays, index: Array) -> Expected:
        # Not from their logs, which have no slope where an answer is as good as impossible.
        logit, (low, high) = cells["intercept"] + index, _limits(cells)
        share = 1.0 - low - high
        wrong, right = high + share * jax.nn.sigmoid(-logit), low + share * jax.nn.sigmoid(logit)
        return Expected(right, wrong * right, jnp.stack([wrong, right], axis=1))

    def sample(self, cells: Arrays, index: Array, key: Array) -> Array:
        draws = jax.random.uniform(key, index.shape, index.dtype)
        return (draws < self.expected(cells, index).mean).astype(int)

    def response_variance(self, cells: Arrays) -> Array | None:
        if self._asymptotes:
            return None
        return jnp.full_like(cells["intercept"], LOGISTIC_SPREAD**2)


def _limits(cells: Arrays) -> tuple[Array, Array]:
    """Probabilities of guessing and of slipping, zero where there are none."""
    low, high = (cells.get(field, jnp.zeros_like(cells["intercept"])) for field in STARTS)
    return low, high
