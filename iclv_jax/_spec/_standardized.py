"""Covariates that are estimated in standard units, and nominal ones that become dummies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given, Level
from iclv_jax._spec._names import as_tuple, nearest

How = Literal["z", "minmax", "one-hot"]


@dataclass(frozen=True)
class Standardized:
    """A covariate of latent variables that is estimated in standard units and reported in its own.

    Parameters
    ----------
    column
        The column, constant within a person.
    how
        `"z"`, the default: the optimiser works per standard deviation; `"minmax"`: per range. `"one-hot"`: a nominal
        column becomes one dummy per level but the baseline, with the coefficients `latent ~ column[level]`.
    levels
        For `"one-hot"`: its levels. When absent they are read from the data (sorted, or the categories of a
        categorical) and kept when the model is bound.
    baseline
        For `"one-hot"`: the level that has no dummy; the first one by default.

    Mean, standard deviation and range are those of the estimation data, each person once. They change what the
    optimiser moves and nothing else: estimates, standard errors, start values, bounds and fixed values are per unit of
    the column, and the log-likelihood is that of the raw column, so new data need no moments. Where the equation has
    a free intercept the optimiser also works around the mean (or minimum); without one centring would be another
    model, and only the unit changes. A slope with bounds is left as it is.

    Raises
    ------
    ValueError
        For an unknown `how`, and for levels or a baseline without `"one-hot"`.

    Examples
    --------
    >>> latent = iclv.Latent("green", on=[iclv.Standardized("age"), iclv.Standardized("region", how="one-hot")])
    >>> iclv.Model([latent], items).bind(df).names[:3]
    ('green ~ age', 'green ~ region[1]', 'green ~ region[2]')
    """

    column: Given[str]
    how: Given[How] = "z"
    levels: Given[Sequence[Level] | None] = None
    baseline: Given[Level | None] = None

    def __post_init__(self) -> None:
        if not isinstance(self.column, str) or not self.column:
            raise ValueError(f"Standardized: column is the name of a column, not {self.column!r}.")
        what = f"Standardized({self.column!r})"
        if not is_word(self.how, get_args(How)):
            raise ValueError(
                f"{what}: how is {', '.join(map(repr, get_args(How)))}, not {self.how!r}. "
                f"{nearest(str(self.how), get_args(How))}"
            )
        if self.how != "one-hot" and (self.levels is not None or self.baseline is not None):
            raise ValueError(
                f"{what}: levels and baseline belong to how='one-hot'. Leave them out, or set it."
            )
        if self.levels is not None:
            object.__setattr__(self, "levels", as_tuple(self.levels))
            self._check_levels(as_tuple(self.levels))

    def _check_levels(self, levels: tuple[Level, ...]) -> None:
        if len(set(levels)) < max(2, len(levels)):
            raise ValueError(
                f"Standardized({self.column!r}): levels= lists at least two different levels, not {list(levels)!r}."
            )
        self.check_baseline(levels)

    def check_baseline(self, levels: tuple[Level, ...]) -> None:
        """Refuse a baseline that is no level."""
        if self.baseline is not None and self.baseline not in levels:
            raise ValueError(
                f"Standardized({self.column!r}): the baseline {self.baseline!r} is none of the levels "
                f"{list(levels)!r}. {nearest(self.baseline, levels)}"
            )

    @property
    def nominal(self) -> bool:
        return self.how == "one-hot"

    def reference(self, levels: tuple[Level, ...]) -> Level:
        """The level without a dummy."""
        return levels[0] if self.baseline is None else self.baseline


@dataclass(frozen=True)
class Logarithm:
    """A positive column that enters by its logarithm and with the coefficient 1: an exposure."""

    column: str

    @property
    def nominal(self) -> bool:
        return False


Predictor: TypeAlias = str | Standardized
Covariate: TypeAlias = Predictor | Logarithm
"""What stands among the covariates of a person: predictors and exposures."""


def column_of(predictor: Covariate) -> str:
    return predictor if isinstance(predictor, str) else predictor.column


def dummy(column: str, level: Level) -> str:
    """The name of a level's dummy."""
    return f"{column}[{level:g}]" if isinstance(level, float) else f"{column}[{level}]"


def terms(predictor: Covariate, levels: Mapping[str, tuple[Level, ...]]) -> tuple[str, ...]:
    """Names of the columns of numbers that a predictor stands for."""
    if isinstance(predictor, Logarithm):
        return (f"log({predictor.column})",)
    if not (isinstance(predictor, Standardized) and predictor.nominal):
        return (column_of(predictor),)
    known = levels[predictor.column]
    return tuple(dummy(predictor.column, v) for v in known if v != predictor.reference(known))


def all_terms(predictors: Iterable[Covariate], levels: Mapping[str, tuple[Level, ...]]) -> tuple[str, ...]:
    """Columns of numbers of all predictors, each once."""
    return tuple(dict.fromkeys(term for p in predictors for term in terms(p, levels)))
