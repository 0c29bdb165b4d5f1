"""Standard errors, tests and intervals of single parameters, from any covariance."""

import abc
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._inference import Covariance


class Errors(abc.ABC):
    """What follows from estimates with names and their covariances."""

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]: ...

    @property
    @abc.abstractmethod
    def params(self) -> pd.Series: ...

    @property
    @abc.abstractmethod
    def nobs(self) -> int: ...

    @property
    @abc.abstractmethod
    def converged(self) -> bool: ...

    def __repr__(self) -> str:
        ending = "converged" if self.converged else "did not converge"
        return f"<{type(self).__name__}: {self.nobs:,} people, {len(self.names):,} free parameters, {ending}>"

    @abc.abstractmethod
    def covariance(self, kind: str | None = None) -> Covariance:
        """The covariance of a kind with its notes."""

    def standard_errors(self, kind: str | None = None) -> pd.Series:
        """Standard errors of the free parameters from a covariance of this kind, as of `cov_params`."""
        return self._series(np.sqrt(np.diag(self.covariance(kind).matrix)), "standard error")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the default kind."""
        return self.standard_errors()

    @property
    def tvalues(self) -> pd.Series:
        return (self.params / self.bse).rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided, from the normal distribution."""
        return self._series(2.0 * stats.norm.sf(np.abs(self.tvalues)), "p")

    def conf_int(self, alpha: float = 0.05, kind: str | None = None) -> pd.DataFrame:
        """Intervals `estimate +- z * standard error` with coverage 1 - alpha."""
        reach = stats.norm.ppf(1.0 - alpha / 2.0) * self.standard_errors(kind)
        return pd.DataFrame({"lower": self.params - reach, "upper": self.params + reach})

    def _covariance_frame(self, kind: str | None) -> pd.DataFrame:
        matrix = self.covariance(kind).matrix
        return pd.DataFrame(matrix, index=list(self.names), columns=list(self.names))

    def _series(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.asarray(values), index=list(self.names), name=name)
