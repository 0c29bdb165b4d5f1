"""The mean negative log-likelihood as a function of unconstrained parameters z."""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Generic, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, TypeVar, runtime_checkable

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Number
from iclv_jax._derivatives import Expansion, PersonScores, Slope, outer_products, summed
from iclv_jax._optimise._ridges import Ridge, open_ridges
from iclv_jax._optimise._units import Units
from iclv_jax._parameters import Coordinates, natural, unconstrained
from iclv_jax._parameters._penalties import Penalties, Terms, cost, slope
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import simulation_noise
from iclv_jax._problem._evaluated import few, person_scores
from iclv_jax._problem._sums import Sums
from iclv_jax._spec import Parameter

STEEP = 6.0
"""Loading of a discrete item, per standard deviation of the disturbance of its latent variable, that hardly any item has:
reliabilities of 0.97 and more."""
UNMOVED = 1e-7
"""Relative change of scores, and change of log-likelihoods, that counts as none."""
Bound = TypeVar("Bound", bound=Sums, default=Problem)
Supplied = Literal["exact", "bhhh", "none"]
"""Which Hessian an objective has to give: exact, outer products of scores, or none."""


class Derivatives(NamedTuple):
    """Value, gradient and Hessian at a point; the Hessian is zero where none was asked for. `items` is the log-likelihood
    of the items alone, where choices are in the objective too."""

    value: Array
    gradient: Float[Array, " param"]
    hessian: Float[Array, "param param"]
    items: Array | None = None


@runtime_checkable
class Objective(Protocol):
    """What an optimiser minimises: a smooth function of unconstrained parameters z.

    `size` turns differences of the objective into those of the log-likelihood, `count` into those of as many people as
    the weights are worth, whatever their unit; `free` marks the parameters that may move, `inside` the entries of modules,
    `stand_ins` whose scale a parameter without scores takes (its own: that of 1). `moves` says whether nodes are placed at
    the posterior, and so depend on the parameters.
    """

    @property
    def free(self) -> np.ndarray: ...
    @property
    def inside(self) -> np.ndarray: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> float: ...
    @property
    def count(self) -> float: ...
    @property
    def stand_ins(self) -> np.ndarray: ...
    @property
    def moves(self) -> bool: ...
    def params(self, z: Array) -> Array: ...
    def z(self, params: Array) -> Array: ...
    def value(self, z: Array) -> float: ...
    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        """Value and gradient, with this in the place of second derivatives (None: zero)."""
        ...

    def derivatives(self, z: Array, supplied: Supplied) -> Derivatives: ...
    def mean_squared_scores(self, z: Array) -> np.ndarray: ...
    def responds(self, z: Array, step: np.ndarray) -> bool:
        """Whether the log-likelihoods of people change along a step about as their scores say."""
        ...

    def silent(self, z: Array, step: np.ndarray) -> bool:
        """Whether a step changes neither the log-likelihood nor any score, up to rounding."""
        ...

    def steep(self, z: Array) -> tuple[str, ...]:
        """Loadings of items that their latent variable all but decides."""
        ...

    def drifting(self, z: Array) -> list[Ridge]:
        """Random coefficients that are so far out that their distribution hardly changes, and cost nothing further on."""
        ...

    def bounds(self) -> tuple[np.ndarray, np.ndarray]: ...
    def recentred(self, z: Array) -> "Objective": ...
    def noise(self, z: Array) -> float: ...
    def cost(self, z: Array) -> float:
        """What penalties take from the log-likelihood."""
        ...


@partial(compiled, quick=True)
def penalised(terms: Terms, params: Array, found: Expansion) -> Expansion:
    """The log-likelihood less its penalties, with derivatives in natural units."""
    return Expansion(
        found.value - cost(terms, params),
        found.gradient - slope(terms, params),
        found.hessian - jnp.diag(terms.precision),
    )


def in_z(
    mapping: Coordinates, constants: Array, z: Array, found: Expansion, curved: bool | Array
) -> Derivatives:
    """Value, gradient and Hessian of the negative log-likelihood in z; `curved` adds the curvature of the
    transforms (outer products of scores transform like scores, and have none of it)."""

    def slopes(z: Array) -> tuple[Array, Array]:
        params, pull = jax.vjp(lambda v: mapping.natural(constants, v), z)
        return params, pull(found.gradient)[0]

    j, bend = jax.jacfwd(slopes)(z)
    hessian = j.T @ found.hessian @ j + jnp.where(curved, bend, 0.0)
    return Derivatives(-found.value, -(j.T @ found.gradient), -hessian)


@partial(compiled, quick=True, static_argnums=0)
def mean_in_z(
    mapping: Coordinates, constants: Array, z: Array, found: Expansion, size: Number, curved: bool | Array
) -> Derivatives:
    here = in_z(mapping, constants, z, found, curved)
    return Derivatives(here.value / size, here.gradient / size, here.hessian / size)


@partial(compiled, quick=True, static_argnums=0)
def mean_slope(
    mapping: Coordinates, constants: Array, z: Array, value: Array, gradient: Array, size: Number
) -> tuple[Array, Array]:
    pull = jax.vjp(lambda v: mapping.natural(constants, v), z)[1]
    return -value / size, -pull(gradient)[0] / size


@partial(compiled, quick=True, static_argnums=0)
def squares_in_z(mapping: Coordinates, constants: Array, z: Array, scores: Array, weights: Array) -> Array:
    """Sums over people of the weighted squares of scores in z, and behind them that of weights."""
    pull = jax.vjp(lambda v: mapping.natural(constants, v), z)[1]
    squares = weights @ jax.vmap(lambda s: pull(s)[0])(scores) ** 2
    return jnp.append(squares, weights.sum())


@partial(compiled, quick=True, static_argnums=0)
def outer_in_z(mapping: Coordinates, constants: Array, z: Array, scores: Array, weights: Array) -> Array:
    pull = jax.vjp(lambda v: mapping.natural(constants, v), z)[1]
    mine = jax.vmap(lambda s: pull(s)[0])(scores)
    return (mine.T * weights[None, :]) @ mine


@dataclass(frozen=True)
class Likelihood(Generic[Bound]):
    """`-(loglike - penalties) / total weight` of a problem, or of what has the sums of one, in z: of the user's parameters,
    or in `units` of the disturbances."""

    problem: Bound
    free: np.ndarray
    penalties: Penalties | None = None
    units: Units | None = None
    whole: bool = False
    """Whether values and gradients come with second derivatives: one program to compile where none takes time to run."""
    known: dict[bytes, Array] = field(default_factory=dict, compare=False, repr=False)
    """The last exact Hessian of the log-likelihood in natural units, by the parameters' bytes."""
    frozen: bool = False
    """Whether nodes stay where they are, whatever the rule."""
    each: dict[bytes, PersonScores] = field(default_factory=dict, compare=False, repr=False)
    """The last two values and scores of few people, by the parameters' bytes: a value, its gradient, its scale and what is
    asked after the last step are sums of the same."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.first.names

    @property
    def inside(self) -> np.ndarray:
        return np.array([name in self.problem.first.spec.module_of for name in self.names], bool)

    @property
    def size(self) -> float:
        """The total weight: differences of the objective times this are those of the log-likelihood."""
        return self.problem.weight_sums[0]

    @property
    def count(self) -> float:
        """How many people the weights are worth (Kish 1965), or stand for: free of the unit of weights."""
        total, squares = self.problem.weight_sums
        return total if self.problem.first.panel.weights_count else total**2 / squares

    @property
    def stand_ins(self) -> np.ndarray:
        """A spread at zero has no score; the coefficient that it spreads has the unit."""
        at = {name: i for i, name in enumerate(self.names)}
        rows = self.problem.first.table.parameters
        return np.array([at.get(p.owner, i) if p.role == "spread" else i for i, p in enumerate(rows)], int)

    @property
    def _map(self) -> tuple[Coordinates, Array]:
        if self.units is not None:
            return self.units.map, self.units.constants
        core = self.problem.first.core
        return core.structure.map, core.constants

    def params(self, z: Array) -> Array:
        return natural(*self._map, z)

    def z(self, params: Array) -> Array:
        return unconstrained(*self._map, jnp.asarray(params))

    def value(self, z: Array) -> float:
        if self.whole:
            return float(self.derivatives(z, "exact").value)
        return -(self.loglike(self.params(z)) - self.cost(z)) / self.size

    def loglike(self, params: Array) -> float:
        """The log-likelihood, without penalties. Where nodes move with each step its scores would not be asked for."""
        each = None if self.moves and np.asarray(params).tobytes() not in self.each else self._each(params)
        return float(
            self.problem.loglike(params)
            if each is None
            else summed(self.problem.first.core.weights, *each).value
        )

    def _each(self, params: Array) -> PersonScores | None:
        """What every person says, of few people in memory."""
        if not isinstance(self.problem, Problem) or not few(self.problem, params):
            return None
        at = np.asarray(params).tobytes()
        if at not in self.each:
            for oldest in list(self.each)[:-1]:
                del self.each[oldest]
            self.each[at] = person_scores(self.problem, params)
        return self.each[at]

    def _slope(self, params: Array) -> Slope:
        each = self._each(params)
        return self.problem.slope(params) if each is None else summed(self.problem.first.core.weights, *each)

    def _expansion(self, params: Array, supplied: Supplied) -> Expansion:
        each = self._each(params) if supplied == "bhhh" else None
        if each is None:
            return self.problem.expansion(params, supplied)
        return outer_products(self.problem.first.core.weights, *each)

    def cost(self, z: Array) -> float:
        return 0.0 if self.penalties is None else self.penalties.cost(self.params(z))

    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        if self.whole:
            return self.derivatives(z, "exact")
        params = self.params(z)
        value, gradient, items = self._slope(params)
        if self.penalties is not None:
            terms = self.penalties.terms
            value, gradient = value - cost(terms, params), gradient - slope(terms, params)
        second = jax.device_put(np.zeros((len(z), len(z)))) if hessian is None else hessian
        value, gradient = mean_slope(*self._map, z, value, gradient, self.size)
        return Derivatives(value, gradient, second, self._items(items))

    def derivatives(self, z: Array, supplied: Supplied) -> Derivatives:
        if supplied == "none":
            return self.slope(z)
        params = self.params(z)
        found = self._expansion(params, supplied)
        if supplied == "exact":
            self.known.clear()
            self.known[np.asarray(params).tobytes()] = found.hessian
        if self.penalties is not None:
            found = penalised(self.penalties.terms, params, found)
        mean = mean_in_z(*self._map, z, found._replace(items=None), self.size, supplied == "exact")
        return mean._replace(items=self._items(found.items))

    def _items(self, items: Array | None) -> Array | None:
        return items if self._both else None

    def mean_squared_scores(self, z: Array) -> np.ndarray:
        params, chart = self.params(z), self._map
        each = self._each(params)

        def squares(problem: Problem) -> Array:
            scores = problem.score_person(params) if each is None else each.scores
            return squares_in_z(*chart, z, scores, problem.core.weights)

        found = np.asarray(self.problem.summed(squares))
        return found[:-1] / found[-1]

    def responds(self, z: Array, step: np.ndarray) -> bool:
        here, there = self.params(z), self.params(z + jnp.asarray(step))
        along = jax.jvp(self.params, (z,), (jnp.asarray(step),))[1]

        def compared(problem: Problem) -> np.ndarray:
            told = np.asarray(problem.score_person(here) @ along)
            before, after = (np.asarray(problem.loglike_person(at)) for at in (here, there))
            known = np.asarray(problem.core.weights) > 0.0
            return np.array([((after - before - told)[known] ** 2).sum(), (told[known] ** 2).sum()])

        gap, told = np.sqrt(np.asarray(self.problem.summed(compared)))
        return bool(np.isfinite(gap) and gap < 0.5 * told)

    def silent(self, z: Array, step: np.ndarray) -> bool:
        here, forth, back = (self.params(at) for at in (z, z + step, z - step))

        def compared(problem: Problem) -> tuple[np.ndarray, ...]:
            before, after, behind = (np.asarray(problem.score_person(at)) for at in (here, forth, back))
            sums = ((s**2).sum(axis=0) for s in (before, after - before, behind - before))
            values = (np.asarray(problem.loglike_person(at)) for at in (here, forth))
            return *sums, np.array(int((~(np.abs(np.subtract(*values)) < UNMOVED)).sum()))

        size, *changes, moved = self.problem.summed(compared)
        change = np.sqrt(np.maximum(*map(np.asarray, changes))) / (np.sqrt(np.asarray(size)) + 1e-300)
        return bool((change[np.asarray(step) == 0.0] < UNMOVED).all()) and not int(moved)

    def steep(self, z: Array) -> tuple[str, ...]:
        problem = self.problem.first
        discrete = {item.column for item in problem.spec.indicators if item.discrete}
        rows = [
            r
            for r in problem.table.rows
            if r.parameter.role == "loading" and r.parameter.argument in discrete
        ]
        if not rows:
            return ()
        values = {name: float(v) for name, v in problem.unpack(self.params(z), everything=True).items()}
        variances = [r for r in problem.table.rows if r.parameter.role == "variance"]

        def unit(loading: Parameter) -> float:
            """The largest standard deviation of the latent variable, of all groups that share the loading."""
            own = [v for v in variances if v.parameter.owner == loading.owner]
            alike = [v for v in own if not loading.group or v.parameter.group in ("", loading.group)]
            return max(values[v.name] for v in alike) ** 0.5

        sizes = {r.name: abs(values[r.name]) * unit(r.parameter) for r in rows}
        return tuple(name for name, size in sizes.items() if size > STEEP)

    def drifting(self, z: Array) -> list[Ridge]:
        return open_ridges(
            self.problem, np.asarray(self.params(z)), self.free & ~self.inside, self.count / self.size
        )

    def mean_outer_scores(self, z: Array) -> np.ndarray:
        """The mean outer product of people's scores in z, (P, P)."""
        params, chart = self.params(z), self._map

        def outer(problem: Problem) -> Array:
            return outer_in_z(*chart, z, problem.score_person(params), problem.core.weights)

        return np.asarray(self.problem.summed(outer)) / self.size

    def noise(self, z: Array) -> float:
        """Squared distance in standard errors by which other seeds of the nodes would move the maximum."""
        problem = self.problem
        if problem.first.rule.reseeded(0) is None:
            return 0.0
        params = self.params(z)
        hessian, pull = problem.expansion(params).hessian, None
        if self.penalties is not None:
            hessian, pull = hessian - jnp.diag(self.penalties.terms.precision), self.penalties.slope(params)
        return simulation_noise(problem, params, hessian, self.free, pull) * self.count / self.size

    @cached_property
    def _both(self) -> bool:
        """Whether there are items and choices in the likelihood."""
        shape, occurring = self.problem.first.core.structure, self.problem.occurring
        return all(any(occurring[b.at] for b in blocks) for blocks in (shape.items, shape.choices))

    def recentred(self, z: Array) -> "Likelihood[Bound]":
        return replace(self, problem=self.problem.recentre(self.params(z)), known={}, each={})

    @property
    def moves(self) -> bool:
        """Whether nodes are placed at the posterior, so that they move with the parameters."""
        first = self.problem.first
        return not self.frozen and first.rule.centred and first.core.structure.dimension > 0

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds in z."""
        return self.problem.first.table.unconstrained_bounds if self.units is None else self.units.bounds
