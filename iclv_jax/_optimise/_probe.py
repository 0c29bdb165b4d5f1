"""A maximum is probed before it is reported: climbs with coarse nodes from points where others may be.

Only models whose log-likelihood may have several maxima are looked at (`has_several`), and those with a direction that is
hardly curved. Along the least curved directions a few values tell whether the log-likelihood falls as one maximum does;
from where it does not, and from where the shape of the model suggests, a rough climb with the programs of the fit shows
whether it leads back.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from typing import Generic

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._optimise._elsewhere import elsewhere, has_several
from iclv_jax._optimise._examined import maximise
from iclv_jax._optimise._objective import Bound, Likelihood
from iclv_jax._optimise._options import Optimizer, TrustRegion
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._stages import Stage, Watch, run
from iclv_jax._optimise._subproblem import units
from iclv_jax._optimise._verdict import Verdict
from iclv_jax._problem._accuracy import accuracy

MOST = 8
"""Climbs of one round."""
ROUNDS = 3
"""How often a better maximum is gone on from."""
FEWEST = 2
"""Climbs of a round that are made however few steps there are for them."""
DIRECTIONS = 3
STEPS = (3.0, 6.0)
"""Standard errors along the least curved directions."""
BEND = 0.25
"""Share of what a parabola falls by below which a direction is climbed from."""
NARROW = 1e-4
"""Eigenvalue of the information scaled to a unit diagonal below which other models are looked at too: standard errors are a
hundred times those with the other parameters known."""
GAIN = 0.1
"""Points of the log-likelihood by which a rough climb differs from the maximum it came from."""
BETTER = 0.01
"""Points by which another maximum is higher, if that is more than twice the error of the integral."""
LEFT = (Verdict.CONVERGED, Verdict.DRIFTS, Verdict.SINGULAR, Verdict.FALSE_CONVERGENCE)
"""From where there is no maximum another one is looked for too."""
LABEL = "probe"
CUT = " The search for other maxima was interrupted."
ROUGH = TrustRegion("bhhh", tolerance=0.02, max_iterations=40, recentrings=0)
"""Outer products of scores are cheap and never indefinite; exact second derivatives cost several times as much."""


def probed(
    stage: Stage[Bound],
    outcome: Outcome,
    optimizer: Optimizer,
    watch: Watch,
    target: float | None = None,
    steps: float = np.inf,
) -> tuple[Outcome, list[Row]]:
    """The outcome, or a higher maximum that was found from it, with how many starts lead there in its message; and the steps
    that were taken. What has no maximum, is penalised or has networks is left as it is. After so many `steps` of a round no
    further climb begins, but for the first ones."""
    rows: list[Row] = []
    reached = [outcome]

    def climb(point: np.ndarray) -> Outcome:
        found, more = maximise(stage, point, optimizer, watch, target=target)
        rows.extend(more)
        return found

    def around(outcome: Outcome) -> _Probe[Bound]:
        return _Probe(stage, outcome, watch, optimizer.time_limit, steps, rows=rows)

    try:
        return _rounds(reached, around, climb), rows
    except KeyboardInterrupt:
        return _noted(reached[-1], CUT), rows


def _rounds(
    reached: list[Outcome],
    around: Callable[[Outcome], "_Probe[Bound]"],
    climb: Callable[[np.ndarray], Outcome],
) -> Outcome:
    """The highest maximum of a few rounds of probing, each of them kept in `reached`."""
    first = _loglike(reached[0])
    for _ in range(ROUNDS):
        outcome = reached[-1]
        if not _worth(outcome):
            break
        probe = around(outcome)
        best = probe.climbed()
        other = None if best is None else climb(best)
        if other is not None and other.report.verdict is Verdict.INTERRUPTED:
            return _noted(_told(outcome, None, first, None), CUT)
        higher = other is not None and _loglike(other) > _loglike(outcome) + _least(outcome)
        if not higher or other is None or not other.report.verdict.success:
            return _told(outcome, probe, first, other if higher else None)
        reached.append(other)
    return _told(reached[-1], None, first, None)


def _noted(outcome: Outcome, sentence: str) -> Outcome:
    return replace(outcome, report=replace(outcome.report, message=outcome.report.message + sentence))


def _worth(outcome: Outcome) -> bool:
    objective = outcome.objective
    usual = isinstance(objective, Likelihood) and objective.penalties is None
    if not usual or outcome.report.verdict not in LEFT or objective.inside.any() or not objective.free.any():
        return False
    if has_several(objective.problem.first):
        return bool(np.isfinite(_loglike(outcome)))
    return outcome.report.verdict.success and _narrow(objective, outcome.params)


def _narrow(objective: Likelihood[Bound], params: np.ndarray) -> bool:
    """Whether a direction is hardly curved, as far as that is known without more computing. A logit has one maximum all the
    same."""
    known = objective.known.get(params.tobytes())
    if known is None or not objective.problem.first.core.structure.dimension:
        return False
    at = np.flatnonzero(objective.free)
    matrix = -np.asarray(known)[np.ix_(at, at)]
    unit = units(matrix)
    return bool(np.linalg.eigvalsh(matrix / np.outer(unit, unit))[0] < NARROW)


def _loglike(outcome: Outcome) -> float:
    return outcome.objective.loglike(jnp.asarray(outcome.params))


def _least(outcome: Outcome) -> float:
    precision = outcome.precision or accuracy(outcome.objective.problem, jnp.asarray(outcome.params))
    return max(BETTER, 2.0 * (precision.error or 0.0))


def _told(outcome: Outcome, probe: "_Probe[Bound] | None", first: float, open_: Outcome | None) -> Outcome:
    """The outcome with what the probe says of it."""
    report, here = outcome.report, _loglike(outcome)
    message, remarks = report.message, list(report.remarks)
    if here > first:
        remarks.append(
            f"The search first ended at log L {first:.3f}, and went on from points around it to a maximum at {here:.3f}"
        )
    if open_ is not None:
        remarks.append(
            f"Elsewhere log L reaches {_loglike(open_):.3f}, where there is no maximum ({open_.report.verdict.value})"
        )
    if probe is not None and probe.tried and report.verdict.success:
        message += f" {probe.agreed} of {probe.tried} starts around it lead back to it."
    if probe is not None and probe.interrupted:
        message += CUT
    return replace(outcome, report=replace(report, message=message, remarks=tuple(remarks)))


@dataclass
class _Probe(Generic[Bound]):
    """One round of climbs around a maximum."""

    stage: Stage[Bound]
    outcome: Outcome
    watch: Watch
    time_limit: float
    steps: float = np.inf
    began: float = field(default_factory=time.perf_counter)
    rows: list[Row] = field(default_factory=list)
    taken: int = 0
    tried: int = 0
    agreed: int = 0
    interrupted: bool = False

    def climbed(self) -> np.ndarray | None:
        """The best of the points that climbs end at which lie higher than the maximum; None where there is none."""
        home = self._home()
        if home is None:
            return None
        params, level = home
        best, highest = None, level + GAIN
        objective = Likelihood(self.coarse.recentre(jnp.asarray(params)), self.stage.free)
        others = elsewhere(objective, params, np.asarray(self.outcome.scale.values))
        points = chain(others[:MOST], self._ridges(objective, params))
        while not self._spent and (point := next(points, None)) is not None:
            end = self._climb(point)
            if end is None:
                break
            self.tried += 1
            self.agreed += abs(end[1] - level) <= GAIN
            if end[1] > highest:
                best, highest = end
        return best

    @property
    def _spent(self) -> bool:
        """Whether no further climb may begin."""
        late = time.perf_counter() - self.began > self.time_limit
        return late or (self.tried >= FEWEST and self.taken >= self.steps)

    @cached_property
    def coarse(self) -> Bound:
        return self.stage.problem.coarse

    def _home(self) -> tuple[np.ndarray, float] | None:
        """The maximum at coarse nodes, and its value."""
        first = self.outcome.objective.problem.first
        if first.core.structure.dimension == 0 or first.rule == self.coarse.first.rule:
            return self.outcome.params, _loglike(self.outcome)
        return self._climb(self.outcome.params)

    def _climb(self, point: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Where a rough climb ends; None where it was interrupted."""
        told, options = partial(self.watch, LABEL), replace(ROUGH, time_limit=self.time_limit)
        free, scale = self.stage.free, self.outcome.scale
        end = run(options, self.coarse, free, jnp.asarray(point), told, None, verify=False, scale=scale)
        self.rows += [{"stage": LABEL, **row} for row in end.trace]
        self.taken += len(end.trace)
        self.interrupted = end.report.verdict is Verdict.INTERRUPTED
        if self.interrupted:
            return None
        value = _loglike(end)
        return end.params, value if np.isfinite(value) else -np.inf

    def _ridges(self, objective: Likelihood[Bound], params: np.ndarray) -> Iterator[np.ndarray]:
        """Points along the least curved directions where the log-likelihood does not fall as that of one maximum does."""
        z = objective.z(jnp.asarray(params))
        information = self._information(z)
        here, (lower, upper) = objective.value(z), objective.bounds()
        for direction in _least_curved(information, self._moving):
            for side in (1.0, -1.0):
                near, far = (
                    np.clip(np.asarray(z) + side * c * direction, lower, upper) - np.asarray(z) for c in STEPS
                )
                falls = [(objective.value(z + jnp.asarray(s)) - here) * objective.count for s in (near, far)]
                parabola = 0.5 * far @ information @ far
                if np.isfinite(falls[1]) and falls[1] < max(falls[0], BEND * parabola):
                    yield np.asarray(objective.params(z + jnp.asarray(far)))

    @property
    def _moving(self) -> np.ndarray:
        report = self.outcome.report
        held = {*report.active, *report.zero}
        return self.stage.free & np.array([n not in held for n in self.outcome.objective.names], bool)

    def _information(self, z: Array) -> np.ndarray:
        """Of the log-likelihood in z, as of as many people as the weights are worth, at the estimates."""
        objective, params = self.outcome.objective, self.outcome.params
        if params.tobytes() not in objective.known:
            objective.known[params.tobytes()] = objective.problem.hessian(jnp.asarray(params))
        reach = np.asarray(jax.jacfwd(objective.params)(z))
        hessian = np.asarray(objective.known[params.tobytes()])
        return -reach.T @ hessian @ reach * objective.count / objective.size


def _least_curved(information: np.ndarray, moving: np.ndarray) -> list[np.ndarray]:
    """Steps of one standard error along the directions of the scaled information with the smallest eigenvalues."""
    at = np.flatnonzero(moving)
    matrix = information[np.ix_(at, at)]
    if len(at) < 2 or not np.isfinite(matrix).all() or not (np.diag(matrix) > 0.0).all():
        return []
    unit = np.sqrt(np.diag(matrix))
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    found = []
    for value, vector in list(zip(values, vectors.T, strict=True))[:DIRECTIONS]:
        if value > 1e-10:
            step = np.zeros(len(moving))
            step[at] = vector / unit / np.sqrt(value)
            found.append(step)
    return found
