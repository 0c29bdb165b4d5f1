"""Profile likelihoods of single parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._arguments import check_share, is_real, is_whole
from iclv_jax._base._distributions import chi2_quantile
from iclv_jax._base._facts import fact
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import File, Given
from iclv_jax._base._workers import Workers, check_workers, do_all
from iclv_jax._density import Conditioned, structure
from iclv_jax._inference._estimated import Maximum, has
from iclv_jax._inference._intervals import standard_errors
from iclv_jax._inference._penalised import refuse_penalised
from iclv_jax._inference._resumed import answers_of
from iclv_jax._likelihood import Core
from iclv_jax._optimise import Likelihood, TrustRegion, minimise
from iclv_jax._parameters import build_table
from iclv_jax._problem import Problem
from iclv_jax._tables import Report, Tabular, number, of_frame

CLOSE = 1e-3
"""Distance from the wanted square root of the likelihood ratio, as a share of it."""
MOST = 12
MOST_POINTS = 10_000
"""Each takes a fit."""
FARTHEST = 4.0
"""Largest factor between two trial distances."""
COLUMNS = ("value", "loglike", "root", "converged")
SIDES = {"lower": -1.0, "upper": 1.0}


@dataclass(frozen=True, eq=False)
class Profile(Tabular):
    """The profile likelihood of one parameter.

    Attributes
    ----------
    name, estimate, level
        The parameter, its estimate, and the coverage of the interval.
    lower, upper
        Where twice the loss of log-likelihood is the quantile of the chi-squared distribution with one degree of
        freedom; infinite where the profile does not close (`notes` say so).
    table
        One row for every value tried: `value`, `loglike` maximised over the other parameters, `root`, the signed
        square root of twice the loss (a straight line where the log-likelihood is a parabola), `converged`.
    notes
        What a reader must know.
    """

    name: str
    estimate: float
    level: float
    lower: float
    upper: float
    table: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    @property
    def _interval(self) -> tuple[str, str]:
        """What it is called, and its ends."""
        ends = " to ".join(number(v) for v in (self.lower, self.upper))
        return f"{100 * self.level:g}% profile-likelihood interval", ends

    def as_report(self) -> Report:
        facts = (("Estimate", number(self.estimate)), self._interval)
        table = self.table.set_index("value").rename(index=number).rename_axis("value")
        return of_frame(table, f"Profile likelihood of {self.name}", self.notes, facts)

    def __str__(self) -> str:
        head = f"{self.name} = {number(self.estimate)}, {' '.join(self._interval)}"
        return "\n".join([head, self.table.to_string(index=False), *(f"* {note}" for note in self.notes)])


class Setup(NamedTuple):
    """What all values have in common: the fit, the parameter, how the others move with it to first order, and whether it
    can be held by holding its own unconstrained one."""

    fit: Any
    name: str
    slope: np.ndarray
    alone: bool


class Known(NamedTuple):
    """Values with the maxima found there, (value,) and (value, param)."""

    values: np.ndarray
    params: np.ndarray


class _Search:
    """Profile log-likelihoods, each fitted from the nearest value known."""

    def __init__(self, setup: Setup, known: Known | None = None) -> None:
        self.fit, self.name, self.slope, self.alone = setup
        self.place = self.fit.names.index(self.name)
        self.estimate = float(self.fit.estimates[self.place])
        self.known: dict[float, np.ndarray] = {self.estimate: self.fit.estimates}
        if known is not None:
            self.known |= dict(zip(known.values.tolist(), known.params, strict=True))
        self.rows: list[dict[str, Any]] = []

    def answer(self, **more: float | str) -> Answer:
        """The values that were tried with what was found, and all that is known."""
        columns = {
            c: np.array([row[c] for row in self.rows], bool if c == "converged" else float) for c in COLUMNS
        }
        known = {"known": np.array(list(self.known)), "params": np.array(list(self.known.values()))}
        return columns | known | {key: np.asarray(value) for key, value in more.items()}

    def root(self, value: float) -> float:
        """The signed square root of twice the loss."""
        nearest = min(self.known, key=lambda v: abs(v - value))
        start = self.known[nearest] + self.slope * (value - nearest)
        start[self.place] = value
        try:
            loglike, params, converged = self._maximum(value, start)
        except ValueError:
            # Other parameters left their domain on the straight line: from where they were.
            start = np.where(np.arange(len(start)) == self.place, value, self.known[nearest])
            loglike, params, converged = self._maximum(value, start)
        if np.isfinite(loglike):
            self.known[value] = params
        self.rows.append(self.row(value, loglike, converged))
        return self.rows[-1]["root"]

    def row(self, value: float, loglike: float, converged: bool) -> dict[str, Any]:
        loss = max(2.0 * (self.fit.llf - loglike), 0.0) if np.isfinite(loglike) else np.nan
        root = float(np.sign(value - self.estimate) * np.sqrt(loss))
        return {"value": value, "loglike": loglike, "root": root, "converged": converged}

    def _maximum(self, value: float, start: np.ndarray) -> tuple[float, np.ndarray, bool]:
        problem = self.fit.problem
        free = np.arange(len(start)) != self.place
        kept = free if self.alone else np.ones(free.sum(), bool)
        first = start if self.alone else start[free]
        if not self.alone:
            problem = fixed_problem(problem, self.name, value)
        problem.first.table.check_domain(first)
        outcome = minimise(TrustRegion(), Likelihood(problem, kept), jnp.asarray(first))
        params = outcome.params if self.alone else np.insert(outcome.params, self.place, value)
        at = jnp.asarray(outcome.params)
        return float(outcome.objective.problem.loglike(at)), params, outcome.report.verdict.success


@one_thread
def profile(
    fit: Maximum,
    name: Given[str],
    points: Given[int | Sequence[float] | None] = None,
    level: Given[float] = 0.95,
    *,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> Profile:
    """Profile-likelihood interval of a free parameter: the values that a likelihood-ratio test does not reject.

    The model is fitted anew with the parameter held at trial values, each from the nearest one known, nodes
    placed as in a fit. Unlike `conf_int` the interval need not be symmetric, and does not depend on how the
    parameter is written.

    Parameters
    ----------
    name
        A free parameter.
    points
        Further values for the table: how many, evenly over the interval, or which.
    level
        Coverage.
    workers, resume
        As of `bootstrap`. The two sides of the estimate are independent of each other, and so two tasks; results do not
        depend on who does them.

    Raises
    ------
    ValueError
        For a parameter that is not free or at its bound.

    Examples
    --------
    >>> str(logit_fit.uncertainty.profile("time")).splitlines()[0]
    'time = -1.183, 95% profile-likelihood interval -1.727 to -0.665'
    """
    check_profile(fit, name, level)
    check_workers(workers)
    tried = None if points is None else fact(_further(points))
    known = answers_of(fit, resume, "profile", parameter=name, level=float(level), points=tried)
    return profiled(fit, name, points, level, workers, known)


def profiled(
    fit: Any,
    name: Given[str],
    points: Given[int | Sequence[float] | None],
    level: Given[float],
    workers: Given[Workers] = None,
    known: Answers | None = None,
) -> Profile:
    """`profile` of a fit of people in memory, or in chunks."""
    check_profile(fit, name, level)
    asked = _further(points)
    row = fit.problem.first.table.row(name)
    place = fit.names.index(name)
    setup = Setup(fit, name, _slope(fit, place), _moves_alone(fit.problem.first, fit.estimates, place))
    if not setup.alone and not isinstance(fit.problem, Problem):
        raise ValueError(
            f"{name!r} cannot be held without other parameters that move with it, and so has no profile of people in "
            "chunks. Fit people in memory."
        )
    estimate = float(fit.estimates[place])
    wanted = float(np.sqrt(chi2_quantile(level, 1)))
    error = float(standard_errors(fit)[name])
    unit = error if np.isfinite(error) else 0.1 * max(1.0, abs(estimate))
    bounds = {"lower": row.lower, "upper": row.upper}
    walks = {f"the {side} end": (sign, bounds[side], wanted, unit) for side, sign in SIDES.items()}
    found = list(do_all(to_end, setup, walks, workers, known).values())
    ends = [float(answer["end"]) for answer in found]
    notes = [f"{side} end: {a['note']}" for side, a in zip(SIDES, found, strict=True) if str(a["note"])]
    values = _grid(asked, *ends)
    sides = zip(SIDES, (values < estimate, values >= estimate), found, strict=True)
    further = {
        f"points on the {side} side": (values[here], Known(a["known"], a["params"]))
        for side, here, a in sides
        if here.any()
    }
    found += do_all(at_points, setup, further, workers, known).values()
    first = pd.DataFrame([_Search(setup).row(estimate, fit.llf, fit.converged)])
    frames = [pd.DataFrame({c: answer[c] for c in COLUMNS}) for answer in found if len(answer["value"])]
    table = pd.concat([first, *frames]).drop_duplicates("value").sort_values("value", ignore_index=True)
    return Profile(name, estimate, level, ends[0], ends[1], table, (*notes, *_remarks(fit, table)))


def check_profile(fit: Any, name: Given[str], level: Given[float]) -> None:
    """ValueError for a parameter without a profile, and for a level that is none."""
    refuse_penalised(fit, "profile")
    row = fit.problem.first.table.row(name)
    if row.status != "free" or name in fit.optimizer_report.active:
        standing = "at its bound" if row.status == "free" else row.standing
        raise ValueError(f"{name!r} is {standing}, so it has no profile.")
    check_share(level)


def to_end(setup: Setup, walk: tuple[float, float, float, float]) -> Answer:
    """The end of the interval on one side, and the values on the way."""
    search, (sign, bound, wanted, unit) = _Search(setup), walk
    end, note = _end(search.root, search.estimate, sign, wanted, unit, bound)
    return search.answer(end=end, note=note)


def at_points(setup: Setup, points: tuple[np.ndarray, Known]) -> Answer:
    """The profile at further values, from what is known on their side."""
    values, known = points
    search = _Search(setup, known)
    for value in values:
        search.root(float(value))
    return search.answer()


def _error(fit: Any) -> float:
    """Of log L, as far as it is known."""
    known = fit.accuracy if has(fit, "accuracy") else None
    return 0.0 if known is None or known.error is None else known.error


def _remarks(fit: Any, table: pd.DataFrame) -> list[str]:
    notes, best = [], float(table["loglike"].max())
    if best > fit.llf + max(1e-3, 2.0 * _error(fit)):
        notes.append(f"a larger log-likelihood, {best:.4f}, was found: the fit is not at the maximum")
    if not table["converged"].all():
        notes.append(f"{int((~table['converged']).sum())} values did not converge")
    return notes


def _end(
    root: Callable[[float], float], center: float, sign: float, wanted: float, unit: float, bound: float
) -> tuple[float, str]:
    """Where the root is `wanted` on one side, by secants inside a bracket; or infinity and why."""
    inside, inner = 0.0, 0.0
    outside, outer = np.inf, np.nan
    distance = wanted * unit
    limit = abs(bound - center)
    for _ in range(MOST):
        distance = min(distance, limit)
        size = abs(root(center + sign * distance))
        if np.isnan(size):
            return sign * np.inf, f"there is no likelihood at {center + sign * distance:g}"
        if abs(size - wanted) <= CLOSE * wanted:
            return center + sign * distance, ""
        if size > wanted:
            outside, outer = distance, size
        elif distance == limit:
            return bound, "the bound of the parameter"
        else:
            inside, inner = distance, size
        if np.isfinite(outside):
            guess = inside + (wanted - inner) / (outer - inner) * (outside - inside)
            margin = 0.05 * (outside - inside)
            distance = min(max(guess, inside + margin), outside - margin)
        else:
            distance *= min(FARTHEST, 1.05 * wanted / max(size, 1e-3 * wanted))
    if np.isfinite(outside):
        return center + sign * 0.5 * (inside + outside), f"known to within {outside - inside:.2g}"
    return sign * np.inf, f"the profile does not close up to {center + sign * inside:g}"


def _further(points: Given[int | Sequence[float] | None]) -> int | np.ndarray:
    """How many further values, or which; ValueError for what says neither."""
    if points is None or is_whole(points, 0):
        number: Any = 0 if points is None else points
        if number > MOST_POINTS:
            raise ValueError(f"points={number:,}: a profile has {MOST_POINTS:,} further values at most.")
        return int(number)
    values = np.asarray(points, object)
    if values.ndim != 1 or not all(is_real(v) and np.isfinite(v) for v in values):
        raise ValueError(
            f"points= is how many further values, a whole number, or which, finite numbers in a list; not {points!r}."
        )
    return values.astype(float)


def _grid(points: int | np.ndarray, lower: float, upper: float) -> np.ndarray:
    if isinstance(points, np.ndarray):
        return points
    return np.linspace(lower, upper, points) if np.isfinite([lower, upper]).all() else np.zeros(0)


def _slope(fit: Any, place: int) -> np.ndarray:
    """How the other estimates move with this one, to first order; still where nothing is known of it."""
    column = fit.covariance().matrix[:, place]
    return (
        np.where(np.isfinite(column), column, 0.0) / column[place]
        if np.isfinite(column[place])
        else 0.0 * column
    )


def _moves_alone(problem: Problem, params: np.ndarray, place: int) -> bool:
    """Whether a parameter depends on its own unconstrained one and on no other, so that holding one holds both."""
    objective = Likelihood(problem, np.ones(len(params), bool))
    z = np.asarray(objective.z(jnp.asarray(params)))
    elsewhere = z + 0.1 * np.random.default_rng(0).standard_normal(len(z))
    slopes = np.asarray(jax.jacfwd(objective.params)(jnp.asarray(elsewhere)))[place]
    return bool((np.flatnonzero(slopes) == [place]).all())


def fixed_problem(problem: Problem, name: str, value: float) -> Problem:
    """The same problem with one free parameter fixed.

    Raises ValueError where that would set another parameter free.
    """
    spec = replace(
        problem.spec,
        fixed=(*problem.spec.fixed, (name, value)),
        bounds=tuple(b for b in problem.spec.bounds if b[0] != name),
        start=tuple(s for s in problem.spec.start if s[0] != name),
    )
    table = build_table(spec, problem.panel.levels, problem.panel.moments, problem.panel.far)
    if set(table.names) != set(problem.names) - {name}:
        raise ValueError(f"Fixing {name!r} sets other parameters free, so it has no profile.")
    old = problem.core
    choices = old.structure.choices
    steady, masked = tuple(c.steady for c in choices), tuple(c.masked for c in choices)
    system = old.structure.system
    patterns = system.patterns if isinstance(system, Conditioned) else ()
    shape = structure(spec, table, problem.rule.conditions, steady, masked, patterns)
    core = Core(shape, jnp.asarray(table.constants), old.people)
    rest = problem.points, problem.log_weights, problem.from_prior
    return Problem(
        core, *rest, spec, table, problem.panel, problem.rule, problem.reason, problem.memory, problem.portion
    )
