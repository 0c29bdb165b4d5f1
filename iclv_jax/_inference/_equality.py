"""What a fit would gain if a parameter that groups share were free in each of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import is_word, names_of
from iclv_jax._base._distributions import chi2_tail
from iclv_jax._base._types import Given
from iclv_jax._inference._covariance import invert
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._modification import expansion_by, joint_score
from iclv_jax._inference._penalised import refuse_penalised
from iclv_jax._likelihood import Core
from iclv_jax._problem import Problem
from iclv_jax._spec._groups import kind_of
from iclv_jax._spec._names import nearest


def equality_tests(
    fit: Maximum,
    names: Given[Sequence[str] | None] = None,
    kind: Given[Literal["hessian", "bhhh"]] = "hessian",
) -> pd.DataFrame:
    """Score tests of parameters that are equal across groups: what each would gain if every group had its own (of items:
    differential functioning).

    All other parameters stay as they are constrained. The tests need no further fit (Sörbom 1989).

    Parameters
    ----------
    names
        Free parameters that groups share; None: all of them, but for entries of modules.
    kind
        Where the information comes from: `"hessian"` or `"bhhh"`.

    Returns
    -------
    By parameter, the largest first: `kind`, as `equal_across` calls it; `statistic`, chi-squared with `df`, the number of
    groups less one; `p`; `change [group]`, by about how much the parameter of this group would move from that of the first
    one; `note`, why there is no statistic.

    Raises
    ------
    ValueError
        For a model without groups, and for parameters that groups do not share.

    References
    ----------
    Sörbom, D. (1989). Model modification. Psychometrika 54, 371-384.

    Examples
    --------
    >>> alike = ("loadings", "thresholds")
    >>> both = iclv.Model([iclv.Latent("green")], items, group="female", equal_across=alike).fit(df)
    >>> len(both.tests.equality_tests()) > 0
    True
    """
    if not is_word(kind, ("hessian", "bhhh")):
        raise ValueError(f"kind is 'hessian' or 'bhhh', not {kind!r}.")
    refuse_penalised(fit, "equality_tests")
    problem = fit.problem
    groups = problem.spec.groups
    if groups is None:
        raise ValueError(
            "equality_tests: the model has no groups. Name the column that tells them apart by group=."
        )
    known = shared(problem)
    asked = known if names is None else names_of(names, "names=")
    for name in asked:
        if name not in known:
            raise ValueError(f"{name!r} is no free parameter that the groups share. {nearest(name, known)}")
    rows = {r.name: kind_of(r.parameter) for r in problem.table.rows}
    found = _tests(fit, asked, kind, len(groups.names)) if asked else []
    columns = {
        "kind": [rows[n] for n in asked],
        "statistic": [s for s, _, _ in found],
        "df": [len(groups.names) - 1] * len(asked),
        "p": [chi2_tail(s, len(groups.names) - 1) for s, _, _ in found],
    }
    for at, label in enumerate(groups.labels[1:]):
        columns[f"change [{label}]"] = [float(changes[at]) for _, changes, _ in found]
    columns["note"] = [note for _, _, note in found]
    frame = pd.DataFrame(columns, index=pd.Index(asked, name="parameter"))
    return frame.sort_values("statistic", ascending=False, na_position="last", kind="stable")


def shared(problem: Problem) -> list[str]:
    """Free parameters that stand in the cells of all groups, and that have a kind."""
    mapping, rows = problem.core.structure.map, problem.table.rows
    users = [set() for _ in rows]
    for row, column in zip(mapping.rows, mapping.columns, strict=True):
        users[column].add(row // mapping.cells)
    return [
        r.name
        for r, groups in zip(rows, users, strict=True)
        if r.status == "free"
        and not r.parameter.group
        and kind_of(r.parameter)
        and len(groups) == mapping.groups
    ]


def _tests(fit: Maximum, names: Sequence[str], kind: str, groups: int) -> list[tuple[float, np.ndarray, str]]:
    core, size, more = split(fit.problem, names), len(fit.names), groups - 1
    own = [fit.names.index(n) for n in names]
    params = jnp.asarray(np.concatenate([fit.estimates, *(np.repeat(fit.estimates[i], more) for i in own)]))
    found = expansion_by(core, params, kind)
    score, information = np.asarray(found.gradient), -np.asarray(found.hessian)
    held = np.array([n in fit.optimizer_report.active for n in fit.names])
    tests = []
    for i, at in enumerate(own):
        into = _coordinates(size, own, more, i)
        part, matrix = into.T @ score, into.T @ information @ into
        labels = [*fit.names, *(f"{fit.names[at]} of group {g + 2}" for g in range(more))]
        marks = np.append(held, np.zeros(more, bool))
        joint = joint_score(part, matrix, labels, marks)
        changes = np.full(more, np.nan)
        if not joint.reasons:
            inverse = invert(matrix, labels, marks)
            changes = (inverse.matrix @ part[inverse.kept])[-more:]
        tests.append((joint.statistic, changes, "; ".join(joint.reasons)))
    return tests


def _coordinates(size: int, own: Sequence[int], more: int, tested: int) -> np.ndarray:
    """Parameters with a copy for every group, as sums of the fit's and of the differences of the tested one."""
    matrix = np.zeros((size + len(own) * more, size + more))
    matrix[:size, :size] = np.eye(size)
    for i, at in enumerate(own):
        rows = size + i * more + np.arange(more)
        matrix[rows, at] = 1.0
        if i == tested:
            matrix[rows, size + np.arange(more)] = 1.0
    return matrix


def split(problem: Problem, names: Sequence[str]) -> Core:
    """The core of a model in which these parameters are those of the first group, and all other groups have copies of
    their own, which follow the free ones in `params`."""
    core, table = problem.core, problem.table
    mapping, labels = core.structure.map, [r.name for r in table.rows]
    count, rows = len(core.constants), len(labels)
    columns = list(mapping.columns)
    for i, name in enumerate(names):
        at = labels.index(name)
        for k, (row, column) in enumerate(zip(mapping.rows, mapping.columns, strict=True)):
            if column == at and row >= mapping.cells:
                columns[k] = rows + i * (mapping.groups - 1) + row // mapping.cells - 1
    new = tuple(range(count, count + len(names) * (mapping.groups - 1)))
    wider = replace(
        mapping,
        free=(*mapping.free, *new),
        representative=(*mapping.representative, *new),
        columns=tuple(columns),
    )
    constants = jnp.concatenate([core.constants, jnp.zeros(len(new))])
    return Core(replace(core.structure, map=wider), constants, core.people)
