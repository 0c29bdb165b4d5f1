"""Measurement families, choice kernels and distributions, one file each."""

from iclv_jax._families._best_worst import BestWorst
from iclv_jax._families._binary import Binary
from iclv_jax._families._censored import Censored
from iclv_jax._families._continuous import Continuous
from iclv_jax._families._count import Count
from iclv_jax._families._cross_nested import CrossNestedLogit
from iclv_jax._families._duration import Duration
from iclv_jax._families._latent_classes import LatentClasses
from iclv_jax._families._log_likelihood import LogLikelihood
from iclv_jax._families._logit import Logit
from iclv_jax._families._mdcev import MDCEV
from iclv_jax._families._nested import NestedLogit
from iclv_jax._families._nominal import Nominal
from iclv_jax._families._observed import Observed
from iclv_jax._families._ordered import Ordered
from iclv_jax._families._ordered_choice import OrderedChoice
from iclv_jax._families._partial_credit import PartialCredit
from iclv_jax._families._probit import Probit
from iclv_jax._families._ranking import Ranking

__all__ = [
    "MDCEV",
    "BestWorst",
    "Binary",
    "Censored",
    "Continuous",
    "Count",
    "CrossNestedLogit",
    "Duration",
    "LatentClasses",
    "LogLikelihood",
    "Logit",
    "NestedLogit",
    "Nominal",
    "Observed",
    "Ordered",
    "OrderedChoice",
    "PartialCredit",
    "Probit",
    "Ranking",
]
