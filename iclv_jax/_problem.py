"""`Problem`: model, data and nodes bound together as a pure function of the parameters."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax import _derivatives as derivatives
from iclv_jax import _likelihood as likelihood
from iclv_jax._density import choice_log_densities, conditionable, item_log_densities, log_density, structure
from iclv_jax._integration import Centre, Conditioned, Nodes, Rule, default_rule, find_centre, place
from iclv_jax._integration._rule import check_count
from iclv_jax._latent import latent_variables
from iclv_jax._likelihood import Core, over_people
from iclv_jax._panel import Panel, Person, read_panel
from iclv_jax._parameters import CHOICE, LATENT, ParameterTable, build_table, section
from iclv_jax._report._diagnosis import Diagnosis, diagnose
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest
from iclv_jax._spec._values import finite
from iclv_jax._start import default_start
from iclv_jax._types import Array, Float, Hessian, Params, Scalar, Scores

WORKING_MEMORY = 512e6
"""Bytes that one batch of people may take in a gradient, about."""

loglike = jax.jit(likelihood.loglike)
loglike_person = jax.jit(likelihood.loglike_person)
score = jax.jit(derivatives.score)
score_person = jax.jit(derivatives.score_person)
hessians = {
    "exact": jax.jit(derivatives.hessian_exact),
    "autodiff": jax.jit(derivatives.hessian_autodiff),
    "bhhh": jax.jit(derivatives.hessian_bhhh),
}


@jax.jit
def centres(core: Core, params: Params) -> Centre:
    """Mode and curvature of every person's posterior."""
    cells = core.structure.map.dense(core.theta(params))

    def one(person: Person) -> Centre:
        return find_centre(partial(log_density, core.structure, cells, person), core.structure.dimension)

    return over_people(one, core.batch, core.person)


@partial(jax.jit, static_argnames="from_prior")
def centred_nodes(points: Array, log_weights: Array, centre: Centre, from_prior: int) -> Nodes:
    shared = points.shape[0] == 1
    return jax.vmap(partial(place, from_prior=from_prior), in_axes=(None if shared else 0, None, 0))(
        points[0] if shared else points, log_weights, centre
    )


@partial(jax.jit, static_argnames="size")
def spread_nodes(points: Array, log_weights: Array, size: int) -> Nodes:
    return Nodes(
        jnp.broadcast_to(points, (size, *points.shape[1:])),
        jnp.broadcast_to(log_weights, (size, *log_weights.shape)),
    )


class Problem(eqx.Module):
    """The log-likelihood of one model on one data set, as pure functions of `params`.

    `params` is the vector of free parameters in natural units, in the order of `names`. Every
    method that takes it may be transformed by `jax.jit`, `jax.grad`, `jax.vmap` and so on. Nodes are
    part of the problem, so derivatives are those at frozen nodes.

    Attributes
    ----------
    core
        The arrays: data, weights, nodes, fixed parameters.
    table
        The parameter table.
    panel
        The checked data.
    rule
        The rule of integration.
    reason
        Why this rule.
    """

    core: Core
    points: Float[Array, "person node dimension"]
    log_weights: Float[Array, " node"]
    from_prior: int = eqx.field(static=True)
    spec: Spec = eqx.field(static=True)
    table: ParameterTable = eqx.field(static=True)
    panel: Panel = eqx.field(static=True)
    rule: Rule = eqx.field(static=True)
    reason: str = eqx.field(static=True)

    def __hash__(self) -> int:
        # By identity: `jax.jit(problem.loglike)` asks for the hash of the method, and so of its problem's arrays.
        return id(self)

    @property
    def names(self) -> tuple[str, ...]:
        return self.table.names

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds in natural units."""
        return self.table.bounds

    def start(self) -> Params:
        """Default start values, from the moments of the items."""
        return jnp.asarray(default_start(self.spec, self.table, self.panel))

    def vector(self, mapping: Mapping[str, Any] | Any) -> Params:
        """Named values (a mapping or a Series) as `params`; every free parameter must be named. Entries for parameters that
        are fixed, tied or defined are refused unless they agree with the model to 1e-9."""
        mapping = dict(mapping)
        self._check_known(mapping)
        absent = [n for n in self.names if n not in mapping]
        if absent:
            raise ValueError(
                f"{len(absent)} of {len(self.names)} free parameters have no value: {', '.join(absent[:5])}"
                + (", ..." if len(absent) > 5 else "")
                + ". Name all of them."
            )
        params = jnp.asarray(np.array([finite(n, mapping[n], "mapping") for n in self.names]))
        values = self.unpack(params, everything=True)
        for name, value in mapping.items():
            if not np.isclose(float(value), float(values[name]), rtol=1e-9, atol=1e-9):
                standing = self.table.row(name).standing
                found = f"{float(values[name]):g}, not {float(value):g}"
                raise ValueError(f"{name!r} is {standing} and so {found}. Leave it out.")
        return params

    def unpack(self, params: Params, everything: bool = False) -> dict[str, Array]:
        """Named values of the free parameters, or of every parameter of the table."""
        if not everything:
            return dict(zip(self.names, params, strict=True))
        full = self.table.map.full(self.core.constants, params)
        return {row.name: full[i] for i, row in enumerate(self.table.rows)}

    def loglike(self, params: Params) -> Scalar:
        """The weighted log-likelihood."""
        return loglike(self.core, params)

    def loglike_person(self, params: Params) -> Float[Array, " person"]:
        """log L_n of every person, unweighted, in the order of `panel.people`."""
        return loglike_person(self.core, params)

    def score(self, params: Params) -> Params:
        """Gradient of `loglike`."""
        return score(self.core, params)

    def score_person(self, params: Params) -> Scores:
        """Gradient of every person's log L_n, unweighted: shape (people, parameters)."""
        return score_person(self.core, params)

    def hessian(self, params: Params, method: Literal["exact", "autodiff", "bhhh"] = "exact") -> Hessian:
        """Hessian of `loglike`.

        `"exact"` uses the structure of the model; `"autodiff"` is `jax.hessian` in chunks, the cross-check;
        `"bhhh"` is minus the outer product of the scores.
        """
        if method not in hessians:
            raise ValueError(
                f"method is one of {', '.join(map(repr, hessians))}, not {method!r}. "
                f"{nearest(method, hessians)}"
            )
        return hessians[method](self.core, params)

    def diagnose(self, params: Params, previous: Params | None = None) -> Diagnosis:
        """What one asks when a fit is stuck, at any parameters: tables and plain sentences.

        Gradients by block before and after scaling; parameters that nobody's likelihood depends on, with the
        likely cause; combinations that the data do not tell apart; signs and scales of latent variables;
        columns on very different scales. With `previous`, the parameters one step earlier, also the curvature
        |y| / |s| of that step. Not to be transformed by JAX.

        Raises ValueError for a vector of another length, and where the log-likelihood is not finite.
        """
        return diagnose(self, params, previous)

    def centres(self, params: Params) -> Centre:
        """Mode and curvature of every person's posterior of the shocks, with flags."""
        return centres(self.core, params)

    def recentre(self, params: Params) -> "Problem":
        """The problem with its nodes placed at these parameters' posteriors (itself for a rule
        without centres). Not differentiable, by design."""
        if not self.rule.centred or self.core.structure.dimension == 0:
            return self
        centre = centres(self.core, jax.lax.stop_gradient(jnp.asarray(params)))
        nodes = centred_nodes(self.points, self.log_weights, centre, self.from_prior)
        return eqx.tree_at(lambda p: p.core.nodes, self, nodes)

    def integrate(self, rule: Rule) -> "Problem":
        """The same problem with the nodes of another rule, not yet placed at any parameters."""
        people, dimension = len(self.panel.people), self.core.structure.dimension
        standard = rule.standard(people, dimension)
        points, logs = jnp.asarray(standard.points), jnp.asarray(standard.log_weights)
        nodes = spread_nodes(points, logs, people)
        core = eqx.tree_at(lambda c: c.nodes, self.core, nodes)
        batch = min(self.core.batch, _batch(core.person, points.shape[1], dimension))
        core = Core(core.structure, batch, core.constants, core.person, core.weights, nodes)
        return Problem(
            core, points, logs, standard.from_prior, self.spec, self.table, self.panel, rule, self.reason
        )

    def part(self, keep: Literal["items", "choices"]) -> "Problem":
        """The same problem with only the items, or only the choices, in the likelihood."""
        person = self.core.person
        if keep == "items":
            person = person._replace(occurs=jnp.zeros_like(person.occurs))
        else:
            person = person._replace(observed=tuple(jnp.zeros_like(o) for o in person.observed))
        return eqx.tree_at(lambda p: p.core.person, self, person)

    def with_weights(self, weights: Array) -> "Problem":
        """The same problem with other person weights."""
        return eqx.tree_at(lambda p: p.core.weights, self, jnp.asarray(weights))

    def check_start(self, params: Params) -> None:
        """Raise ValueError naming people and factor when the log-likelihood is not finite here."""
        bad = np.flatnonzero(~np.isfinite(np.asarray(self.loglike_person(params))))
        if not len(bad):
            return
        people = ", ".join(repr(self.panel.people[i]) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise ValueError(
            f"The log-likelihood is not finite at the start values for {len(bad)} of "
            f"{len(self.panel.people)} people ({people}); the factor that does it, for the first: "
            f"{self._guilty(params, int(bad[0]))}. Give other start values, or check these people's data."
        )

    def _guilty(self, params: Params, position: int) -> str:
        """What makes the first of these people's likelihood not finite, at the centre of the shocks."""
        shape = self.core.structure
        cells = shape.map.dense(self.core.theta(params))
        person = jax.tree.map(lambda a: a[position], self.core.person)
        shocks = jnp.zeros(shape.dimension)
        eta = latent_variables(cells[LATENT], person.covariates, jnp.zeros(shape.latents))
        if not np.isfinite(np.asarray(eta)).all():
            return "the structural equations"
        bad = []
        for stack, values, observed in zip(shape.stacks, person.values, person.observed, strict=True):
            each = item_log_densities(stack, cells[section(stack)], values, eta)
            wrong = np.asarray(observed & ~jnp.isfinite(each))
            bad += [f"item {stack.items[i]!r}" for i in np.flatnonzero(wrong)]
        if shape.utility is not None:
            each = choice_log_densities(shape, cells[CHOICE], person, eta, shocks)
            wrong = np.flatnonzero(np.asarray(person.occurs & ~jnp.isfinite(each)))
            bad += [f"the choice in situation {i + 1}" for i in wrong]
        return ", ".join(bad) or "the integral over the nodes"

    def _check_known(self, mapping: Mapping[str, Any]) -> None:
        for name in mapping:
            self.table.row(name)


def bind(
    spec: Spec,
    data: Any,
    *,
    person: str | None = None,
    people: Any = None,
    weights: Any = None,
    cluster: str | None = None,
    integration: Rule | None = None,
    levels: Mapping[str, Any] | None = None,
    batch_people: int | None = None,
) -> Problem:
    """Check the data, build the parameter table, make the nodes."""
    if integration is not None and not isinstance(integration, Rule):
        raise ValueError(
            f"integration= is a rule such as iclv.GaussHermite(15) or iclv.MonteCarlo(500), not {integration!r}."
        )
    if batch_people is not None:
        check_count(batch_people, "batch_people")
    panel = read_panel(spec, data, person, people, weights, cluster, levels)
    table = build_table(spec, panel.levels, panel.moments)
    rule, reason = _choose(spec, integration)
    shape = structure(spec, table, rule.conditions)
    standard = rule.standard(len(panel.people), shape.dimension)
    points, logs = jnp.asarray(standard.points), jnp.asarray(standard.log_weights)
    arrays = jax.tree.map(jnp.asarray, panel.person)
    core = Core(
        structure=shape,
        batch=batch_people or _batch(arrays, points.shape[1], shape.dimension),
        constants=jnp.asarray(table.constants),
        person=arrays,
        weights=jnp.asarray(panel.weights),
        nodes=spread_nodes(points, logs, len(panel.people)),
    )
    return Problem(core, points, logs, standard.from_prior, spec, table, panel, rule, reason)


def _choose(spec: Spec, integration: Rule | None) -> tuple[Rule, str]:
    """The rule of integration, and why."""
    possible = conditionable(spec)
    if integration is not None:
        if integration.conditions and not possible:
            raise ValueError(
                "iclv.Conditioned needs latent variables whose items are all continuous. Use iclv.GaussHermite or "
                "iclv.Adaptive."
            )
        return integration, "as asked for"
    if possible:
        seen = len(spec.utility.latents) if spec.utility is not None else 0
        rule, _ = default_rule(seen + len(spec.random))
        return Conditioned(rule), "chosen because all items are continuous and the equations linear"
    return default_rule(spec.dimension)


def _batch(person: Person, nodes: int, dimension: int) -> int:
    """People per batch such that a gradient takes about `WORKING_MEMORY`."""
    people, situations = person.occurs.shape
    items = sum(v.shape[1] for v in person.values)
    per_node = 12 * items + 12 * situations * (person.available.shape[2] + person.columns.shape[2])
    bytes_per_person = 8.0 * nodes * (per_node + 8 * dimension + 8)
    return int(np.clip(WORKING_MEMORY / bytes_per_person, 1, people))
