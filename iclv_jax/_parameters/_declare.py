"""What the model declares: every parameter, domain and array cell, before any constraint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from iclv_jax._spec import (
    Block,
    Cell,
    Cells,
    Declared,
    Domain,
    Equation,
    Indicator,
    Latent,
    Level,
    Mixing,
    Parameter,
    Positive,
    PositiveDefinite,
    Utility,
    one,
)
from iclv_jax._spec import _names as names
from iclv_jax._spec._equation import CELLS
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import Predictor, Standardized, all_terms, terms

LATENT, CHOICE = "latent", "choice"
Levels = Mapping[str, tuple[Level, ...]]


@dataclass(frozen=True)
class Stack:
    """Items that are evaluated together: their family, its key, and their order."""

    family: type[Indicator]
    key: object
    items: tuple[str, ...]


def stacks(spec: Spec) -> tuple[Stack, ...]:
    found: dict[tuple[type, object], list[str]] = {}
    for item in spec.indicators:
        found.setdefault((type(item), item.stack), []).append(item.column)
    return tuple(Stack(family, key, tuple(items)) for (family, key), items in found.items())


def section(stack: Stack) -> str:
    return f"{stack.family.__name__}.{stack.key}"


def declare(spec: Spec, levels: Levels) -> tuple[list[Parameter], list[Domain], dict[str, list[Cells]]]:
    """Parameters in the order of the table, their domains, and the arrays by section."""
    items = {i.column: _owned(i, i.declare(levels[i.column], spec.positions)) for i in spec.indicators}
    choice = _declare_choice(spec)
    parameters: dict[str, Parameter] = {}
    for parameter in (
        *_structural_parameters(spec, levels),
        *(p for declared in items.values() for p in declared.parameters),
        *choice.parameters,
    ):
        # Items may share parameters (thresholds), and a utility may use one of another block.
        parameters.setdefault(parameter.name, parameter)
    domains = [
        *_variance_domains(spec, spec.order, names.variance, spreads=False),
        *(d for declared in items.values() for d in declared.domains),
        *choice.domains,
    ]
    arrays = {LATENT: list(_structural_cells(spec, levels)), CHOICE: list(choice.cells)}
    for stack in stacks(spec):
        arrays[section(stack)] = _stacked([items[name] for name in stack.items])
    return [_conventional(spec, p) for p in parameters.values()], list(dict.fromkeys(domains)), arrays


def _owned(item: Indicator, declared: Declared) -> Declared:
    """What an item declares, its own where nothing else is said."""
    own = (p if p.owner else replace(p, owner=item.column) for p in declared.parameters)
    return replace(declared, parameters=tuple(own))


def _structural_parameters(spec: Spec, levels: Levels) -> Iterable[Parameter]:
    for latent in spec.latents:
        yield from _equation(latent, spec.order, levels)
    for first, second in spec.covariances:
        if first in spec.order:
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


def _conventional(spec: Spec, parameter: Parameter) -> Parameter:
    """Fix the loading that gives a latent variable its unit, unless the user constrains one."""
    # A loading fixed at zero gives no unit.
    zero = {n for n, value in spec.fixed if value == 0.0}
    constrained = {n for n, _ in spec.fixed} - zero
    for latent in spec.latents:
        if latent.scale != "loading":
            continue
        loadings = [names.loading(latent.name, i.column) for i in spec.indicators if latent.name in i.of]
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
    if any(first in position for first, _ in spec.covariances):
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


def _variance_domains(spec: Spec, members: Iterable[str], diagonal, spreads: bool) -> Iterable[Domain]:
    """One covariance matrix for every connected set of members, or one variance for a lone one."""
    remaining = list(members)
    linked: dict[str, set[str]] = {m: set() for m in remaining}
    for first, second in spec.covariances:
        if first in linked:
            linked[first].add(second)
            linked[second].add(first)
    while remaining:
        group, frontier = [], [remaining[0]]
        while frontier:
            member = frontier.pop(0)
            if member not in group:
                group.append(member)
                frontier.extend(sorted(linked[member]))
        remaining = [m for m in remaining if m not in group]
        if len(group) > 1:
            rows = tuple(
                tuple(_pair(spec, a, b) for b in group[:i]) + (diagonal(a),) for i, a in enumerate(group)
            )
            yield PositiveDefinite(rows, spreads)
        elif not spreads:
            yield Positive(diagonal(group[0]))


def _pair(spec: Spec, first: str, second: str) -> str | None:
    for a, b in spec.covariances:
        if {a, b} == {first, second}:
            return names.covariance(a, b)
    return None


def _declare_choice(spec: Spec) -> Declared:
    if spec.choice is None or spec.utility is None:
        return Declared((), ())
    own = spec.choice.declare()
    random = dict(spec.random)
    known = "coefficient in the utilities"
    parameters = [*_coefficients(spec.utility, random, "choice", known), *_random_covariances(spec, random)]
    members = tuple(random)
    coefficients = tuple(one(name) for name in spec.utility.coefficients)
    spreads = tuple(one(names.spread(name)) for name in members)
    size = len(members)
    cells = (
        Cells("coefficients", (len(coefficients),), coefficients),
        Cells("spreads", (size,), spreads),
        Cells("covariances", (size, size), _matrix(spec, members, (0.0,) * size)),
        *own.cells,
    )
    domains = tuple(_variance_domains(spec, members, names.spread, spreads=True))
    return Declared((*parameters, *own.parameters), cells, (*domains, *own.domains))


def _coefficients(
    function: Utility | Equation, random: Mapping[str, Mixing], block: Block, meaning: str
) -> Iterable[Parameter]:
    """Coefficients of a function with what makes them random, then the entries of modules."""
    for name in function.parameters:
        mixing = random.get(name)
        start = mixing.start[0] if mixing else 0.0
        yield Parameter(name, block, "coefficient", start, meaning)
        if mixing:
            spread = f"standard deviation of {name} over people"
            yield Parameter(names.spread(name), block, "spread", mixing.start[1], spread, owner=name)
    for module in function.modules:
        arrays = [part.name for part in module.parts for _ in part.names]
        meaning = f"entry of the module {module.name}"
        for name, start, array in zip(module.names, module.start.tolist(), arrays, strict=True):
            yield Parameter(name, block, "weight", start, meaning, owner=module.name, argument=array)


def _random_covariances(spec: Spec, random: Mapping[str, Mixing]) -> Iterable[Parameter]:
    for first, second in spec.covariances:
        if first in random:
            meaning = f"covariance of the random coefficients {first} and {second}"
            name = names.covariance(first, second)
            yield Parameter(name, "choice", "covariance", 0.0, meaning, owner=first, argument=second)


def _stacked(items: list[Declared]) -> list[Cells]:
    """Cells of several items along a new first axis, padded with zeros to the largest."""
    stacked = []
    for position, first in enumerate(items[0].cells):
        parts = [item.cells[position] for item in items]
        size = max((p.shape[0] for p in parts), default=0) if first.shape else None
        width = 1 if size is None else size
        entries = tuple(c for p in parts for c in (*p.entries, *((0.0,) * (width - len(p.entries)))))
        shape = (len(parts),) if size is None else (len(parts), size)
        stacked.append(Cells(first.key, shape, entries))
    return stacked
