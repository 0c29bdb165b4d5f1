"""What predictions are made for: situations, what is known of their people, and where to integrate."""

from dataclasses import replace
from functools import partial
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Given, Params
from iclv_jax._density import Choice, steady_columns
from iclv_jax._integration import GaussHermite, MonteCarlo, Nodes, Rule, default_rule
from iclv_jax._likelihood import Core
from iclv_jax._likelihood import people as people_of
from iclv_jax._panel import Data, Panel, Person
from iclv_jax._problem import Problem, spread_nodes
from iclv_jax._problem._memory import batch_size
from iclv_jax._problem._nodes import Among, points_of
from iclv_jax._problem._portions import Portion

Information = Literal["nothing", "items", "answers"]

PRIOR_NODES = {0: 1, 1: 64, 2: 32}
"""Gauss-Hermite nodes per dimension of the distribution that no answers inform."""
PRIOR_DRAWS = 1024
"""Scrambled Sobol draws per person from it in three and more dimensions, with the seed 0."""


class View(eqx.Module):
    """Situations to predict, and the distribution of their people's latent variables and coefficients.

    `core` holds what is known of the people (items and choices to condition on) and the nodes, `person` the
    situations and covariates to predict for, `choice` the choice in question. With `prior` nodes are shocks of the entries
    of eta that it sees (of all of them where an equation is a function); otherwise they are those of the likelihood.
    """

    core: Core
    person: Person
    prior: bool = eqx.field(static=True)
    choice: str | None = eqx.field(static=True)

    @property
    def block(self) -> Choice:
        assert self.choice is not None
        return self.core.structure.choice(self.choice)

    @property
    def seen(self) -> tuple[int, ...] | None:
        """As `worlds` takes it."""
        if not self.prior:
            return None
        return () if self.choice is None else self.block.seen

    @property
    def data(self) -> Data:
        """What is offered in the situations to predict, and which are real."""
        return self.person.data[self.block.at]

    @property
    def columns(self) -> Float[Array, "person situation column"]:
        return self.person.tables[self.block.table]

    def with_columns(self, columns: Array) -> "View":
        """The same view with other columns of the situations to predict."""
        tables = tuple(columns if i == self.block.table else t for i, t in enumerate(self.person.tables))
        return View(self.core, self.person._replace(tables=tables), self.prior, self.choice)

    def with_covariates(self, covariates: Array) -> "View":
        """The same view with other covariates of the latent variables."""
        people = self.core.people
        known = people.with_person(people.person._replace(covariates=covariates))
        return View(self.core.of(known), self.person, self.prior, self.choice)


def on(problem: Problem, panel: Panel, predicted: Panel | None = None) -> Problem:
    """The same model, parameters and rule of integration on other data; its nodes are not yet placed. `predicted` are the
    situations that will be predicted, where these are others. Of a problem whose people are a part of more, the data are of
    the people at the same places."""
    core, people = problem.core, len(panel.people)
    arrays = jax.tree.map(jnp.asarray, panel.person)
    empty = Nodes(jnp.zeros((people, 0, 0)), jnp.zeros((people, 0)))
    # Columns that do not change over the situations of these people may change over those of others.
    blocks = tuple(
        replace(
            block,
            steady=_steady(block, panel, predicted or panel),
            masked=panel.tables[block.table].masked or (predicted or panel).tables[block.table].masked,
        )
        if isinstance(block, Choice)
        else block
        for block in core.structure.blocks
    )
    mesh = core.people.mesh
    everybody = people_of(arrays, empty, jnp.asarray(panel.weights), people, classes=False, mesh=mesh)
    other = Core(replace(core.structure, blocks=blocks), core.constants, everybody)
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
        problem.among,
    )
    return bare.integrate(problem.rule)


def _steady(block: Choice, *panels: Panel) -> tuple[int, ...]:
    """Columns that do not change over a person's situations in any of these data."""
    each = [steady_columns(panel.person.tables[block.table]) for panel in panels]
    return tuple(i for i in each[0] if all(i in other for other in each))


def prior_view(problem: Problem, choice: str | None, draws: int | None = None) -> View:
    """The situations of a choice of a problem, its people known by their covariates alone.

    Gauss-Hermite in one and two dimensions, `PRIOR_DRAWS` Sobol draws beyond; with `draws` that many Sobol draws
    in any case.
    """
    shape = problem.core.structure
    dimension = 0 if choice is None else len(shape.choice(choice).seen)
    if not shape.system.linear:
        dimension = shape.dimension
    if draws is None and dimension in PRIOR_NODES:
        rule = GaussHermite(PRIOR_NODES[dimension], adaptive=False)
    else:
        rule = MonteCarlo(draws or PRIOR_DRAWS, "sobol")
    bare = View(problem.core, problem.core.person, True, choice)
    return at_prior_nodes(bare, rule, dimension, problem.memory, problem.among)


def at_prior_nodes(view: View, rule: Rule, dimension: int, memory: float, among: Among | None = None) -> View:
    """The same situations and people at the nodes of a rule for the prior."""
    core, size = view.core, view.core.people.size
    standard = points_of(rule, size, dimension, among)
    points, logs = jnp.asarray(standard.points), jnp.asarray(standard.log_weights)
    batch = min(size, batch_size(core, points.shape[1], memory))
    people = core.people.padded().with_nodes(spread_nodes(points, logs, size)).in_batches_of(batch)
    return View(core.of(people), view.person, True, view.choice)


def posterior_view(
    problem: Problem, situations: Person, params: Params, given: Given[Information], choice: str | None
) -> View:
    """The situations, their people known by the items of a problem, or by its items and choices.

    Nodes are placed anew, by the problem's rule where that follows posteriors and else by the default rule.
    """
    known = problem.part("items") if given == "items" else problem
    if not problem.rule.centred:
        rule, _ = default_rule(problem.core.structure.dimension)
        known = known.integrate(rule.stages()[-1])
    core = known.recentre(params).core
    return View(core.of(core.people.padded()), situations, False, choice)


def moving(core: Core, params: Params, sections: tuple[str, ...] | None) -> Array:
    """Unit vectors of the free parameters on which the arrays of these sections depend (None: all)."""
    eye = np.eye(len(params))
    if sections is None:
        return jnp.asarray(eye)
    jacobian = _cell_slopes(core, params, sections)
    return jnp.asarray(eye[np.asarray((jacobian != 0.0).any(axis=0))])


@partial(compiled, static_argnames="sections")
def _cell_slopes(core: Core, params: Params, sections: tuple[str, ...]) -> Array:
    def cells(theta: Array) -> Array:
        dense = core.structure.map.dense(theta)
        parts = [v.reshape(-1) for name in sections for v in dense.get(name, {}).values()]
        return jnp.concatenate([*parts, jnp.zeros(0)])

    def of_all_groups(p: Params) -> Array:
        theta = core.theta(p)
        return jax.vmap(cells)(theta.reshape(-1, theta.shape[-1])).reshape(-1)

    return jax.jacfwd(of_all_groups)(params)
