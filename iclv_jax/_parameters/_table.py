"""The parameter table: what is free, fixed, tied or defined, and the map built from it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iclv_jax._base._arguments import check_name
from iclv_jax._base._types import Given
from iclv_jax._parameters._centred import centred
from iclv_jax._parameters._declare import Levels, Stack, stacks
from iclv_jax._parameters._define import defined_order, derived_parameters, resolve_definitions
from iclv_jax._parameters._domain import RULES, check_bounds, check_reach, check_values, reach_of
from iclv_jax._parameters._groups import declare_groups, merged
from iclv_jax._parameters._identify import check_identified
from iclv_jax._parameters._kinds import check_ties
from iclv_jax._parameters._map import ArrayCells, Defined, ParameterMap, unconstrained
from iclv_jax._parameters._row import Row
from iclv_jax._parameters._standard import Moments, standard_units
from iclv_jax._parameters._transform import Covariance, Cumulative, Entry, Exponential, Transform
from iclv_jax._spec import Cells, Domain, Increasing, Parameter, Positive, PositiveDefinite
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest
from iclv_jax._spec._standardized import all_terms
from iclv_jax._spec._values import finite


@dataclass(frozen=True)
class ParameterTable:
    """Rows in the order of the report, the map from free parameters to arrays, the centres and units of
    standardised covariates with the means of those far from zero, and the names of the covariates' columns as arrays hold
    them."""

    rows: tuple[Row, ...]
    map: ParameterMap
    stacks: tuple[Stack, ...]
    moments: tuple[float, ...] = ()
    covariates: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of `params`."""
        return tuple(r.name for r in self.rows if r.status == "free")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What was declared of the free parameters, in the order of `params`."""
        return tuple(r.parameter for r in self.rows if r.status == "free")

    @property
    def constants(self) -> np.ndarray:
        """Values of the fixed parameters at their places in the full table, zeros elsewhere; then the moments."""
        # The moments are data: in the map, which is static, other data would compile everything again.
        return np.array([*(r.value if r.status == "fixed" else 0.0 for r in self.rows), *self.moments])

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        free = [r for r in self.rows if r.status == "free"]
        return np.array([r.lower for r in free]), np.array([r.upper for r in free])

    @property
    def unconstrained_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds in z; infinite where there is none."""
        lower, upper = (b.copy() for b in self.bounds)
        for transform in self.map.transforms:
            if isinstance(transform, Exponential):
                at = np.array(transform.positions)
                with np.errstate(divide="ignore"):
                    lower[at], upper[at] = np.log(np.maximum(lower[at], 0.0)), np.log(upper[at])
        return lower, upper

    def check_start(self, name: str, value: Any) -> float:
        """A start value of a free parameter inside its bounds, or a ValueError."""
        row, number = self.row(name), finite(name, value, "start")
        if row.status != "free":
            raise ValueError(
                f"start= gives a value to {name!r}, which is {row.standing} and not free. Leave it out."
            )
        if not row.lower <= number <= row.upper:
            raise ValueError(
                f"start[{name!r}] = {number:g} lies outside its bounds [{row.lower:g}, {row.upper:g}]. Move "
                "one of them."
            )
        return number

    def check_domain(self, params: np.ndarray) -> None:
        """Raise ValueError for start values that no parameters of their kind may have."""
        z = np.asarray(unconstrained(self.map, self.constants, params))
        free = [r for r in self.rows if r.status == "free"]
        for i in np.flatnonzero(~np.isfinite(z))[:1]:
            rule = RULES.get(free[i].parameter.role, "it is outside its domain")
            raise ValueError(
                f"The start value {params[i]:g} of {free[i].name!r} cannot be: {rule}. It is one that start= gives, or the "
                "usual one, moved inside the bounds. Give others in start=, or change bounds= and fixed=."
            )

    def row(self, name: Given[str]) -> Row:
        check_name(name, "What a parameter is called")
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(
            f"There is no parameter {name!r} in this model. {nearest(name, [r.name for r in self.rows])}"
        )


def build_table(
    spec: Spec, levels: Levels, moments: Moments | None = None, far: Mapping[str, float] | None = None
) -> ParameterTable:
    """Apply the user's constraints to what the model declares; ValueError names what does not fit.

    `levels` are those of the items and of nominal covariates, `moments` the centre and unit of each
    standardised covariate (none before data are seen), `far` the means of covariates that are far from zero.
    """
    groups = declare_groups(spec, levels)
    declared, domains = merged(groups)
    parameters = [*declared, *resolve_definitions(spec, declared)]
    _check_names(spec, [p.name for p in parameters])
    check_ties(spec, {p.name: p for p in parameters})
    parameters += derived_parameters(spec, parameters)
    names = [p.name for p in parameters]
    for at, group in enumerate(groups):
        # What a group shares with the first one is given to it.
        check_identified(group.view, group.plain, group.shared if at else frozenset())
    rows = _rows(spec, parameters)
    # A latent variable without a disturbance is a sum of others.
    zero = {p.name for p in parameters if p.role == "variance" and p.block == "structural"}
    check_values(domains, {r.name: r.value for r in rows if r.status == "fixed"}, "fixed", zero)
    check_reach(domains, {r.name: _reach(r) for r in rows}, zero)
    position = {name: i for i, name in enumerate(names)}
    representative = tuple(position[r.tied] if r.tied else i for i, r in enumerate(rows))
    definitions = tuple(
        Defined(position[d.name], tuple(representative[position[a]] for a in d.arguments), d.program)
        for d in (*defined_order(spec), *spec.derived)
    )
    free = tuple(i for i, r in enumerate(rows) if r.status == "free")
    cells, terms = _cells([group.arrays for group in groups], position)
    transforms = _transforms(domains, rows, position, {p: i for i, p in enumerate(free)})
    standard, numbers = standard_units(spec, moments or {}, rows)
    means = far or {}
    shifted = centred(spec, rows, means, len(rows) + len(numbers), standard)
    scales = (*transforms, *standard)
    mapping = ParameterMap(free, representative, definitions, *terms, cells, scales, len(groups), shifted)
    numbers = (*numbers, *means.values())
    table = ParameterTable(tuple(rows), mapping, stacks(spec), numbers, all_terms(spec.covariates, levels))
    for name, value in spec.start:
        table.check_start(name, value)
    return table


def _reach(row: Row) -> tuple[float, float]:
    return (row.value, row.value) if row.status == "fixed" else (row.lower, row.upper)


def _check_names(spec: Spec, names: Sequence[str]) -> None:
    known = set(names)
    for argument, used in (
        ("fixed", [n for n, _ in spec.fixed]),
        ("equal", [n for group in spec.equal for n in group]),
        ("bounds", [n for n, _ in spec.bounds]),
        ("start", [n for n, _ in spec.start]),
    ):
        for name in used:
            if name not in known:
                raise ValueError(
                    f"{argument}= names the parameter {name!r}, which the model does not have. "
                    f"{nearest(name, names)}"
                )


def _rows(spec: Spec, parameters: Sequence[Parameter]) -> list[Row]:
    fixed, defined = dict(spec.fixed), {d.name for d in (*spec.define, *spec.derived)}
    bounds = dict(spec.bounds)
    for name in fixed:
        if name in defined:
            raise ValueError(f"{name!r} stands in fixed= and in define=. Keep one of them.")
    conventional = {p.name: p.fixed for p in parameters if p.fixed is not None and p.name not in defined}
    fixed = conventional | fixed
    ties = _ties(spec, fixed, defined)
    rows = []
    for p in parameters:
        source = ties.get(p.name, p.name)
        if p.name in bounds and (source in fixed or source in defined or source != p.name):
            raise ValueError(
                f"bounds= names {p.name!r}, which is not free (it is fixed, tied or defined). Leave it out, "
                "or bound the parameter that it follows."
            )
        lower, upper = reach_of(p, bounds)
        if p.name in fixed:
            check_bounds(p, fixed[p.name], "fixed")
            rows.append(Row(p, "fixed", value=fixed[p.name]))
        elif p.name in defined:
            rows.append(Row(p, "defined"))
        elif source != p.name:
            rows.append(Row(p, "equal", tied=source))
        else:
            rows.append(Row(p, "free", lower, upper))
    return rows


def _ties(spec: Spec, fixed: Mapping[str, float], defined: set[str]) -> dict[str, str]:
    """For each tied parameter the one whose value it takes: fixed or defined ones come first."""
    ties: dict[str, str] = {}
    for group in spec.equal:
        anchors = [n for n in group if n in fixed or n in defined]
        if len(anchors) > 1:
            raise ValueError(
                f"equal= ties {anchors[0]!r} to {anchors[1]!r}, but both are fixed or defined. Untie or free "
                "one."
            )
        source = anchors[0] if anchors else group[0]
        ties.update({n: source for n in group if n != source})
    return ties


Terms = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]


def _cells(
    groups: Sequence[Mapping[str, list[Cells]]], position: Mapping[str, int]
) -> tuple[tuple[ArrayCells, ...], Terms]:
    """Arrays with their places in theta, and theta as weighted sums of parameters, group after group."""
    found: list[ArrayCells] = []
    rows: list[int] = []
    columns: list[int] = []
    weights: list[float] = []
    offset = 0
    for at, arrays in enumerate(groups):
        for path, cells in (((section, c.key), c) for section, part in arrays.items() for c in part):
            varying = [i for i, cell in enumerate(cells.entries) if isinstance(cell, tuple) and cell]
            background = tuple(float(c) if isinstance(c, (int, float)) else 0.0 for c in cells.entries)
            if not at:
                found.append(ArrayCells(path, cells.shape, background, tuple(varying), offset))
            for row, i in enumerate(varying):
                for name, weight in cells.entries[i]:  # pyright: ignore[reportGeneralTypeIssues]
                    rows.append(offset + row)
                    columns.append(position[name])
                    weights.append(weight)
            offset += len(varying)
    return tuple(found), (tuple(rows), tuple(columns), tuple(weights))


def _transforms(
    domains: Sequence[Domain], rows: Sequence[Row], position: Mapping[str, int], free: Mapping[int, int]
) -> tuple[Transform, ...]:
    """Transforms of the blocks that are wholly free; the others pass unchanged."""

    def place(name: str) -> int | None:
        """Place among the free parameters; None when not free or, for a block, when bounded."""
        return free.get(position[name])

    def bounded(name: str) -> bool:
        row = rows[position[name]]
        return math.isfinite(row.lower) or math.isfinite(row.upper)

    positive = [place(d.name) for d in domains if isinstance(d, Positive)]
    blocks: list[Transform] = [Exponential(tuple(p for p in positive if p is not None))]
    increasing: dict[int, list[tuple[int, ...]]] = {}
    # Parameters that stand in several blocks (some thresholds equal across groups, others not) cannot follow two of them.
    often = Counter(n for d in domains if not isinstance(d, Positive) for n in set(_names(d)))
    for domain in domains:
        if any(often[n] > 1 for n in _names(domain)):
            continue
        if isinstance(domain, Increasing):
            places = [place(n) for n in domain.names]
            if None not in places and not any(map(bounded, domain.names)):
                increasing.setdefault(len(places), []).append(tuple(p for p in places if p is not None))
        elif isinstance(domain, PositiveDefinite):
            blocks.extend(_covariance(domain, rows, position, free, bounded))
    blocks.extend(Cumulative(tuple(group)) for length, group in increasing.items() if length)
    return tuple(b for b in blocks if not isinstance(b, Exponential) or b.positions)


def _names(domain: Domain) -> tuple[str, ...]:
    """Parameters of a block."""
    if isinstance(domain, Positive):
        return (domain.name,)
    if isinstance(domain, Increasing):
        return domain.names
    return tuple(n for row in domain.entries for n in row if n is not None)


def _covariance(domain: PositiveDefinite, rows, position, free, bounded) -> list[Transform]:
    lower = [row[:-1] for row in domain.entries]
    diagonal = [row[-1] for row in domain.entries]
    off = [name for row in lower for name in row if name is not None]
    whole = all(position[name] in free and not bounded(name) for name in off)
    known = all(
        rows[position[n]].status == "fixed" or (position[n] in free and not bounded(n)) for n in diagonal
    )
    if not (whole and known):
        return []
    entries = tuple(
        Entry(free.get(position[n], position[n]), position[n] in free, spread)
        for n, spread in zip(diagonal, domain.spreads, strict=True)
    )
    triangle = tuple(tuple(None if n is None else free[position[n]] for n in row) for row in lower)
    return [Covariance(entries, triangle)]
