"""What is wrong with a model, its data or a point: findings as numbers and as sentences."""

from iclv_jax._diagnose._diagnosis import Diagnosis, diagnose
from iclv_jax._diagnose._findings import Findings, find

__all__ = ["Diagnosis", "Findings", "diagnose", "find"]
