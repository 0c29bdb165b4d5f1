"""Binary probit."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from iclv_jax._base._interval import log_normal_interval
from iclv_jax._base._types import AnyArray, Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Declared, Kernel, Utility
from iclv_jax._spec._utility import INDEX


@dataclass(frozen=True)
class Probit(Kernel):
    """A probit over two alternatives: `P(first) = Phi(V_first - V_second)`; or of an index, `P(1) = Phi(index)`.

    The difference of the two errors has variance 1. Parameters are those of `Logit`; where the utility function returns
    one number, `chosen` holds zeros and ones.

    Examples
    --------
    >>> iclv.Model(choice=iclv.Probit(plain, chosen="mode")).bind(df).names
    ('asc_bus', 'age_bus', 'time', 'cost')
    """

    utility: Given[Callable[..., object] | Utility]
    chosen: Given[str]
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None
    indexed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _shared.normalise(self)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        if self._alone and self.available:
            raise ValueError("available= is of alternatives; a Probit of an index has none. Leave it out.")
        if len(alternatives) != 2 and not self._alone:
            raise ValueError(
                f"Probit serves two alternatives; the utility function returns {len(alternatives)} "
                f"({', '.join(map(repr, alternatives))}). Use Logit for more."
            )

    @property
    def _alone(self) -> bool:
        """Whether the utility function returns an index."""
        return self.utility.alternatives == INDEX

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        return (0, 1) if self._alone else self.utility.alternatives

    def needed(self, offered: AnyArray) -> AnyArray:
        return offered[:, :1] if self._alone else offered

    def declare(self) -> Declared:
        return Declared((), ())

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        v = self._both(utilities)
        lead = v[outcome] - v[1 - outcome]
        both = offered[1 - outcome]
        chosen_first = log_normal_interval(jnp.full_like(lead, -jnp.inf), jnp.where(both, lead, 0.0))
        return jnp.where(both, chosen_first, 0.0)

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        noise = jax.random.normal(key, (), utilities.dtype)
        v = self._both(utilities)
        second = (v[0] - v[1] + noise < 0.0).astype(int)
        return jnp.where(offered.all(), second, jnp.argmax(offered))

    def _both(self, utilities: Array) -> Array:
        return jnp.stack([jnp.zeros(()), utilities[0]]) if utilities.shape[0] == 1 else utilities
