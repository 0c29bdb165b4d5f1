"""Binary probit."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._interval import log_normal_interval
from iclv_jax._base._types import Array, Arrays, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Declared, Kernel, Utility


@dataclass(frozen=True)
class Probit(Kernel):
    """A probit over two alternatives: `P(first) = Phi(V_first - V_second)`.

    The difference of the two errors has variance 1. Parameters are those of `Logit`.
    """

    utility: Given[Callable[..., Mapping[Hashable, object]] | Utility]
    chosen: Given[str]
    available: Given[Mapping[Hashable, str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        _shared.normalise(self)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        if len(alternatives) != 2:
            raise ValueError(
                f"Probit serves two alternatives; the utility function returns {len(alternatives)} "
                f"({', '.join(map(repr, alternatives))}). Use Logit for more."
            )

    def declare(self) -> Declared:
        return Declared((), ())

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        lead = utilities[outcome] - utilities[1 - outcome]
        both = offered[1 - outcome]
        chosen_first = log_normal_interval(jnp.full_like(lead, -jnp.inf), jnp.where(both, lead, 0.0))
        return jnp.where(both, chosen_first, 0.0)

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        noise = jax.random.normal(key, (), utilities.dtype)
        second = (utilities[0] - utilities[1] + noise < 0.0).astype(int)
        return jnp.where(offered.all(), second, jnp.argmax(offered))
