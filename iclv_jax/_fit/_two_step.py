"""`SequentialFit`: what one reads off after an estimation in two steps."""

from dataclasses import dataclass, field
from typing import Any, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import kind_of
from iclv_jax._base._kept import kept
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._fit._ungrouped import Grouped
from iclv_jax._inference import TWO_STEP_KINDS, Covariance, Step, two_step_covariance
from iclv_jax._inference import _estimated as estimated
from iclv_jax._inference import _intervals as intervals
from iclv_jax._inference._functions import delta
from iclv_jax._optimise import OptimizerReport
from iclv_jax._predict._fit_measures import fit_measures
from iclv_jax._predict._latent_scores import individual_parameters, latent_scores
from iclv_jax._predict._predictions import predict
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._components import Components
from iclv_jax._report._page import report
from iclv_jax._report._two_step import DEFAULT, summary, table


@final
@dataclass(frozen=True, eq=False, repr=False)
class SequentialFit(Grouped):
    """Estimates of `Model.fit_sequential`. Names follow statsmodels, as those of `Fit`.

    What follows from estimates and a covariance is here as it is there, in the same groups: `delta`, `predict`,
    `tests.wald_test`, `choices.elasticities`, `choices.scenario`, `structure.effects` and so on, by default with
    Murphy-Topel standard errors. What rests on a maximum of the joint log-likelihood is not.

    Attributes
    ----------
    problem, items
        Items and choices together, and the items alone, each with its last nodes.
    estimates
        Free parameters of both steps in natural units, in the order of `problem.names`.
    reports
        How the optimisation of each step ended.
    moved
        Marks the parameters of the second step, (P,).
    start
        Where the first step started.
    accuracy
        What is cheap to know about the accuracy of the integral in the second step.

    Examples
    --------
    >>> steps = model.fit_sequential(df, integration=iclv.GaussHermite(7))
    >>> list(steps.table())
    ['block', 'role', 'status', 'estimate', 'uncorrected', 'murphy-topel', 'robust', 'ratio', 'se', 't', 'p']
    """

    problem: Problem
    items: Problem
    estimates: np.ndarray
    reports: tuple[OptimizerReport, OptimizerReport]
    moved: np.ndarray
    start: np.ndarray
    accuracy: Accuracy
    _rows: tuple[dict[str, Any], ...]
    _covariances: dict[str, Covariance] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return estimated.introduced(self)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    @property
    def names(self) -> tuple[str, ...]:
        """The free parameters."""
        return estimated.names(self)

    @property
    def nobs(self) -> int:
        """Number of people, the independent observations; of frequency weights their sum."""
        return estimated.nobs(self)

    @property
    def params(self) -> pd.Series:
        """Estimates of the free parameters; `model.fit(..., start=fit.params)` starts there."""
        return estimated.params(self)

    @kept
    def all_params(self) -> pd.Series:
        """Estimates with the fixed, tied and defined parameters."""
        return estimated.all_params(self)

    module = estimated.module

    @kept
    def llf(self) -> float:
        """The (weighted) joint log-likelihood at the estimates, without penalties."""
        return estimated.llf(self)

    @kept
    def components(self) -> Components:
        """The log-likelihood of the parts, and of simpler models of the choice."""
        return estimated.components(self)

    @property
    def converged(self) -> bool:
        """Whether both steps did."""
        return all(report.verdict.success for report in self.reports)

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the parameters of the first step: items and structure."""
        return tuple(n for n, m in zip(self.names, self.moved, strict=True) if not m)

    @property
    def second(self) -> tuple[str, ...]:
        """Names of the parameters of the second step: the choice."""
        return tuple(n for n, m in zip(self.names, self.moved, strict=True) if m)

    @property
    def llf_items(self) -> float:
        """What the first step maximised: the log-likelihood of the items."""
        return float(self.items.loglike(jnp.asarray(self.estimates)))

    @property
    def llf_choices(self) -> float:
        """What the second step maximised: the log-likelihood of the choices given the items."""
        return self.llf - self.llf_items

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of covariance that there are: `"cluster"` with clusters only."""
        return TWO_STEP_KINDS if self.problem.panel.clusters is not None else TWO_STEP_KINDS[:-1]

    @kept
    def _steps(self) -> tuple[Step, Step]:
        params = jnp.asarray(self.estimates)
        both = zip((self.items, self.problem), (~self.moved, self.moved), strict=True)
        first, second = (
            Step(free, np.asarray(p.hessian(params)), np.asarray(p.score_person(params))) for p, free in both
        )
        return first, second

    @one_thread
    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """The covariance of a kind with its notes; computed once. Kinds and errors as of `cov_params`."""
        kind = kind_of(kind, DEFAULT)
        if kind not in self._covariances:
            panel = self.problem.panel
            held = np.array([any(n in r.active for r in self.reports) for n in self.names])
            self._covariances[kind] = two_step_covariance(
                kind, *self._steps, panel.weights, self.names, held, panel.clusters, panel.weights_count
            )
        return self._covariances[kind]

    def cov_params(self, kind: str | None = None) -> pd.DataFrame:
        """Covariance matrix of the estimates of both steps.

        Parameters
        ----------
        kind
            `"murphy-topel"` (the default): with the error that the second step inherits from the first (Murphy and
            Topel 1985), from exact second derivatives and products of the people's scores. `"uncorrected"`: inverse of
            the negative Hessian of each step, as if the estimates of the first were known; too small in the second,
            and for comparison only. `"robust"`: the sandwich of the scores of both steps (Newey and McFadden 1994,
            section 6.1), which also holds where the model is not quite true; `"cluster"`: the same with scores summed
            within clusters.

        NaN for parameters at a bound.

        Raises
        ------
        ValueError
            For an unknown kind, and where a matrix is not positive definite, with the names of the parameters.
        """
        return intervals.covariance_frame(self, kind)

    @kept
    def trace(self) -> pd.DataFrame:
        """One row per step of the optimiser, with its stage."""
        return pd.DataFrame(list(self._rows))

    conf_int, delta, fit_measures = intervals.conf_int, delta, fit_measures
    bse, tvalues, pvalues = (
        property(f) for f in (intervals.standard_errors, intervals.tvalues, intervals.pvalues)
    )
    predict, latent_scores, individual_parameters = predict, latent_scores, individual_parameters
    summary, table, report = summary, table, report
