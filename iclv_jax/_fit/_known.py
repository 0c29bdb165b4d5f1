"""What every kind of estimation leaves: estimates of named parameters with covariances."""

import abc
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._errors import Errors
from iclv_jax._fit._frame import all_values
from iclv_jax._predict._references import why_no_references
from iclv_jax._problem import Problem
from iclv_jax._problem._components import Components, components
from iclv_jax._spec._names import nearest
from iclv_jax._tables import Report


class Known(Errors):
    """Estimates on which everything after an estimation rests. A member has the attributes `problem`, with its last nodes,
    and `estimates`, the free parameters in natural units in the order of `problem.names`."""

    problem: Problem
    estimates: np.ndarray

    @abc.abstractmethod
    def summary(self, cov: str | None = None) -> Report: ...

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.names

    @property
    def nobs(self) -> int:
        """Number of people, the independent observations; of frequency weights their sum."""
        return self.problem.panel.size

    @property
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
        params = jnp.asarray(self.estimates)
        found = components(self.problem, params, self.llf)
        if why_no_references(self.problem, params):
            none = float("nan")
            return replace(found, equal_shares=none, constants=none)
        return found

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
