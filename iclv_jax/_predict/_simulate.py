"""Artificial items and choices from a model at given parameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, reduce
from itertools import chain, count

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._types import AnyFrames, Array, Given, Number
from iclv_jax._density import Structure, structure
from iclv_jax._panel import Data, Person, grouped, read_panel
from iclv_jax._panel._door import as_pandas, as_pandas_frames
from iclv_jax._parameters import ParameterTable, build_table, in_every_group
from iclv_jax._parameters._declare import Levels
from iclv_jax._parameters._domain import check_bounds, check_values
from iclv_jax._parameters._groups import declare_groups, merged
from iclv_jax._parameters._map import full
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Level, Standardized, Thresholds, expand
from iclv_jax._spec import _names as names
from iclv_jax._spec._groups import called, plain
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import dummy
from iclv_jax._spec._values import finite

QUICK = {"xla_backend_optimization_level": 0}
"""A simulation runs once: this compiles in a third of the time (2.9 s against 0.9 s for 38 items)."""


def draw_frames(
    spec: Given[Spec],
    params: Given[Mapping[str, Number]],
    frame: Given[AnyFrames],
    seed: Given[int],
    person: Given[str | None],
) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """The frame, or the frames of a mapping, with simulated items and choices added (or replaced).

    `params` names every free parameter. An item without `levels=` gets the levels 1, 2, ... that its
    thresholds in `params` imply; items go into the first frame, the choices into those of their tables.
    """
    check_seed(seed)
    check_drawn(spec)
    several = isinstance(frame, Mapping)
    given = as_pandas_frames(frame) if several else as_pandas(frame, "frame")
    frames: dict[str | None, pd.DataFrame] = dict(given) if several else {None: given}
    params = expand(spec.modules, params.items(), "params")
    spec = grouped(spec, given, person)
    labels = spec.groups.labels if spec.groups is not None else ()
    spec = replace(spec, choices=tuple(_settled(choice, params, labels) for choice in spec.choices))
    nominal = nominal_levels(spec, next(iter(frames.values()), pd.DataFrame()), params)
    panel = read_panel(spec, given, person=person, levels=nominal, outcomes=(), estimating=False)
    levels = _levels(spec, params, labels) | dict(panel.levels)
    spec = in_every_group(spec, levels)
    table = build_table(spec, levels)
    shape, vector = structure(spec, table), _vector(table, params)
    _check_values(spec, table, levels, vector)
    answers = _draw(shape, table.constants, vector, panel.person, np.asarray(seed))
    results = {name: frame.copy() for name, frame in frames.items()}
    result, codes = next(iter(results.values())), panel.frame.codes
    for block in shape.items:
        for i, name in enumerate(block.items):
            drawn = np.asarray(answers[block.at])[:, i]
            for column, values in _labels(spec, name, levels[name], drawn).items():
                result[column] = values[codes]
    for block, table in zip(shape.choices, panel.tables, strict=True):
        # A choice without a table, or in a single frame, stands in the first one.
        _fill(
            results.get(block.kernel.table, result), block.kernel, np.asarray(answers[block.at]), table.rows
        )
    return {str(name): frame for name, frame in results.items()} if several else result


def _fill(frame: pd.DataFrame, kernel: Kernel, drawn: np.ndarray, rows: np.ndarray) -> None:
    """Write the answers to a choice, (person, situation, column), into the rows where it was asked."""
    for name, each in zip(kernel.columns, np.moveaxis(np.atleast_3d(drawn), 2, 0), strict=True):
        column = (_chosen if kernel.discrete else _numbers)(kernel, each, rows, len(frame))
        # Several choices may stand in one column, each in rows of its own.
        if kernel.rows is not None and name in frame:
            column = np.where(_filled(rows, len(frame)), column, frame[name].to_numpy())
        frame[name] = column


def check_drawn(spec: Spec) -> None:
    """Refuse to simulate where a choice does not say how."""
    for choice in spec.choices:
        if choice.undrawn:
            raise ValueError(f"Nothing can be simulated: {choice.undrawn}.")


def draw_answers(problem: Problem, params: Array, seed: int) -> Person:
    """The people of a problem with other answers, drawn at `params`: same covariates, situations, alternatives on
    offer, and missing answers. ValueError where it is not known who would have been lost from sight."""
    check_redrawn(problem.spec)
    core, people = problem.core, problem.core.person
    shape = structure(problem.spec, problem.table)
    answers = _draw(shape, core.constants, params, people, seed)
    data = tuple(
        d._replace(outcome=_as_complete(d, new).astype(d.outcome.dtype))
        for d, new in zip(people.data, answers, strict=True)
    )
    tables = tuple(
        _with_answers(block.kernel, table, data[block.at])
        for block, table in zip(shape.choices, people.tables, strict=True)
    )
    return people._replace(data=data, tables=tables)


def _with_answers(kernel: Kernel, table: Array, data: Data) -> Array:
    """Columns of the utilities, with what is explained where a function reads that itself."""
    for i, name in enumerate(() if kernel.discrete else kernel.columns):
        if name in kernel.utility.columns:
            place = kernel.utility.columns.index(name)
            table = jnp.where(jnp.arange(table.shape[-1]) == place, data.outcome[..., i, None], table)
    return table


def check_redrawn(spec: Spec) -> None:
    """Refuse to draw data like these where it is not known who would have been lost from sight."""
    check_drawn(spec)
    for item in spec.indicators:
        if item.flag is not None:
            raise ValueError(
                f"Item {item.column!r} is censored where {item.flag!r} is 0, and when others would have been lost "
                "from sight is no part of the model: data like these cannot be simulated."
            )


def _as_complete(data: Data, drawn: Array) -> Array:
    """Answers of several columns (ranks, say) end where they did, and numbers that are missing stay so."""
    if jnp.issubdtype(data.outcome.dtype, jnp.floating):
        return jnp.where(jnp.isnan(data.outcome), data.outcome, drawn)
    several = data.outcome.ndim == data.offered.ndim
    return jnp.where(data.outcome < 0, -1, drawn) if several else drawn


@partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def _draw(shape: Structure, constants: Array, params: Array, people: Person, seed: Array) -> list[Array]:
    # All in one: on their own, the maps to theta and to arrays would be some 80 programs to compile.
    theta = shape.map.theta(constants, params)
    keys = jax.random.split(jax.random.key(seed), people.covariates.shape[0])

    def one(person: Person, key: Array) -> list[Array]:
        cells = shape.cells(theta, person)
        shock_key, item_key, choice_key = jax.random.split(key, 3)
        shocks = jax.random.normal(shock_key, (shape.dimension,))
        world, _ = shape.system.world(cells, person, shocks)
        items = [
            block.sample(cells[block.name], world, jax.random.fold_in(item_key, i))
            for i, block in enumerate(shape.items)
        ]
        choices = [
            block.sample(
                cells[block.name], person, world, jax.random.fold_in(choice_key, i) if i else choice_key
            )
            for i, block in enumerate(shape.choices)
        ]
        return [*items, *choices]

    return jax.vmap(one)(people, keys)


def nominal_levels(
    spec: Spec, frame: pd.DataFrame, params: Mapping[str, Number]
) -> dict[str, tuple[Level, ...]] | None:
    """Levels of nominal covariates: those that are declared or have a parameter, and the one that has none.

    The frame need not hold them all: it may be of people of one region.
    """
    found: dict[str, tuple[Level, ...]] = {}
    known = [*params, *(n for n, _ in spec.fixed), *(d.name for d in spec.define), *chain(*spec.equal)]
    if spec.groups is not None:
        known = [reduce(plain, spec.groups.labels, name) for name in known]
    labels = spec.groups.labels if spec.groups is not None else ()
    users = [(v.name, v.predictors) for v in spec.latents]
    users += [(i.indices(_levels(spec, params, labels)[i.column])[0], i.on) for i in spec.indicators if i.on]
    for name, predictors in users:
        for p in predictors:
            if isinstance(p, Standardized) and p.nominal and p.column not in found:
                found[p.column] = tuple(p.levels or ()) or _levels_of(
                    p, f"{name} ~ {p.column}[", known, frame
                )
    return found or None


def _levels_of(
    predictor: Standardized, prefix: str, known: list[str], frame: pd.DataFrame
) -> tuple[Level, ...]:
    column = predictor.column
    seen: list[Level] = []
    if column in frame.columns:
        seen = frame[column].dropna().drop_duplicates().tolist()
    labels = {names.slope(prefix.split(" ~ ")[0], dummy(column, v)): v for v in seen}
    named = [labels.get(n, n[len(prefix) : -1]) for n in dict.fromkeys(known) if n.startswith(prefix)]
    others = [v for v in seen if v not in named]
    if predictor.baseline is not None:
        others = [predictor.baseline, *(v for v in others if v != predictor.baseline)]
    if len(others) > 1:
        raise ValueError(
            f"params: column {column!r} has the levels {', '.join(map(repr, others))}, of which one at most is the baseline "
            f"without a parameter. Give {names.slope(prefix.split(' ~ ')[0], dummy(column, others[-1]))!r} a value."
        )
    return (*(others or [f"neither of {len(named)}"]), *named)


def _levels(
    spec: Spec, params: Mapping[str, Number], labels: tuple[str, ...]
) -> dict[str, tuple[Level, ...]]:
    found: dict[str, tuple[Level, ...]] = {}
    for item in spec.indicators:
        known = item.unseen
        if known is None and item.several:
            raise ValueError(
                f"The levels of {item.column!r} are unknown: give its item `levels=[...]`, the first of which is the base "
                "that no parameter names."
            )
        if known is None:
            known = tuple(range(1, _count(item.shared or item.column, params, labels) + 1))
        found[item.column] = known
    return found


def _settled(choice: Kernel, params: Mapping[str, Number], labels: tuple[str, ...]) -> Kernel:
    """A choice with as many levels as its thresholds in `params` imply, where it does not say."""
    if not choice.unsettled:
        return choice
    found = _given(params, labels, lambda k: names.threshold(choice.name, k))
    return choice.settled(range(1, found + 2), None)


def _given(params: Mapping[str, Number], labels: tuple[str, ...], name: Callable[[int], str]) -> int:
    """How many of the parameters with these names, from the first, have a value, be it that of one group."""

    def known(name: str) -> bool:
        return name in params or any(called(name, label) in params for label in labels)

    return next(k for k in count() if not known(name(k + 1)))


def _count(owner: str, params: Mapping[str, Number], labels: tuple[str, ...]) -> int:
    """Number of levels that the thresholds in `params` imply."""
    symmetric = Thresholds(owner, symmetric=True)
    numbered = _given(params, labels, lambda k: names.threshold(owner, k))
    increments = _given(params, labels, lambda k: symmetric.names(2 * k + 1)[-1])
    if numbered:
        return numbered + 1
    if increments:
        return 2 * increments + 1
    raise ValueError(
        f"The number of levels of {owner!r} is unknown: give its item `levels=[...]`, or its thresholds in "
        "params."
    )


def _vector(table: ParameterTable, params: Mapping[str, Number]) -> np.ndarray:
    for name in params:
        table.row(name)
    absent = [n for n in table.names if n not in params]
    if absent:
        raise ValueError(f"{len(absent)} free parameters have no value: {', '.join(absent[:5])}.")
    return np.array([finite(n, params[n], "params") for n in table.names])


def _check_values(spec: Spec, table: ParameterTable, levels: Levels, vector: np.ndarray) -> None:
    """Refuse values that no parameters of their kind may have: variances below zero, thresholds out of order."""
    values = np.asarray(full(table.map, table.constants, vector))
    domains = merged(declare_groups(spec, levels))[1]
    # A latent variable without a disturbance is a sum of others.
    fixed = [r for r in table.rows if r.status == "fixed"]
    zero = {r.name for r in fixed if r.parameter.role == "variance" and r.parameter.block == "structural"}
    named = dict(zip([r.name for r in table.rows], values.tolist(), strict=True))
    check_values(domains, named, "params", zero)
    for parameter in (row.parameter for row in table.rows if row.name not in dict(spec.bounds)):
        check_bounds(parameter, named[parameter.name], "params")


def _labels(spec: Spec, name: str, levels: tuple[Level, ...], values: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the data by person: the levels that were drawn, or the numbers with what is read beside them."""
    if not levels:
        return next(item for item in spec.indicators if item.column == name).answered(values)
    return {name: np.array(levels)[values.astype(int)]}


def _chosen(kernel: Kernel, chosen: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Labels of the alternatives by row of the frame."""
    labels, column = list(kernel.outcomes), np.zeros(count, int)
    column[rows[rows >= 0]] = chosen[rows >= 0]
    # A rank that was not drawn is missing.
    names = pd.Series(labels if (column >= 0).all() else [*labels, None])
    return names.iloc[column].to_numpy()


def _numbers(kernel: Kernel, drawn: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Numbers by row of the frame, NaN where nothing was asked."""
    column = np.full(count, np.nan)
    column[rows[rows >= 0]] = drawn[rows >= 0]
    return column


def _filled(rows: np.ndarray, count: int) -> np.ndarray:
    """Which rows of the frame are situations."""
    found = np.zeros(count, bool)
    found[rows[rows >= 0]] = True
    return found
