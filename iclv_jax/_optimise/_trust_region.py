"""Newton's method in a trust region, on scaled parameters, with bounds inside the step."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from iclv_jax._accuracy import simulation_noise
from iclv_jax._optimise._objective import Derivatives, Objective
from iclv_jax._optimise._subproblem import Curvature, Model, curvature, predicted_decrease, trial_step
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._types import Array

ROUNDING = 1e-13
"""Relative changes of the log-likelihood below this are rounding."""
SHORTEST = 1e-12
"""Radius, in scaled units, below which no step can be told from rounding."""
CLOSED = 0.01
"""Newton decrement right after placing nodes anew that counts as standing still: a tenth of a
standard error."""

Watch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrustRegion:
    """Newton's method in a trust region (the default).

    Parameters
    ----------
    hessian
        `"exact"`: second derivatives; `"bhhh"`: outer products of the scores.
    tolerance
        Bound on the Newton decrement `g' H^-1 g` of the log-likelihood: the squared distance to the
        maximum in standard errors. 1e-9 is 3e-5 standard errors.
    max_iterations
        Steps tried, over all placements of the nodes.
    time_limit
        Seconds.
    radius
        First radius in scaled parameters (one unit is about sqrt(people) standard errors).
    recentrings
        How often nodes may be placed anew after the first convergence.
    """

    hessian: Literal["exact", "bhhh"] = "exact"
    tolerance: float = 1e-9
    max_iterations: int = 200
    time_limit: float = float("inf")
    radius: float = 1.0
    recentrings: int = 3

    def __post_init__(self) -> None:
        if self.hessian not in ("exact", "bhhh"):
            raise ValueError(f"hessian is 'exact' or 'bhhh', not {self.hessian!r}.")
        for name in ("tolerance", "radius", "max_iterations", "time_limit"):
            if not getattr(self, name) > 0:
                raise ValueError(f"TrustRegion: {name} is positive, not {getattr(self, name)!r}.")

    def minimise(self, objective: Objective, start: Array, watch: Watch = lambda row: None) -> "Outcome":
        """Minimise from `start` (natural units) and say how it ended."""
        return _Run(self, replace(objective, method=self.hessian), watch).minimise(start)


@dataclass(frozen=True)
class Outcome:
    """Where an optimisation ended: `params` in natural units, and the problem with its last nodes."""

    params: np.ndarray
    objective: Objective
    report: OptimizerReport
    trace: tuple[dict[str, Any], ...]


class _Run:
    """One optimisation: the host's loop around the pure step."""

    def __init__(self, options: TrustRegion, objective: Objective, watch: Watch) -> None:
        self.options, self.objective, self.watch = options, objective, watch
        self.began = time.perf_counter()
        self.trace: list[dict[str, Any]] = []
        self.evaluations = self.recentrings = 0
        self.movement = 0.0
        self.noise: float | None = None
        self.frozen = False

    def minimise(self, start: Array) -> Outcome:
        z = self.objective.z(start)
        self.lower, self.upper = self.objective.bounds()
        z = jnp.clip(z, self.lower, self.upper)
        if self.objective.moves:
            self.objective = self.objective.recentred(z)
        self._rescale(z)
        self.unscaled = self._names(self.unscaled_mask)
        radius = self.options.radius
        here = self._derivatives(z)
        try:
            while True:
                shape = curvature(self._model(here, z))
                verdict = self._finished(shape, radius)
                if verdict is Verdict.CONVERGED and self._must_recentre(z):
                    here = self._place_anew(z)
                    continue
                if verdict is not None:
                    return self._outcome(z, here, shape, verdict)
                z, here, radius = self._step(z, here, shape, radius)
        except KeyboardInterrupt:
            return self._outcome(z, here, curvature(self._model(here, z)), Verdict.INTERRUPTED)

    def _step(
        self, z: Array, here: Derivatives, shape: Curvature, radius: float
    ) -> tuple[Array, Derivatives, float]:
        model = self._model(here, z)
        step = trial_step(model, jnp.asarray(radius))
        predicted = float(predicted_decrease(model, step))
        there = jnp.clip(z + self.scale * step, self.lower, self.upper)
        value = self.objective.value(there)
        self.evaluations += 1
        noise = ROUNDING * (1.0 + abs(float(here.value)))
        actual = float(here.value) - value
        # Below rounding the ratio means nothing; a step of the size of the noise is as good as predicted.
        ratio = 1.0 if max(abs(actual), predicted) < noise else actual / max(predicted, noise)
        length = float(jnp.linalg.norm(step))
        accepted = bool(np.isfinite(value)) and ratio > 1e-4
        self._record(here, shape, radius, length, ratio, accepted)
        radius = _next_radius(radius, length, ratio if np.isfinite(value) else -1.0)
        if not accepted:
            return z, here, radius
        if self.objective.moves and not self.frozen and float(shape.decrement) * self.objective.size > 1.0:
            self.objective = self.objective.recentred(there)
        elif self.objective.moves:
            self.frozen = True
        if self.unscaled_mask.any():
            self._rescale(there)
        return there, self._derivatives(there), radius

    def _finished(self, shape: Curvature, radius: float) -> Verdict | None:
        decrement = float(shape.decrement) * self.objective.size
        if decrement <= self.options.tolerance:
            return Verdict.SINGULAR if int(shape.flat) else Verdict.CONVERGED
        if radius < SHORTEST:
            tiny = 0.5 * float(shape.decrement) < ROUNDING * (1.0 + abs(self.trace[-1]["value"]))
            return Verdict.RELATIVE_FUNCTION if tiny else Verdict.FALSE_CONVERGENCE
        if len(self.trace) >= self.options.max_iterations:
            return Verdict.ITERATION_LIMIT
        if time.perf_counter() - self.began > self.options.time_limit:
            return Verdict.TIME_LIMIT
        return None

    def _must_recentre(self, z: Array) -> bool:
        """After converging at frozen nodes: whether they still have to be placed at the result."""
        if not self.objective.moves or self.recentrings >= self.options.recentrings:
            return False
        return not (self.recentrings and self._closed(z))

    def _closed(self, z: Array) -> bool:
        """Whether the last placement moved the maximum by less than a tenth of a standard error, or by
        less than another seed would."""
        if self.movement <= CLOSED:
            return True
        if self.noise is None:
            problem, params = self.objective.problem, self.objective.params(z)
            self.noise = 0.0
            if problem.rule.reseeded(0) is not None:
                self.noise = simulation_noise(problem, params, problem.hessian(params, "exact"))
        return self.movement <= self.noise

    def _place_anew(self, z: Array) -> Derivatives:
        """Nodes at the present parameters; values before and after are never compared."""
        self.frozen = True
        self.recentrings += 1
        self.objective = self.objective.recentred(z)
        here = self._derivatives(z)
        self.movement = float(curvature(self._model(here, z)).decrement) * self.objective.size
        return here

    def _derivatives(self, z: Array) -> Derivatives:
        self.evaluations += 1
        return self.objective.derivatives(z)

    def _rescale(self, z: Array) -> None:
        """Scaled parameters have unit mean squared scores; a zero score takes the scale 1."""
        squares = self.objective.mean_squared_scores(z)
        self.unscaled_mask = self.objective.free & ~(squares > 0.0)
        self.scale = jnp.asarray(1.0 / np.sqrt(np.where(squares > 0.0, squares, 1.0)))

    def _model(self, here: Derivatives, z: Array) -> Model:
        d = self.scale
        return Model(
            gradient=here.gradient * d,
            hessian=here.hessian * jnp.outer(d, d),
            lower=jnp.asarray(self.lower - z) / d,
            upper=jnp.asarray(self.upper - z) / d,
            free=jnp.asarray(self.objective.free),
        )

    def _record(self, here, shape, radius: float, length: float, ratio: float, accepted: bool) -> None:
        row = {
            "iteration": len(self.trace) + 1,
            "value": float(here.value),
            "loglike": -float(here.value) * self.objective.size,
            "decrement": float(shape.decrement) * self.objective.size,
            "gradient": float(jnp.max(jnp.abs(here.gradient * self.scale))),
            "smallest_eigenvalue": float(shape.smallest),
            "radius": radius,
            "step": length,
            "ratio": ratio,
            "accepted": accepted,
            "evaluations": self.evaluations,
            "seconds": time.perf_counter() - self.began,
        }
        self.trace.append(row)
        self.watch(row)

    def _outcome(self, z: Array, here: Derivatives, shape: Curvature, verdict: Verdict) -> Outcome:
        if verdict is Verdict.CONVERGED and self.recentrings and not self._closed(z):
            verdict = Verdict.NOT_SETTLED
        params = np.asarray(self.objective.params(z))
        at_bound = np.asarray(shape.active) & self.objective.free
        names = self.objective.problem.names
        report = OptimizerReport(
            verdict=verdict,
            message=verdict.sentence,
            iterations=len(self.trace),
            evaluations=self.evaluations,
            decrement=float(shape.decrement) * self.objective.size,
            movement=self.movement,
            noise=self.noise or 0.0,
            seconds=time.perf_counter() - self.began,
            active={names[i]: float(params[i]) for i in np.flatnonzero(at_bound)},
            unscaled=self.unscaled,
            flat=flat_directions(self._model(here, z), self.scale, names),
        )
        return Outcome(params, self.objective, report, tuple(self.trace))

    def _names(self, mask: np.ndarray) -> tuple[str, ...]:
        return tuple(n for n, chosen in zip(self.objective.problem.names, mask, strict=True) if chosen)


def _next_radius(radius: float, length: float, ratio: float) -> float:
    if not np.isfinite(ratio) or ratio < 0.25:
        return 0.25 * min(radius, length)
    if ratio > 0.75 and length > 0.9 * radius:
        return 2.0 * radius
    return radius


def flat_directions(model: Model, scale: Array, names: tuple[str, ...]) -> tuple[dict[str, float], ...]:
    """Eigenvectors of the scaled Hessian without curvature, as weights of the parameters they mix."""
    free = np.asarray(model.free)
    matrix = np.asarray(model.hessian)[np.ix_(free, free)]
    kept = [n for n, f in zip(names, free, strict=True) if f]
    if not len(kept) or not np.isfinite(matrix).all():
        return ()
    values, vectors = np.linalg.eigh(matrix)
    flat = np.abs(values) <= 1e-11 * np.abs(values).max()
    return tuple(
        {kept[i]: float(v[i]) for i in np.argsort(-np.abs(v)) if abs(v[i]) > 0.1} for v in vectors.T[flat]
    )
