"""The mean negative log-likelihood as a function of unconstrained parameters z."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Number
from iclv_jax._derivatives import Expansion
from iclv_jax._optimise._units import Units
from iclv_jax._parameters import Coordinates, natural, unconstrained
from iclv_jax._parameters._penalties import Penalties, Terms, cost, slope
from iclv_jax._problem import Problem
from iclv_jax._problem._accuracy import simulation_noise
from iclv_jax._spec._names import variance

STEEP = 6.0
"""Loading of a discrete item, per standard deviation of the disturbance of its latent variable, that hardly any item has:
reliabilities of 0.97 and more."""
UNMOVED = 1e-7
"""Relative change of scores, and change of log-likelihoods, that counts as none."""
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

    def params(z: Array) -> Array:
        return mapping.natural(constants, z)

    j = jax.jacfwd(params)(z)
    bend = jax.hessian(lambda v: jnp.dot(found.gradient, params(v)))(z)
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
    pull = jax.vjp(lambda v: mapping.natural(constants, v), z)[1]
    return weights @ jax.vmap(lambda s: pull(s)[0])(scores) ** 2 / weights.sum()


@partial(compiled, quick=True, static_argnums=0)
def outer_in_z(mapping: Coordinates, constants: Array, z: Array, scores: Array, weights: Array) -> Array:
    pull = jax.vjp(lambda v: mapping.natural(constants, v), z)[1]
    mine = jax.vmap(lambda s: pull(s)[0])(scores)
    return (mine.T * weights[None, :]) @ mine / weights.sum()


@dataclass(frozen=True)
class Likelihood:
    """`-(loglike - penalties) / total weight` of a problem, in z: of the user's parameters, or in `units` of the
    disturbances."""

    problem: Problem
    free: np.ndarray
    penalties: Penalties | None = None
    units: Units | None = None
    known: dict[bytes, Array] = field(default_factory=dict, compare=False, repr=False)
    """The last exact Hessian of the log-likelihood in natural units, by the parameters' bytes."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.names

    @property
    def inside(self) -> np.ndarray:
        return np.array([name in self.problem.spec.module_of for name in self.names], bool)

    @property
    def size(self) -> float:
        """The total weight: differences of the objective times this are those of the log-likelihood."""
        return float(self.problem.panel.weights.sum())

    @property
    def count(self) -> float:
        """How many people the weights are worth (Kish 1965), or stand for: free of the unit of weights."""
        panel = self.problem.panel
        return self.size if panel.weights_count else self.size**2 / float((panel.weights**2).sum())

    @property
    def stand_ins(self) -> np.ndarray:
        """A spread at zero has no score; the coefficient that it spreads has the unit."""
        at = {name: i for i, name in enumerate(self.names)}
        rows = self.problem.table.parameters
        return np.array([at.get(p.owner, i) if p.role == "spread" else i for i, p in enumerate(rows)], int)

    @property
    def _map(self) -> tuple[Coordinates, Array]:
        if self.units is not None:
            return self.units.map, self.units.constants
        core = self.problem.core
        return core.structure.map, core.constants

    def params(self, z: Array) -> Array:
        return natural(*self._map, z)

    def z(self, params: Array) -> Array:
        return unconstrained(*self._map, jnp.asarray(params))

    def value(self, z: Array) -> float:
        return -(float(self.problem.loglike(self.params(z))) - self.cost(z)) / self.size

    def cost(self, z: Array) -> float:
        return 0.0 if self.penalties is None else self.penalties.cost(self.params(z))

    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        params = self.params(z)
        value, gradient, items = self.problem.slope(params)
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
        found = self.problem.expansion(params, supplied)
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
        scores = self.problem.score_person(self.params(z))
        return np.asarray(squares_in_z(*self._map, z, scores, self.problem.core.weights))

    def responds(self, z: Array, step: np.ndarray) -> bool:
        there = z + jnp.asarray(step)
        scores = self.problem.score_person(self.params(z))
        told = np.asarray(scores @ jax.jvp(self.params, (z,), (jnp.asarray(step),))[1])
        before, after = (np.asarray(self.problem.loglike_person(self.params(at))) for at in (z, there))
        known = np.asarray(self.problem.core.weights) > 0.0
        gap = np.linalg.norm((after - before - told)[known])
        return bool(np.isfinite(gap) and gap < 0.5 * np.linalg.norm(told[known]))

    def silent(self, z: Array, step: np.ndarray) -> bool:
        before, forth, back = (self.problem.score_person(self.params(at)) for at in (z, z + step, z - step))
        sizes = jnp.linalg.norm(before, axis=0) + 1e-300
        change = jnp.maximum(jnp.linalg.norm(forth - before, axis=0), jnp.linalg.norm(back - before, axis=0))
        others = np.asarray(step) == 0.0
        still = bool((np.asarray(change / sizes)[others] < UNMOVED).all())
        values = (np.asarray(self.problem.loglike_person(self.params(at))) for at in (z, z + step))
        return still and bool(np.abs(np.subtract(*values)).max(initial=0.0) < UNMOVED)

    def steep(self, z: Array) -> tuple[str, ...]:
        problem = self.problem
        discrete = {item.column for item in problem.spec.indicators if item.discrete}
        rows = [
            r
            for r in problem.table.rows
            if r.parameter.role == "loading" and r.parameter.argument in discrete
        ]
        if not rows:
            return ()
        values = {name: float(v) for name, v in problem.unpack(self.params(z), everything=True).items()}
        sizes = {r.name: abs(values[r.name]) * values[variance(r.parameter.owner)] ** 0.5 for r in rows}
        return tuple(name for name, size in sizes.items() if size > STEEP)

    def mean_outer_scores(self, z: Array) -> np.ndarray:
        """The mean outer product of people's scores in z, (P, P)."""
        scores = self.problem.score_person(self.params(z))
        return np.asarray(outer_in_z(*self._map, z, scores, self.problem.core.weights))

    def noise(self, z: Array) -> float:
        """Squared distance in standard errors by which other seeds of the nodes would move the maximum."""
        if self.problem.rule.reseeded(0) is None:
            return 0.0
        params = self.params(z)
        hessian, pull = self.problem.hessian(params, "exact"), None
        if self.penalties is not None:
            hessian, pull = hessian - jnp.diag(self.penalties.terms.precision), self.penalties.slope(params)
        noise = simulation_noise(self.problem, params, hessian, self.free, pull)
        return noise * self.count / self.size

    @cached_property
    def _both(self) -> bool:
        """Whether there are items and choices in the likelihood."""
        core = self.problem.core
        shape, data = core.structure, core.person.data
        return all(
            any(bool(np.asarray(data[block.at].occurs).any()) for block in blocks)
            for blocks in (shape.items, shape.choices)
        )

    def recentred(self, z: Array) -> "Likelihood":
        return replace(self, problem=self.problem.recentre(self.params(z)), known={})

    @property
    def moves(self) -> bool:
        """Whether nodes are placed at the posterior, so that they move with the parameters."""
        return self.problem.rule.centred and self.problem.core.structure.dimension > 0

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds in z."""
        return self.problem.table.unconstrained_bounds if self.units is None else self.units.bounds


@dataclass(frozen=True)
class Function:
    """Any smooth function to be minimised: `function` maps a vector to a number."""

    function: Callable[[Array], Array]
    lower: np.ndarray
    upper: np.ndarray

    @property
    def free(self) -> np.ndarray:
        return np.ones(len(self.lower), bool)

    @property
    def inside(self) -> np.ndarray:
        return np.zeros(len(self.lower), bool)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"x{i + 1}" for i in range(len(self.lower)))

    @property
    def size(self) -> float:
        return 1.0

    @property
    def count(self) -> float:
        return 1.0

    @property
    def stand_ins(self) -> np.ndarray:
        return np.arange(len(self.lower))

    @property
    def moves(self) -> bool:
        return False

    @cached_property
    def _value(self) -> Callable[[Array], Array]:
        return jax.jit(self.function)

    @cached_property
    def _slope(self) -> Callable[[Array], tuple[Array, Array]]:
        return jax.jit(jax.value_and_grad(self.function))

    @cached_property
    def _hessian(self) -> Callable[[Array], Array]:
        return jax.jit(jax.hessian(self.function))

    def params(self, z: Array) -> Array:
        return z

    def z(self, params: Array) -> Array:
        return jnp.asarray(params, float)

    def value(self, z: Array) -> float:
        return float(self._value(z))

    def slope(self, z: Array, hessian: Array | None = None) -> Derivatives:
        return Derivatives(*self._slope(z), jnp.zeros((len(z),) * 2) if hessian is None else hessian)

    def derivatives(self, z: Array, supplied: Supplied) -> Derivatives:
        if supplied == "bhhh":
            raise ValueError("A function that is not a sum over people has no outer products of scores.")
        return self.slope(z, self._hessian(z) if supplied == "exact" else None)

    def mean_squared_scores(self, z: Array) -> np.ndarray:
        """The length of each row of the Hessian stands in for the scores: a scale of the steps, and nothing else."""
        return np.linalg.norm(np.asarray(self._hessian(z)), axis=1)

    def responds(self, z: Array, step: np.ndarray) -> bool:
        return True

    def silent(self, z: Array, step: np.ndarray) -> bool:
        return False

    def steep(self, z: Array) -> tuple[str, ...]:
        return ()

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.lower, self.upper

    def recentred(self, z: Array) -> "Function":
        return self

    def noise(self, z: Array) -> float:
        return 0.0

    def cost(self, z: Array) -> float:
        return 0.0
