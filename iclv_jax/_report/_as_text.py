"""A model as the text that `from_text` reads."""

from typing import Any

from iclv_jax._base._types import AnyFrame, AnyFrames, Given
from iclv_jax._panel import read_panel, settled
from iclv_jax._parameters import ParameterTable, build_table, in_every_group
from iclv_jax._parameters._declare import Levels
from iclv_jax._parameters._groups import declare_groups
from iclv_jax._spec._groups import called
from iclv_jax._spec._model import Spec
from iclv_jax._spec._text import Stated, write


def to_text(
    model: Any,
    data: Given[AnyFrames | None] = None,
    *,
    person: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
) -> str:
    """The latent variables and items in the language that `from_text` reads, every parameter said in full; choices and
    random coefficients have no place in it.

    Parameters
    ----------
    data, person, people
        As of `describe`; they tell the levels of ordered items, of which all thresholds are written then (without data,
        those of items with `levels=`, the first of others, and all of which something is said), and the names and order of
        groups, for which they are needed. What is equal across groups has a label of its own, what differs stands in
        `c(...)`: `from_text(text, group=...)` is then the same model without `equal_across`, but for that of a choice.

    Raises
    ------
    ValueError
        For what the language has no words for: Python functions in `on=`, `define=` or `derived=`, shared thresholds,
        standardised covariates, other families of items; for groups without data.

    Examples
    --------
    >>> "green =~" in model.to_text()
    True
    """
    spec: Spec = model.spec
    if data is None and spec.groups is not None:
        raise ValueError(
            f"to_text: the groups of the column {spec.groups.column!r}, and the levels of the items, are read from the "
            "data. Give them: to_text(data)."
        )
    if data is None:
        return write(Stated.of(spec, {}))
    spec = settled(spec, data, person, people)
    panel = read_panel(spec, data, person, people)
    if spec.groups is None:
        return write(Stated.of(spec, panel.levels))
    spec = in_every_group(spec, panel.levels)
    return write(_of_groups(spec, build_table(spec, panel.levels, panel.moments), panel.levels))


def _of_groups(spec: Spec, table: ParameterTable, levels: Levels) -> Stated:
    """What is said of each parameter in every group, with what convention says."""
    assert spec.groups is not None
    rows = [r for r in table.rows if r.parameter.block != "choice" and r.parameter.role != "derived"]
    apart = dict.fromkeys(r.parameter.plain for r in rows if r.parameter.plain)
    ties: dict[str, list[str]] = {}
    for row in rows:
        if row.status != "fixed" and (row.tied or not row.parameter.plain):
            # What all groups share has a label, though nothing else is equal to it.
            ties.setdefault(row.tied or row.name, []).append(row.name)
    return Stated(
        declare_groups(spec, levels)[0].view,
        fixed={r.name: r.value for r in rows if r.status == "fixed"},
        equal=[list(dict.fromkeys((source, *tied))) for source, tied in ties.items()],
        bounds=dict(spec.bounds),
        start=dict(spec.start),
        define=spec.define,
        derived=spec.derived,
        by_group={n: tuple(called(n, label) for label in spec.groups.labels) for n in apart},
        groups=spec.groups,
        levels=levels,
    )
