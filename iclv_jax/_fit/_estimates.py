"""Estimates with their covariances, their tables, and how they were found."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._types import Array
from iclv_jax._diagnose import Diagnosis, diagnose
from iclv_jax._fit._bootstrap import Bootstrap, collected
from iclv_jax._fit._frame import all_errors, parameter_frame, with_tests
from iclv_jax._fit._known import Known
from iclv_jax._fit._penalised import (
    known_parameters,
    precision,
    refuse_penalised,
    smooth_penalties,
    unfinished,
)
from iclv_jax._fit._threads import one_thread
from iclv_jax._inference import (
    DENSE,
    MODULE_KINDS,
    Covariance,
    bootstrap,
    covariance,
    information_product,
    jackknife,
    module_covariance,
    module_covariance_by_products,
)
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import OptimizerReport
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy, Finer, with_more_nodes
from iclv_jax._report._integration import integration_report
from iclv_jax._report._summary import summarise
from iclv_jax._tables import Report


@dataclass(frozen=True, eq=False)
class Estimates(Known):
    """The estimates and what is known of them; the attributes are those of `Fit`."""

    problem: Problem
    estimates: np.ndarray
    optimizer_report: OptimizerReport
    start: np.ndarray
    accuracy: Accuracy
    rows: tuple[dict[str, Any], ...] = field(repr=False)
    curvature: np.ndarray | Array | None = field(default=None, repr=False)
    penalties: Penalties | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        return self.optimizer_report.verdict.success

    @property
    def penalty(self) -> float:
        """What penalties subtract from the log-likelihood: what was maximised is `llf - penalty`. 0 without any."""
        return 0.0 if self.penalties is None else self.penalties.cost(self.estimates)

    @property
    def aic(self) -> float:
        """ValueError for a penalised fit: the criterion counts parameters that are free."""
        refuse_penalised(self, "AIC")
        return 2.0 * len(self.names) - 2.0 * self.llf

    @property
    def bic(self) -> float:
        """With the number of people as sample size. ValueError for a penalised fit."""
        refuse_penalised(self, "BIC")
        return float(np.log(self.nobs)) * len(self.names) - 2.0 * self.llf

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Scores of the people at the estimates, unweighted."""
        scores = self.problem.score_person(jnp.asarray(self.estimates))
        return pd.DataFrame(
            np.asarray(scores), index=pd.Index(self.problem.panel.people), columns=list(self.names)
        )

    @cached_property
    def hessian(self) -> pd.DataFrame:
        """Hessian of the log-likelihood at the estimates, without penalties."""
        known = self.curvature
        matrix = np.asarray(self.problem.hessian(jnp.asarray(self.estimates)) if known is None else known)
        return pd.DataFrame(matrix, index=list(self.names), columns=list(self.names))

    @property
    def penalised_hessian(self) -> pd.DataFrame:
        """Hessian of what was maximised, the log-likelihood less its penalties."""
        return self.hessian if self.penalties is None else self.hessian - np.diag(self.penalties.precision)

    @property
    def _pull(self) -> np.ndarray | None:
        return None if self.penalties is None else self.penalties.slope(self.estimates)

    @cached_property
    def _covariances(self) -> dict[str, Covariance]:
        return {}

    @property
    def default_covariance(self) -> str:
        """The kind of covariance where none is asked for: `"joint"` with free entries of modules, or else `"hessian"`."""
        return "joint" if any(name in self.problem.spec.module_of for name in self.names) else "hessian"

    @one_thread
    def covariance(self, kind: str | None = None) -> Covariance:
        """The covariance of a kind with its notes; computed once."""
        kind = kind or self.default_covariance
        if kind not in self._covariances:
            self._covariances[kind] = self._covariance(kind)
        return self._covariances[kind]

    def _covariance(self, kind: str) -> Covariance:
        if kind == "bootstrap":
            return self.bootstrap().covariance
        held, notes = known_parameters(self)
        notes = (*notes, *unfinished(self))
        if kind in MODULE_KINDS:
            return self._with_modules(kind, held, notes)
        if kind == "jackknife":
            hessian, scores = self.penalised_hessian.to_numpy(), self.scores.to_numpy()
            return jackknife(self.problem, self.estimates, hessian, scores, held, notes, self._pull)
        return covariance(
            kind,
            self.hessian.to_numpy(),
            np.zeros((self.nobs, 0)) if kind == "hessian" else self.scores.to_numpy(),
            self.problem.panel.weights,
            self.names,
            held,
            self.problem.panel.clusters,
            precision(self),
            notes,
        )

    def _with_modules(self, kind: str, held: np.ndarray, notes: tuple[str, ...]) -> Covariance:
        """From the Hessian, or from its products where it is large and nobody has it."""
        inside, penalty = self.problem.spec.module_of, precision(self)
        if len(self.names) <= DENSE or self.curvature is not None or "hessian" in self.__dict__:
            return module_covariance(kind, self.hessian.to_numpy(), self.names, held, inside, penalty, notes)
        product = information_product(self.problem, self.estimates, penalty)
        diagonal = self.problem.panel.weights @ self.scores.to_numpy() ** 2
        penalised = penalty is not None
        return module_covariance_by_products(
            kind, product, diagonal, self.names, held, inside, penalised, notes
        )

    @cached_property
    def _bootstraps(self) -> dict[tuple[int, int], Bootstrap]:
        return {}

    @one_thread
    def bootstrap(self, samples: int = 200, seed: int = 0) -> Bootstrap:
        """Estimates from samples of people drawn with replacement (Efron 1979), whole clusters where the fit has
        clusters; computed once. From then on `cov="bootstrap"` means this one.

        Every sample is fitted from the estimates, at the nodes of the fit. Samples that do not converge are left out
        and counted, as are those without a maximum; latent variables that ended the other way around are turned. A
        sample costs about forty gradients in a hybrid model whose choice part is hard to tell.

        Parameters
        ----------
        samples
            How many. Standard errors of 200 samples have an error of their own of 5 per cent; the ends of
            percentile intervals take 1000.
        seed
            Of the draws.
        """
        check_count(samples, "samples")
        penalties = smooth_penalties(self, "The bootstrap")
        if (samples, seed) not in self._bootstraps:
            resampled = bootstrap(self.problem, self.estimates, samples, seed, penalties)
            clusters = self.problem.panel.clusters is not None
            inside = self.problem.spec.module_of
            modules = list(dict.fromkeys(inside[name] for name in self.names if name in inside))
            about = clusters, modules, penalties is not None
            self._bootstraps[samples, seed] = collected(resampled, self.params, *about)
        found = self._bootstraps[samples, seed]
        self._covariances["bootstrap"] = found.covariance
        return found

    def cov_params(self, kind: str | None = None) -> pd.DataFrame:
        """Covariance matrix of the estimates.

        Parameters
        ----------
        kind
            `"hessian"` (the default): inverse of the negative Hessian. `"bhhh"`: inverse of the sum of outer
            products of the scores. `"robust"`: the sandwich of both (White 1982). `"cluster"`: the same with
            scores summed within clusters. `"bootstrap"`: of the last `fit.bootstrap(...)` that was asked for, or
            of one with its defaults. `"jackknife"`: over the estimates without each person (or cluster) in turn, each
            one Newton step away with the Hessian of those who remain. Where modules have free entries: `"joint"`
            (then the default), the inverse of the negative Hessian of everything, flat directions within modules
            apart; `"conditional"`, of the named parameters alone, as if the modules were known.

        NaN where there is no variance; `fit.covariance(kind).notes` says why, by name.
        """
        return self._covariance_frame(kind)

    @cached_property
    @one_thread
    def more_nodes(self) -> Finer | None:
        """Log L and estimates with about four times the nodes, by one Newton step."""
        return with_more_nodes(
            self.problem,
            jnp.asarray(self.estimates),
            self.penalised_hessian.to_numpy(),
            self.bse.to_numpy(),
            self._pull,
        )

    def diagnose(self) -> Diagnosis:
        """What could be wrong with these estimates or with the model; see `iclv.diagnose`. The curvature
        |y| / |s| is that of the optimiser's last step."""
        before = self.optimizer_report.previous
        previous = jnp.array([before[n] for n in self.names]) if before else None
        return diagnose(self.problem, jnp.asarray(self.estimates), previous)

    def integration_report(self) -> Report:
        """How accurate the integral is: rule, nodes, effective sample sizes, the error of log L from
        other seeds, log L and estimates with four times the nodes, and a verdict."""
        report = self.optimizer_report
        return integration_report(
            self.problem, self.accuracy, report.movement, report.noise, self.llf, self.more_nodes
        )

    @cached_property
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
        if the transformation tells it; mean lengths of the batches' scaled `gradient` before clipping and of the `step`."""
        return pd.DataFrame(list(self.rows))

    def table(self, cov: str | None = None) -> pd.DataFrame:
        """Every parameter, free or not: block, estimate, standard error, t, p, and t against 1 where
        a modeller would ask. Standard errors of defined ones follow by the delta method."""
        errors = all_errors(self.problem, self.estimates, self.covariance(cov).matrix)
        frame = parameter_frame(self.problem, self.estimates).assign(se=errors)
        frame = with_tests(frame, errors)
        asked = frame["role"].isin(["scale"]) | frame.index.isin(self._unit_loadings())
        frame["t_one"] = ((frame["estimate"] - 1.0) / frame["se"]).where(asked)
        return frame

    def summary(self, cov: str | None = None) -> Report:
        """The table of results with a header; prints as text and shows as HTML in notebooks.

        `cov` is the kind of covariance behind the standard errors.
        """
        return summarise(self, cov or self.default_covariance)

    def _unit_loadings(self) -> list[str]:
        """Loadings of a latent variable one of whose loadings is fixed at 1: they are compared with it."""
        rows = [r for r in self.problem.table.rows if r.parameter.role == "loading"]
        scaled = {r.name.split(" =~ ")[0] for r in rows if r.status == "fixed" and r.value == 1.0}
        return [r.name for r in rows if r.name.split(" =~ ")[0] in scaled]
