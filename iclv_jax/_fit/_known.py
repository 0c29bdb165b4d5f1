"""What every kind of estimation leaves: estimates of named parameters with covariances."""

import abc
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._components import Components, components
from iclv_jax._fit._frame import all_values
from iclv_jax._inference import Covariance
from iclv_jax._problem import Problem
from iclv_jax._report import Report
from iclv_jax._spec._names import nearest


class Known(abc.ABC):
    """Estimates on which everything after an estimation rests. A member has the attributes `problem`, with its last nodes,
    and `estimates`, the free parameters in natural units in the order of `problem.names`."""

    problem: Problem
    estimates: np.ndarray

    @property
    @abc.abstractmethod
    def converged(self) -> bool: ...

    @abc.abstractmethod
    def covariance(self, kind: str | None = None) -> Covariance:
        """The covariance of a kind with its notes; computed once."""

    @abc.abstractmethod
    def summary(self, cov: str | None = None) -> Report: ...

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.names

    @property
    def nobs(self) -> int:
        """Number of people: the independent observations."""
        return len(self.problem.panel.people)

    @cached_property
    def params(self) -> pd.Series:
        """Estimates of the free parameters; `model.fit(..., start=fit.params)` starts there."""
        return self._series(self.estimates, "estimate")

    @cached_property
    def all_params(self) -> pd.Series:
        """Estimates with the fixed, tied and defined parameters."""
        return all_values(self.problem, self.estimates)

    def module(self, name: str) -> Any:
        """A module of the model with the estimates in its arrays: `fit.module("taste")(jnp.array([30.0, 1.5]))`. ValueError
        for a name that the model does not have."""
        modules = {module.name: module for module in self.problem.spec.modules}
        if name not in modules:
            raise ValueError(f"There is no module {name!r} in this model. {nearest(name, modules)}")
        values = self.all_params[list(modules[name].names)].to_numpy()
        return modules[name].restored(jnp.asarray(values))

    @cached_property
    def llf(self) -> float:
        """The (weighted) joint log-likelihood at the estimates, without penalties."""
        return float(self.problem.loglike(jnp.asarray(self.estimates)))

    @cached_property
    def components(self) -> Components:
        """The log-likelihood of the parts, and of simpler models of the choice."""
        return components(self.problem, jnp.asarray(self.estimates), self.llf)

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

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def _covariance_frame(self, kind: str | None) -> pd.DataFrame:
        matrix = self.covariance(kind).matrix
        return pd.DataFrame(matrix, index=list(self.names), columns=list(self.names))

    def _series(self, values: Any, name: str) -> pd.Series:
        return pd.Series(np.asarray(values), index=list(self.names), name=name)
