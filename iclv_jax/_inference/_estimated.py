"""What everything after an estimation is a function of: estimates of named parameters with their covariances."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._arguments import check_name
from iclv_jax._base._types import Array, Given
from iclv_jax._inference._covariance import Covariance
from iclv_jax._inference._frame import all_values
from iclv_jax._inference._references import why_no_references
from iclv_jax._optimise import OptimizerReport
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._components import Components
from iclv_jax._problem._components import components as parts
from iclv_jax._spec._names import nearest


@runtime_checkable
class Known(Protocol):
    """Names, estimates and covariances, with or without the problem that they come from."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def params(self) -> pd.Series: ...

    def covariance(self, kind: str | None = None) -> Covariance: ...


@runtime_checkable
class Estimated(Known, Protocol):
    """Estimates of a problem: `estimates` are its free parameters in natural units, in the order of `names`, and the
    problem has its last nodes."""

    @property
    def problem(self) -> Problem: ...

    @property
    def estimates(self) -> np.ndarray: ...

    @property
    def all_params(self) -> pd.Series: ...

    @property
    def nobs(self) -> int: ...

    @property
    def llf(self) -> float: ...

    @property
    def components(self) -> Components: ...

    @property
    def converged(self) -> bool: ...

    @property
    def accuracy(self) -> Accuracy: ...


@runtime_checkable
class Maximum(Estimated, Protocol):
    """Estimates at which the joint log-likelihood (less penalties) is largest."""

    @property
    def optimizer_report(self) -> OptimizerReport: ...

    @property
    def penalties(self) -> Penalties | None: ...

    @property
    def scores(self) -> pd.DataFrame: ...

    @property
    def hessian(self) -> pd.DataFrame: ...

    @property
    def _curvature(self) -> np.ndarray | Array | None: ...

    @property
    def _covariances(self) -> dict[str, Covariance]: ...

    @property
    def _bootstraps(self) -> dict[tuple[int, int], Any]: ...


def has(fit: object, name: str) -> bool:
    """Whether a kind of fit has an attribute, without computing it."""
    return hasattr(type(fit), name) or name in getattr(type(fit), "__dataclass_fields__", ())


def needs(fit: Any, what: str, *attributes: str) -> Any:
    """The fit; ValueError for what is none, and for one that lacks what is asked of it, with the way out."""
    if not has(fit, "covariance"):
        raise ValueError(f"{what} takes a fit, as model.fit(...) returns it, not {type(fit).__name__}.")
    if why := why_lacking(fit, what, *attributes):
        raise ValueError(why)
    return fit


def why_lacking(fit: object, what: str, *attributes: str) -> str:
    """Why a kind of fit does not have all of these attributes, with the way out; empty where it has."""
    lacking = [name for name in attributes if not has(fit, name)]
    if not lacking:
        return ""
    if not has(fit, "problem"):
        return f"{what} needs the model and its data: read the fit with iclv.load(path, model, data)."
    if not has(fit, "reports"):
        return f"{what} needs all people in memory, and those of this fit came in chunks: fit a data frame."
    return (
        f"{what} rests on a maximum of the joint log-likelihood, which estimates in two steps are not: there is no "
        f"{lacking[0]}. Use model.fit(...), which estimates everything at once."
    )


def introduced(fit: Any) -> str:
    """A fit in a line."""
    ending = "converged" if fit.converged else "did not converge"
    return f"<{type(fit).__name__}: {fit.nobs:,} people, {len(fit.names):,} free parameters, {ending}>"


def labelled(fit: Known, values: Any, name: str) -> pd.Series:
    """Values of the free parameters as a Series."""
    return pd.Series(np.asarray(values), index=list(fit.names), name=name)


def names(fit: Estimated) -> tuple[str, ...]:
    """The free parameters."""
    return fit.problem.names


def nobs(fit: Estimated) -> int:
    """Number of people, the independent observations; of frequency weights their sum."""
    return fit.problem.panel.size


def params(fit: Estimated) -> pd.Series:
    """Estimates of the free parameters; `model.fit(..., start=fit.params)` starts there."""
    return labelled(fit, fit.estimates, "estimate")


def all_params(fit: Estimated) -> pd.Series:
    """Estimates with the fixed, tied and defined parameters."""
    return all_values(fit.problem, fit.estimates)


def scores(fit: Maximum) -> pd.DataFrame:
    """Scores of the people at the estimates, unweighted."""
    found = fit.problem.score_person(jnp.asarray(fit.estimates))
    return pd.DataFrame(np.asarray(found), index=pd.Index(fit.problem.panel.people), columns=list(fit.names))


def hessian(fit: Maximum) -> pd.DataFrame:
    """Hessian of the log-likelihood at the estimates, without penalties."""
    known = fit._curvature
    matrix = np.asarray(fit.problem.hessian(jnp.asarray(fit.estimates)) if known is None else known)
    return pd.DataFrame(matrix, index=list(fit.names), columns=list(fit.names))


def module(fit: Estimated, name: Given[str]) -> Any:
    """A module of the model with the estimates in its arrays: `fit.module("taste")(jnp.array([30.0, 1.5]))`. ValueError
    for a name that the model does not have.

    Examples
    --------
    >>> def curved(b, x, lv):
    ...     return {"bus": b.asc + b.curve["slope"][0] * x.age, "car": b.time * x.time}
    >>> curve = {"slope": jnp.array([0.5])}
    >>> bent = iclv.Model(choice=iclv.Logit(curved, chosen="mode"), modules={"curve": curve}).fit(df)
    >>> bent.module("curve")["slope"].shape
    (1,)
    """
    check_name(name, "What a module is called")
    known: Mapping[str, Any] = {module.name: module for module in fit.problem.spec.modules}
    if name not in known:
        raise ValueError(f"There is no module {name!r} in this model. {nearest(name, known)}")
    values = fit.all_params[list(known[name].names)].to_numpy()
    return known[name].restored(jnp.asarray(values))


def llf(fit: Estimated) -> float:
    """The (weighted) joint log-likelihood at the estimates, without penalties."""
    return float(fit.problem.loglike(jnp.asarray(fit.estimates)))


def components(fit: Estimated) -> Components:
    """The log-likelihood of the parts, and of simpler models of the choice."""
    params = jnp.asarray(fit.estimates)
    found = parts(fit.problem, params, fit.llf)
    if why_no_references(fit.problem, params):
        none = float("nan")
        each = {k: p._replace(equal_shares=none, constants=none) for k, p in found.by_choice.items()}
        return replace(found, equal_shares=none, constants=none, by_choice=each)
    return found
