"""Predicted answers with their standard errors."""

from collections.abc import Hashable, Sequence

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._types import Array
from iclv_jax._fit._known import Known
from iclv_jax._fit._new_data import Sight
from iclv_jax._inference import delta_errors
from iclv_jax._panel._frame import identifiers
from iclv_jax._parameters import LATENT, Stack
from iclv_jax._predict import item_columns, moving
from iclv_jax._predict._responses import along

Columns = dict[tuple[str, Hashable], np.ndarray]


def predicted_items(fit: Known, seen: Sight, covariance: np.ndarray | None) -> pd.DataFrame:
    """One row per person; columns (item, level) or (item, "mean"), (item, "sd"), in the order of the model, each item's
    errors (`.se`) after them where there is a covariance of the estimates."""
    found: Columns = {}
    for stack in fit.problem.table.stacks:
        found |= _of_stack(fit, seen, stack, covariance)
    wanted = [key for item in fit.problem.spec.indicators for key in found if key[0] == item.column]
    columns = pd.MultiIndex.from_tuples(wanted, names=["item", "level"])
    values = np.stack([found[key] for key in wanted], axis=1)
    return pd.DataFrame(values, index=identifiers(seen.panel.people), columns=columns)


def _of_stack(fit: Known, seen: Sight, stack: Stack, covariance: np.ndarray | None) -> Columns:
    params, discrete = jnp.asarray(fit.estimates), stack.family.discrete
    place = fit.problem.table.stacks.index(stack)

    def by_item(values: Array) -> np.ndarray:
        """From (..., person, item, column) to (..., item, person, column)."""
        return np.swapaxes(np.asarray(values), -3, -2)

    values, errors = by_item(item_columns(seen.view, params, place)), None
    if covariance is not None:
        sections = (LATENT, stack.name) if seen.view.prior else None
        directions = moving(seen.view.core, params, sections)
        slopes = by_item(along(item_columns, (seen.view,), params, directions, (place,)))
        errors = [_errors(slopes[:, i], np.asarray(directions), covariance) for i in range(len(stack.items))]
    found: Columns = {}
    for i, name in enumerate(stack.items):
        labels: Sequence[Hashable] = fit.problem.panel.levels[name] if discrete else ("mean", "sd")
        found |= {(name, label): values[i, :, c] for c, label in enumerate(labels)}
        if errors is not None:
            found |= {(name, f"{label}.se"): errors[i][:, c] for c, label in enumerate(labels)}
    return found


def _errors(slopes: np.ndarray, directions: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard errors (person, level) from derivatives along directions (direction, person, level)."""
    jacobian = slopes.reshape(len(directions), -1).T @ directions
    return delta_errors(jacobian, covariance).reshape(slopes.shape[1:])
