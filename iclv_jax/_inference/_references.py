"""Whether a log-likelihood of choices can be held against equal shares and constants only."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Params
from iclv_jax._parameters import CHOICE
from iclv_jax._problem import Problem

CLOSE = 1e-6


def why_no_references(problem: Problem, params: Params) -> str:
    """Why equal shares, constants only and rho-squared mean nothing; empty where they do.

    They are log-likelihoods of one chosen alternative among those that are available. A kernel may be something else: a
    density of its own that is written as a choice.
    """
    shape = problem.core.structure
    person = problem.panel.person
    if shape.kernel is None:
        return ""
    chosen = person.chosen[person.occurs]
    if len(chosen) and (chosen == chosen[0]).all() and person.available[person.occurs].any(axis=0).sum() > 1:
        return "everyone chose the same alternative"
    cells = shape.map.dense(problem.core.theta(params))[CHOICE]
    alternatives = person.available.shape[2]
    offered, v = jnp.ones(alternatives, bool), jnp.asarray(np.random.default_rng(0).normal(size=alternatives))
    density = shape.kernel.log_density
    each = jax.vmap(lambda place: density(cells, v, place, offered))(jnp.arange(alternatives))
    if abs(float(jnp.exp(each).sum()) - 1.0) < CLOSE:
        return ""
    return f"what {shape.kernel.__name__} gives the alternatives does not add up to 1"
