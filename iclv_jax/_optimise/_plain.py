"""Starts of random coefficients from the same model with fixed ones.

Its coefficients tell size and sign, its scores the unit: one over the root mean squared score is the change of a coefficient
that matters to a person. Spreads are tried at shares of that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from iclv_jax._integration import GaussHermite
from iclv_jax._optimise._driver import minimise
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._options import TrustRegion
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._problem import Problem, of_panel
from iclv_jax._spec import LogNormal, Mixing
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec
from iclv_jax._spec._random import MEAN

SHARES = (0.1, 0.3, 1.0)
"""Spreads that are tried, as shares of the size of a coefficient."""
LOGS = (0.3, 1.0, 1.5)
"""Spreads of the logs that are tried."""
QUICK = TrustRegion(tolerance=1e-6, max_iterations=60, recentrings=0)
CLEAR = 2.0
"""Standard errors from zero at which a sign is said to be the wrong one."""
LEAST = 0.01
"""Points of the log-likelihood by which a fit may lie below the one with fixed coefficients."""


@dataclass(frozen=True)
class Plain:
    """A start, the trace of what led to it, the log-likelihood with fixed coefficients (of models of choices alone; None
    otherwise), what the signs of these say, and the report where it was interrupted."""

    start: np.ndarray
    rows: tuple[Row, ...]
    loglike: float | None
    remarks: tuple[str, ...]
    ended: OptimizerReport | None = None


def plain_spec(spec: Spec) -> Spec | None:
    """The model with fixed coefficients; None where constraints tie it to the random ones."""
    kinds = dict(spec.random)
    if any(kind.starts_at(0.0, 1.0) is None for kind in kinds.values()):
        return None
    gone = {kind.spread_of(n) for n, kind in kinds.items()} | {
        names.covariance(*pair) for pair in spec.covariances if set(pair) & set(kinds)
    }
    others = {n for n, kind in kinds.items() if not kind.by_mean}
    touched = {n for group in spec.equal for n in group} | {d.name for d in spec.define}
    touched |= {a for d in spec.define for a in d.arguments}
    if touched & (gone | others) or others & {n for n, _ in (*spec.fixed, *spec.bounds)}:
        return None
    # Where a user starts the mean of a log, or of what is cut off, says nothing of where the coefficient should.
    return replace(
        spec,
        random=(),
        covariances=tuple(pair for pair in spec.covariances if not set(pair) & set(kinds)),
        fixed=tuple(pair for pair in spec.fixed if pair[0] not in gone),
        bounds=tuple(pair for pair in spec.bounds if pair[0] not in gone),
        start=tuple(pair for pair in spec.start if pair[0] not in gone | others),
    )


def plain_start(problem: Problem, start: np.ndarray, watch: Callable[[str, Row], None]) -> Plain | None:
    """None where there are no random coefficients, or they cannot be taken away."""
    # What groups call their parameters the model without random coefficients does not know.
    spec = plain_spec(problem.spec) if problem.spec.random and problem.spec.groups is None else None
    if spec is None:
        return None
    plain = of_panel(
        spec, problem.panel, GaussHermite(1, adaptive=False), None, problem.memory, problem.core.people.mesh
    )
    free = np.array([p.block == "choice" and p.role != "weight" for p in plain.table.parameters])
    if not free.any():
        return None
    given = dict(zip(problem.names, start, strict=True))
    others = {n for n, kind in problem.spec.random if not kind.by_mean}
    begin = [
        v if n in others else given.get(n, v)
        for n, v in zip(plain.names, np.asarray(plain.start()), strict=True)
    ]
    label = "fixed coefficients"
    objective = Likelihood(plain, free, whole=True)
    outcome = minimise(
        QUICK, objective, jnp.asarray(np.array(begin)), lambda row: watch(label, row), verify=False
    )
    if not np.isfinite(outcome.params).all():
        return None
    rows = tuple({"stage": label, **row} for row in outcome.trace)
    fixed = _Fixed(plain, outcome.params)
    alone = None
    if not spec.indicators:
        alone = -objective.value(objective.z(jnp.asarray(outcome.params))) * objective.size
    found, remarks = _means(problem, start, fixed)
    ended = outcome.report if outcome.report.verdict is Verdict.INTERRUPTED else None
    return Plain(_spreads(problem, found, fixed), rows, alone, remarks, ended)


class _Fixed:
    """Estimates of fixed coefficients by name, with standard errors and units."""

    def __init__(self, plain: Problem, params: np.ndarray) -> None:
        scores = np.asarray(plain.score_person(jnp.asarray(params)))
        weights = np.asarray(plain.core.weights)
        unit = 1.0 / np.sqrt(np.maximum(weights @ scores**2 / weights.sum(), 1e-300))
        self.values = dict(zip(plain.names, params.tolist(), strict=True)) | dict(plain.spec.fixed)
        self.units = dict(zip(plain.names, unit.tolist(), strict=True))
        self.errors = {n: u / np.sqrt(len(weights)) for n, u in self.units.items()}

    def size(self, name: str) -> float:
        """Of a coefficient: its own, or what would matter."""
        return max(abs(self.values[name]), min(self.units.get(name, 0.0), 1e8))


def _means(problem: Problem, start: np.ndarray, fixed: _Fixed) -> tuple[np.ndarray, tuple[str, ...]]:
    """Means for the fixed coefficients, and what is wrong with signs."""
    given, kinds = dict(problem.spec.start), dict(problem.spec.random)
    found, remarks = start.copy(), []
    for i, name in enumerate(problem.names):
        if name not in fixed.values or name in given:
            continue
        value, kind = fixed.values[name], kinds.get(name)
        if isinstance(kind, LogNormal):
            error = fixed.errors.get(name, 1.0)
            if kind.sign * value < -CLEAR * error:
                side = "positive" if kind.sign > 0 else "negative"
                remarks.append(
                    f"With fixed coefficients {name} is {value:.3g}, {abs(value) / error:.0f} standard errors from zero, "
                    f"but LogNormal(sign={kind.sign}) makes it {side} for everyone: look at the sign"
                )
            value = np.log(max(kind.sign * value, error, 1e-12))
        elif kind is not None and (at := kind.starts_at(value, fixed.size(name))) is not None:
            value = at[MEAN]
        found[i] = value
    lower, upper = problem.bounds
    return np.clip(found, lower, upper), tuple(remarks)


def _spreads(problem: Problem, start: np.ndarray, fixed: _Fixed) -> np.ndarray:
    """The best of a few spreads, each a share of the size of its coefficient."""
    given, kinds = dict(problem.spec.start), dict(problem.spec.random)
    lower, upper = problem.bounds
    trials = []
    for share, log in zip(SHARES, LOGS, strict=True):
        trial = start.copy()
        for i, p in enumerate(problem.table.parameters):
            if p.role == "spread" and p.owner in kinds and p.name not in given:
                trial[i] = _spread(kinds[p.owner], fixed.values[p.owner], share * fixed.size(p.owner), log)
        trials.append(np.clip(trial, lower, upper))
    coarse = problem.coarse
    values = [float(coarse.recentre(at).loglike(at)) for at in map(jnp.asarray, trials)]
    return trials[int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))]


def _spread(kind: Mixing, value: float, size: float, log: float) -> float:
    """The start of the spread of a coefficient that is `value` when fixed; `log` is that of a log."""
    at = None if isinstance(kind, LogNormal) or kind.spread is None else kind.starts_at(value, size)
    return log if at is None or kind.spread is None else at[kind.spread]


def against_plain(plain: Plain, outcome: Outcome) -> Outcome:
    """The outcome with what is to be said beside fixed coefficients."""
    remarks = list(plain.remarks)
    found = float(outcome.objective.problem.loglike(jnp.asarray(outcome.params)))
    if plain.loglike is not None and not found > plain.loglike - LEAST:
        remarks.append(
            f"Log L {found:.3f} lies below {plain.loglike:.3f}, that of the same model with fixed coefficients: the random "
            "coefficients have another sign or another distribution, or the search ended too early. Try other start values, "
            "another sign, or Normal()"
        )
    report = outcome.report
    return replace(outcome, report=replace(report, remarks=(*report.remarks, *remarks)))
