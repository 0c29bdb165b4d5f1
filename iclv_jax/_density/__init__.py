"""The density of one person's data given a draw: a system makes a world of it, blocks say what it means for the data."""

from iclv_jax._density._affine import Affine
from iclv_jax._density._block import Block
from iclv_jax._density._choice import Choice
from iclv_jax._density._conditioned import Conditioned, answered
from iclv_jax._density._items import Items
from iclv_jax._density._kernel import (
    Structure,
    log_density,
    not_finite,
    parts,
    steady_columns,
)
from iclv_jax._density._places import Places
from iclv_jax._density._structure import conditionable, structure
from iclv_jax._density._system import check_linear, reduced_form
from iclv_jax._density._world import World

__all__ = [
    "Affine",
    "Block",
    "Choice",
    "Conditioned",
    "Items",
    "Places",
    "Structure",
    "World",
    "answered",
    "check_linear",
    "conditionable",
    "log_density",
    "not_finite",
    "parts",
    "reduced_form",
    "steady_columns",
    "structure",
]
