"""What a fitted model says about people, their choices and their answers."""

from iclv_jax._predict._posterior import Posterior, posterior
from iclv_jax._predict._probabilities import (
    at_rows,
    choice_probabilities,
    expected_items,
    item_columns,
)
from iclv_jax._predict._view import Information, View, moving, on, posterior_view, prior_view

__all__ = [
    "Information",
    "Posterior",
    "View",
    "at_rows",
    "choice_probabilities",
    "expected_items",
    "item_columns",
    "moving",
    "on",
    "posterior",
    "posterior_view",
    "prior_view",
]
