"""`Problem`: model, data and nodes bound together as a pure function of the parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import AnyArray, Array, Float, Given, Params
from iclv_jax._integration import Centre, Nodes, Rule, pilot_points
from iclv_jax._integration._rule import check_rule
from iclv_jax._likelihood import Core, People
from iclv_jax._panel import Panel
from iclv_jax._parameters import ParameterTable, full
from iclv_jax._problem._evaluated import (
    effective_sizes,
    expansion,
    hessian,
    loglike,
    loglike_person,
    numerical_hessian,
    score,
    score_person,
    slope,
    value_and_score,
)
from iclv_jax._problem._logdensity import LogDensity, logdensity
from iclv_jax._problem._memory import batch_size
from iclv_jax._problem._nodes import (
    Among,
    centred_nodes,
    centres,
    centres_by_class,
    counts_of,
    moved_by_moments,
    points_of,
    spread_nodes,
)
from iclv_jax._problem._params import check_parts, mapping_of, params_of, positions_of, weights_of
from iclv_jax._problem._people import by_person, called, check_start
from iclv_jax._problem._portions import Portion
from iclv_jax._problem._start import default_start
from iclv_jax._spec import expand
from iclv_jax._spec._model import Spec
from iclv_jax._spec._values import finite

Found = TypeVar("Found")


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
    memory
        Bytes that an evaluation may take.
    portion
        How many nodes are evaluated at a time: those of the coarse stage of a rule, where there was one.
    among
        How many people stand before these, and how many there are in all, where these are a part of more.

    Examples
    --------
    >>> problem = logit.bind(df)
    >>> problem.names
    ('asc_bus', 'age_bus', 'time', 'cost')
    >>> params = problem.vector({"asc_bus": -2.0, "age_bus": 0.5, "time": -1.0, "cost": -0.8})
    >>> problem.score(params).shape, problem.hessian(params).shape
    ((4,), (4, 4))
    """

    core: Core
    points: Float[Array, "person node dimension"]
    log_weights: Float[Array, "*person node"]
    from_prior: int = eqx.field(static=True)
    spec: Spec = eqx.field(static=True)
    table: ParameterTable = eqx.field(static=True)
    panel: Panel = eqx.field(static=True)
    rule: Rule = eqx.field(static=True)
    reason: str = eqx.field(static=True)
    memory: float = eqx.field(static=True)
    portion: Portion = eqx.field(static=True)
    among: Among | None = eqx.field(static=True, default=None)

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

    @property
    def first(self) -> "Problem":
        """Itself: the problem that stands for all people. Where they come in chunks it is that of the first."""
        return self

    @property
    def weight_sums(self) -> tuple[float, float]:
        """The sum of the weights, and of their squares."""
        weights = self.panel.weights
        return float(weights.sum()), float((weights**2).sum())

    @property
    def occurring(self) -> tuple[bool, ...]:
        """Whether anybody answers, by block of the density."""
        return tuple(bool(np.asarray(data.occurs).any()) for data in self.core.person.data)

    @property
    def room(self) -> float:
        """Bytes for each person."""
        return self.memory / len(self.panel.people)

    def summed(self, function: Callable[["Problem"], Found]) -> Found:
        """The sum of a function of problems over parts of the people; here all are one part.

        Examples
        --------
        >>> fit.problem.summed(lambda part: part.panel.size)
        300
        """
        return function(self)

    def start(self) -> Params:
        """Default start values, from the moments of the items.

        Examples
        --------
        >>> fit.problem.start().shape == fit.estimates.shape
        True
        """
        return jax.device_put(default_start(self.spec, self.table, self.panel))

    def vector(self, mapping: Given[Mapping[str, Any] | Any]) -> Params:
        """Named values (a mapping or a Series) as `params`; every free parameter must be named, modules as in `fixed`.
        Values of parameters that are fixed, tied or defined are refused unless they agree with the model to 1e-9.

        Examples
        --------
        >>> bool((fit.problem.vector(fit.params) == fit.estimates).all())
        True
        """
        mapping = expand(self.spec.modules, mapping_of(mapping).items(), "mapping")
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

    def unpack(self, params: Given[Params], everything: Given[bool] = False) -> dict[str, Array]:
        """Named values of the free parameters, or of every parameter of the table.

        Examples
        --------
        >>> tuple(fit.problem.unpack(fit.problem.start())) == fit.names
        True
        """
        check_switch(everything, "everything=")
        params = params_of(self, params)
        if not everything:
            return dict(zip(self.names, params, strict=True))
        values = full(self.table.map, self.core.constants, params)
        return {row.name: values[i] for i, row in enumerate(self.table.rows)}

    loglike, loglike_person, effective_sizes = loglike, loglike_person, effective_sizes
    score, score_person, value_and_score, slope = score, score_person, value_and_score, slope
    hessian, expansion, numerical_hessian = hessian, expansion, numerical_hessian
    by_person, called, check_start = by_person, called, check_start

    def subsample(self, people: Given[Sequence[int] | np.ndarray]) -> "Problem":
        """The same problem with the likelihood of some people (by position) only, weighted up to the
        total weight.

        Examples
        --------
        >>> float(logit_fit.problem.subsample([0, 1, 2]).core.weights.sum())
        300.0
        """
        at = positions_of(people, len(self.panel.people))
        found, kept = self.take(at), self.core.weights[at]
        return found.with_weights(kept * (self.core.weights.sum() / kept.sum()))

    def take(self, people: Given[Sequence[int] | np.ndarray]) -> "Problem":
        """The same problem for some people only (by position), at their own weights.

        Examples
        --------
        >>> logit_fit.problem.take(np.array([0, 1, 2])).panel.people
        (0, 1, 2)
        """
        at = positions_of(people, len(self.panel.people))
        points = self.points if self.points.shape[0] == 1 else self.points[at]
        logs = self.log_weights if self.log_weights.ndim == 1 else self.log_weights[at]
        new = self.core.of(self.core.people.take(at)), points, logs, self.from_prior
        panel, rule = self.panel.take(at), self.rule.of(at)
        rest = self.spec, self.table, panel, rule, self.reason, self.memory, self.portion
        return Problem(*new, *rest)

    @property
    def _bare(self) -> Core:
        """The core without its nodes."""
        size = self.core.people.size
        none = Nodes(*jax.device_put((np.zeros((size, 0, 0)), np.zeros((size, 0)))))
        return self.core.of(self.core.people.with_nodes(none))

    def logdensity(
        self,
        prior: Any = None,
        *,
        jacobian: Given[bool] = True,
        recentre: Given[bool] = False,
        start: Any = None,
    ) -> LogDensity:
        """Log-likelihood plus log prior as a pure function of an unconstrained vector, for samplers and optimisers of other
        libraries; arguments and uses are told at `LogDensity`.

        Raises ValueError for a prior that is no density of the parameters, and for a start outside the domain.

        Examples
        --------
        >>> logit_fit.problem.logdensity(start=logit_fit.estimates).start.shape
        (4,)
        """
        check_switch(jacobian, "jacobian=")
        check_switch(recentre, "recentre=")
        first = self.start() if start is None else self.vector(start) if hasattr(start, "keys") else start
        return logdensity(self, prior, jnp.asarray(params_of(self, first)), jacobian, recentre)

    def centres(self, params: Given[Params]) -> Centre:
        """Mode and curvature of every person's posterior of the shocks, with flags.

        Examples
        --------
        >>> fit.problem.centres(fit.estimates).mode.shape
        (300, 1)
        """
        return centres(self._bare, params_of(self, params))

    def recentre(self, params: Given[Params]) -> "Problem":
        """The problem with its nodes placed at these parameters' posteriors (itself for a rule
        without centres). Not differentiable, by design.

        Examples
        --------
        >>> fit.problem.recentre(fit.estimates).rule == fit.problem.rule
        True
        """
        params = params_of(self, params)
        if not self.rule.centred or self.core.structure.dimension == 0:
            return self
        return self.placed_at(self.centres_of_nodes(jax.lax.stop_gradient(jnp.asarray(params))))

    def placed_at(self, centre: Centre) -> "Problem":
        """The problem with its nodes placed there.

        Examples
        --------
        >>> centre = fit.problem.centres_of_nodes(fit.estimates)
        >>> bool(np.isclose(fit.problem.placed_at(centre).loglike(fit.estimates), fit.llf, atol=1e-6))
        True
        """
        nodes = centred_nodes(self.points, self.log_weights, centre, self.from_prior)
        return self.with_people(self.core.people.with_nodes(nodes))

    def centres_of_nodes(self, params: Given[Params], modes: Centre | None = None) -> Centre:
        """Where the rule places nodes: posterior modes and curvatures, or means and covariances, those of each latent class
        of people with an axis more. `modes`, where they are known, are not looked for again.

        Examples
        --------
        >>> fit.problem.centres_of_nodes(fit.estimates).mode.shape
        (300, 1)
        """
        params = params_of(self, params)
        if not self.rule.by_moments:
            return modes or self.centres(params)
        drawn = self.points.shape[1] - self.from_prior
        pilot = jax.device_put(pilot_points(self.core.structure.dimension, drawn))
        if self.rule.by_classes and self.core.structure.mixed is not None:
            return centres_by_class(self._bare, params, pilot)
        return moved_by_moments(self._bare, params, modes or self.centres(params), pilot)

    def with_people(self, people: People) -> "Problem":
        """The same problem for other data, nodes or weights of its people.

        Examples
        --------
        >>> fit.problem.with_people(fit.problem.core.people).names == fit.names
        True
        """
        return eqx.tree_at(lambda p: p.core, self, self.core.of(people))

    @property
    def coarse(self) -> "Problem":
        """The problem with the nodes of the first stage of its rule."""
        rule = self.rule.stages()[0]
        return self if rule == self.rule else self.integrate(rule)

    def integrate(self, rule: Given[Rule]) -> "Problem":
        """The same problem with the nodes of another rule, not yet placed at any parameters.

        Examples
        --------
        >>> fit.problem.integrate(iclv.GaussHermite(3)).rule.nodes
        3
        """
        check_rule(rule, "rule")
        people, dimension = self.core.people.size, self.core.structure.dimension
        standard = points_of(rule, people, dimension, self.among)
        points, logs = jax.device_put((standard.points, standard.log_weights))
        nodes = spread_nodes(standard.points, standard.log_weights, people)
        most = batch_size(self.core, points.shape[1], self.memory)
        batch = min(self.core.people.batch, most)
        counts = counts_of(rule, people, points.shape[1])
        core = self.core.of(self.core.people.with_nodes_by_person(nodes, counts).in_batches_of(batch))
        new = core, points, logs, standard.from_prior
        portion = self.portion
        if not (rule.centred and self.rule.centred and portion.nodes < points.shape[1]):
            portion = Portion(points.shape[1], batch)
        rest = self.spec, self.table, self.panel, rule, self.reason, self.memory, portion, self.among
        return Problem(*new, *rest)

    def part(self, *names: Given[str]) -> "Problem":
        """The same problem with only some blocks in the likelihood: `"items"` (all of them), `"choices"` (all of them), or
        choices by name.

        Examples
        --------
        >>> bool(fit.problem.part("items").loglike(fit.estimates) > fit.llf)
        True
        """
        shape, person = self.core.structure, self.core.person
        groups = {"items": [b.name for b in shape.items], "choices": [b.name for b in shape.choices]}
        check_parts(names, (*groups, *(b.name for b in shape.blocks)))
        kept = {name for given in names for name in groups.get(given, [given])}
        data = tuple(
            d if block.name in kept else d._replace(occurs=_nothing(d.occurs))
            for block, d in zip(shape.blocks, person.data, strict=True)
        )
        return self.with_people(self.core.people.with_person(person._replace(data=data)))

    def with_weights(self, weights: Given[AnyArray]) -> "Problem":
        """The same problem with other person weights.

        Examples
        --------
        >>> twice = logit_fit.problem.with_weights(np.full(300, 2.0))
        >>> bool(np.isclose(twice.loglike(logit_fit.estimates), 2.0 * logit_fit.llf))
        True
        """
        weights = weights_of(weights, self.core.weights.shape[0])
        found = self.with_people(self.core.people.with_weights(jnp.asarray(weights)))
        if isinstance(weights, Tracer):
            return found
        panel = replace(self.panel, weights=np.asarray(weights, float))
        return replace(found, panel=panel)

    def _check_known(self, mapping: Mapping[str, Any]) -> None:
        for name in mapping:
            self.table.row(name)


def _nothing(marks: Array) -> Array:
    return jax.device_put(np.zeros(marks.shape, bool))
