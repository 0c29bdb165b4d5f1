"""Values of a random coefficient over people, and whether one over it has a mean."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Float
from iclv_jax._inference._estimated import Estimated
from iclv_jax._spec import Mixing

REACH = 8.0
"""Standard deviations of the driver, to either side, over which a distribution is looked at."""
POINTS = 129
SHARE = 1e-3


def by_group(fit: Estimated, names: Sequence[str]) -> Float[np.ndarray, "group name"]:
    """Estimates of parameters by their plain names, in every group; one row where there are none."""
    groups, rows = fit.problem.spec.groups, fit.problem.table.rows
    values = {(r.parameter.base, r.parameter.group): float(fit.all_params[r.name]) for r in rows}
    labels = ("",) if groups is None else groups.labels
    return np.array([[values.get((n, g), values.get((n, ""), np.nan)) for n in names] for g in labels])


def over_people(fit: Estimated, name: str, mixing: Mixing) -> Float[np.ndarray, "group point"]:
    """The coefficient at even points of its driver."""
    named = mixing.named(name)
    u = jnp.linspace(-REACH, REACH, POINTS)

    def of_group(values: np.ndarray) -> np.ndarray:
        cells = {key: jnp.asarray(v) for key, v in zip(named, values, strict=True)}
        return np.asarray(jax.vmap(lambda one: mixing.coefficient(cells, one))(u))

    return np.stack([of_group(values) for values in by_group(fit, list(named.values()))])


def near_zero(values: Float[np.ndarray, "group point"]) -> bool:
    """Whether one over a coefficient of one sign has no mean: so many people are close to zero that those at the end of its
    distribution weigh as much as all others, as those of a normal distribution that is cut at zero."""
    u = np.linspace(-REACH, REACH, POINTS)
    with np.errstate(divide="ignore"):
        weight = np.exp(-0.5 * u**2) / np.abs(values)
    ends = weight[:, [0, -1]].max(axis=1)
    return bool((ends > SHARE * np.where(np.isfinite(weight), weight, 0.0).max(axis=1)).any())
