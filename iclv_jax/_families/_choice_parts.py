"""What choice kernels have in common: the fields that say what was chosen and what was available."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import nearest


def normalise(kernel: Kernel) -> None:
    """Check `chosen`; turn the mapping `available` into a hashable tuple of pairs.

    Examples
    --------
    >>> iclv.Logit(plain, "mode", available={"bus": "av_bus"}).available  # as a kernel's own __post_init__ leaves it
    (('bus', 'av_bus'),)
    """
    if not isinstance(kernel.chosen, str) or not kernel.chosen:
        raise ValueError(
            f"chosen= is the name of the column that holds the chosen alternative, not {kernel.chosen!r}."
        )
    available = kernel.available
    if available is None:
        available = ()
    elif isinstance(available, Mapping):
        available = tuple(available.items())
    elif not isinstance(available, tuple) or not all(isinstance(p, tuple) and len(p) == 2 for p in available):
        raise ValueError(
            "available= is a mapping from alternatives to columns of zeros and ones, such as "
            f"{{'car': 'car_available'}}, not {available!r}."
        )
    for alternative, column in available:
        if not isinstance(column, str):
            raise ValueError(
                f"available[{alternative!r}] is the name of a column of zeros and ones, not {column!r}."
            )
    if available != kernel.available:
        object.__setattr__(kernel, "available", available)
    if isinstance(kernel.utility, Utility):
        kernel.check(kernel.utility.alternatives)
        for alternative, _ in available:
            if alternative not in kernel.utility.alternatives:
                raise ValueError(
                    f"available= names {alternative!r}, which is no alternative of the utility function. "
                    f"{nearest(alternative, kernel.utility.alternatives)}"
                )


def log_total(values: Array, offered: Array) -> Array:
    """The log of the sum of exponentials of what is offered; finite where nothing is."""
    # What is not offered may be anything, so it is replaced before the exp.
    valid = jnp.where(offered, values, 0.0)
    top = jax.lax.stop_gradient(jnp.max(jnp.where(offered, valid, -jnp.inf)))
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    total = jnp.sum(jnp.where(offered, jnp.exp(jnp.where(offered, valid - top, 0.0)), 0.0))
    return top + jnp.log(jnp.where(offered.any(), total, 1.0))


def shared_out(worth: Array, scale: Array, offered: Array) -> tuple[Array, Array]:
    """What a nest is worth, `scale log sum exp(worth / scale)`, and log shares of its members.

    Differences are divided, not worths: with a scale close to zero nothing cancels.
    """
    valid = jnp.where(offered, worth, 0.0)
    top = jax.lax.stop_gradient(jnp.max(jnp.where(offered, valid, -jnp.inf)))
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    below = jnp.where(offered, (valid - top) / scale, 0.0)
    log_sum = jnp.log(jnp.sum(jnp.where(offered, jnp.exp(below), 0.0)) + jnp.where(offered.any(), 0.0, 1.0))
    return top + scale * log_sum, jnp.where(offered, below - log_sum, 0.0)


def drawn(log_probabilities: Array, offered: Array, key: Array) -> Array:
    """The position of a draw."""
    noise = jax.random.gumbel(key, offered.shape, log_probabilities.dtype)
    return jnp.argmax(jnp.where(offered, log_probabilities + noise, -jnp.inf))


def masked(log_probabilities: Array, offered: Array) -> Array:
    """Probabilities, zero for what is not offered."""
    return jnp.where(offered, jnp.exp(jnp.where(offered, log_probabilities, 0.0)), 0.0)


def keyed(key: Array, stage: int) -> Array:
    """The key of a stage."""
    return jax.random.fold_in(key, stage)


def check_distinct(
    outcome: np.ndarray, columns: Sequence[str], alternatives: Sequence[Hashable], labels: Sequence[Any]
) -> None:
    """Refuse a row that names an alternative twice."""
    for second in range(1, len(columns)):
        for first in range(second):
            same = (outcome[:, first] == outcome[:, second]) & (outcome[:, second] >= 0)
            if same.any():
                at = int(np.argmax(same))
                raise ValueError(
                    f"Row {labels[at]!r} names {alternatives[outcome[at, first]]!r} in {columns[first]!r} and in "
                    f"{columns[second]!r}. An alternative has one place; correct the row, or make the later one missing."
                )
