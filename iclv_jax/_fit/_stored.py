"""What every fit read from a file says of itself: the facts and arrays of the file under the names of a fit."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax._fit._ungrouped import Grouped
from iclv_jax._inference import Covariance
from iclv_jax._inference import _estimated as estimated
from iclv_jax._inference import _intervals as intervals
from iclv_jax._inference._criteria import aic, bic, penalty
from iclv_jax._inference._penalised import from_data
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._tables import of_frame


@dataclass(frozen=True, eq=False, repr=False)
class Stored(Grouped, abc.ABC):
    """Attributes of a fit that stand in its file; covariances and tables are the business of each kind of file."""

    about: Mapping[str, Any] = field(repr=False)
    arrays: Mapping[str, np.ndarray] = field(repr=False)

    penalty, aic, bic = property(penalty), property(aic), property(bic)
    conf_int = intervals.conf_int
    bse, tvalues, pvalues = (
        property(f) for f in (intervals.standard_errors, intervals.tvalues, intervals.pvalues)
    )

    @property
    @abc.abstractmethod
    def nobs(self) -> int:
        """Number of people, or of frequency weights their sum."""

    @abc.abstractmethod
    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """The covariance of a kind with its notes."""

    @abc.abstractmethod
    def table(self, cov: Given[str | None] = None) -> pd.DataFrame:
        """Every parameter, free or not, with standard errors of a kind."""

    def summary(self, cov: Given[str | None] = None) -> str:
        """The summary as it was printed when the fit was saved; for a kind of standard errors, the estimates with these."""
        if cov is None:
            return self.about["summary"]
        kind = self.covariance(cov)
        return str(of_frame(self.table(cov), f"Saved fit, {kind.kind} standard errors", kind.notes))

    def __repr__(self) -> str:
        return estimated.introduced(self)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.about["names"])

    @property
    def converged(self) -> bool:
        return self.about["report"]["verdict"] == "converged"

    @property
    def params(self) -> pd.Series:
        return estimated.labelled(self, self.estimates, "estimate")

    @property
    def estimates(self) -> np.ndarray:
        return self.arrays["estimates"]

    @property
    def all_params(self) -> pd.Series:
        table = self.about["table"]
        return pd.Series(table["estimate"], index=table["name"], name="estimate")

    @property
    def llf(self) -> float:
        return self.about["llf"]

    @property
    def penalties(self) -> Penalties | None:
        return from_data(self.names, self.about.get("penalties"))

    @property
    def hessian(self) -> pd.DataFrame:
        return pd.DataFrame(self.arrays["hessian"], index=list(self.names), columns=list(self.names))

    @property
    def trace(self) -> pd.DataFrame:
        return pd.DataFrame(self.about["trace"])

    def cov_params(self, kind: Given[str | None] = None) -> pd.DataFrame:
        """Covariance matrix of the estimates, as of `Fit.cov_params`."""
        return intervals.covariance_frame(self, kind)
