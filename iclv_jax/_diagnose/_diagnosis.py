"""The report of a diagnosis: sentences first, then the numbers behind them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given, Params
from iclv_jax._diagnose._blocks import Block
from iclv_jax._diagnose._findings import Findings, find
from iclv_jax._problem import Problem
from iclv_jax._tables._format import number
from iclv_jax._tables._table import Report, Section, Tabular

FINE = "Nothing to worry about."


@dataclass(frozen=True, eq=False)
class Diagnosis(Tabular):
    """What one asks when a fit is stuck, or before it starts. Prints as text and shows as HTML in notebooks.

    Gradients and scores are per person and refer to the parameters that the optimiser moves, unscaled (variances
    in logs, say); `scaled` ones are divided by the root mean squared scores, as the optimiser does by default.

    Attributes
    ----------
    findings
        The raw numbers.
    """

    findings: Findings

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to worry about."""
        return not self.findings.sentences

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to worry about: each says what, where, and what to do. Empty for a healthy model."""
        return self.findings.sentences

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know, without anything being wrong: signs that follow a convention, and what many parameters
        for few people mean for BHHH."""
        return self.findings.notes

    @cached_property
    def blocks(self) -> pd.DataFrame:
        """One row per block: number of parameters, mean |gradient| and its ratio to the smallest block, the same
        after scaling, the mean root mean squared score and its ratio, and the curvature |y| / |s| of the last
        step before and after scaling. Ratios of gradients are NaN where the gradient is zero."""
        rows = [vars(b) for b in self.findings.blocks]
        return pd.DataFrame(rows).rename(columns={"name": "block"}).set_index("block")

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """One row per free parameter: block, value, mean gradient, scaled gradient, root mean squared score, and
        the number of people whose likelihood depends on it."""
        f = self.findings
        columns = {
            "block": list(f.block),
            "value": f.params,
            "gradient": f.gradient,
            "scaled_gradient": f.scaled_gradient,
            "score": f.score,
            "people": f.people,
        }
        return pd.DataFrame(columns, index=pd.Index(list(f.names), name="parameter"))

    @cached_property
    def directions(self) -> pd.DataFrame:
        """The smallest eigenvalues of the information scaled to a unit diagonal: one row per direction and
        parameter, with the weight in scaled units and the change in natural units. The information is the negative
        Hessian where the gradient is zero, and the outer products of the scores elsewhere (the Hessian again where
        there are not more people than parameters)."""
        rows = [
            {"direction": k + 1, "eigenvalue": d.eigenvalue, "parameter": n, "weight": w, "change": c}
            for k, d in enumerate(self.findings.directions)
            for n, w, c in zip(d.names, d.weights, d.changes, strict=True)
        ]
        return pd.DataFrame(rows, columns=["direction", "eigenvalue", "parameter", "weight", "change"])

    @cached_property
    def columns(self) -> pd.DataFrame:
        """One row per column that the model reads: where it is used, mean, standard deviation, typical size, the
        factor that would bring it near 1, and the parameters that multiply it."""
        rows = [{**vars(c), "parameters": ", ".join(c.parameters)} for c in self.findings.columns]
        names = ["name", "used", "mean", "deviation", "size", "factor", "parameters"]
        return pd.DataFrame(rows, columns=names).set_index("name")

    @cached_property
    def measured(self) -> pd.Series:
        """Share of each latent variable's variance that its items reveal."""
        return pd.Series(self.findings.measured, name="measured", dtype=float)

    @cached_property
    def report(self) -> Report:
        """The sentences and the table of blocks for print."""
        f = self.findings
        count = len(f.sentences)
        verdict = FINE if self.healthy else f"{count} thing{'' if count == 1 else 's'} to look at, below."
        facts = [
            ("Verdict", verdict),
            ("Parameters / people", f"{len(f.names)} / {f.size:,} = {len(f.names) / f.size:.3f}"),
            ("Gradient", "zero for all that matters" if f.settled else "not zero: these are no estimates"),
        ]
        if f.directions:
            least = min(d.eigenvalue for d in f.directions)
            what = "Hessian" if f.curved else "outer products of scores"
            facts.append((f"Smallest eigenvalue of the scaled {what}", number(least)))
        columns = (
            "", "parameters", "mean |gradient|", "ratio", "ratio scaled", "typical score", "ratio of scores", "|y|/|s|",
            "|y|/|s| scaled",
        )  # fmt: skip
        rows = tuple(_row(b) for b in f.blocks)
        notes = (*f.sentences, *f.notes)
        return Report("Diagnosis", tuple(facts), columns, (Section("", rows),), notes)

    def as_report(self) -> Report:
        return self.report

    def __str__(self) -> str:
        return str(self.report)

    def __repr__(self) -> str:
        return str(self.report)


def _row(block: Block) -> tuple[str, ...]:
    values = (
        block.gradient, block.ratio, block.scaled_ratio, block.score, block.score_ratio, block.curvature,
        block.scaled_curvature,
    )  # fmt: skip
    return (block.name, str(block.parameters), *(number(float(np.float64(v))) for v in values))


def diagnose(
    problem: Given[Problem], params: Given[Params], previous: Given[Params | None] = None
) -> Diagnosis:
    """What one asks when a fit is stuck, of a bound problem at any parameters: tables and plain sentences.

    Gradients by block before and after scaling; parameters that nobody's likelihood depends on, with the
    likely cause; combinations that the data do not tell apart; signs and scales of latent variables;
    columns on very different scales. With `previous`, the parameters one step earlier, also the curvature
    |y| / |s| of that step.

    Raises ValueError for a vector of another length, and where the log-likelihood is not finite.

    Examples
    --------
    >>> problem = logit.bind(df)
    >>> iclv.diagnose(problem, problem.start()).blocks.shape[0] > 0
    True
    """
    return Diagnosis(find(problem, params, previous))
