"""The host's loop over epochs: people held out, curves, the best point, interruption, checkpoints."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._interrupts import Interrupts, interrupts
from iclv_jax._base._types import AnyArray, Array
from iclv_jax._optimise._checkpoint import Slot, TrainingState
from iclv_jax._optimise._epoch import Everybody, Setting, State, Step, cut, epoch, unscaled
from iclv_jax._optimise._losses import WORDS
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._recorded import Recorded
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._scaling import Scale, find_scale
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._verdict import Verdict
from iclv_jax._parameters._penalties import Penalties, Terms
from iclv_jax._problem import Problem

SCALED_BY = 1_000
"""People whose scores give the scales: more would take memory and change nothing."""
LEAST = 1e-4
Watch = Callable[[Row], None]


class Trained(NamedTuple):
    """Where training ended, how, and why in words; `rows` is the trace."""

    params: np.ndarray
    verdict: Verdict
    message: str
    scale: Scale
    rows: list[Row]
    steps: int


def held_out(problem: Problem, share: float, seed: int) -> np.ndarray:
    """Marks about this share of the people, whole clusters where there are any."""
    panel, size = problem.panel, problem.core.people.size
    if not share:
        return np.zeros(size, bool)
    groups = np.arange(size) if panel.clusters is None else np.unique(panel.clusters, return_inverse=True)[1]
    order = np.random.default_rng([seed, 0]).permutation(int(groups.max()) + 1)
    people = np.cumsum(np.bincount(groups)[order])
    chosen = order[: int(np.searchsorted(people, round(share * size), side="right"))]
    return np.isin(groups, chosen)


def scale_of(options: Stochastic, objective: Likelihood, train: np.ndarray, start: Array) -> Scale:
    """Scales by the scores of some of the people trained on; entries of modules keep their own units."""
    few = np.random.default_rng([options.seed, 2]).permutation(train)[:SCALED_BY]
    sample = Likelihood(objective.problem.take(np.sort(few)).recentre(start), objective.free)
    found = find_scale(sample, options.scaling, objective.z(start))
    if not isinstance(options.scaling, str):
        return found
    # Initial weights know the size of a network. Scaled by scores, first steps are so long that rectified units die.
    return Scale(np.where(objective.inside, 1.0, found.values), found.unscaled & ~objective.inside)


def whitening(options: Stochastic, objective: Likelihood, train: np.ndarray, start: Array) -> Array:
    """A matrix W such that scores of `W s` at the start are uncorrelated and of unit size: scales times the inverse root of
    their correlations, eigenvalues below `LEAST` of the largest raised to that."""
    few = np.random.default_rng([options.seed, 2]).permutation(train)[:SCALED_BY]
    sample = Likelihood(objective.problem.take(np.sort(few)).recentre(start), objective.free)
    outer = sample.mean_outer_scores(objective.z(start))
    sizes = np.sqrt(np.where(np.diag(outer) > 0.0, np.diag(outer), 1.0))
    values, vectors = np.linalg.eigh(outer / np.outer(sizes, sizes))
    values = np.maximum(values, LEAST * values[-1])
    return jnp.asarray((vectors / np.sqrt(values)) @ vectors.T / sizes[:, None])


class Course:
    """What training a problem takes beside its state: the arrays of everybody, and what is compiled."""

    def __init__(
        self,
        objective: Likelihood,
        update: Recorded,
        train: np.ndarray,
        options: Stochastic,
        scale: AnyArray,
    ) -> None:
        problem, placed = objective.problem, objective.moves
        core = problem._bare if placed else problem.core
        self.objective = objective
        self.everybody = Everybody(core, problem.points, problem.log_weights)
        self.rule, self.update, self.train = (placed, problem.from_prior), update, train
        self.values = jnp.asarray(scale)
        weights = np.asarray(core.weights)
        lower, upper = objective.bounds()
        terms, kinks = _terms(objective, self.values)
        self.loss = options.objective
        self.kinked = bool((kinks > 0.0).any())
        self.setting = Setting(
            self.values,
            *self._bounds(lower, upper),
            jnp.asarray(objective.free),
            terms,
            jnp.asarray(kinks) / weights.sum(),
            jnp.asarray(float(len(train))),
            jnp.asarray(weights[train].sum()),
            jnp.asarray(weights.sum()),
            jnp.asarray(np.inf if options.clip is None else float(options.clip)),
            (jnp.asarray(options.weighting[0]), jnp.asarray(options.weighting[1])),
            _draws(problem),
            jax.random.key(options.seed),
        )

    def _bounds(self, lower: np.ndarray, upper: np.ndarray) -> tuple[Array, Array]:
        # Whitened coordinates have none: `check_suited` has refused bounds.
        both = (jnp.asarray(b) for b in (lower, upper))
        low, high = both if self.values.ndim == 2 else (b / self.values for b in both)
        return low, high

    def z(self, point: Array) -> Array:
        return unscaled(self.values, point)

    def begin(self, z: Array) -> State:
        point = jnp.linalg.solve(self.values, z) if self.values.ndim == 2 else z / self.values
        point = jnp.clip(point, self.setting.lower, self.setting.upper)
        return State(point, point, self.update.first, jnp.zeros(()))

    def advance(self, state: State, people: np.ndarray, real: np.ndarray) -> tuple[State, Step]:
        arrays = jnp.asarray(people), jnp.asarray(real)
        how = self.rule, self.update, self.kinked, self.loss
        return epoch(self.everybody, self.setting, state, *arrays, *how)


def course_of(options: Stochastic, problem: Problem, start: Array) -> Course:
    """The course of a training on everybody, without penalties."""
    objective = Likelihood(problem, np.ones(len(problem.names), bool))
    everyone = np.arange(problem.core.people.size)
    update = Recorded(options.transformation, len(problem.names))
    scale = scale_of(options, objective, everyone, start).values
    return Course(objective, update, everyone, options, scale)


def _draws(problem: Problem) -> Array:
    """Places in the table of the numbers by which dropout layers draw."""
    names = {name for module in problem.spec.modules for name in module.draws}
    return jnp.asarray(np.array([i for i, row in enumerate(problem.table.rows) if row.name in names], int))


def _terms(objective: Likelihood, scale: Array) -> tuple[Terms, np.ndarray]:
    """Penalties in natural units, and their absolute values per scaled parameter."""
    size = len(objective.names)
    if objective.penalties is None:
        none = jnp.zeros(size)
        return Terms(none, none, none, jnp.zeros(())), np.zeros(size)
    terms = objective.penalties.terms
    # Parameters under an absolute value are multiples of their scaled ones.
    slopes = np.abs(np.asarray(objective.params(jnp.ones(size))))
    absolute = np.asarray(terms.absolute)
    if not absolute.any():
        return terms, np.zeros(size)
    return terms, np.where(absolute > 0.0, absolute * slopes * np.asarray(scale), 0.0)


class Training:
    """One training. A checkpoint holds its `TrainingState`, and the trace."""

    def __init__(
        self,
        options: Stochastic,
        problem: Problem,
        free: np.ndarray,
        penalties: Penalties | None,
        watch: Watch,
        slot: Slot,
    ) -> None:
        self.options, self.problem, self.watch, self.slot = options, problem, watch, slot
        self.objective = Likelihood(problem, free, penalties)
        self.began = time.perf_counter()
        self.rows: list[Row] = []
        self.best, self.best_epoch = -np.inf, 0
        self.update = Recorded(options.transformation, len(free))
        out = held_out(problem, options.validation, options.seed)
        self.train, self.held = np.flatnonzero(~out), np.flatnonzero(out)
        self.jury = problem.take(self.held) if len(self.held) else None

    def run(self, start: Array) -> Trained:
        with interrupts() as asked:
            return self._run(start, asked)

    def _run(self, start: Array, asked: Interrupts) -> Trained:
        self.scale = scale_of(self.options, self.objective, self.train, start)
        scale = self.scale.values
        if self.options.whiten:
            scale = whitening(self.options, self.objective, self.train, start)
        self.course = Course(self.objective, self.update, self.train, self.options, scale)
        state = self.course.begin(self.objective.z(start))
        self.kept = state.average
        if self.slot.saved:
            state = self._resumed()
        elif self.jury is not None:
            self.best = self._judged(state.average)
        verdict, why = Verdict.TRAINED, ""
        try:
            while not why:
                asked.check()
                verdict, why = self._over()
                if not why:
                    state = self._epoch(state)
        except KeyboardInterrupt:
            verdict, why = Verdict.INTERRUPTED, f"{Verdict.INTERRUPTED.sentence} "
        return self._ended(verdict, why)

    def _epoch(self, state: State) -> State:
        """One pass over the people, a row of the trace, and the point that would be returned now."""
        options, number = self.options, len(self.rows) + 1
        order = np.random.default_rng([options.seed, 1, number]).permutation(self.train)
        batches = cut(order, options.batch_people or len(order))
        state, seen = self.course.advance(state, *batches)
        seen = Step(*(np.asarray(a) for a in seen))
        row = self._row(number, state, seen)
        if not seen.finite.all() or not np.isfinite(row.get("validation", 0.0)):
            self.rows.append(row)
            return state
        if self.jury is None or row["validation"] > self.best:
            self.kept, self.best, self.best_epoch = state.average, row.get("validation", -np.inf), number
        self.rows.append(row)
        self.watch(row)
        self._save(state)
        return state

    def _row(self, number: int, state: State, seen: Step) -> Row:
        train = float(seen.people @ seen.loglike / seen.people.sum())
        judged = {} if self.jury is None else {"validation": self._judged(state.average)}
        row = {
            "iteration": number,
            "epoch": number,
            "loglike": train * float(self.course.setting.size),
            "train": train,
            **judged,
            "learning_rate": self.update.learning_rate(state.leaves),
            "gradient": float(seen.gradient.mean()),
            "step": float(seen.length.mean()),
            "decrement": float("nan"),
            "accepted": bool(seen.finite.all()),
            "evaluations": int(state.steps),
            "seconds": time.perf_counter() - self.began,
        }
        if self.options.trace_parameters:
            names, values = self.objective.names, np.asarray(self._params(state.average))
            row |= {f"param:{n}": float(v) for n, v in zip(names, values, strict=True)}
        return row

    def _params(self, point: Array) -> Array:
        return self.objective.params(self.course.z(point))

    def _judged(self, point: Array) -> float:
        """Log-likelihood per unit of weight of the people held out, nodes placed for it."""
        assert self.jury is not None
        params = self._params(point)
        return float(self.jury.recentre(params).loglike(params)) / float(self.jury.core.weights.sum())

    def _over(self) -> tuple[Verdict, str]:
        """Whether training is over, and why; nothing while it is not."""
        done, options = len(self.rows), self.options
        if done and not self.rows[-1]["accepted"]:
            return Verdict.NOT_FINITE, (
                f"In epoch {done} a batch had a log-likelihood or a gradient that is not finite; the last point without "
                "trouble was restored. Lower the learning rate, clip gradients, or bound the parameters that run away. "
            )
        if done >= options.epochs:
            return Verdict.TRAINED, f"Training went through its {done} epochs. "
        if options.patience is not None and done - self.best_epoch >= options.patience:
            return Verdict.TRAINED, (
                f"Training stopped after {done} epochs, {options.patience} of them without a better log-likelihood of the "
                "people held out. "
            )
        if done and self.rows[-1]["seconds"] > options.time_limit:
            return Verdict.TIME_LIMIT, f"The time limit was reached after {done} epochs. "
        return Verdict.TRAINED, ""

    def _ended(self, verdict: Verdict, why: str) -> Trained:
        restored = ""
        if self.jury is not None:
            restored = (
                f"The point after epoch {self.best_epoch}, the best for people held out, was restored. "
            )
        what = WORDS.get(self.options.objective)
        trained = f"What was minimised is {what}, not the negative log-likelihood. " if what else ""
        message = why + restored + trained + Verdict.TRAINED.sentence
        params = np.asarray(self._params(self.kept))
        steps = int(self.rows[-1]["evaluations"]) if self.rows else 0
        return Trained(params, verdict, message, self.scale, self.rows, steps)

    def _save(self, state: State) -> None:
        if not self.slot.wanted:
            return
        point, average, leaves, steps = state
        kept = TrainingState(point, average, leaves, steps, self.kept, self.best, self.best_epoch)
        self.slot.save(kept, self.rows)

    def _resumed(self) -> State:
        state, self.rows = self.slot.restored(TrainingState)
        self.kept, self.best, self.best_epoch = state.kept, state.best, state.best_epoch
        self.began -= self.rows[-1]["seconds"]
        return State(state.point, state.average, state.leaves, state.steps)
