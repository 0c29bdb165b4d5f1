"""Whether a log-likelihood of choices can be held against equal shares and constants only."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, CellTree, Params
from iclv_jax._parameters import ParameterMap
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel

CLOSE = 1e-6


@partial(compiled, quick=True, static_argnums=0)
def _arrays(mapping: ParameterMap, constants: Array, params: Params) -> CellTree:
    return mapping.dense(mapping.theta(constants, params))


@partial(compiled, quick=True, static_argnums=(0, 3))
def _total(kernel: Kernel, cells: CellTree, utilities: AnyArray, outcomes: int) -> Array:
    return kernel.expected(cells, utilities, jnp.ones(outcomes, bool)).sum()


def why_no_references(problem: Problem, params: Params) -> str:
    """Why equal shares, constants only and rho-squared mean nothing; empty where they do.

    They are log-likelihoods of one chosen alternative among those that are available. A kernel may be something else: a
    density of its own that is written as a choice.
    """
    shape = problem.core.structure.of_group(0)
    if not shape.choices:
        return ""
    sections = _arrays(shape.map, problem.core.constants, params)
    for block in shape.choices:
        found = problem.panel.situations_of(block.name)
        if not block.kernel.discrete:
            return f"{block.name} explains numbers, not which alternative is chosen"
        if len(block.kernel.outcomes) < 2:
            return f"there is one outcome only, {', '.join(map(repr, block.kernel.outcomes))}"
        chosen = found.chosen
        if len(chosen) and (chosen == chosen[0]).all() and found.offered.any(axis=0).sum() > 1:
            return "everyone chose the same alternative"
        v = np.random.default_rng(0).normal(size=len(block.utility.alternatives))
        if abs(float(_total(block.kernel, sections[block.name], v, found.offered.shape[1])) - 1.0) >= CLOSE:
            return f"what {type(block.kernel).__name__} gives the alternatives does not add up to 1"
    return ""
