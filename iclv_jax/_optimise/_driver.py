"""The host's loop around the pure steps: progress, trace, checkpoint, time limit, interruption."""

import time
from collections.abc import Callable

import jax
import numpy as np

from iclv_jax._base._interrupts import Interrupts, interrupts
from iclv_jax._base._types import Array
from iclv_jax._optimise._checkpoint import RunState, Slot
from iclv_jax._optimise._method import RESETS, ROUNDING, Judgement, Memory, Trial
from iclv_jax._optimise._objective import Derivatives, Objective
from iclv_jax._optimise._options import Optimizer
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._rough import gains, is_rough
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import Scale, find_scale, uneven
from iclv_jax._optimise._subproblem import Curvature, Model, curvature
from iclv_jax._optimise._turns import (
    finite,
    flat_directions,
    judge,
    model_at,
    moved,
    only_within,
    plan,
    propose,
)
from iclv_jax._optimise._verdict import OptimizerReport, Verdict

CLOSED = 0.01
"""Newton decrement right after placing nodes anew that counts as standing still: a tenth of a
standard error."""
NEAR = 1.0
"""Newton decrement below which the Hessian of the last point serves for the next one: the steps that are left
are short, and the result is checked with a new one."""
SLOW = 0.1
"""Share of the decrement that may be left after such a step."""
CLOSER = 1e-4
"""With the last point's Hessian the approach is not quadratic: a few cheap steps more make up for it."""
LOOSE = 1e-6
"""Newton decrement that is small enough before nodes are placed anew, which moves the maximum by more."""
STEEP = 40
"""Steps after which a search with items that their latent variable decides is over: the integral does not follow."""
AWAY = 20
"""Steps after which a search is over whose random coefficients are far out on a way to infinity on which nothing is lost."""
MARKS = tuple(name for name in RunState._fields if name not in ("z", "value", "hessian", "memory"))
"""Counters and marks of a run that a checkpoint holds."""
PATIENCE = 5
"""Steps between two looks at the scales."""
Watch = Callable[[Row], None]


def minimise(
    options: Optimizer,
    objective: Objective,
    start: Array,
    watch: Watch = lambda row: None,
    slot: Slot | None = None,
    verify: bool = True,
    scale: Scale | None = None,
) -> Outcome:
    """Minimise from `start` (natural units) and say how it ended.

    With `verify`, convergence by approximate second derivatives is checked with exact ones. `scale` holds
    the scales to begin with; None: found at the start.
    """
    return Run(options, objective, watch, slot or Slot(), verify, scale).minimise(start)


class Run:
    """One optimisation. A checkpoint holds its `RunState`, and its trace."""

    def __init__(
        self,
        options: Optimizer,
        objective: Objective,
        watch: Watch,
        slot: Slot,
        verify: bool,
        scale: Scale | None,
    ) -> None:
        self.given = scale
        self.options, self.objective, self.watch, self.slot = options, objective, watch, slot
        self.method = options.method
        self.verify = verify and self.method.supplied != "exact"
        self.began = time.perf_counter()
        self.trace: list[Row] = []
        self.evaluations = self.recentrings = self.quiet = 0
        self.movement, self.tolerance = 0.0, max(options.tolerance, LOOSE if self.before_placing else 0.0)
        self.noise: float | None = None
        self.frozen = self.bad = self.lagged = False
        self.silent: np.ndarray | None = None
        self.placed: Array | None = None
        self.previous: Array | None = None

    def minimise(self, start: Array) -> Outcome:
        with interrupts() as asked:
            return self._minimise(start, asked)

    def _minimise(self, start: Array, asked: Interrupts) -> Outcome:
        self.lower, self.upper = self.objective.bounds()
        z, here, memory, shape = self._resumed() if self.slot.saved else self._begun(start)
        try:
            while True:
                self._save(z, here, memory)
                asked.check()
                verdict = self._finished(z, here, memory, shape)
                if verdict is Verdict.CONVERGED and self._must_recentre(z):
                    here = self._place_anew(z, here)
                    memory, shape = plan(self.method.pure, memory, self._model(here, z))
                    self.movement = self._true_decrement(z, shape)
                    continue
                if verdict in (Verdict.CONVERGED, Verdict.SINGULAR) and self.lagged:
                    here = self._derivatives(z)
                    memory, shape = plan(self.method.pure, memory, self._model(here, z))
                    continue
                if verdict is not None:
                    return self._outcome(z, here, shape, verdict)
                z, here, memory, shape = self._turn(z, here, memory, shape)
        except KeyboardInterrupt:
            return self._outcome(z, here, shape, Verdict.INTERRUPTED)

    def _begun(self, start: Array) -> tuple[Array, Derivatives, Memory, Curvature]:
        z = jax.device_put(np.clip(np.asarray(self.objective.z(start)), self.lower, self.upper))
        if self.objective.moves:
            self._place(z)
        found = self.given or find_scale(self.objective, self.options.scaling, z)
        self._take(found)
        here = self._derivatives(z)
        return z, here, *plan(self.method.pure, self.method.begin(len(z)), self._model(here, z))

    def _take(self, found: Scale) -> None:
        self.scale, self.zero, self.silent = np.asarray(found.values), found.unscaled, found.silent

    @property
    def free(self) -> np.ndarray:
        return Scale(self.scale, self.zero, self.silent).moving(self.objective.free)

    def _turn(
        self, z: Array, here: Derivatives, memory: Memory, shape: Curvature
    ) -> tuple[Array, Derivatives, Memory, Curvature]:
        """One trial point: judged, and taken or not."""
        model = self._model(here, z)
        step = propose(self.method.pure, memory, model)
        there, step = moved(z, step, self.scale, self.lower, self.upper)
        tried, known = self._tried(there, here, self._near(shape))
        value, gradient = tried.value, np.asarray(tried.gradient) * self.scale
        judged = judge(self.method.pure, memory, model, Trial(step, here.value, value, gradient))
        accepted = bool(judged.accepted)
        place = accepted and self._must_follow(shape)
        following = None
        if accepted:
            before = self.objective, self.placed, self.lagged
            if place:
                self._place(there)
            self.lagged = known and not place and self.method.supplied == "exact"
            following = tried if known and not place else self._derivatives(there)
            if not finite(following):
                # The value is finite but its derivatives are not: the step is refused after all.
                worse = Trial(step, here.value, np.full((), np.nan), np.full_like(gradient, np.nan))
                judged, accepted = judge(self.method.pure, memory, model, worse), False
                self.objective, self.placed, self.lagged = before
        self.bad = not np.isfinite(float(value)) or (following is not None and not accepted)
        self._record(z, here, memory, shape, judged, step, following if accepted else None)
        if not accepted:
            if bool(self.method.restarts(judged.memory)):
                return z, here, *plan(self.method.pure, judged.memory, model)
            return z, here, judged.memory, shape
        assert following is not None
        memory, self.previous = judged.memory, z
        self.frozen |= self.objective.moves and not place
        memory = self._rescaled(there, following, memory)
        after = plan(self.method.pure, memory, self._model(following, there))
        if self.lagged and float(after[1].decrement) > SLOW * float(shape.decrement):
            following = self._derivatives(there)
            after = plan(self.method.pure, memory, self._model(following, there))
        return there, following, *after

    def _near(self, shape: Curvature) -> bool:
        """Whether second derivatives change so little that those of the last point do. Nodes do not follow then."""
        return self.method.supplied == "exact" and float(shape.decrement) * self.objective.count < NEAR

    def _tried(self, there: Array, here: Derivatives, near: bool) -> tuple[Derivatives, bool]:
        """What is known at a trial point, and whether it is all that the method needs there: with exact second
        derivatives, near the maximum, those of the last point do."""
        self.evaluations += 1
        supplied = self.method.supplied
        if supplied == "exact" and near:
            return self.objective.slope(there, here.hessian), True
        if self.method.slopes:
            return self.objective.derivatives(there, supplied), True
        value, none = jax.device_put((np.float64(self.objective.value(there)), np.zeros(len(there))))
        return Derivatives(value, none, here.hessian), False

    def _must_follow(self, shape: Curvature) -> bool:
        """Nodes follow the parameters as long as these are far from the maximum."""
        far = float(shape.decrement) * self.objective.count > 1.0
        return far and self.objective.moves and not self.frozen and gains(self.trace, self.objective)

    def _finished(self, z: Array, here: Derivatives, memory: Memory, shape: Curvature) -> Verdict | None:
        if not finite(here):
            return Verdict.NOT_FINITE
        decrement = float(shape.decrement) * self.objective.count
        if decrement <= self.tolerance * (CLOSER if self.lagged and not self.before_placing else 1.0):
            if self.verify and self._true_decrement(z, shape) > self.options.tolerance:
                # The approximation is too optimistic: go on, and ask for more.
                self.tolerance = min(self.tolerance, max(decrement, 1e-300)) * 1e-2
            else:
                model = self._exact(z) if self.verify else self._model(here, z)
                flat = int((curvature(model) if self.verify else shape).flat)
                # Along flat directions within modules the utilities stay the same, so they are no matter.
                found = self.silent is None and (not flat or only_within(model, self.objective.inside))
                return Verdict.CONVERGED if found else Verdict.SINGULAR
        if bool(self.method.spent(jax.device_get(memory))):
            if self.bad:
                return Verdict.NOT_FINITE
            exact = self._true_decrement(z, shape)
            if exact <= self.options.tolerance:
                return Verdict.CONVERGED
            tiny = 0.5 * exact / self.objective.count < ROUNDING * (1.0 + abs(float(here.value)))
            return Verdict.RELATIVE_FUNCTION if tiny else Verdict.FALSE_CONVERGENCE
        if not self.bad and is_rough(self.trace, self.method, memory, self.objective):
            return Verdict.ROUGH
        if len(self.trace) >= self.options.max_iterations:
            return Verdict.ITERATION_LIMIT
        steep = self.method.supplied == "exact" and len(self.trace) >= STEEP and self.objective.steep(z)
        if steep or (len(self.trace) >= AWAY and self.objective.drifting(z)):
            return Verdict.FALSE_CONVERGENCE
        if time.perf_counter() - self.began > self.options.time_limit:
            return Verdict.TIME_LIMIT
        return None

    def _exact(self, z: Array) -> Model:
        return self._model(self.objective.derivatives(z, "exact"), z)

    def _true_decrement(self, z: Array, shape: Curvature) -> float:
        found = curvature(self._exact(z)) if self.method.supplied != "exact" and self.verify else shape
        return float(found.decrement) * self.objective.count

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
            self.noise = self.objective.noise(z)
        return self.movement <= self.noise

    @property
    def before_placing(self) -> bool:
        """Whether nodes will be placed anew at the point that is looked for, so that it need not be found to all digits."""
        first = self.recentrings == 0 and self.options.recentrings > 0
        return first and self.objective.moves and self.method.supplied == "exact"

    def _place_anew(self, z: Array, here: Derivatives) -> Derivatives:
        """Nodes at the present parameters; values before and after are never compared."""
        self.frozen, self.tolerance = True, self.options.tolerance
        self.recentrings += 1
        self._place(z)
        return self._derivatives(z, here.hessian if self.method.supplied == "exact" else None)

    def _place(self, z: Array) -> None:
        self.objective, self.placed = self.objective.recentred(z), z

    def _derivatives(self, z: Array, hessian: Array | None = None) -> Derivatives:
        """Value and derivatives; with `hessian`, that of a point close by stands in."""
        self.evaluations += 1
        self.lagged = hessian is not None
        if hessian is None:
            return self.objective.derivatives(z, self.method.supplied)
        return self.objective.slope(z, hessian)

    def _rescaled(self, z: Array, here: Derivatives, memory: Memory) -> Memory:
        """Scales are taken again once scores that were zero are not, and when they have become wrong."""
        self.quiet += 1
        if self.options.scaling != "scores":
            return memory
        stale = self.quiet >= PATIENCE and uneven((np.asarray(here.gradient) * self.scale)[self.free])
        if not (self.zero.any() or stale):
            return memory
        found = find_scale(self.objective, self.options.scaling, z)
        ratio = self.scale / found.values
        self.quiet, self.zero, self.silent = 0, found.unscaled, found.silent
        if np.all((ratio > 0.1) & (ratio < 10.0)):
            return memory
        self.scale = np.asarray(found.values)
        return self.method.rescaled(memory, ratio)

    def _model(self, here: Derivatives, z: Array) -> Model:
        return model_at(here, z, self.scale, self.lower, self.upper, self.free)

    def _record(
        self,
        z: Array,
        here: Derivatives,
        memory: Memory,
        shape: Curvature,
        judged: Judgement,
        step: np.ndarray,
        following: Derivatives | None,
    ) -> None:
        length = float(np.linalg.norm(step))
        progress = {k: np.asarray(v).item() for k, v in self.method.progress(memory).items()}
        loglike = (cost := self.objective.cost(z)) - float(here.value) * self.objective.size
        parts = {}
        if here.items is not None:
            parts = {"loglike_items": float(here.items), "loglike_choices": loglike - float(here.items)}
        row = {
            "iteration": len(self.trace) + 1,
            "value": float(here.value),
            "loglike": loglike,
            **parts | ({"penalty": cost} if cost else {}),
            "decrement": float(shape.decrement) * self.objective.count,
            "gradient": float(np.abs(np.asarray(here.gradient) * self.scale)[self.free].max(initial=0.0)),
            "smallest_eigenvalue": float(shape.smallest),
            **progress,
            "step": length,
            "ratio": float(judged.ratio),
            "accepted": following is not None,
            "evaluations": self.evaluations,
            "seconds": time.perf_counter() - self.began,
        }
        if following is not None and length > 0.0:
            change = np.asarray(following.gradient) - np.asarray(here.gradient)
            row["curvature"] = float(np.linalg.norm(change * self.scale)) / length
        if "reset" in row:
            after = self.method.progress(judged.memory)["reset"]
            row["reset"] = RESETS[int(after)]
        if self.options.trace_parameters:
            names = self.objective.names
            values = np.asarray(self.objective.params(z))
            row |= {f"param:{n}": float(v) for n, v in zip(names, values, strict=True)}
            row |= {f"gradient:{n}": float(v) for n, v in zip(names, np.asarray(here.gradient), strict=True)}
        self.trace.append(row)
        self.watch(row)

    def _outcome(self, z: Array, here: Derivatives, shape: Curvature, verdict: Verdict) -> Outcome:
        if verdict is Verdict.CONVERGED and self.recentrings and not self._closed(z):
            verdict = Verdict.NOT_SETTLED
        if self.verify and verdict is not Verdict.NOT_FINITE:
            here = self.objective.derivatives(z, "exact")
            shape = curvature(self._model(here, z))
        if verdict is Verdict.ROUGH:
            shape = curvature(self._model(self.objective.derivatives(z, "bhhh"), z))
        model = self._model(here, z)
        params = np.asarray(self.objective.params(z))
        at_bound = np.asarray(shape.active) & self.free
        names = self.objective.names
        before = None if self.previous is None else np.asarray(self.objective.params(self.previous))
        report = OptimizerReport(
            verdict=verdict,
            message=verdict.sentence,
            iterations=len(self.trace),
            evaluations=self.evaluations,
            decrement=float(shape.decrement) * self.objective.count,
            movement=self.movement,
            noise=self.noise or 0.0,
            seconds=time.perf_counter() - self.began,
            active={names[i]: float(params[i]) for i in np.flatnonzero(at_bound)},
            unscaled=tuple(n for n, u in zip(names, self.zero, strict=True) if u),
            flat=flat_directions(model, names, self.silent, self.verify or self.method.supplied == "exact"),
            previous={} if before is None else dict(zip(names, before.tolist(), strict=True)),
        )
        scale = Scale(self.scale, self.zero, self.silent)
        return Outcome(params, self.objective, report, scale, tuple(self.trace))

    def _save(self, z: Array, here: Derivatives, memory: Memory) -> None:
        if not self.slot.wanted:
            return
        state = RunState(
            z=z, value=float(here.value), hessian=here.hessian if self.lagged else None,
            memory=tuple(jax.tree.leaves(memory)), **{name: getattr(self, name) for name in MARKS},
        )  # fmt: skip
        self.slot.save(state, self.trace)

    def _resumed(self) -> tuple[Array, Derivatives, Memory, Curvature]:
        """The state at the last turn: nodes, scales, memory and counters as they were."""
        state, self.trace = self.slot.restored(RunState)
        for name in MARKS:
            setattr(self, name, getattr(state, name))
        spent = self.trace[-1]["seconds"] if self.trace else 0.0
        self.began = time.perf_counter() - spent
        if state.placed is not None:
            self._place(state.placed)
        here = self._derivatives(state.z, state.hessian)
        self.slot.check_value(state.value, float(here.value))
        self.evaluations, self.lagged = state.evaluations, state.lagged
        memory = jax.tree.unflatten(jax.tree.structure(self.method.begin(len(state.z))), state.memory)
        # What was planned is in the memory; only the shape at this point is worked out again.
        return state.z, here, memory, plan(self.method.pure, memory, self._model(here, state.z))[1]
