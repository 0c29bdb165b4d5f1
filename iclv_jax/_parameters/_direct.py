"""Direct effects of covariates on items: `index = intercept + loadings' eta + effects' x`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from iclv_jax._spec import Cell, Cells, Declared, Indicator, Level, Parameter, Standardized, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import Logarithm, all_terms, terms

EFFECTS = "effects"
"""The array of a stack's direct effects, (indicator, covariate), or (indicator, index, covariate)."""

Levels = Mapping[str, tuple[Level, ...]]


def with_effects(
    spec: Spec, declared: Mapping[str, Declared], levels: Levels, stacks: Iterable[tuple[str, ...]]
) -> dict[str, Declared]:
    """What the items declare, with their direct effects.

    Items that share a stack have the same arrays: where one of them has effects, all have a row for them.
    """
    items, found = {item.column: item for item in spec.indicators}, dict(declared)
    for stack in stacks:
        if any(items[q].on or items[q].exposure is not None for q in stack):
            found |= {q: _extended(spec, items[q], declared[q], levels) for q in stack}
    return found


def _extended(spec: Spec, item: Indicator, declared: Declared, levels: Levels) -> Declared:
    covariates = all_terms(spec.covariates, levels)
    indices = item.indices(levels[item.column])
    parameters = tuple(p for index in indices for p in _parameters(item, index, levels))
    entries = tuple(cell for index in indices for cell in _row(item, index, covariates, levels))
    shape = (len(indices), len(covariates)) if item.several else (len(covariates),)
    cells = (*declared.cells, Cells(EFFECTS, shape, entries))
    return replace(declared, parameters=(*declared.parameters, *parameters), cells=cells)


def _parameters(item: Indicator, index: str, levels: Levels) -> Iterable[Parameter]:
    for predictor in item.on:
        baseline = ""
        if isinstance(predictor, Standardized) and predictor.nominal:
            baseline = f", against {predictor.reference(levels[predictor.column])}"
        for term in terms(predictor, levels):
            meaning = f"direct effect of {term} on {index}{baseline}"
            yield Parameter(
                names.slope(index, term),
                "measurement",
                "effect",
                0.0,
                meaning,
                owner=item.column,
                argument=term,
            )


def _row(item: Indicator, index: str, covariates: tuple[str, ...], levels: Levels) -> list[Cell]:
    row: list[Cell] = [0.0] * len(covariates)
    for predictor in item.on:
        for term in terms(predictor, levels):
            row[covariates.index(term)] = one(names.slope(index, term))
    if item.exposure is not None:
        (term,) = terms(Logarithm(item.exposure), levels)
        row[covariates.index(term)] = 1.0
    return row
