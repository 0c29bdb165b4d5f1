"""Many starts at once, and which maxima they find."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._arguments import check_seed, is_real
from iclv_jax._base._compiled import compiled
from iclv_jax._base._facts import dict_of
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Array, File, Given, Number
from iclv_jax._base._workers import Workers, check_workers, do_all
from iclv_jax._diagnose._utility import multiplied
from iclv_jax._inference._class_labels import relabelled
from iclv_jax._inference._resumed import facts_of
from iclv_jax._inference._signs import sign
from iclv_jax._integration import Nodes
from iclv_jax._integration._rule import check_count
from iclv_jax._likelihood import Core
from iclv_jax._optimise import Ended, Likelihood, Optimizer, Scipy, Stochastic, TrustRegion, minimise_frozen
from iclv_jax._optimise._many import derivatives
from iclv_jax._optimise._method import Method
from iclv_jax._optimise._objective import Bound
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._subproblem import curvature
from iclv_jax._optimise._turns import scaled
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import accuracy
from iclv_jax._tables import Report, Tabular, of_frame

QUICK = TrustRegion(max_iterations=60)
SHARPER = 1e-2
"""How much smaller the decrement must be by approximate second derivatives, which may be too optimistic."""
SPREAD = 0.5
"""Standard deviation of random starts, in units of one over the root mean squared score."""
SAME = 1e-4
"""Log-likelihoods that differ by less belong to one maximum; where nodes are drawn, and so depend on the way
that led to it, by less than twice the standard error of log L."""
TASK = 4
"""Starts of one task of a worker."""


@dataclass(frozen=True, eq=False)
class Starts(Tabular):
    """Where many starts ended.

    Attributes
    ----------
    table
        One row per start, the best first: `start` (0 is the default start, the others are random), `loglike`,
        `decrement`, `converged`, `iterations`, `group` (starts with the same log-likelihood, numbered from the
        best; -1 for those that did not converge).
    params
        Estimates by start, in the order of the table, signs of latent variables normalised so that the
        first free loading of each is positive, and latent classes of one form named as where the default start ended.
    """

    table: pd.DataFrame
    params: pd.DataFrame

    @property
    def best(self) -> dict[str, float]:
        """The estimates with the largest log-likelihood, as start values: `model.fit(data, start=found.best)`."""
        return {str(name): float(value) for name, value in self.params.iloc[0].items()}

    def as_report(self) -> Report:
        return of_frame(self.table.set_index("start"), "Starts")

    def __str__(self) -> str:
        groups = self.table[self.table["converged"]].groupby("group")["loglike"].agg(["max", "count"])
        lines = [
            f"{len(self.table)} starts, {int(self.table['converged'].sum())} converged, {len(groups)} maxima:"
        ]
        lines += [f"  log L {row['max']:.4f} from {int(row['count'])} starts" for _, row in groups.iterrows()]
        return "\n".join(lines)


@one_thread
def multistart(
    problem: Given[Problem],
    starts: Given[int] = 10,
    *,
    seed: Given[int] = 0,
    spread: Given[float] = SPREAD,
    rounds: Given[int] = 4,
    optimizer: Given[Optimizer] = QUICK,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> Starts:
    """Fit from many starts, side by side in one compiled run or by workers, and group the maxima that they find.

    Parameters
    ----------
    problem
        From `model.bind`.
    starts
        How many; the first is the default start.
    seed, spread
        Random starts add normal numbers with this standard deviation, in units of one over the root mean
        squared score at the default start (about sqrt(people) standard errors), in unconstrained parameters.
    rounds
        How often the nodes are placed anew at what was found.
    optimizer
        Whose steps, tolerance, iteration limit and scaling are taken; by default a trust region with exact second
        derivatives. Whether a start has converged is judged by exact second derivatives in any case. Neither `Scipy`
        nor `Stochastic`, whose loops are not compiled for many starts.
    workers, resume
        As of `fit.uncertainty.bootstrap`: who goes on from the starts, a few of them at a time, and a file that an
        interrupted call goes on from. The starts are the same whoever does, and end in the same places up to rounding.

    Raises
    ------
    ValueError
        For counts that are not whole numbers above 0, a spread that is not positive, `Scipy` and `Stochastic`.

    Examples
    --------
    >>> starts = iclv.multistart(logit.bind(df), 3)
    >>> bool(abs(starts.table["loglike"].iloc[0] - logit_fit.llf) < 1e-6)
    True
    """
    _check(problem, starts, seed, spread, rounds, optimizer)
    check_workers(workers)
    first = problem.recentre(problem.start())
    objective = Likelihood(first, np.ones(len(problem.names), bool))
    lower, upper = map(jnp.asarray, objective.bounds())
    points, scale = random_starts(objective, starts, seed, spread, optimizer)
    size = starts if workers is None and resume is None else TASK
    setup = Setup(problem, scale, lower, upper, optimizer, rounds if objective.moves else 1, size)
    settings = {"optimizer": {"kind": type(optimizer).__name__, **dict_of(optimizer.settings)}}
    about = {"seed": int(seed), "spread": float(spread), "rounds": int(rounds), **settings}
    known = Answers() if resume is None else Answers(resume, facts_of(problem, "many starts", **about))
    tasks = {
        f"starts {at} to {min(at + size, starts) - 1}": np.asarray(points[at : at + size])
        for at in range(0, starts, size)
    }
    answers = do_all(from_starts, setup, tasks, workers, known).values()
    ended = Ended(*(jnp.concatenate([jnp.asarray(a[key]) for a in answers]) for key in Ended._fields))
    params = np.asarray(jax.vmap(objective.params)(ended.z))
    best = jnp.asarray(params[int(np.nanargmin(np.asarray(ended.value)))])
    error = accuracy(problem.recentre(best), best).error
    return _collected(problem, ended, params, max(SAME, 2.0 * (error or 0.0)))


def random_starts(
    objective: Likelihood[Bound], starts: int, seed: int, spread: float, optimizer: Optimizer
) -> tuple[Array, Array]:
    """Starts by row, the default one first, and the scale of the random ones; in unconstrained parameters."""
    lower, upper = objective.bounds()
    z = objective.z(objective.problem.start())
    scale = jnp.asarray(find_scale(objective, optimizer.scaling, z).values)
    noise = np.random.default_rng(seed).standard_normal((starts, len(z)))
    noise[0] = 0.0
    points = z[None, :] + spread * scale[None, :] * noise
    return jnp.clip(points, jnp.asarray(lower)[None, :], jnp.asarray(upper)[None, :]), scale


class Setup(NamedTuple):
    """What all starts have in common; `rounds` is how often nodes are placed, `size` how many starts go side by side."""

    problem: Problem
    scale: Array
    lower: Array
    upper: Array
    optimizer: Optimizer
    rounds: int
    size: int


def from_starts(setup: Setup, points: np.ndarray) -> Answer:
    """Where starts, given in unconstrained parameters, end."""
    problem, scale, lower, upper, optimizer, rounds, size = setup
    objective = Likelihood(problem, np.ones(len(problem.names), bool))
    # The last start fills up what is missing, so that all tasks are of one shape.
    at, ended = jnp.asarray(points[np.minimum(np.arange(size), len(points) - 1)]), None
    for _ in range(rounds):
        nodes = _placed(problem, jax.vmap(objective.params)(at))
        ended = _all(problem.core, nodes, at, scale, lower, upper, optimizer)
        at = ended.z
    assert ended is not None
    return {key: np.asarray(value)[: len(points)] for key, value in ended._asdict().items()}


def _check(
    problem: Given[Problem],
    starts: Given[int],
    seed: Given[int],
    spread: Given[float],
    rounds: Given[int],
    optimizer: Given[Optimizer],
) -> None:
    if not isinstance(problem, Problem):
        raise ValueError(
            f"multistart takes a model with its data, model.bind(data, ...), not {type(problem).__name__}."
        )
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer= is an optimiser such as iclv.TrustRegion(), not {optimizer!r}.")
    check_seed(seed)
    check_count(starts, "starts")
    check_count(rounds, "rounds")
    if isinstance(optimizer, (Scipy, Stochastic)):
        raise ValueError(
            f"The loop of {type(optimizer).__name__} cannot be compiled for many starts at once; take TrustRegion, LBFGSB "
            "or BHHH."
        )
    if not (is_real(spread) and 0 < spread < np.inf):
        raise ValueError(f"spread is a positive number, not {spread!r}.")


def _placed(problem: Problem, params: Array) -> Nodes:
    """Nodes of every start at its parameters, stacked."""
    each = [problem.recentre(p).core.nodes for p in params]
    return jax.tree.map(lambda *a: jnp.stack(a), *each)


def _all(
    core: Core, nodes: Nodes, z: Array, scale: Array, lower: Array, upper: Array, optimizer: Optimizer
) -> Ended:
    """All starts at their nodes, with the Newton decrement where they end by exact second derivatives."""
    method = optimizer.method
    exact = method.supplied == "exact"
    tolerance = optimizer.tolerance * (1.0 if exact else SHARPER)
    ended = _run(core, nodes, z, scale, lower, upper, tolerance, method, optimizer.max_iterations)
    if exact:
        return ended
    decrement = _decrements(core, nodes, ended.z, scale, lower, upper)
    return ended._replace(decrement=decrement, converged=decrement <= optimizer.tolerance)


@partial(compiled, static_argnames=("method", "most"))
def _run(
    core: Core,
    nodes: Nodes,
    z: Array,
    scale: Array,
    lower: Array,
    upper: Array,
    tolerance: Number,
    method: Method,
    most: int,
) -> Ended:
    def one(nodes: Nodes, z: Array) -> Ended:
        mine = core.of(core.people.with_nodes(nodes))
        return minimise_frozen(mine, z, scale, lower, upper, tolerance, method, most)

    return jax.vmap(one)(nodes, z)


@compiled
def _decrements(core: Core, nodes: Nodes, z: Array, scale: Array, lower: Array, upper: Array) -> Array:
    def one(at: tuple[Nodes, Array]) -> Array:
        mine = core.of(core.people.with_nodes(at[0]))
        here = derivatives(mine, at[1])
        free = jnp.ones(at[1].shape, bool)
        model = scaled(here.gradient, here.hessian, at[1], scale, lower, upper, free)
        return curvature(model).decrement * core.weights.sum() ** 2 / (core.weights**2).sum()

    return jax.lax.map(one, (nodes, z))


def _collected(problem: Problem, ended: Ended, params: np.ndarray, same: float) -> Starts:
    size = float(problem.panel.weights.sum())
    loglike = -np.asarray(ended.value) * size
    converged = np.asarray(ended.converged)
    order = np.lexsort((-np.nan_to_num(loglike, nan=-np.inf), ~converged))
    group, groups, last = np.full(len(order), -1), -1, np.inf
    for at in order:
        if converged[at]:
            groups += last - loglike[at] > same
            group[at], last = groups, loglike[at]
    like = normalised(problem, params[0], same)
    turned = [normalised(problem, params[at], same) for at in order]
    named = np.stack([relabelled(problem, p, like, same) if np.isfinite(p).all() else p for p in turned])
    table = pd.DataFrame(
        {
            "start": order,
            "loglike": loglike[order],
            "decrement": np.asarray(ended.decrement)[order],
            "converged": converged[order],
            "iterations": np.asarray(ended.iterations)[order],
            "group": group[order],
        }
    )
    return Starts(table, pd.DataFrame(named, columns=list(problem.names)))


def normalised(problem: Problem, params: np.ndarray, same: float = SAME) -> np.ndarray:
    """Parameters with every latent variable turned so that its first free loading is positive, where that leaves
    the log-likelihood as it is."""
    effects = multiplied(problem, "latents")
    for latent in problem.spec.order:
        free = problem.table.parameters
        loadings = [i for i, p in enumerate(free) if p.role == "loading" and p.owner == latent]
        if not loadings or params[loadings[0]] > 0.0:
            continue
        turned = np.array([sign(p, latent, effects.get(latent, ())) for p in free]) * params
        before, after = (
            float(problem.recentre(jnp.asarray(p)).loglike(jnp.asarray(p))) for p in (params, turned)
        )
        if abs(before - after) <= same:
            params = turned
    return params
