"""How an optimisation ended, and what to do about it."""

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALONE = 0.999
"""Weight in a flat direction from which on it is one parameter's own."""


class Verdict(enum.Enum):
    """Result codes, after those of Bunch, Gay and Welsch (1993)."""

    CONVERGED = "converged"
    RELATIVE_FUNCTION = "relative function convergence"
    FALSE_CONVERGENCE = "false convergence"
    SINGULAR = "singular"
    DRIFTS = "no finite maximum"
    NOT_SETTLED = "nodes not settled"
    ROUGH = "rough at its nodes"
    ITERATION_LIMIT = "iteration limit"
    TIME_LIMIT = "time limit"
    INTERRUPTED = "interrupted"
    NOT_FINITE = "not finite"
    TRAINED = "training stopped"

    @property
    def success(self) -> bool:
        return self is Verdict.CONVERGED

    @property
    def usable(self) -> bool:
        """Whether more nodes could make it better."""
        return self in (Verdict.CONVERGED, Verdict.NOT_SETTLED, Verdict.ROUGH)

    @property
    def sentence(self) -> str:
        return SENTENCES[self]


SENTENCES: Mapping[Verdict, str] = {
    Verdict.CONVERGED: "The Newton decrement is below its tolerance: this is a maximum.",
    Verdict.RELATIVE_FUNCTION: (
        "The log-likelihood no longer changes beyond rounding, although the Newton decrement is above its "
        "tolerance. The estimates are probably good; rescale columns of very different sizes."
    ),
    Verdict.FALSE_CONVERGENCE: (
        "No step of any length improves the log-likelihood, but the gradient is not zero. Look for a utility that "
        "is not smooth, or for too few nodes."
    ),
    Verdict.SINGULAR: (
        "The log-likelihood is flat in some direction: the parameters named below are not identified together. "
        "Fix or remove one of them."
    ),
    Verdict.DRIFTS: "There is no maximum at finite values: some parameters go to infinity, or variances to zero.",
    Verdict.NOT_SETTLED: (
        "At frozen nodes this is a maximum, but placing the nodes anew still moves it. Use more nodes."
    ),
    Verdict.ROUGH: (
        "At its nodes the log-likelihood is rough on the scale of a twentieth of a standard error, so that no step can be "
        "judged: a random coefficient is spread so widely that some of its draws make choices certain. The Newton decrement "
        "(by outer products of scores) says how far the estimates may be; standard errors from second derivatives do not "
        "hold. Look for a spread that runs away and fix or bound it, take a distribution with ends, or more nodes."
    ),
    Verdict.ITERATION_LIMIT: (
        "The iteration limit was reached first. Raise max_iterations, or start from these values."
    ),
    Verdict.TIME_LIMIT: "The time limit was reached first. Raise time_limit, or start from these values.",
    Verdict.NOT_FINITE: (
        "The log-likelihood or its derivatives are not finite at every point that the optimiser can reach from here. "
        "Bound the parameters that run away, or start elsewhere."
    ),
    Verdict.TRAINED: (
        "This is where training stopped, not a maximum: tests and standard errors do not hold. "
        "Stochastic(..., polish=True) goes on to one."
    ),
    Verdict.INTERRUPTED: "Interrupted from the keyboard; these are the best values so far.",
}


@dataclass(frozen=True)
class OptimizerReport:
    """What the optimiser did.

    Attributes
    ----------
    verdict, message
        How it ended, and a sentence about it.
    iterations, evaluations
        Accepted and rejected steps, and log-likelihood evaluations, over all stages.
    decrement
        Last Newton decrement, in units of twice the log-likelihood: the squared distance to the maximum in
        standard errors. NaN after training, which has no second derivatives.
    movement
        Newton decrement right after the nodes were last placed anew; 0 where nodes do not move.
    noise
        Newton decrement that another seed of the nodes would cause; 0 where it was not needed.
    active
        Parameters at a bound, by name, with the bound.
    unscaled
        Parameters whose scores were all zero where scales were last taken: those on which nothing depends at the end.
    flat
        Directions in which the log-likelihood is flat, as weights by parameter name.
    seconds
        Wall time of the optimiser, compilation included.
    waited, finished, version
        Wall time of the whole fit in this process, from the data to the verdict, when it ended (ISO 8601, with the time
        zone), and the version of the package; NaN and empty for what is no fit of its own.
    previous
        Parameters before the last step that was taken; empty where there was none.
    trained
        Parameters that stayed where training stopped while others were polished (see `Stochastic`).
    limits
        Parameters without a finite maximum, by name, with where they go: `"infinity"`, `"minus infinity"` or `"zero"`.
    zero
        Standard deviations whose maximum is at zero: nobody's coefficient differs from the mean.
    remarks
        What else is to be known of how the maximum was found, in sentences.
    """

    verdict: Verdict
    message: str
    iterations: int
    evaluations: int
    decrement: float
    movement: float
    noise: float
    seconds: float
    active: Mapping[str, float] = field(default_factory=dict)
    unscaled: Sequence[str] = ()
    flat: Sequence[Mapping[str, float]] = ()
    previous: Mapping[str, float] = field(default_factory=dict)
    trained: Sequence[str] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    zero: Sequence[str] = ()
    remarks: Sequence[str] = ()
    waited: float = math.nan
    finished: str = ""
    version: str = ""

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters that are a flat direction by themselves."""
        alone = (max(direction, key=lambda n: abs(direction[n])) for direction in self.flat if direction)
        return tuple(n for n, d in zip(alone, (d for d in self.flat if d), strict=True) if abs(d[n]) > ALONE)
