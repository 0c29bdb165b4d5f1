"""What is known after a fit of people in chunks, or in several processes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import kind_of
from iclv_jax._base._kept import kept
from iclv_jax._base._types import Array, File, Given
from iclv_jax._fit._result import Fit
from iclv_jax._fit._ungrouped import Grouped
from iclv_jax._inference import Covariance
from iclv_jax._inference import _intervals as intervals
from iclv_jax._inference._criteria import aic, bic, penalty
from iclv_jax._inference._estimated import introduced, labelled
from iclv_jax._inference._penalised import known_parameters, precision
from iclv_jax._optimise import OptimizerReport
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._predict._predictions import predict
from iclv_jax._predict._view import Information
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._report._modules import flat_notes
from iclv_jax._report._summary import alarm, ended_notes, integration_facts
from iclv_jax._report._table import all_errors, parameter_frame, with_tests
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._again import bootstrap, profile
from iclv_jax._stream._problem import StreamedProblem
from iclv_jax._stream._saved import write
from iclv_jax._stream._sums import About, Sums, covariance_of
from iclv_jax._stream._who import once_more
from iclv_jax._stream._written import write_tables
from iclv_jax._tables import Report, fixed, of_frame


@final
@dataclass(frozen=True, eq=False, repr=False)
class StreamedFit(Grouped):
    """Maximum (penalised) likelihood estimates from people in chunks, as `model.fit(iclv.People.stream(...))` returns them,
    or from those in several processes of `jax.distributed`, which all have the same. Names follow statsmodels, as those of
    `Fit`, in the same groups; what needs everybody in memory says so.

    Attributes
    ----------
    problem
        The streamed problem with its last nodes.
    estimates
        Free parameters in natural units, in the order of `problem.names`.
    optimizer_report
        How the optimisation ended.
    accuracy
        What is cheap to know about the accuracy of the integral; in the place of everybody's effective sample size the
        smallest, the quartiles and the largest.
    penalties
        What was subtracted from the log-likelihood; None for maximum likelihood.

    Examples
    --------
    >>> streamed = logit.fit(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
    >>> streamed.converged
    True
    """

    problem: StreamedProblem
    estimates: np.ndarray
    optimizer_report: OptimizerReport
    accuracy: Accuracy
    _rows: tuple[Mapping[str, Any], ...]
    penalties: Penalties | None = None
    _curvature: np.ndarray | Array | None = None
    _covariances: dict[str, Covariance] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return introduced(self)

    def __str__(self) -> str:
        return str(self.summary())

    @property
    def names(self) -> tuple[str, ...]:
        """The free parameters."""
        return self.problem.names

    @property
    def params(self) -> pd.Series:
        """Estimates of the free parameters; `model.fit(..., start=fit.params)` starts there."""
        return labelled(self, self.estimates, "estimate")

    @property
    def nobs(self) -> int:
        """Number of people, the independent observations; of frequency weights their sum."""
        return self.problem.nobs

    @property
    def converged(self) -> bool:
        return self.optimizer_report.verdict.success

    @kept
    def llf(self) -> float:
        """The (weighted) joint log-likelihood at the estimates."""
        return self.problem.loglike(self.estimates)

    penalty, aic, bic = property(penalty), property(aic), property(bic)

    @kept
    def hessian(self) -> pd.DataFrame:
        """Hessian of the log-likelihood at the estimates, without penalties."""
        known = self._curvature
        found = np.asarray(self.problem.hessian(self.estimates) if known is None else known)
        return pd.DataFrame(found, index=list(self.names), columns=list(self.names))

    def settled(self) -> "StreamedFit":
        """Itself, with all sums over people worked out: what follows from them then asks no other process."""
        for name in ("llf", "hessian", "_products"):
            getattr(self, name)
        return self

    @kept
    def trace(self) -> pd.DataFrame:
        """One row per step over all people; see `Fit.trace`."""
        return pd.DataFrame([dict(row) for row in self._rows])

    # --- standard errors ------------------------------------------------------------------------------------------

    @property
    def default_covariance(self) -> str:
        """`"robust"` with sampling weights, `"hessian"` without."""
        passed = self.problem.passed
        return "robust" if passed.weighted and passed.weights_are == "sampling" else "hessian"

    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """The covariance of a kind, `"hessian"`, `"bhhh"`, `"robust"` or `"cluster"`, with its notes; computed once."""
        kind = kind_of(kind, self.default_covariance)
        if kind not in self._covariances:
            self._covariances[kind] = self._covariance(kind)
        return self._covariances[kind]

    def cov_params(self, kind: Given[str | None] = None) -> pd.DataFrame:
        """Covariance matrix of the estimates, of the kinds of `covariance`."""
        return intervals.covariance_frame(self, kind)

    standard_errors, conf_int = intervals.standard_errors, intervals.conf_int
    bse, tvalues, pvalues = (
        property(f) for f in (intervals.standard_errors, intervals.tvalues, intervals.pvalues)
    )

    def _covariance(self, kind: str) -> Covariance:
        held, notes = known_parameters(self)
        about = About(self.names, held, precision(self), notes, self.nobs)
        if kind != "hessian":
            return covariance_of(kind, self.sums, about)
        # Scores take a pass over all people, and this one asks for none.
        none = np.zeros((0, len(self.names)))
        return covariance_of(kind, Sums(self.hessian.to_numpy(), none, none, none), about)

    @property
    def sums(self) -> Sums:
        """What covariances rest on."""
        return Sums(self.hessian.to_numpy(), *self._products)

    @kept
    def _products(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums over people of the outer products of scores, by weight and by what the sandwich takes, and weighted scores
        by cluster."""
        found = hosts.summed("products of scores", self._own_products)
        outer, middle, sums = map(np.asarray, found)
        return outer, middle, sums

    def _own_products(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size, passed = len(self.names), self.problem.passed
        codes, first = passed.clusters, 0
        sums = np.zeros((passed.cluster_count, size))
        outer, middle = np.zeros((size, size)), np.zeros((size, size))
        every = zip(self.problem.score_person(self.estimates), self.problem.weights(), strict=True)
        for scores, weights in every:
            counted = weights if passed.weights_are == "frequency" else weights**2
            outer += (scores.T * weights) @ scores
            middle += (scores.T * counted) @ scores
            if codes is not None:
                np.add.at(sums, codes[first : first + len(weights)], scores * weights[:, None])
            first += len(weights)
        return outer, middle, sums

    bootstrap, profile = bootstrap, profile

    # --- tables and predictions -----------------------------------------------------------------------------------

    def table(self, cov: Given[str | None] = None) -> pd.DataFrame:
        """Every parameter, free or not: block, estimate, standard error, t, p."""
        first = self.problem.first
        errors = all_errors(first, self.estimates, self.covariance(cov).of_functions)
        return with_tests(parameter_frame(first, self.estimates).assign(se=errors), errors)

    def summary(self, cov: Given[str | None] = None) -> Report:
        """The estimates with standard errors, and what they rest on."""
        cov = kind_of(cov, self.default_covariance)
        report, passed = self.optimizer_report, self.problem.passed
        extent = passed.extent
        criteria = (
            [("Penalty", fixed(self.penalty, 3))]
            if self.penalties
            else [("AIC", fixed(self.aic, 2)), ("BIC (people)", fixed(self.bic, 2))]
        )
        facts = (
            ("People", f"{self.nobs:,} in {extent.chunks} chunks"),
            ("Log-likelihood", fixed(self.llf, 3)),
            *criteria,
            *integration_facts(self.problem.first, self.accuracy),
            ("Optimiser", f"{report.verdict.value}: {report.message}"),
            ("Standard errors", cov),
        )
        shown = self.table(cov)[["estimate", "se", "t", "p"]]
        inside = self.problem.first.spec.module_of
        ended = (*ended_notes(report, self.accuracy, inside), *flat_notes(report.flat, inside))
        notes = (*ended, *report.remarks, *self.covariance(cov).notes)
        found = of_frame(shown, "Fit of people in chunks", notes, facts)
        return replace(found, alarm=alarm(report, self.accuracy))

    def save(self, path: Given[File]) -> None:
        """Write the fit to a file (replaced whole), from which `iclv.load` reads it.

        It holds estimates and sums over people: second derivatives, products of scores, the summary. With the model and the
        people, in chunks of any size, `iclv.load` makes a `StreamedFit` of it again. Of several processes the first one
        writes. ValueError for a folder that does not exist.

        Examples
        --------
        >>> streamed = logit.fit(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
        >>> streamed.save("streamed.npz")
        >>> bool((iclv.load("streamed.npz").bse == streamed.bse).all())
        True
        """
        settled = self.settled()
        hosts.by_first("saving", lambda: write(settled, path))

    def predict(
        self,
        path: Given[File],
        *,
        given: Given[Information] = "nothing",
        choice: Given[str | None] = None,
        gather: Given[bool] = False,
    ) -> None:
        """Choice probabilities of all people, written chunk by chunk to a CSV file, a row for every situation.

        Columns are `chunk`, `row` (in the chunk) and the alternatives; `given` and `choice` as of `Fit.predict`. Each of
        several processes writes those of its own people, process 2 to `shares-2.csv` where `path` is `shares.csv`; with
        `gather` process 0 writes those of all, a chunk of each at a time, with a column `process`. ValueError for a place
        that cannot be written to.
        """
        write_tables(path, self._predicted(given, choice), len(self.problem.passed.sizes), gather)

    def _predicted(self, given: Given[Information], choice: Given[str | None]) -> Iterator[pd.DataFrame]:
        """The probabilities of each chunk."""
        known = self._of_first()
        for k, chunk in enumerate(once_more(self.problem.people, self.problem.passed.known.marks)):
            try:
                found = predict(self._at(k, known), chunk.frame, given=given, choice=choice)
            except ValueError as error:
                raise ValueError(f"{chunk.name}: {error}") from error
            found = found.rename_axis("row").reset_index()
            found.insert(0, "chunk", chunk.name)
            yield found

    def _at(self, k: int, known: Fit) -> Fit:
        """The same with the nodes that the people of a chunk have among all."""
        return replace(known, problem=replace(known.problem, among=self.problem.among(k)))

    def _of_first(self) -> Fit:
        """A fit that knows the first chunk alone, for what asks for a model with its estimates."""
        problem = self.problem.first.recentre(jnp.asarray(self.estimates))
        unknown = Accuracy(problem.core.people.node_count, None, None)
        return Fit(problem, self.estimates, self.optimizer_report, self.estimates, unknown, ())


if TYPE_CHECKING:
    Fitted: TypeAlias = Fit
    Bound: TypeAlias = Problem
else:
    # What streams of people give has some of the same methods, under the same names.
    Fitted: TypeAlias = Fit | StreamedFit
    Bound: TypeAlias = Problem | StreamedProblem
