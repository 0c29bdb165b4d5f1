"""Random coefficients whose distribution has all but become another one, which its parameters reach at infinity only.

The parameters run away together along a curve on which the log-likelihood hardly changes, so that no step along a straight
line, of one or of all together, shows that there is no maximum.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from iclv_jax._problem import Problem
from iclv_jax._problem._sums import Sums
from iclv_jax._spec._random import MEAN

SAME = 1e-3
"""Points of the log-likelihood by which it may seem to fall where it does not."""


@dataclass(frozen=True)
class Ridge:
    """A way to infinity: of which coefficient, parameters further on, where each goes by name, and what is there."""

    coefficient: str
    beyond: np.ndarray
    goes: dict[str, str]
    words: str

    def sentence(self) -> str:
        return f"{self.coefficient} becomes {self.words}"


def ridges(problem: Problem, params: np.ndarray, free: np.ndarray) -> list[Ridge]:
    """Ways to infinity on which random coefficients are far out, whether or not the log-likelihood falls on them."""
    at, found = {name: i for i, name in enumerate(problem.names)}, []
    groups = problem.spec.groups
    for coefficient, mixing in problem.spec.random:
        for label in groups.labels if groups is not None else ("",):
            mine = {r.parameter.base: r.name for r in problem.table.rows if r.parameter.group in ("", label)}
            names = {key: mine[name] for key, name in mixing.named(coefficient).items()}
            if not all(name in at and free[at[name]] for name in names.values()):
                continue
            limit = mixing.limit({key: float(params[at[name]]) for key, name in names.items()})
            if limit is not None:
                beyond = np.array(params, float)
                beyond[[at[names[key]] for key in limit.beyond]] = list(limit.beyond.values())
                goes = {names[key]: way for key, way in limit.goes.items()}
                found.append(Ridge(names[MEAN], beyond, goes, limit.words))
    return found


def open_ridges(problem: Sums, params: np.ndarray, free: np.ndarray, people: float) -> list[Ridge]:
    """Those on which the log-likelihood, with nodes placed at each point, does not fall; `people` turns differences of it
    into those of as many people as the weights are worth."""
    known = ridges(problem.first, params, free)
    if not known:
        return []
    (lower, upper), here = problem.first.bounds, _value(problem, params)
    inside = [r for r in known if ((r.beyond >= lower) & (r.beyond <= upper)).all()]
    return [r for r in inside if (_value(problem, r.beyond) - here) * people > -SAME]


def _value(problem: Sums, params: np.ndarray) -> float:
    at = jnp.asarray(params)
    return float(problem.recentre(at).loglike(at))
