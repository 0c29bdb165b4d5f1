"""Multinomial logit."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Declared, Kernel, Utility


@dataclass(frozen=True)
class Logit(Kernel):
    """A multinomial logit over any number of alternatives (a binary logit has two).

    Parameters
    ----------
    utility
        `utility(b, x, lv)` returns a mapping from alternatives to utilities. It sees scalars of
        one person in one situation: parameters `b.name`, columns `x.name`, latent variables
        `lv.name` (or `b["any name"]`), and is written with `jax.numpy`.
    chosen
        The column that holds the chosen alternative, one of the mapping's keys; NaN where no
        choice was observed.
    available
        For alternatives that are not always available: columns of zeros and ones.
    name
        What the choice is called in reports; tells several choices of a model apart.
    rows
        A column of zeros and ones: 1 in the rows of the data in which this choice was asked. None: in all.
    table
        The frame that holds its rows, where `fit` is given a mapping of names to frames. None: the first.

    Examples
    --------
    >>> choice = iclv.Logit(plain, chosen="mode")
    >>> iclv.Model(choice=choice).bind(df).names
    ('asc_bus', 'age_bus', 'time', 'cost')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    chosen: Given[str]
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        _shared.normalise(self)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        pass

    def declare(self) -> Declared:
        return Declared((), ())

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        _, shifted, log_total = _shifted(utilities, offered)
        return shifted[outcome] - log_total

    def log_sum(self, cells: Arrays, utilities: Array, offered: Array) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        top, _, log_total = _shifted(utilities, offered)
        return top + log_total

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        noise = jax.random.gumbel(key, utilities.shape, utilities.dtype)
        return jnp.argmax(jnp.where(offered, utilities + noise, -jnp.inf))


def _shifted(utilities: Array, offered: Array) -> tuple[Array, Array, Array]:
    """The highest utility, utilities above it, and the log of the sum of their exponentials."""
    # The utility of an unavailable alternative may be anything, so it is replaced before the exp.
    top = jax.lax.stop_gradient(jnp.max(jnp.where(offered, utilities, -jnp.inf)))
    shifted = jnp.where(offered, utilities - top, 0.0)
    return top, shifted, jnp.log(jnp.sum(jnp.where(offered, jnp.exp(shifted), 0.0)))
