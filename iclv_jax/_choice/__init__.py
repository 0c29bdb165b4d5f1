"""Choice kernels, one file each."""

from iclv_jax._choice._logit import Logit
from iclv_jax._choice._probit import Probit

__all__ = ["Logit", "Probit"]
