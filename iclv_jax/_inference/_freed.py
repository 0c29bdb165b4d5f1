"""The likelihood with fixed parameters set free, at the same data and nodes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iclv_jax._likelihood import Core
from iclv_jax._parameters import build_table
from iclv_jax._problem import Problem


def freed(problem: Problem, names: Sequence[str]) -> Core:
    """The core of a model in which these fixed parameters follow the free ones in `params`.

    Raises ValueError for names of parameters that are not fixed.
    """
    rows, table = [problem.table.row(name) for name in names], problem.table
    for row in rows:
        if row.status != "fixed":
            raise ValueError(
                f"{row.name!r} is {row.standing}; only fixed parameters can be set free in a test."
            )
    positions = tuple(table.rows.index(row) for row in rows)
    core = problem.core
    structure = replace(
        core.structure, map=replace(core.structure.map, free=(*core.structure.map.free, *positions))
    )
    return Core(structure, core.constants, core.people)


def fixed_values(problem: Problem, names: Sequence[str]) -> np.ndarray:
    return np.array([problem.table.row(name).value for name in names])


def why_not_free(problem: Problem, name: str) -> str:
    """Why a fixed parameter cannot be estimated with the others; empty where nothing speaks against it."""
    spec = problem.spec
    given = dict(spec.fixed)
    if name not in given:
        return "fixed by convention: it sets a scale or a location"
    others = tuple((n, v) for n, v in spec.fixed if n != name)
    try:
        table = build_table(replace(spec, fixed=others), problem.panel.levels, problem.panel.moments)
    except ValueError as error:
        return f"it could not be free: {error}"
    if set(table.names) - set(problem.names) != {name}:
        return "it sets a scale or a location: another parameter would take its place"
    return ""
