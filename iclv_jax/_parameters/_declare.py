"""What the model declares: every parameter, domain and array cell, before any constraint."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from iclv_jax._parameters._direct import with_effects
from iclv_jax._parameters._residuals import (
    connected,
    residual_cells,
    residual_domains,
    residual_parameters,
    triangle,
)
from iclv_jax._spec import (
    Block,
    Cell,
    Cells,
    Declared,
    Domain,
    Equation,
    Indicator,
    Kernel,
    Latent,
    Level,
    Mixing,
    Parameter,
    Positive,
    Utility,
    one,
)
from iclv_jax._spec import _names as names
from iclv_jax._spec._equation import CELLS
from iclv_jax._spec._model import Spec
from iclv_jax._spec._random import MEAN
from iclv_jax._spec._standardized import Predictor, Standardized, all_terms, terms

LATENT = "latent"
"""The section of the structural part; those of choices have their names, those of items are named by their family."""
SPREADS = {"sd": "standard deviation", "width": "half width"}
Levels = Mapping[str, tuple[Level, ...]]


@dataclass(frozen=True)
class Stack:
    """Items that are evaluated together: the name of their section, one of them that speaks for all, their order, and the
    pairs of them whose residuals covary."""

    name: str
    family: Indicator
    items: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()


def stacks(spec: Spec) -> tuple[Stack, ...]:
    found: dict[tuple[type, object, bool], list[Indicator]] = {}
    linked = {name for pair in spec.residuals for name in pair}
    for item in spec.indicators:
        found.setdefault((type(item), item.stack, item.column in linked), []).append(item)
    return tuple(
        Stack(
            f"{family.__name__}.{key}{'.covarying' if covarying else ''}",
            items[0],
            tuple(i.column for i in items),
            spec.residuals if covarying else (),
        )
        for (family, key, covarying), items in found.items()
    )


def declare(spec: Spec, levels: Levels) -> tuple[list[Parameter], list[Domain], dict[str, list[Cells]]]:
    """Parameters in the order of the table, their domains, and the arrays by section."""
    plain = {i.column: _owned(i, i.declare(levels[i.column], spec.positions)) for i in spec.indicators}
    items = with_effects(spec, plain, levels, [stack.items for stack in stacks(spec)])
    choices = {choice.name: _declare_choice(spec, choice) for choice in spec.choices}
    parameters: dict[str, Parameter] = {}
    for parameter in (
        *_structural_parameters(spec, levels),
        *(p for declared in items.values() for p in declared.parameters),
        *residual_parameters(spec.residuals),
        *(p for declared in choices.values() for p in declared.parameters),
        *_random_covariances(spec),
    ):
        # Items may share parameters (thresholds), and a utility may use one of another block.
        _check_one(parameters.setdefault(parameter.name, parameter), parameter)
    domains = [
        *_variance_domains(spec),
        *residual_domains(spec.residuals, [d for declared in items.values() for d in declared.domains]),
        *(d for declared in choices.values() for d in declared.domains),
    ]
    arrays = {LATENT: list(_structural_cells(spec, levels))}
    arrays |= {name: list(declared.cells) for name, declared in choices.items()}
    for stack in stacks(spec):
        covariances = [residual_cells(stack.items, stack.pairs)] if stack.pairs else []
        arrays[stack.name] = [*_stacked([items[name] for name in stack.items]), *covariances]
    rows = list(parameters.values())
    return [_conventional(spec, p, rows) for p in rows], list(dict.fromkeys(domains)), arrays


def _check_one(first: Parameter, second: Parameter) -> None:
    """Refuse two parameters that happen to have one name."""

    def known(p: Parameter) -> tuple[str, str, str]:
        return p.role, p.owner, p.argument

    used = "coefficient" in (first.role, second.role) and "spread" not in (first.role, second.role)
    if known(first) == known(second) or used:
        return
    raise ValueError(
        f"Two parameters would have the name {first.name!r}: the {_called(first)} and the {_called(second)}. Rename "
        "what they are named after."
    )


def _called(parameter: Parameter) -> str:
    return parameter.meaning if parameter.role != "coefficient" else f"{parameter.meaning} of that name"


def _owned(item: Indicator, declared: Declared) -> Declared:
    """What an item declares, its own where nothing else is said."""
    own = (p if p.owner else replace(p, owner=item.column) for p in declared.parameters)
    return replace(declared, parameters=tuple(own))


def _structural_parameters(spec: Spec, levels: Levels) -> Iterable[Parameter]:
    for latent in spec.latents:
        yield from _equation(latent, spec.order, levels)
    for first, second in spec.covariances:
        if second in spec.order:
            meaning = f"covariance of the disturbances of {first} and {second}"
            name = names.covariance(first, second)
            yield Parameter(name, "structural", "covariance", 0.0, meaning, owner=first, argument=second)


def _equation(latent: Latent, latents: tuple[str, ...], levels: Levels) -> Iterable[Parameter]:
    name = latent.name
    if latent.intercept:
        meaning = f"intercept of {name}"
        yield Parameter(names.intercept(name), "structural", "intercept", 0.0, meaning, owner=name)
    if latent.equation is not None:
        yield from _coefficients(latent.equation, {}, "structural", f"coefficient in the equation of {name}")
    for predictor in latent.predictors if latent.equation is None else ():
        role = "path" if predictor in latents else "slope"
        for term in terms(predictor, levels):
            meaning = f"effect of {term} on {name}{_in_words(predictor, latent, levels)}"
            slope = names.slope(name, term)
            yield Parameter(slope, "structural", role, 0.0, meaning, owner=name, argument=term)
    fixed = 1.0 if latent.scale == "variance" else None
    meaning = f"disturbance variance of {name}"
    yield Parameter(names.variance(name), "structural", "variance", 1.0, meaning, fixed, owner=name)


def _in_words(predictor: Predictor, latent: Latent, levels: Levels) -> str:
    """How a standardised predictor is estimated and reported."""
    if not isinstance(predictor, Standardized):
        return ""
    if predictor.nominal:
        return f", against {predictor.reference(levels[predictor.column])}"
    unit = "standard deviation" if predictor.how == "z" else "range"
    return f" (estimated per {unit}{', centred' if latent.intercept else ''}; given per unit)"


def _conventional(spec: Spec, parameter: Parameter, rows: list[Parameter]) -> Parameter:
    """Fix the loading that gives a latent variable its unit, unless the user constrains one."""
    # A loading fixed at zero gives no unit.
    zero = {n for n, value in spec.fixed if value == 0.0}
    constrained = {n for n, _ in spec.fixed} - zero
    for latent in spec.latents:
        if latent.scale != "loading":
            continue
        loadings = [p.name for p in rows if p.role == "loading" and p.owner == latent.name]
        loadings = [n for n in loadings if n not in zero]
        defined = {d.name for d in spec.define} & set(loadings[:1])
        if parameter.name in loadings[:1] and not (constrained & set(loadings) or defined):
            return replace(parameter, fixed=1.0)
    return parameter


def _structural_cells(spec: Spec, levels: Levels) -> Iterable[Cells]:
    position, size = spec.positions, len(spec.order)
    covariates = {name: i for i, name in enumerate(all_terms(spec.covariates, levels))}
    intercepts: list[Cell] = [0.0] * size
    slopes: list[Cell] = [0.0] * (size * len(covariates))
    paths: list[Cell] = [0.0] * size**2
    for latent in spec.latents:
        row = position[latent.name]
        if latent.intercept:
            intercepts[row] = one(names.intercept(latent.name))
        for predictor in latent.predictors if latent.equation is None else ():
            for term in terms(predictor, levels):
                cell = one(names.slope(latent.name, term))
                if term in position:
                    paths[row * size + position[term]] = cell
                else:
                    slopes[row * len(covariates) + covariates[term]] = cell
    yield Cells("intercepts", (size,), tuple(intercepts))
    yield Cells("slopes", (size, len(covariates)), tuple(slopes))
    yield Cells("paths", (size, size), tuple(paths))
    variances = tuple(one(names.variance(name)) for name in spec.order)
    # Variances alone need no Cholesky factor.
    if spec.linked:
        members = (*spec.order, *spec.drivers)
        # The diagonal of the drivers is that of a correlation matrix, which is put in where spreads divide.
        cells = _matrix(spec, members, (*variances, *(0.0 for _ in spec.drivers)))
        yield Cells("disturbance", (len(members), len(members)), cells)
        yield Cells("spreads", (len(spec.drivers),), tuple(one(spec.spreads[name]) for name in spec.drivers))
    elif spec.covariances:
        yield Cells("disturbance", (size, size), _matrix(spec, spec.order, variances))
    else:
        yield Cells("disturbance", (size,), variances)
    for latent in spec.nonlinear:
        coefficients = tuple(one(name) for name in latent.equation.coefficients)
        yield Cells(CELLS + latent.name, (len(coefficients),), coefficients)


def _matrix(spec: Spec, members: tuple[str, ...], diagonal: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """A symmetric matrix of covariance cells with the given diagonal."""
    at, size = {name: i for i, name in enumerate(members)}, len(members)
    cells: list[Cell] = [0.0] * size**2
    for i, cell in enumerate(diagonal):
        cells[i * size + i] = cell
    for first, second in spec.covariances:
        if first in at:
            cell = one(names.covariance(first, second))
            cells[at[first] * size + at[second]] = cells[at[second] * size + at[first]] = cell
    return tuple(cells)


def _variance_domains(spec: Spec) -> Iterable[Domain]:
    """One covariance matrix for every connected set of disturbances and drivers, or one variance for a lone disturbance."""
    for group in connected([*spec.order, *spec.drivers], spec.covariances):
        spreads = tuple(member in spec.drivers for member in group)
        diagonal = [
            spec.spreads.get(m) if s else names.variance(m) for m, s in zip(group, spreads, strict=True)
        ]
        if len(group) > 1:
            yield replace(triangle(group, diagonal, spec.covariances), spreads=spreads)
        elif not spreads[0]:
            yield Positive(names.variance(group[0]))


def _declare_choice(spec: Spec, choice: Kernel) -> Declared:
    own, utility = choice.declare(), choice.utility
    random = {name: mixing for name, mixing in spec.random if name in utility.parameters}
    coefficients = tuple(one(name) for name in utility.coefficients)
    mixing = [n for name, m in random.items() for key, n in m.named(name).items() if key != MEAN]
    cells = (
        Cells("coefficients", (len(coefficients),), coefficients),
        Cells("mixing", (len(mixing),), tuple(one(name) for name in mixing)),
        *own.cells,
    )
    parameters = tuple(
        replace(p, meaning=p.meaning + _users(spec, p.name)) if p.role == "coefficient" else p
        for p in _coefficients(utility, random, "choice", "coefficient in the utilities")
    )
    return Declared((*parameters, *own.parameters), cells, own.domains)


def _users(spec: Spec, name: str) -> str:
    """Of which choices a coefficient is, where there are several."""
    users = [choice.name for choice in spec.choices if name in choice.utility.parameters]
    return f" of {' and '.join(users)}" if len(spec.choices) > 1 else ""


def _coefficients(
    function: Utility | Equation, random: Mapping[str, Mixing], block: Block, meaning: str
) -> Iterable[Parameter]:
    """Coefficients of a function with what makes them random, then the entries of modules."""
    for name in function.parameters:
        mixing = random.get(name)
        starts = dict(mixing.starts) if mixing else {MEAN: 0.0}
        yield Parameter(name, block, "coefficient", starts.pop(MEAN), meaning)
        for key, start in starts.items() if mixing else ():
            is_spread = mixing is not None and key == mixing.spread
            role, word = ("spread" if is_spread else "mixing"), SPREADS.get(key, key)
            yield Parameter(f"{name}.{key}", block, role, start, f"{word} of {name} over people", owner=name)
    for module in function.modules:
        arrays = [part.name for part in module.parts for _ in part.names]
        meaning = f"entry of the module {module.name}"
        for name, start, array in zip(module.names, module.start.tolist(), arrays, strict=True):
            yield Parameter(name, block, "weight", start, meaning, owner=module.name, argument=array)


def _random_covariances(spec: Spec) -> Iterable[Parameter]:
    for first, second in spec.covariances:
        if second in spec.drivers:
            what = (
                f"random coefficients {first} and {second}"
                if first in spec.drivers
                else f"disturbance of {first} and the random coefficient {second}"
            )
            name, meaning = names.covariance(first, second), f"covariance of the {what}"
            yield Parameter(name, "choice", "covariance", 0.0, meaning, owner=first, argument=second)


def _stacked(items: list[Declared]) -> list[Cells]:
    """Cells of several items along a new first axis, padded with zeros to the largest along their own first."""
    stacked = []
    for position, first in enumerate(items[0].cells):
        parts = [item.cells[position] for item in items]
        size = max((p.shape[0] for p in parts), default=0) if first.shape else None
        width = 1 if size is None else size * math.prod(first.shape[1:])
        entries = tuple(c for p in parts for c in (*p.entries, *((0.0,) * (width - len(p.entries)))))
        shape = (len(parts),) if size is None else (len(parts), size, *first.shape[1:])
        stacked.append(Cells(first.key, shape, entries))
    return stacked
