"""Several starts of a fit to people in chunks: which maximum is the highest, and how many lead to it."""

from dataclasses import dataclass, field, replace
from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._inference._multistart import SPREAD, random_starts
from iclv_jax._optimise import Likelihood, Optimizer, Outcome, Stage, Verdict, maximise, run
from iclv_jax._optimise._probe import CUT, GAIN, ROUGH
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._stages import Watch
from iclv_jax._stream._problem import StreamedProblem

SEED = 0
"""That of `multistart`."""


@dataclass
class ManyStarts:
    """Random starts around the default one, as of `multistart`, from which all people climb one start after the other.

    Climbs are rough, with coarse nodes, as those of a probe; the highest end is gone on from where it is higher than that
    of the first start. `rows` are the steps.
    """

    stage: Stage[StreamedProblem]
    starts: int
    optimizer: Optimizer
    watch: Watch
    target: float | None
    rows: list[Row] = field(default_factory=list)

    def best(self, outcome: Outcome) -> Outcome:
        """The highest maximum, with how many starts agree; `outcome` is that of the first start."""
        if outcome.report.verdict is Verdict.INTERRUPTED:
            return outcome
        try:
            return self._best(outcome)
        except KeyboardInterrupt:
            return _remarked(outcome, CUT.strip())

    def _best(self, outcome: Outcome) -> Outcome:
        coarse, first = self.stage.problem.coarse, _loglike(outcome)
        _, home = self._climbed(coarse, outcome, outcome.params, "the first start")
        ends = []
        for k, point in enumerate(self._points(coarse), 2):
            ends.append(self._climbed(coarse, outcome, point, f"start {k} of {self.starts}"))
        params, top = max(ends, key=lambda end: end[1])
        found = outcome
        if top > home + GAIN:
            found, more = maximise(self.stage, params, self.optimizer, self.watch, target=self.target)
            self.rows += more
        if _loglike(found) <= first + GAIN:
            found, top = outcome, home
        agree = (found is outcome) + sum(abs(value - top) <= GAIN for _, value in ends)
        said = f"{agree} of {self.starts} starts agree on log L {_loglike(found):.3f}"
        other = "" if found is outcome else f"; the first start ended at {first:.3f}, another maximum"
        return _remarked(found, said + other)

    def _points(self, coarse: StreamedProblem) -> list[np.ndarray]:
        """The random starts, in natural units."""
        objective = Likelihood(coarse.recentre(coarse.start()), self.stage.free)
        points, _ = random_starts(objective, self.starts, SEED, SPREAD, self.optimizer)
        return [np.asarray(objective.params(z)) for z in points[1:]]

    def _climbed(
        self, coarse: StreamedProblem, outcome: Outcome, point: np.ndarray, name: str
    ) -> tuple[np.ndarray, float]:
        """Where a rough climb ends, and its log-likelihood; lowest where that is none."""
        told, free = partial(self.watch, name), self.stage.free
        end = run(ROUGH, coarse, free, jnp.asarray(point), told, None, verify=False, scale=outcome.scale)
        self.rows += [{"stage": name, **row} for row in end.trace]
        if end.report.verdict is Verdict.INTERRUPTED:
            raise KeyboardInterrupt
        value = _loglike(end)
        return end.params, value if np.isfinite(value) else -np.inf


def _loglike(outcome: Outcome) -> float:
    return outcome.objective.loglike(jnp.asarray(outcome.params))


def _remarked(outcome: Outcome, sentence: str) -> Outcome:
    report = outcome.report
    return replace(outcome, report=replace(report, remarks=(*report.remarks, sentence)))
