"""Start values from the moments of the items, without any optimisation."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from iclv_jax._panel import Panel
from iclv_jax._parameters import ParameterTable
from iclv_jax._parameters._declare import stacks
from iclv_jax._parameters._define import DEFINITIONS
from iclv_jax._parameters._groups import declare_groups
from iclv_jax._problem._scales import scales_of
from iclv_jax._spec import Indicator, Latent, Level
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec

LARGEST_COMMUNALITY = 0.8
SMALLEST_COMMUNALITY = 0.05
Levels = Mapping[str, tuple[Level, ...]]


def default_start(spec: Spec, table: ParameterTable, panel: Panel) -> np.ndarray:
    """Start values of the free parameters in natural units, inside their bounds.

    Loadings come from the first eigenvector of the correlations of each latent variable's items;
    intercepts, variances and thresholds from each item's moments given its loading; slopes, paths
    and choice parameters start at zero, those that scale utilities at one, standard deviations at theirs.
    Values in the model's `start=` replace these.
    """
    values = {row.name: row.parameter.start for row in table.rows}
    values |= (
        _by_group(spec, table, panel) if panel.person.group is not None else _starts(spec, panel, values)
    )
    values |= {row.name: row.value for row in table.rows if row.status == "fixed"}
    values = _definition_starts(spec, table, values)
    values |= dict(spec.start)
    return _inside(table, np.array([values[name] for name in table.names], float))


def _starts(spec: Spec, panel: Panel, before: Mapping[str, float]) -> dict[str, float]:
    """Values of a model without groups; `before` are those of everything else."""
    values = {**before, **_item_starts(spec, panel)}
    for choice in spec.choices:
        seen = panel.situations_of(choice.name)
        values |= {name: 1.0 for name in scales_of(choice) if values[name] == 0.0}
        values |= choice.starts(seen.outcome, seen.columns, seen.offered)
    for latent in spec.latents:
        _rescale(latent, spec, panel.levels, values)
    return values


def _by_group(spec: Spec, table: ParameterTable, panel: Panel) -> dict[str, float]:
    """What each group's people say of its parameters; of those that groups share the mean over people."""
    total: dict[str, float] = {}
    count: dict[str, int] = {}
    group = np.asarray(panel.person.group)
    for at, declared in enumerate(declare_groups(spec, panel.levels)):
        people = np.flatnonzero(group == at)
        before = {p.name: p.start for p in declared.plain}
        found = _starts(declared.view, panel.take(people), before)
        for plain, own in zip(declared.plain, declared.parameters, strict=True):
            total[own.name] = total.get(own.name, 0.0) + len(people) * found[plain.name]
            count[own.name] = count.get(own.name, 0) + len(people)
    return {name: value / count[name] for name, value in total.items()}


def _item_starts(spec: Spec, panel: Panel) -> dict[str, float]:
    answers = _answers(spec, panel)
    loadings = _standard_loadings(spec, answers, panel.levels)
    collected: dict[str, list[float]] = {}
    for item in spec.indicators:
        loading = loadings.get(item.column, 0.0)
        communality = float(np.clip(loading**2, SMALLEST_COMMUNALITY, LARGEST_COMMUNALITY))
        observed = answers[item.column][~np.isnan(answers[item.column])]
        sign = 1.0 if loading >= 0.0 else -1.0
        found = item.starts(panel.levels[item.column], observed, communality, sign)
        for name, value in found.items():
            collected.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in collected.items()}


def _answers(spec: Spec, panel: Panel) -> dict[str, np.ndarray]:
    """Each item's values over people, NaN where missing."""
    found: dict[str, np.ndarray] = {}
    # The data of the choices follow those of the stacks.
    for stack, data in zip(stacks(spec), panel.person.data, strict=False):
        for i, name in enumerate(stack.items):
            found[name] = np.where(data.occurs[:, i], data.outcome[:, i], np.nan)
    return found


def _standard_loadings(spec: Spec, answers: Mapping[str, np.ndarray], levels: Levels) -> dict[str, float]:
    """Correlation of each item with its (first) latent variable."""
    found: dict[str, float] = {}
    for latent in spec.latents:
        items = [i for i in spec.indicators if i.of[:1] == (latent.name,)]
        if not items:
            continue
        # What is read beside an answer, as a sign, is no part of its size.
        vector = _first_factor([abs(a) if i.flag else a for i in items for a in [answers[i.column]]])
        vector = vector * _orientation(latent, items, vector, dict(spec.fixed), levels)
        found.update({item.column: float(v) for item, v in zip(items, vector, strict=True)})
    return found


def _first_factor(columns: list[np.ndarray]) -> np.ndarray:
    """Loadings on the first principal factor of pairwise correlations."""
    if len(columns) == 1:
        return np.array([0.7])
    masked = np.ma.masked_invalid(np.stack(columns))
    correlations = np.nan_to_num(np.ma.corrcoef(masked).filled(0.0))
    np.fill_diagonal(correlations, 0.0)
    # Communality guess: the largest correlation of each item (Thurstone).
    np.fill_diagonal(correlations, np.abs(correlations).max(axis=1))
    eigenvalues, vectors = np.linalg.eigh(correlations)
    return vectors[:, -1] * np.sqrt(max(eigenvalues[-1], 0.0))


def _orientation(
    latent: Latent, items: list[Indicator], vector: np.ndarray, fixed: Mapping[str, float], levels: Levels
) -> float:
    """+1 or -1: a fixed loading decides the direction of the latent variable, or else the first item."""
    for item, value in zip(items, vector, strict=True):
        held = sum(fixed.get(names.loading(latent.name, i), 0.0) for i in item.indices(levels[item.column]))
        if held != 0.0 and value != 0.0:
            return float(np.sign(held) * np.sign(value))
    return 1.0 if vector[0] >= 0.0 else -1.0


def _rescale(latent: Latent, spec: Spec, levels: Levels, values: dict[str, float]) -> None:
    """Express loadings, variance and location in the unit that a fixed loading or intercept gives."""
    fixed = dict(spec.fixed)
    items = {
        names.loading(latent.name, index): item
        for item in spec.indicators
        if latent.name in item.of
        for index in item.indices(levels[item.column])
    }
    if not items or any(i.exact for i in items.values()):
        return
    open_ones = [n for n in items if n not in fixed]
    name = next((n for n in items if fixed.get(n)), (open_ones or list(items))[0])
    if latent.scale == "loading":
        held = fixed.get(name, 1.0)
        unit = values[name] / held if held else 1.0
        unit = abs(unit) if abs(unit) > 1e-3 else 1.0
        values[names.variance(latent.name)] = unit**2
        for loading in items:
            values[loading] /= unit
        values[name] = held
    reference = items[name].location
    if latent.intercept and reference is not None and reference in fixed and values[name]:
        mean = (values[reference] - fixed[reference]) / values[name]
        values[names.intercept(latent.name)] = mean
        for loading, item in items.items():
            if item.location is not None:
                values[item.location] -= values[loading] * mean


def _definition_starts(spec: Spec, table: ParameterTable, values: dict[str, float]) -> dict[str, float]:
    """New parameters of define= such that defined parameters come close to their usual starts."""
    usual = {d.name: values[d.name] for d in spec.define}
    new = [
        r.name
        for r in table.rows
        if r.status == "free" and r.parameter.argument == DEFINITIONS and r.name not in usual
    ]
    if not new:
        return values
    from scipy.optimize import least_squares

    position = {r.name: i for i, r in enumerate(table.rows)}
    free = list(table.names)
    at = [free.index(n) for n in new]
    base = np.array([values[n] for n in free])
    targets = np.array([usual[n] for n in usual])
    rows = np.array([position[n] for n in usual])
    constants = jnp.asarray(table.constants)

    def distance(x: np.ndarray) -> np.ndarray:
        trial = base.copy()
        trial[at] = x
        gap = np.asarray(table.map.full(constants, jnp.asarray(trial)))[rows] - targets
        return np.nan_to_num(gap, nan=1e6, posinf=1e6, neginf=-1e6)

    solution = least_squares(distance, np.full(len(new), 0.1))
    return values | dict(zip(new, map(float, solution.x), strict=True))


def _inside(table: ParameterTable, values: np.ndarray) -> np.ndarray:
    """Values moved into their bounds."""
    lower, upper = table.bounds
    return np.clip(values, lower, upper)
