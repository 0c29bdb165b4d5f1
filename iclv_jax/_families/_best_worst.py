"""Best-worst scaling: the best and the worst of what is offered."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Cells, Declared, Kernel, Parameter, Positive, Utility, one
from iclv_jax._spec import _names as names

KINDS = ("sequential", "maxdiff")


@dataclass(frozen=True)
class BestWorst(Kernel):
    """The best and the worst alternative of a situation.

    Parameters
    ----------
    utility, available, name, rows, table
        As of `Logit`.
    best, worst
        Columns with the best and the worst alternative; `worst` may be NaN where only the best was said.
    kind
        `"sequential"`: the best by a logit, then the worst of the rest by a logit of the negative utilities.
        `"maxdiff"`: the pair with the largest difference, `P(b, w)` proportional to `exp(V_b - V_w)` over all ordered
        pairs (Marley and Louviere 2005).
    scale
        Whether utilities have another scale, `choice.scale`, where the worst is chosen.

    Predictions are probabilities of being the best.

    Raises
    ------
    ValueError
        For another kind, a row in which best and worst are the same or only the worst is known.

    Examples
    --------
    >>> def three(b, x, lv):
    ...     return {"bus": b.asc_bus, "train": b.asc_train, "car": b.time * x.time}
    >>> said = df.assign(worst=np.where(df["mode"] == "bus", "train", "bus"))
    >>> iclv.Model(choice=iclv.BestWorst(three, best="mode", worst="worst")).bind(said).names
    ('asc_bus', 'asc_train', 'time')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    best: Given[str] = "best"
    worst: Given[str] = "worst"
    kind: Given[str] = "sequential"
    scale: Given[bool] = False
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        if not is_word(self.kind, KINDS):
            raise ValueError(
                f"kind= is 'sequential' or 'maxdiff', not {self.kind!r}. {names.nearest(str(self.kind), KINDS)}"
            )
        if not isinstance(self.best, str) or not self.best:
            raise ValueError(f"best= is the column of the best alternative, not {self.best!r}.")
        if not isinstance(self.worst, str) or not self.worst or self.worst == self.best:
            raise ValueError(f"worst= is the column of the worst alternative, not {self.worst!r}.")
        if not isinstance(self.scale, bool):
            raise ValueError(f"scale= is True or False, not {self.scale!r}. A value goes into fixed=.")
        _shared.normalise(self)

    @property
    def chosen(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.best

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.best, self.worst)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        return None

    def check_outcomes(self, outcome: np.ndarray, offered: np.ndarray, labels: Sequence[Any]) -> None:
        _shared.check_distinct(outcome, self.columns, self.outcomes, labels)
        alone = outcome[:, 0] < 0
        if alone.any():
            raise ValueError(
                f"Row {labels[int(np.argmax(alone))]!r} has a worst alternative but no best one. Fill it in, or make both "
                "missing."
            )

    def declare(self) -> Declared:
        if not self.scale:
            return Declared((), ())
        name, meaning = f"{self.name}.scale", "scale of the utilities where the worst is chosen"
        parameter = Parameter(name, "choice", "scale", 1.0, meaning, owner=self.name)
        return Declared((parameter,), (Cells("scale", (), (one(name),)),), (Positive(name),))

    def _bad(self, cells: Arrays, utilities: Array) -> Array:
        """What makes an alternative the worst."""
        return -cells["scale"] * utilities if self.scale else -utilities

    def _pairs(self, cells: Arrays, utilities: Array, offered: Array) -> tuple[Array, Array]:
        """Log probabilities of all pairs (best, worst), and which may be."""
        v, count = jnp.where(offered, utilities, 0.0), len(offered)
        bad = self._bad(cells, v)
        both = offered[:, None] & offered[None, :] & ~jnp.eye(count, dtype=bool)
        if self.kind == "maxdiff":
            logs = v[:, None] + bad[None, :]
            return logs - _shared.log_total(logs, both), both
        first = v - _shared.log_total(v, offered)
        rest = jnp.stack([_shared.log_total(bad, both[i]) for i in range(count)])
        return first[:, None] + bad[None, :] - rest[:, None], both

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        logs, both = self._pairs(cells, utilities, offered)
        best, worst = outcome[0], jnp.maximum(outcome[1], 0)
        alone = _shared.log_total(logs[best], both[best])
        return jnp.where(outcome[1] >= 0, logs[best, worst], alone)

    @property
    def log_sum(self) -> Callable[..., Array] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return None if self.kind == "maxdiff" else _of_the_best

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        logs, both = self._pairs(cells, utilities, offered)
        found = jnp.sum(_shared.masked(logs, both), axis=1)
        # Alone on offer it is the best, and nothing is the worst.
        return jnp.where(offered.sum() > 1, found, offered.astype(found.dtype))

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        logs, both = self._pairs(cells, utilities, offered)
        place, count = _shared.drawn(logs.reshape(-1), both.reshape(-1), key), len(offered)
        pair = jnp.stack([place // count, place % count])
        return jnp.where(both.any(), pair, jnp.stack([jnp.argmax(offered), jnp.asarray(-1)]))


def _of_the_best(cells: Arrays, utilities: Array, offered: Array) -> Array:
    return _shared.log_total(utilities, offered)
