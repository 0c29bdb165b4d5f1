"""Information criteria of a maximum."""

import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._inference._penalised import Penalised, refuse_penalised


@runtime_checkable
class Judged(Penalised, Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def estimates(self) -> np.ndarray: ...

    @property
    def llf(self) -> float: ...

    @property
    def nobs(self) -> int: ...


def penalty(fit: Judged) -> float:
    """What penalties subtract from the log-likelihood: what was maximised is `llf - penalty`. 0 without any."""
    return 0.0 if fit.penalties is None else fit.penalties.cost(fit.estimates)


def aic(fit: Judged) -> float:
    """ValueError for a penalised fit: the criterion counts parameters that are free."""
    refuse_penalised(fit, "AIC")
    return 2.0 * len(fit.names) - 2.0 * fit.llf


def bic(fit: Judged) -> float:
    """With the number of people (`nobs`) as sample size. ValueError for a penalised fit."""
    refuse_penalised(fit, "BIC")
    return float(np.log(fit.nobs)) * len(fit.names) - 2.0 * fit.llf
