"""What a utility reads where values are missing, or make no sense, in alternatives that do not count.

A value that reaches an alternative which is available stays the user's own. One that reaches none may be anything; where
it would make a utility or a derivative infinite or NaN, it is replaced by a value of the column that counts.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._panel._numbers import counted
from iclv_jax._spec import Utility
from iclv_jax._spec._utility import INDEX


def settled(
    columns: np.ndarray, utility: Utility, needed: np.ndarray, labels: Sequence[Any], estimating: bool
) -> tuple[np.ndarray, bool]:
    """Columns as the utility reads them, and whether it has to be cut off where it does not count.

    `needed` (row, alternative): what is available in rows where a choice was made. ValueError for NaN that reaches a
    needed alternative's utility.
    """
    missing = np.isnan(columns)
    if (needed.all() and not missing.any()) or not columns.size:
        return columns, False
    counts = (needed.astype(int) @ utility.reach.astype(int)) > 0
    stand_in = _stand_in(columns, counts, utility, estimating)
    found = np.where(missing & ~counts, stand_in, columns)
    values, sound = _evaluated(utility, found, needed)
    if (missing & counts).any():
        _check_reach(found, np.where(missing, stand_in, columns), np.isnan(values) & needed, utility, labels)
    if sound.all():
        return found, False
    found = np.where(~sound[:, None] & ~counts, stand_in, found)
    return found, not _evaluated(utility, found, needed)[1].all()


def _stand_in(columns: np.ndarray, counts: np.ndarray, utility: Utility, estimating: bool) -> np.ndarray:
    """For every column a value of it that counts, or else any, or else (in data that are not for estimation) 1."""
    found = np.ones(columns.shape[1])
    for i, name in enumerate(utility.columns):
        there = ~np.isnan(columns[:, i])
        if there.any():
            good = there & counts[:, i]
            found[i] = columns[int(np.argmax(good if good.any() else there)), i]
        elif estimating or counts[:, i].any():
            raise ValueError(
                f"The utility: column {name!r} is missing (NaN) in every row. Fill it in, or leave it out of "
                "the utility function."
            )
    return found


def _check_reach(
    columns: np.ndarray, filled: np.ndarray, lost: np.ndarray, utility: Utility, labels: Sequence[Any]
) -> None:
    """Refuse a NaN attribute by which the utility of an available alternative is `lost`.

    One that the utility function itself takes care of, as in `where(isnan(x.a), ...)`, is none.
    """
    reached = lost & ~_is_nan(utility, filled)
    if not reached.any():
        return
    at, j = map(int, np.argwhere(reached)[0])
    guilty = []
    for i in np.flatnonzero(np.isnan(columns[at])):
        probe = filled[at].copy()
        probe[i] = np.nan
        if _is_nan(utility, probe[None])[0, j]:
            guilty.append(utility.columns[i])
    more = int(reached.any(axis=1).sum()) - 1
    if utility.alternatives == INDEX:
        raise ValueError(
            f"Row {labels[at]!r}: {', '.join(map(repr, guilty))} is missing (NaN) although the function of the choice uses "
            "it"
            + (f" (and so in {counted(more, 'more row')})" if more else "")
            + ". Fill it in, drop the row, or say by rows= where the choice was asked."
        )
    raise ValueError(
        f"Row {labels[at]!r}: {', '.join(map(repr, guilty))} is missing (NaN) although the alternative "
        f"{utility.alternatives[j]!r}, whose utility uses it, is available"
        + (f" (and so in {counted(more, 'more row')})" if more else "")
        + ". Fill it in, drop the row, or name a column of zeros and ones for that alternative in available=."
    )


def _evaluated(utility: Utility, columns: np.ndarray, needed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Utilities (row, alternative) where every parameter and latent variable is 1, and the rows in which those that do not
    count disturb neither a value nor a derivative."""
    ones = jnp.ones(len(utility.coefficients) + len(utility.latents))
    split = len(utility.coefficients)

    def total(values: Array, row: Array, kept: Array) -> tuple[Array, Array]:
        found = utility(values[:split], row, values[split:])
        return jnp.where(kept, found, 0.0).sum(), found

    slopes = jax.vmap(jax.grad(total, has_aux=True), in_axes=(None, 0, 0))
    found, values = map(np.asarray, slopes(ones, jnp.asarray(columns), jnp.asarray(needed)))
    own = (np.isfinite(values) | ~needed).all(axis=1)
    others = (np.isfinite(values) | needed).all(axis=1)
    return values, np.asarray((others & np.isfinite(found).all(axis=1)) | ~own)


def _is_nan(utility: Utility, columns: np.ndarray) -> np.ndarray:
    ones = (jnp.ones(len(utility.coefficients)), jnp.ones(len(utility.latents)))
    evaluate = jax.vmap(lambda row: utility(ones[0], row, ones[1]))
    return np.isnan(np.asarray(evaluate(jnp.asarray(columns))))
