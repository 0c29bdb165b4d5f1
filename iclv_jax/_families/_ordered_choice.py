"""Ordered choices: one index, cut by thresholds."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._distributions import quantile
from iclv_jax._base._interval import log_logistic_interval, log_normal_interval
from iclv_jax._base._types import AnyArray, Array, Arrays, Given, Level
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._families import _levels
from iclv_jax._spec import Cells, Declared, Increasing, Kernel, Parameter, Utility, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._values import is_number

LINKS = ("logit", "probit")
MOST_LEVELS = 20


@dataclass(frozen=True)
class OrderedChoice(Kernel):
    """A choice among ordered levels: `P(y <= k) = F(threshold_k - index)`, F logistic or standard normal.

    Parameters
    ----------
    index
        `index(b, x, lv)` returns one number, without a constant (the thresholds take its place); its arguments are
        those of a utility function.
    chosen, name, rows, table
        As of `Logit`; `chosen` holds the levels.
    link
        `"logit"` or `"probit"`.
    levels
        The levels in order. None: those that occur in the data, in the order of numbers or of an ordered
        categorical; they are kept for new data.

    Its parameters are the thresholds `choice | 1`, `choice | 2`, ... (McKelvey and Zavoina 1975).

    Raises
    ------
    ValueError
        For a function that returns a mapping, another link, fewer than two levels, levels that nobody chose, and labels
        without an order.

    Examples
    --------
    >>> iclv.Model(choice=iclv.OrderedChoice(lambda b, x, lv: b.age * x.age, chosen="q1")).bind(df).names
    ('age', 'choice | 1', 'choice | 2')
    """

    index: Given[Callable[..., object] | Utility]
    chosen: Given[str]
    link: Given[str] = "logit"
    levels: Given[Sequence[Level] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None
    available: ClassVar[tuple[()]] = ()
    indexed: ClassVar[bool] = True
    function: ClassVar[str] = "index"

    @property
    def utility(self) -> Callable[..., object] | Utility:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.index

    def __post_init__(self) -> None:
        _shared.normalise(self)
        if not is_word(self.link, LINKS):
            raise ValueError(
                f"link= is 'logit' or 'probit', not {self.link!r}. {names.nearest(str(self.link), LINKS)}"
            )
        if self.levels is not None:
            object.__setattr__(self, "levels", names.as_tuple(self.levels))
            strange = [level for level in names.as_tuple(self.levels) if not names.is_label(level)]
            if strange:
                raise ValueError(
                    f"levels= of the ordered choice {self.name!r} holds numbers or text, not {strange[0]!r}."
                )
            twice = names.duplicates(self.levels)  # pyright: ignore[reportArgumentType]
            if twice or len(self.levels) < 2:
                what = f"has {twice[0]!r} twice" if twice else f"is {list(self.levels)!r}"
                raise ValueError(
                    f"levels= of the ordered choice {self.name!r} {what}. Give two or more, once."
                )

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        if len(alternatives) != 1:
            raise ValueError(
                f"The function of an OrderedChoice returns one number, the index; this one returns a mapping of "
                f"{len(alternatives)} alternatives. Use Logit for those."
            )

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        return tuple(self.levels or ())

    @property
    def unsettled(self) -> bool:
        return self.levels is None

    def settled(self, values: Sequence[Level], ordered: Sequence[Level] | None) -> Kernel:
        return replace(self, levels=tuple(ordered) if ordered else _sorted(self.chosen, values))

    def declare(self) -> Declared:
        cuts = tuple(
            Parameter(
                name, "choice", "threshold", float(i), f"threshold {i + 1} of {self.name}", owner=self.name
            )
            for i, name in enumerate(self._thresholds())
        )
        cells = Cells("thresholds", (len(cuts),), tuple(one(p.name) for p in cuts))
        return Declared(cuts, (cells,), (Increasing(self._thresholds()),))

    def starts(self, outcome: np.ndarray, columns: np.ndarray, offered: np.ndarray) -> dict[str, float]:
        count = len(self.outcomes)
        below = np.cumsum(np.bincount(outcome, minlength=count))[:-1] / len(outcome)
        below = np.clip(below, 0.5 / len(outcome), 1.0 - 0.5 / len(outcome))
        at = np.log(below / (1.0 - below)) if self.link == "logit" else quantile(below)
        at = at[0] + np.append(0.0, np.cumsum(np.maximum(np.diff(at), 0.01)))
        return dict(zip(self._thresholds(), map(float, at), strict=True))

    def check_sample(self, outcome: np.ndarray) -> None:
        counts = np.bincount(outcome, minlength=len(self.outcomes)).tolist()
        _levels.check_seen(
            f"The ordered choice {self.name!r}", self.levels or (), counts, "the thresholds around it are"
        )

    def needed(self, offered: AnyArray) -> AnyArray:
        return np.ones((len(offered), 1), bool)

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        end = jnp.full(1, jnp.inf)
        cuts = jnp.concatenate([-end, cells["thresholds"], end]) - utilities[0]
        interval = log_normal_interval if self.link == "probit" else log_logistic_interval
        return interval(cuts[outcome], cuts[outcome + 1])

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        draw = jax.random.normal if self.link == "probit" else jax.random.logistic
        return jnp.sum(utilities[0] + draw(key, (), utilities.dtype) > cells["thresholds"])

    def _thresholds(self) -> tuple[str, ...]:
        return tuple(names.threshold(self.name, i + 1) for i in range(len(self.outcomes) - 1))


def _sorted(column: str, values: Sequence[Level]) -> tuple[Level, ...]:
    if not values:
        raise ValueError(
            f"chosen=: column {column!r} is missing (NaN) in every row. Leave choice= out of the model."
        )
    wrong = [v for v in values if not (is_number(v) and math.isfinite(float(v)))]  # pyright: ignore[reportArgumentType]
    if wrong:
        raise ValueError(
            f"chosen=: column {column!r} holds {wrong[0]!r}, a label whose order is not known. Give levels=[...] in order, "
            "or make the column an ordered categorical."
        )
    sizes = sorted({float(v) for v in values if is_number(v)})
    found: tuple[Level, ...] = tuple(int(v) if v.is_integer() else v for v in sizes)
    if not 2 <= len(found) <= MOST_LEVELS:
        raise ValueError(
            f"chosen=: column {column!r} has {len(found)} different values, from {found[0]!r} to {found[-1]!r}. An ordered "
            "choice has two or more levels; give them as levels=[...] if these are many on purpose."
        )
    return found
