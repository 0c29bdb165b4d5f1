"""`SequentialFit`: what one reads off after an estimation in two steps."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._frame import all_errors, parameter_frame, with_tests
from iclv_jax._fit._functions import Functions
from iclv_jax._fit._structure import Structural
from iclv_jax._fit._threads import one_thread
from iclv_jax._inference import TWO_STEP_KINDS, Covariance, Step, two_step_covariance
from iclv_jax._optimise import OptimizerReport
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._report._two_step import summarise_two_steps
from iclv_jax._tables import Report

DEFAULT = "murphy-topel"


@final
@dataclass(frozen=True, eq=False, repr=False)
class SequentialFit(Functions, Structural):
    """Estimates of `Model.fit_sequential`. Names follow statsmodels, as those of `Fit`.

    What follows from estimates and a covariance is here as it is there: `delta`, `wald_test`, `predict`, `elasticities`,
    `willingness_to_pay`, `scenario`, `effects`, `standardized` and so on, by default with Murphy-Topel standard errors. What
    rests on a maximum of the joint log-likelihood is not.

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
    rows
        The trace.
    """

    problem: Problem
    items: Problem
    estimates: np.ndarray
    reports: tuple[OptimizerReport, OptimizerReport]
    moved: np.ndarray = field(repr=False)
    start: np.ndarray = field(repr=False)
    accuracy: Accuracy = field(repr=False)
    rows: tuple[dict[str, Any], ...] = field(repr=False)

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

    @cached_property
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

    @cached_property
    def _steps(self) -> tuple[Step, Step]:
        params = jnp.asarray(self.estimates)
        both = zip((self.items, self.problem), (~self.moved, self.moved), strict=True)
        first, second = (
            Step(free, np.asarray(p.hessian(params)), np.asarray(p.score_person(params))) for p, free in both
        )
        return first, second

    @cached_property
    def _covariances(self) -> dict[str, Covariance]:
        return {}

    @one_thread
    def covariance(self, kind: str | None = None) -> Covariance:
        """The covariance of a kind with its notes; computed once. Kinds and errors as of `cov_params`."""
        kind = kind or DEFAULT
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
        return self._covariance_frame(kind)

    @cached_property
    def trace(self) -> pd.DataFrame:
        """One row per step of the optimiser, with its stage."""
        return pd.DataFrame(list(self.rows))

    def table(self, cov: str | None = None) -> pd.DataFrame:
        """Every parameter, free or not: block, role, status, estimate, a column of standard errors for each of `kinds`,
        `ratio` of the Murphy-Topel ones to the uncorrected, and t and p from the kind `cov`.

        A kind that does not exist here is NaN; `.attrs["notes"]` says why.
        """
        cov = cov or DEFAULT
        found = {kind: self._errors(kind) for kind in dict.fromkeys((cov, *self.kinds))}
        errors = {kind: found[kind][0] for kind in self.kinds}
        frame = parameter_frame(self.problem, self.estimates).assign(**errors)
        frame["ratio"] = frame["murphy-topel"] / frame["uncorrected"]
        frame = with_tests(frame, found[cov][0])
        notes = [note for _, why in found.values() for note in why]
        frame.attrs["notes"] = tuple(dict.fromkeys(notes))
        return frame

    def summary(self, cov: str | None = None) -> Report:
        """The table of results with a header; prints as text and shows as HTML in notebooks.

        `cov` is the kind of covariance behind t and p.
        """
        return summarise_two_steps(self, cov or DEFAULT)

    def _errors(self, kind: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Standard errors of all parameters of the table, or NaN, with notes."""
        if kind not in self.kinds:
            self.covariance(kind)  # Raises: there is no such kind, or there are no clusters.
        try:
            found = self.covariance(kind)
        except ValueError as error:
            return np.full(len(self.problem.table.rows), np.nan), (str(error),)
        return all_errors(self.problem, self.estimates, found.of_functions), found.notes
