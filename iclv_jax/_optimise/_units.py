"""Units of the disturbances as coordinates of a search: a marker loading sets a scale, and is not what the optimiser climbs.

A marker that turns out weak sends variance and loadings to the ends of the world, one of the other sign cannot be reached
at all. With unit disturbance variances and free loadings the model is the same, and the log-likelihood the same number: the
map from there to the parameters of the user is smooth wherever the marker does not vanish.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Float, Params
from iclv_jax._diagnose._directions import unit_power
from iclv_jax._diagnose._utility import multiplied
from iclv_jax._parameters import ParameterMap, ParameterTable, Row, build_table
from iclv_jax._problem import Problem
from iclv_jax._spec import _names as names
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._model import Spec


@dataclass(frozen=True)
class UnitMap:
    """From unconstrained parameters of the model in units of its disturbances to those of the user; hashable, so that it
    may be static in jit. `order` gives for every free parameter of the user its place among the inner ones: where the
    user has a variance, that of the marker's loading.

    `inner_at` and `outer_at` are the places of each one's free parameters in the full table of the other, `markers` and
    `variances` those of marked latent variables in the inner and outer full tables, `powers` by latent variable the power of
    its unit in every free parameter of the user, and `inner_powers` of the inner ones. Of the constants the first `cut` are
    those of the inner map.
    """

    inner: ParameterMap
    outer: ParameterMap
    order: tuple[int, ...]
    outer_at: tuple[int, ...]
    inner_at: tuple[int, ...]
    markers: tuple[int, ...]
    variances: tuple[int, ...]
    given: tuple[float, ...]
    powers: tuple[tuple[int, ...], ...]
    inner_powers: tuple[tuple[int, ...], ...]
    cut: int

    def natural(self, constants: Float[Array, " constant"], z: Array) -> Params:
        """The user's free parameters from unconstrained inner ones in the user's order."""
        mine = constants[: self.cut]
        values = self.inner.full(mine, self.inner.natural(mine, z[np.argsort(self.order)]))
        sizes = values[np.array(self.markers)] / np.array(self.given)
        return _scaled(values[np.array(self.outer_at)], sizes, self.powers)

    def unconstrained(self, constants: Float[Array, " constant"], params: Params) -> Array:
        """The inverse of `natural`; NaN where a block lies outside its domain."""
        values = self.outer.full(constants[self.cut :], params)
        sizes = 1.0 / jnp.sqrt(values[np.array(self.variances)])
        inner = _scaled(values[np.array(self.inner_at)], sizes, self.inner_powers)
        return self.inner.unconstrained(constants[: self.cut], inner)[np.array(self.order)]


def _scaled(values: Array, sizes: Array, powers: Sequence[Sequence[int]]) -> Array:
    for size, power in zip(sizes, powers, strict=True):
        up, down, twice = (np.array(power) == k for k in (1, -1, 2))
        values = values * jnp.where(up, size, jnp.where(down, 1.0 / size, jnp.where(twice, size**2, 1.0)))
    return values


@dataclass(frozen=True, eq=False)
class Units:
    """Unconstrained parameters that are not those of the user: the map, its constants, bounds, and the disturbance variances
    of the user that follow from them."""

    map: UnitMap
    constants: Float[Array, " constant"]
    bounds: tuple[np.ndarray, np.ndarray]
    variances: frozenset[str]


@dataclass(frozen=True)
class _Marker:
    latent: str
    name: str
    value: float


def units_of_disturbances(problem: Problem) -> Units | None:
    """None where no latent variable has a marker, and where constraints of the user do not let its scale move."""
    spec, rows = problem.spec, problem.table.rows
    # Where groups share loadings no group's unit moves by itself.
    if spec.groups is not None or all(item.scale != "loading" for item in spec.latents):
        return None
    effects = multiplied(problem, "latents")
    markers = [m for v in spec.latents if (m := _marker(spec, rows, v, effects.get(v.name, ()))) is not None]
    if not markers:
        return None
    inner = build_table(
        _in_units(spec, markers), problem.panel.levels, problem.panel.moments, problem.panel.far
    )
    return _between(problem.table, inner, markers, effects)


def _marker(spec: Spec, rows: Sequence[Row], latent: Latent, effects: tuple[str, ...]) -> _Marker | None:
    """The loading that alone sets the scale of a latent variable, where no other constraint does."""
    if latent.scale != "loading":
        return None
    bound = {n for n, _ in spec.bounds} | {n for group in spec.equal for n in group}
    bound |= {d.name for d in spec.define} | {a for d in spec.define for a in d.arguments}
    own = [r for r in rows if unit_power(r.parameter, latent.name, effects)]
    given = [r for r in own if r.status == "fixed" and r.value != 0.0]
    free = all(r.status == "free" or r.value == 0.0 or r in given for r in own)
    if len(given) != 1 or given[0].parameter.role != "loading" or not free or bound & {r.name for r in own}:
        return None
    return _Marker(latent.name, given[0].name, float(given[0].value))


def _in_units(spec: Spec, markers: Sequence[_Marker]) -> Spec:
    """The model with unit disturbances in the place of these markers."""
    marked, held = {m.latent for m in markers}, {m.name for m in markers}
    variances = {names.variance(m.latent) for m in markers}
    return replace(
        spec,
        latents=tuple(replace(v, scale="variance") if v.name in marked else v for v in spec.latents),
        fixed=tuple(pair for pair in spec.fixed if pair[0] not in held),
        start=tuple(pair for pair in spec.start if pair[0] not in variances),
    )


def _between(
    outer: ParameterTable,
    inner: ParameterTable,
    markers: Sequence[_Marker],
    effects: dict[str, tuple[str, ...]],
) -> Units:
    stands_for = {names.variance(m.latent): m.name for m in markers}
    at_outer, at_inner = ({r.name: i for i, r in enumerate(t.rows)} for t in (outer, inner))
    place = {name: i for i, name in enumerate(inner.names)}
    order = tuple(place[stands_for.get(name, name)] for name in outer.names)

    def powers(table: ParameterTable) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(int(unit_power(p, m.latent, effects.get(m.latent, ()))) for p in table.parameters)
            for m in markers
        )

    mapping = UnitMap(
        inner.map, outer.map, order,
        tuple(at_inner[name] for name in outer.names), tuple(at_outer[name] for name in inner.names),
        tuple(at_inner[m.name] for m in markers), tuple(at_outer[names.variance(m.latent)] for m in markers),
        tuple(m.value for m in markers), powers(outer), powers(inner),
        len(inner.constants),
    )  # fmt: skip
    lower, upper = (b[np.array(order)] for b in inner.unconstrained_bounds)
    return Units(
        mapping,
        jax.device_put(np.concatenate([inner.constants, outer.constants])),
        (lower, upper),
        frozenset(stands_for),
    )
