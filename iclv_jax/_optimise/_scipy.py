"""scipy's bounded methods on the same scaled objective."""

import time

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._optimise._driver import CLOSED, Watch
from iclv_jax._optimise._objective import Objective
from iclv_jax._optimise._options import Scipy
from iclv_jax._optimise._outcome import Outcome
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._subproblem import Model, curvature
from iclv_jax._optimise._turns import flat_directions, model_at
from iclv_jax._optimise._verdict import OptimizerReport, Verdict

SETTLED = {"L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-9, "maxcor": 10}, "TNC": {"ftol": 0.0, "gtol": 1e-9}}


class _Enough(Exception):
    """Raised inside scipy's loop at the limit of iterations or of time."""


def minimise_scipy(options: Scipy, objective: Objective, start: Array, watch: Watch, verify: bool) -> Outcome:
    """Rounds of scipy's method, with the nodes placed anew between them."""
    return _Rounds(options, objective, watch).minimise(start, verify)


class _Rounds:
    def __init__(self, options: Scipy, objective: Objective, watch: Watch) -> None:
        self.options, self.objective, self.watch = options, objective, watch
        self.began = time.perf_counter()
        self.trace: list[Row] = []
        self.evaluations = 0

    def minimise(self, start: Array, verify: bool) -> Outcome:
        lower, upper = self.objective.bounds()
        z = jnp.clip(self.objective.z(start), lower, upper)
        self.objective = self.objective.recentred(z)
        found = find_scale(self.objective, self.options.scaling, z)
        self.scale = found.values
        movement, noise, verdict = 0.0, 0.0, Verdict.FALSE_CONVERGENCE
        rounds = 1 + (self.options.recentrings if self.objective.moves else 0)
        for number in range(rounds):
            z, stopped = self._round(z, lower, upper)
            decrement = self._shape(z, lower, upper)[1]
            verdict = stopped or (
                Verdict.CONVERGED if decrement <= self.options.tolerance else Verdict.FALSE_CONVERGENCE
            )
            if stopped or not (verify and self.objective.moves):
                break
            # What another seed would give shows at a maximum only, hence after a round with the nodes placed anew.
            if number and (movement <= CLOSED or movement <= (noise := self.objective.noise(z))):
                break
            if number + 1 == rounds:
                if number and verdict is Verdict.CONVERGED:
                    verdict = Verdict.NOT_SETTLED
                break
            self.objective = self.objective.recentred(z)
            movement = self._shape(z, lower, upper)[1]
        model, decrement = self._shape(z, lower, upper)
        params, names = np.asarray(self.objective.params(z)), self.objective.names
        shape = curvature(model)
        held = np.asarray(shape.active) & self.objective.free
        # Scores that were zero at the start need not be so at the end.
        last = find_scale(self.objective, self.options.scaling, z) if found.unscaled.any() else found
        unscaled = tuple(n for n, u in zip(names, last.unscaled, strict=True) if u)
        report = OptimizerReport(
            verdict, verdict.sentence, len(self.trace), self.evaluations, decrement, movement, noise,
            time.perf_counter() - self.began, {names[i]: float(params[i]) for i in np.flatnonzero(held)},
            unscaled, flat_directions(model, names),
        )  # fmt: skip
        return Outcome(params, self.objective, report, found, tuple(self.trace))

    def _round(self, z: Array, lower: np.ndarray, upper: np.ndarray) -> tuple[Array, Verdict | None]:
        scale, free = self.scale, self.objective.free
        best = np.asarray(z)
        least = float("inf")

        def function(scaled: np.ndarray) -> tuple[float, np.ndarray]:

            nonlocal best, least
            at = scale * scaled
            value, gradient = (np.asarray(a) for a in self.objective.slope(jnp.asarray(at))[:2])
            self.evaluations += 1
            cost = self.objective.cost(jnp.asarray(at))
            row = {
                "iteration": len(self.trace) + 1,
                "value": float(value),
                "loglike": cost - float(value) * self.objective.size,
                "decrement": float("nan"),
                "gradient": float(np.abs(np.where(free, gradient * scale, 0.0)).max()),
                "accepted": bool(value < least),
                "evaluations": self.evaluations,
                "seconds": time.perf_counter() - self.began,
            }
            row |= {"penalty": cost} if cost else {}
            self.trace.append(row)
            self.watch(row)
            if np.isfinite(value) and value < least:
                best, least = at, float(value)
            if len(self.trace) >= self.options.max_iterations:
                raise _Enough(Verdict.ITERATION_LIMIT)
            if row["seconds"] > self.options.time_limit:
                raise _Enough(Verdict.TIME_LIMIT)
            return (float(value) if np.isfinite(value) else 1e300), np.where(
                free, np.nan_to_num(gradient * scale), 0.0
            )

        from scipy import optimize

        fixed = np.where(free, lower, np.asarray(z)) / scale, np.where(free, upper, np.asarray(z)) / scale
        settings = {"maxiter": self.options.max_iterations, **SETTLED.get(self.options.method_name, {})}
        try:
            optimize.minimize(
                function, np.asarray(z) / scale, jac=True, method=self.options.method_name,
                bounds=list(zip(*fixed, strict=True)), options=settings | dict(self.options.options),
            )  # fmt: skip
        except _Enough as enough:
            return jnp.asarray(best), enough.args[0]
        except KeyboardInterrupt:
            return jnp.asarray(best), Verdict.INTERRUPTED
        return jnp.asarray(best), None

    def _shape(self, z: Array, lower: np.ndarray, upper: np.ndarray) -> tuple[Model, float]:
        here = self.objective.derivatives(z, "exact")
        model = model_at(here, z, self.scale, lower, upper, self.objective.free)
        return model, float(curvature(model).decrement) * self.objective.count
