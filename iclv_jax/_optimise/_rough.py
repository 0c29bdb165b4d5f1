"""Log-likelihoods that are rough at their nodes, though the integral is smooth.

Where a coefficient multiplies others (a money scale) and is spread widely, some of its draws make choices certain: each
is a step in the parameters, and a sum of steps has derivatives that say nothing of where it goes. A trust region then
shrinks below what the data can tell, and the search goes on for ever by nothing.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._utility import situations
from iclv_jax._optimise._method import Memory, Method
from iclv_jax._optimise._objective import Likelihood, Objective
from iclv_jax._optimise._row import Row
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel

NARROWEST = 0.05
"""Radius of a trust region, in standard errors, below which steps at nodes that follow posteriors fail for roughness."""
POOR = 0.25
"""Ratio of actual to predicted gain below which a trial point is none to go on with."""
MOST_POOR = 6
"""So many of them, and a radius as small, are no accident: three lognormal coefficients of 120 people have three at 512
nodes and are found all the same."""

FOLLOWED = 12
"""Steps taken with nodes that follow each of them, before it is asked whether that leads anywhere."""
LITTLE = 0.5
"""Points of the log-likelihood that so many steps gain at least where it does."""
CERTAIN = 5.0
"""Units of utility by which one standard deviation of what is behind a coefficient changes the difference of two
alternatives, beyond which choices are all but certain within two of them."""
SEEN = 64
"""Situations in which that is looked at."""


def is_rough(trace: Sequence[Row], method: Method, memory: Memory, objective: Objective) -> bool:
    """Whether trials at nodes that follow posteriors have failed over and over, and a trust region has become narrower than
    anything that matters. Methods without a region are never said to be there."""
    radius = method.progress(memory).get("radius") if objective.moves else None
    if radius is None or float(np.asarray(radius)) * np.sqrt(objective.count) >= NARROWEST:
        return False
    return sum(row["ratio"] < POOR for row in trace) >= MOST_POOR


def gains(trace: Sequence[Row], objective: Objective) -> bool:
    """Whether the last steps gained anything. Where derivatives at the nodes are rough, the decrement never becomes small,
    and steps whose draws follow go back and forth by as much as placing them moves the log-likelihood; then it is time to
    hold them. Grids move smoothly."""
    draws = isinstance(objective, Likelihood) and objective.problem.first.rule.reseeded(0) is not None
    taken = [row["loglike"] for row in trace if row["accepted"]]
    if not draws or len(taken) <= FOLLOWED:
        return True
    return (taken[-1] - taken[-1 - FOLLOWED]) * objective.count / objective.size > LITTLE


def widest(problem: Problem, params: np.ndarray) -> str:
    """A sentence on the random coefficients whose spread makes choices certain: the widest one at least. Empty where that is
    not known, as with groups, whose parameters have names of their own."""
    if problem.spec.groups is not None:
        return ""
    values = {n: float(v) for n, v in problem.unpack(jnp.asarray(params), everything=True).items()}
    sizes: dict[str, float] = {}
    for choice in problem.spec.choices:
        for name, size in _swings(problem, choice, values).items():
            sizes[name] = max(size, sizes.get(name, 0.0))
    if not sizes:
        return ""
    order = sorted(sizes, key=lambda n: -sizes[n])
    named = [n for n in order if sizes[n] > CERTAIN] or order[:1]
    said = ", ".join(f"{n} ({sizes[n]:.3g})" for n in named)
    return f" Units of utility by which one standard deviation changes the difference of two alternatives: {said}."


def _swings(problem: Problem, choice: Kernel, values: dict[str, float]) -> dict[str, float]:
    """Root mean square over situations and alternatives of how one standard deviation of the normal variable behind each
    random coefficient changes utilities against their mean, the others in the middle and latent variables at zero."""
    utility, kinds = choice.utility, dict(problem.spec.random)
    columns = situations(problem, choice, SEEN)[0]
    latents = jnp.zeros(len(utility.latents))

    def at(name: str, u: float) -> float:
        cells = {key: jnp.asarray(values[n]) for key, n in kinds[name].named(name).items()}
        return float(kinds[name].coefficient(cells, jnp.asarray(u)))

    def utilities(moved: str, u: float) -> np.ndarray:
        b = [at(n, u * (n == moved)) if n in kinds else values[n] for n in utility.coefficients]
        found = np.asarray(jax.vmap(lambda row: utility(jnp.array(b), row, latents))(jnp.asarray(columns)))
        return found - found.mean(axis=1, keepdims=True) if found.shape[1] > 1 else found

    sizes = {}
    for name in (n for n in utility.coefficients if n in kinds):
        swing = 0.5 * (utilities(name, 1.0) - utilities(name, -1.0))
        sizes[name] = float(np.sqrt(np.mean(swing**2)))
    return sizes
