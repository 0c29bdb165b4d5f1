"""The parameter table, and the maps z -> params -> theta -> arrays."""

from iclv_jax._parameters._declare import LATENT, Stack
from iclv_jax._parameters._direct import EFFECTS
from iclv_jax._parameters._groups import in_every_group
from iclv_jax._parameters._map import Coordinates, ParameterMap, full, natural, put, unconstrained
from iclv_jax._parameters._residuals import RESIDUAL
from iclv_jax._parameters._table import ParameterTable, Row, build_table

__all__ = [
    "EFFECTS",
    "LATENT",
    "RESIDUAL",
    "Coordinates",
    "ParameterMap",
    "ParameterTable",
    "Row",
    "Stack",
    "build_table",
    "full",
    "in_every_group",
    "natural",
    "put",
    "unconstrained",
]
