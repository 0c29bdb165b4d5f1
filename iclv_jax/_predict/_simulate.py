"""Artificial items and choices from a model at given parameters."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._types import Array, Given, Number
from iclv_jax._density._density import Structure, structure, utilities
from iclv_jax._density._latent import latent_variables
from iclv_jax._panel import Person, read_panel
from iclv_jax._parameters import CHOICE, LATENT, ParameterTable, build_table, section
from iclv_jax._problem import Problem
from iclv_jax._spec import Level, expand
from iclv_jax._spec._model import Spec

QUICK = {"xla_backend_optimization_level": 0}
"""A simulation runs once: this compiles in a third of the time (2.9 s against 0.9 s for 38 items)."""


def simulate(
    spec: Given[Spec],
    params: Given[Mapping[str, Number]],
    frame: Given[pd.DataFrame],
    seed: Given[int],
    person: Given[str | None],
) -> pd.DataFrame:
    """The frame with simulated items and choices added (or replaced).

    `params` names every free parameter. An item without `levels=` gets the levels 1, 2, ... that its
    thresholds in `params` imply.
    """
    panel = read_panel(spec, frame, person=person, outcomes=())
    params = expand(spec.modules, params.items(), "params")
    table = build_table(spec, _levels(spec, params) | dict(panel.levels))
    shape = structure(spec, table)
    items, chosen = _draw(shape, table.constants, _vector(table, params), panel.person, seed)
    result = frame.copy()
    codes = pd.factorize(frame[person])[0] if person is not None else np.arange(len(frame))
    for stack, values in zip(table.stacks, items, strict=True):
        for i, name in enumerate(stack.items):
            result[name] = _labels(spec, name, np.asarray(values)[:, i], params)[codes]
    if spec.choice is not None:
        result[spec.choice.chosen] = _chosen(spec, np.asarray(chosen), panel.rows, len(frame))
    return result


def draw_answers(problem: Problem, params: Array, seed: int) -> Person:
    """The people of a problem with other answers, drawn at `params`: same covariates, situations, alternatives on
    offer, and missing answers."""
    core, people = problem.core, problem.core.person
    shape = structure(problem.spec, problem.table)
    items, chosen = _draw(shape, core.constants, params, people, seed)
    values = tuple(v.astype(old.dtype) for v, old in zip(items, people.values, strict=True))
    return people._replace(values=values, chosen=chosen.astype(people.chosen.dtype))


@partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def _draw(
    shape: Structure, constants: Array, params: Array, people: Person, seed: Array
) -> tuple[Any, Array]:
    # All in one: on their own, the maps to theta and to arrays would be some 80 programs to compile.
    cells = shape.map.dense(shape.map.theta(constants, params))
    keys = jax.random.split(jax.random.key(seed), people.occurs.shape[0])

    def one(person: Person, key: Array) -> tuple[Any, Array]:
        shock_key, item_key, choice_key = jax.random.split(key, 3)
        shocks = jax.random.normal(shock_key, (shape.dimension,))
        eta = latent_variables(cells[LATENT], person.covariates, shocks[: shape.latents], shape.nonlinear)
        items = []
        for i, stack in enumerate(shape.stacks):
            part = cells[section(stack)]
            index = part["loadings"] @ eta
            items.append(stack.family.sample(stack.key, part, index, jax.random.fold_in(item_key, i)))  # pyright: ignore[reportArgumentType]
        if shape.kernel is None:
            return items, jnp.zeros(person.occurs.shape, int)
        v = utilities(shape, cells[CHOICE], person, eta, shocks)
        each = jax.vmap(shape.kernel.sample, in_axes=(None, 0, 0, 0))
        keys = jax.random.split(choice_key, v.shape[0])
        return items, each(cells[CHOICE], v, person.available, keys)

    return jax.vmap(one)(people, keys)


def _levels(spec: Spec, params: Mapping[str, Number]) -> dict[str, tuple[Level, ...]]:
    found: dict[str, tuple[Level, ...]] = {}
    for item in spec.indicators:
        declared = getattr(item, "levels", None)
        if not item.discrete:
            found[item.column] = ()
        elif declared is not None:
            found[item.column] = tuple(declared)
        else:
            found[item.column] = tuple(range(1, _count(item.shared or item.column, params) + 1))
    return found


def _count(owner: str, params: Mapping[str, Number]) -> int:
    """Number of levels that the thresholds in `params` imply."""
    numbered = sum(name.startswith(f"{owner} | ") for name in params)
    increments = sum(name.startswith(f"{owner}.delta") for name in params)
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
    return np.array([float(params[n]) for n in table.names])


def _labels(spec: Spec, name: str, values: np.ndarray, params: Mapping[str, Number]) -> np.ndarray:
    levels = _levels(spec, params)[name]
    if not levels:
        return values
    plain = np.array(levels)
    return plain[values.astype(int)]


def _chosen(spec: Spec, chosen: np.ndarray, rows: np.ndarray, count: int) -> Any:
    assert spec.utility is not None
    names = pd.Series(list(spec.utility.alternatives))
    column = np.zeros(count, int)
    column[rows[rows >= 0]] = chosen[rows >= 0]
    return names.iloc[column].to_numpy()
