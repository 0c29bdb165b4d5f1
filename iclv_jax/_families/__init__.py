"""Measurement families, choice kernels and distributions, one file each."""

from iclv_jax._families._continuous import Continuous
from iclv_jax._families._logit import Logit
from iclv_jax._families._nested import NestedLogit
from iclv_jax._families._ordered import Ordered
from iclv_jax._families._ordered_choice import OrderedChoice
from iclv_jax._families._probit import Probit

__all__ = ["Continuous", "Logit", "NestedLogit", "Ordered", "OrderedChoice", "Probit"]
