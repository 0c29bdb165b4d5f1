"""What follows from the estimates: functions of them, and tests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from scipy import stats

from iclv_jax._fit._against import likelihood_ratio
from iclv_jax._fit._covariances import CovarianceComparison, compare_covariances
from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._functions import Functions
from iclv_jax._fit._modification import modification_indices, score_test
from iclv_jax._fit._profile import Profile, profile
from iclv_jax._fit._sensitivity import Influence, Sensitivity, influence, sensitivity
from iclv_jax._fit._threads import one_thread
from iclv_jax._inference import HypothesisTest
from iclv_jax._problem import Problem

ONE_DEVIATION = float(stats.norm.cdf(1.0))


class Inferences(Functions, Estimates):
    """The part of a fit that infers."""

    def lr_test(self, restricted: Estimates) -> HypothesisTest:
        """Likelihood-ratio test of a smaller model that is nested in this one.

        Raises
        ------
        ValueError
            For fits on different people, choices, items or weights; for a model with as many free parameters or
            more; and where the restricted model has the larger log-likelihood by more than the error of the
            integrals.
        """
        return likelihood_ratio(self, restricted)

    def modification_indices(
        self, names: Sequence[str] | None = None, kind: Literal["hessian", "bhhh", "robust"] = "hessian"
    ) -> pd.DataFrame:
        """Score tests of fixed parameters: what each would gain if it were free (Sörbom 1989).

        Parameters
        ----------
        names
            Fixed parameters; None: all of the table.
        kind
            Where the information comes from: `"hessian"`, `"bhhh"`, or `"robust"`, a statistic that is chi-squared
            also where the model is not quite true (White 1982).

        Returns
        -------
        By parameter, the largest first: `block`; `value` at which it is fixed; `statistic`, chi-squared with one
        degree of freedom, about twice the gain of the log-likelihood; `p`; `change`, by about how much the
        parameter would move; `note`, why there is no statistic: a parameter that sets a scale or a location has
        none.

        Raises
        ------
        ValueError
            For parameters that are not fixed.
        """
        return modification_indices(self, names, kind)

    def lm_test(
        self,
        larger: str | Sequence[str] | Problem,
        values: Mapping[str, float] | None = None,
        kind: Literal["hessian", "bhhh"] = "hessian",
    ) -> HypothesisTest:
        """Score (Lagrange multiplier) test against a larger model, without fitting that one.

        Parameters
        ----------
        larger
            Names of fixed parameters to be set free together, or the larger model bound to the same data,
            `larger_model.bind(data, ...)`.
        values
            Values that parameters of the larger model have in this one, where that is not 0 and this fit has no
            such parameter.
        kind
            Where the information comes from.

        Raises
        ------
        ValueError
            For parameters that are not fixed, other data, and a larger model of which this fit is not a case:
            the two log-likelihoods must agree at the estimates.
        """
        return score_test(self, larger, values or {}, kind)

    def compare_covariances(self) -> CovarianceComparison:
        """Standard errors of every kind side by side, their ratios to those from the Hessian, the smallest
        eigenvalues of the information, and White's (1982) test that Hessian and scores agree.

        Bootstrap and jackknife are shown when they have been computed.
        """
        return compare_covariances(self)

    @one_thread
    def profile(self, name: str, points: int | Sequence[float] | None = None, level: float = 0.95) -> Profile:
        """Profile-likelihood interval of a free parameter: the values that a likelihood-ratio test does not reject.

        The model is fitted anew with the parameter held at trial values, each from the nearest one known, nodes
        placed as in a fit. Unlike `conf_int` the interval need not be symmetric, and does not depend on how the
        parameter is written.

        Parameters
        ----------
        name
            A free parameter.
        points
            Further values for the table: how many, evenly over the interval, or which.
        level
            Coverage.

        Raises
        ------
        ValueError
            For a parameter that is not free or at its bound.
        """
        return profile(self, name, points, level)

    @one_thread
    def sensitivity(
        self,
        what: Literal["weights"] | None = None,
        *,
        column: str | None = None,
        fixed: str | None = None,
        function: Callable[[Any], Any] | None = None,
        per: Literal["unit", "percent"] = "unit",
        cov: str | None = None,
    ) -> Influence | Sensitivity:
        """Derivatives of the estimates, through the fit, with respect to what they were estimated from.

        By the implicit function theorem `d params / d x = -H^-1 d score / d x` at the estimates: exact derivatives, without
        a refit. They tell what small changes do; what happens far away needs a refit.

        Parameters
        ----------
        what
            `"weights"`: the influence of each person.
        column
            A column of numbers that the utilities use, a covariate of latent variables, or a continuous item. It moves for
            everybody, everywhere it stands.
        fixed
            A parameter that is fixed.
        function
            Of the named parameters, as of `delta`: derivatives of what it returns rather than of the parameters.
        per
            `"unit"`, or `"percent"` of every value of the column (of the fixed parameter).
        cov
            Kind of covariance behind the standard errors in which changes are told, as of `cov_params`.

        Returns
        -------
        Influence
            For `"weights"`: derivatives by each person's weight, dfbetas, and the most influential people.
        Sensitivity
            For a column or a fixed parameter: change per unit, in natural units and in standard errors, and what each
            person contributes.

        Raises
        ------
        ValueError
            When not exactly one of `what`, `column` and `fixed` is given; for columns that the model does not use or whose
            values are no numbers; for parameters that are not fixed; where training stopped before a maximum.

        Notes
        -----
        Of a penalised fit the derivatives are those of the penalised estimates. Parameters at a bound, and those that `L1`
        has set to zero, do not move. Derivatives are those at frozen nodes. Nodes that are placed at each person's
        posterior would move with the data, but where they stand changes an integral by its error only, and so the
        derivatives by the derivative of that error.
        """
        asked = [name for name in (what, column, fixed) if name is not None]
        if len(asked) != 1 or what not in (None, "weights"):
            raise ValueError(
                "sensitivity takes one of 'weights', column='...' and fixed='...': sensitivity('weights'), say."
            )
        if per not in ("unit", "percent"):
            raise ValueError(f"per is 'unit' or 'percent', not {per!r}.")
        if what is None:
            return sensitivity(self, column, fixed, function, per == "percent", cov)
        if per != "unit":
            raise ValueError("Influence is per unit of weight; leave per= out.")
        return influence(self, function, cov)
