"""`Fit`: what one reads off after the estimation."""

from dataclasses import dataclass, field
from typing import Any, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._kept import kept
from iclv_jax._base._types import Array
from iclv_jax._diagnose import Diagnosis, diagnose
from iclv_jax._fit._ungrouped import Grouped
from iclv_jax._fit._writing import write
from iclv_jax._inference import Covariance
from iclv_jax._inference import _estimated as estimated
from iclv_jax._inference import _intervals as intervals
from iclv_jax._inference import _kinds as kinds
from iclv_jax._inference._bootstrap import Bootstrap
from iclv_jax._inference._criteria import aic, bic, penalty
from iclv_jax._inference._functions import delta
from iclv_jax._optimise import OptimizerReport
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._predict._consistency import check_consistency
from iclv_jax._predict._fit_measures import fit_measures
from iclv_jax._predict._latent_scores import individual_parameters, latent_scores
from iclv_jax._predict._predictions import predict
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy, Finer
from iclv_jax._problem._components import Components
from iclv_jax._report._integration import finer, integration_report
from iclv_jax._report._page import report
from iclv_jax._report._summary import summary
from iclv_jax._report._table import table


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit(Grouped):
    """Maximum (penalised) likelihood estimates with everything that follows from them. Names follow statsmodels.

    What was found is on the fit itself: `summary`, `report`, `params`, `all_params`, `table`, `llf`, `components`, `aic`,
    `bic`, `nobs`, `converged`, `bse`, `conf_int`, `cov_params`, `delta`, `predict`, `latent_scores`,
    `individual_parameters`, `fit_measures`, `diagnose`, `integration_report`, `trace`,
    `save`. The rest stands in groups, by question:

    * `fit.uncertainty`, how sure is it: `standard_errors`, `compare_covariances`, `bootstrap`, `profile`, `correlations`,
      `eigenvalues`, `sensitivity`.
    * `fit.tests`, is it true: `wald_test`, `t_test`, `lr_test`, `lm_test`, `modification_indices`, `equality_tests`,
      `goodness_of_fit`, `cross_validate`.
    * `fit.choices`, what does it say of choices: `elasticities`, `marginal_effects`, `willingness_to_pay`, `scenario`,
      `shares`, `hit_rate`, `choice_fit`, `class_probabilities`.
    * `fit.measurement`, what do the items say: `predict_items`, `item_fit`, `item_residuals`, `person_fit`, `reliability`.
    * `fit.structure`, how latent variables hang together: `effects`, `standardized`, `latent_covariances`.
    * `fit.exports`, where does it go: `to_latex`, `to_csv`, `to_excel`, `to_dict`,
      `to_marginaleffects`; and the pictures of `iclv.plot`.

    A name without its group is found too: `fit.elasticities(...)` is `fit.choices.elasticities(...)`.

    Attributes
    ----------
    problem
        The problem with its last nodes.
    estimates
        Free parameters in natural units, in the order of `problem.names`.
    optimizer_report
        How the optimisation ended.
    start
        Where the joint stage started.
    accuracy
        What is cheap to know about the accuracy of the integral.
    penalties
        What was subtracted from the log-likelihood; None for maximum likelihood.

    Examples
    --------
    >>> fit.converged, fit.nobs
    (True, 300)
    >>> {name: round(value, 1) for name, value in fit.params[["time", "cost"]].items()}
    {'time': -1.5, 'cost': -0.9}
    >>> fit.choices
    <fit.choices: elasticities, marginal_effects, willingness_to_pay, scenario, shares, hit_rate, choice_fit,
    class_probabilities>
    """

    problem: Problem
    estimates: np.ndarray
    optimizer_report: OptimizerReport
    start: np.ndarray
    accuracy: Accuracy
    _rows: tuple[dict[str, Any], ...]
    _curvature: np.ndarray | Array | None = None
    penalties: Penalties | None = None
    _covariances: dict[str, Covariance] = field(default_factory=dict, init=False)
    _bootstraps: dict[tuple[int, int], Bootstrap] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return estimated.introduced(self)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # --- what was found -------------------------------------------------------------------------------------------

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
        """Estimates with the fixed, tied and defined parameters.

        Examples
        --------
        >>> float(fit.all_params["green ~~ green"])
        1.0
        """
        return estimated.all_params(self)

    @kept
    def llf(self) -> float:
        """The (weighted) joint log-likelihood at the estimates, without penalties.

        Examples
        --------
        >>> logit_fit.llf == logit_fit.components.joint
        True
        """
        return estimated.llf(self)

    @kept
    def components(self) -> Components:
        """The log-likelihood of the parts, and of simpler models of the choice.

        Examples
        --------
        >>> logit_fit.components.choices == logit_fit.llf
        True
        """
        return estimated.components(self)

    module = estimated.module
    penalty, aic, bic = property(penalty), property(aic), property(bic)

    @property
    def converged(self) -> bool:
        return self.optimizer_report.verdict.success

    @kept
    def scores(self) -> pd.DataFrame:
        """Scores of the people at the estimates, unweighted.

        Examples
        --------
        >>> logit_fit.scores.shape
        (300, 4)
        """
        return estimated.scores(self)

    @kept
    def hessian(self) -> pd.DataFrame:
        """Hessian of the log-likelihood at the estimates, without penalties.

        Examples
        --------
        >>> logit_fit.hessian.shape
        (4, 4)
        """
        return estimated.hessian(self)

    # --- what follows, beside the groups --------------------------------------------------------------------------

    covariance, cov_params = kinds.covariance, kinds.cov_params
    conf_int, delta = intervals.conf_int, delta
    bse, tvalues, pvalues = (
        property(f) for f in (intervals.standard_errors, intervals.tvalues, intervals.pvalues)
    )
    fit_measures, check_consistency = fit_measures, check_consistency
    predict, latent_scores, individual_parameters = predict, latent_scores, individual_parameters
    summary, table, integration_report = summary, table, integration_report
    report, save = report, write

    @kept
    def _finer(self) -> Finer | None:
        return finer(self)

    def diagnose(self) -> Diagnosis:
        """What could be wrong with these estimates or with the model; see `iclv.diagnose`. The curvature
        |y| / |s| is that of the optimiser's last step.

        Examples
        --------
        >>> logit_fit.diagnose().sentences
        ()
        """
        before = self.optimizer_report.previous
        previous = jnp.array([before[n] for n in self.names]) if before else None
        return diagnose(self.problem, jnp.asarray(self.estimates), previous)

    @kept
    def trace(self) -> pd.DataFrame:
        """One row per step of the optimiser, with its stage.

        The log-likelihood where the step began (`loglike`) and, of a model of items and choices, its parts at the
        same nodes: `loglike_items`, and `loglike_choices` given the items. The Newton `decrement`; the largest
        scaled `gradient`; the smallest eigenvalue of the scaled Hessian; the `radius` or the `length` of the step;
        the length of the `step` in scaled parameters; the `ratio` of actual to predicted gain; whether it was
        `accepted`; its `curvature` |y| / |s|; `evaluations` and `seconds` so far in the stage. With
        `trace_parameters`, every parameter and gradient. Penalised: what was subtracted (`penalty`).

        Training (`Stochastic`) has one row per epoch: the log-likelihood per person (per unit of weight) of those trained
        on, a mean over the batches as they came (`train`), and of those held out (`validation`); the `learning_rate`
        if the transformation tells it; mean lengths of the batches' scaled `gradient` before clipping and of the `step`.

        Examples
        --------
        >>> bool(logit_fit.trace["accepted"].any())
        True
        """
        return pd.DataFrame(list(self._rows))
