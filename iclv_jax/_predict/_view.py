"""What predictions are made for: situations, what is known of their people, and where to integrate."""

from dataclasses import replace
from functools import partial
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Params
from iclv_jax._density._density import steady_columns
from iclv_jax._integration import GaussHermite, MonteCarlo, Nodes, default_rule
from iclv_jax._likelihood._likelihood import Core
from iclv_jax._panel import Panel, Person
from iclv_jax._problem import Problem, spread_nodes
from iclv_jax._problem._memory import batch_size, in_batches_of
from iclv_jax._problem._portions import Portion

Given = Literal["nothing", "items", "answers"]

PRIOR_NODES = {0: 1, 1: 64, 2: 32}
"""Gauss-Hermite nodes per dimension of the distribution that no answers inform."""
PRIOR_DRAWS = 1024
"""Scrambled Sobol draws per person from it in three and more dimensions, with the seed 0."""


class View(eqx.Module):
    """Situations to predict, and the distribution of their people's latent variables and coefficients.

    `core` holds what is known of the people (items and choices to condition on) and the nodes, `person` the
    situations and covariates to predict for. With `prior` nodes are shocks of the latent variables in the utilities (of
    all of them where an equation is a function) and of the random coefficients; otherwise they are those of the likelihood.
    """

    core: Core
    person: Person
    prior: bool = eqx.field(static=True)


def on(problem: Problem, panel: Panel) -> Problem:
    """The same model, parameters and rule of integration on other data; its nodes are not yet placed."""
    core = problem.core
    people = len(panel.people)
    arrays = jax.tree.map(jnp.asarray, panel.person)
    empty = Nodes(jnp.zeros((people, 0, 0)), jnp.zeros((people, 0)))
    # Columns that do not change over the situations of these people may change over those of others.
    shape = replace(core.structure, steady=steady_columns(panel.person))
    other = Core(shape, people, core.constants, arrays, jnp.asarray(panel.weights), empty)
    bare = Problem(
        other,
        problem.points,
        problem.log_weights,
        problem.from_prior,
        problem.spec,
        problem.table,
        panel,
        problem.rule,
        problem.reason,
        problem.memory,
        Portion(problem.portion.nodes, people),
    )
    return bare.integrate(problem.rule)


def prior_view(problem: Problem, draws: int | None = None) -> View:
    """The situations of a problem, its people known by their covariates alone.

    Gauss-Hermite in one and two dimensions, `PRIOR_DRAWS` Sobol draws beyond; with `draws` that many Sobol draws
    in any case.
    """
    core = problem.core
    shape = core.structure
    dimension = shape.dimension if shape.nonlinear else len(shape.seen) + len(shape.random)
    if draws is None and dimension in PRIOR_NODES:
        rule = GaussHermite(PRIOR_NODES[dimension], adaptive=False)
    else:
        rule = MonteCarlo(draws or PRIOR_DRAWS, "sobol")
    standard = rule.standard(core.people, dimension)
    points, logs = jnp.asarray(standard.points), jnp.asarray(standard.log_weights)
    nodes = spread_nodes(points, logs, core.people)
    placed = eqx.tree_at(lambda c: c.nodes, core, nodes)
    placed = in_batches_of(placed, min(core.people, batch_size(placed, points.shape[1], problem.memory)))
    return View(placed, core.person, True)


def posterior_view(problem: Problem, situations: Person, params: Params, given: Given) -> View:
    """The situations, their people known by the items of a problem, or by its items and choices.

    Nodes are placed anew, by the problem's rule where that follows posteriors and else by the default rule.
    """
    known = problem.part("items") if given == "items" else problem
    if not problem.rule.centred:
        rule, _ = default_rule(problem.core.structure.dimension)
        known = known.integrate(rule.stages()[-1])
    return View(known.recentre(params).core, situations, False)


def moving(core: Core, params: Params, sections: tuple[str, ...] | None) -> Array:
    """Unit vectors of the free parameters on which the arrays of these sections depend (None: all)."""
    eye = np.eye(len(params))
    if sections is None:
        return jnp.asarray(eye)
    jacobian = _cell_slopes(core, params, sections)
    return jnp.asarray(eye[np.asarray((jacobian != 0.0).any(axis=0))])


@partial(compiled, static_argnames="sections")
def _cell_slopes(core: Core, params: Params, sections: tuple[str, ...]) -> Array:
    def cells(p: Params) -> Array:
        dense = core.structure.map.dense(core.theta(p))
        parts = [v.reshape(-1) for name in sections for v in dense.get(name, {}).values()]
        return jnp.concatenate([*parts, jnp.zeros(0)])

    return jax.jacfwd(cells)(params)
