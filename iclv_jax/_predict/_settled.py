"""Nodes that are enough for single rows: what is predicted of one person is no mean over others, whose errors cancel.

Where coefficients are steep functions of what they are drawn from, a Gauss-Hermite rule is not accurate, and says nothing
of it. A trapezoid rule over the normal density converges exponentially however steep they are (Trefethen and Weideman
2014), and one of as many nodes shows what the first is worth. Any number of nodes is evaluated in portions, by what is
compiled for one.
"""

import numpy as np

from iclv_jax._base._types import Params
from iclv_jax._integration import MonteCarlo, Nodes, Rule, Trapezoid
from iclv_jax._predict._probabilities import choice_probabilities
from iclv_jax._predict._view import PRIOR_DRAWS, PRIOR_NODES, View, at_prior_nodes
from iclv_jax._problem import spread_nodes

ROWS = 1e-3
"""Error of a probability of one row that is small enough."""
REACH = 7.0
"""Standard deviations: 3e-12 of a normal density lie beyond."""
DOUBLED = {1: 4, 2: 2}
"""How often nodes per dimension are doubled, by dimension."""


def settled(view: View, params: Params, memory: float) -> tuple[View, float | None]:
    """A view of what is not known of people, with more nodes where those it has leave a probability off by more than
    `ROWS`; and the largest error of a probability that is left. None where nothing is integrated."""
    rule, error = enough(view, params)
    if rule is None:
        return view, error
    return at_prior_nodes(view, rule, view.core.nodes.shocks.shape[-1], memory), error


def enough(view: View, params: Params) -> tuple[Rule | None, float | None]:
    """The rule that takes the place of a view's, None where it is good enough; and the error of `settled`."""
    dimension = view.core.nodes.shocks.shape[-1]
    if not view.prior or view.choice is None or dimension == 0:
        return None, None
    known = np.asarray(choice_probabilities(view, params))
    if dimension not in PRIOR_NODES:
        # The mean of two seeds is known, but the draws of one are used.
        other = _probabilities(view, params, MonteCarlo(PRIOR_DRAWS, "sobol", seed=1))
        return None, float(np.abs(known - other).max(initial=0.0) / np.sqrt(2.0))
    count = PRIOR_NODES[dimension]
    finer = _probabilities(view, params, Trapezoid(count, REACH))
    error, rule, before = float(np.abs(known - finer).max(initial=0.0)), None, np.inf
    for _ in range(DOUBLED[dimension]):
        if error <= ROWS:
            break
        coarser, count = finer, 2 * count
        rule = Trapezoid(count, REACH)
        finer = _probabilities(view, params, rule)
        change = float(np.abs(finer - coarser).max(initial=0.0))
        # Changes shrink as errors do, ever faster; what is left after the last is at most as much smaller as it was.
        error = change * min(1.0, change / before) if np.isfinite(before) else change
        before = change
    return rule, error


def _probabilities(view: View, params: Params, rule: Rule) -> np.ndarray:
    """Choice probabilities at the nodes of another rule, as many at a time as the view has."""
    people, size = view.core.people, view.core.people.node_count
    standard = rule.standard(people.size, view.core.nodes.shocks.shape[-1])
    points, logs = np.asarray(standard.points), np.asarray(standard.log_weights)
    total: np.ndarray | float = 0.0
    for first in range(0, len(logs), size):
        some = _portion(points[:, first : first + size], logs[first : first + size], size, people.size)
        part = View(view.core.of(people.with_nodes(some)), view.person, view.prior, view.choice)
        share = float(np.exp(logs[first : first + size]).sum())
        total = total + share * np.asarray(choice_probabilities(part, params))
    return np.asarray(total / np.exp(logs).sum())


def _portion(points: np.ndarray, logs: np.ndarray, size: int, people: int) -> Nodes:
    """Filled up with nodes of no weight."""
    short = size - len(logs)
    shocks = np.pad(points, ((0, 0), (0, short), (0, 0)))
    return spread_nodes(shocks, np.pad(logs, (0, short), constant_values=-np.inf), people)
