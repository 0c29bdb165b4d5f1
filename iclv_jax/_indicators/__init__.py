"""Measurement families, one file each."""

from iclv_jax._indicators._continuous import Continuous
from iclv_jax._indicators._ordered import Ordered

__all__ = ["Continuous", "Ordered"]
