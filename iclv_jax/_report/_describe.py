"""What a model is, before it is fitted."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._panel import Panel, read_panel, settled
from iclv_jax._parameters import ParameterTable, Row, build_table, in_every_group
from iclv_jax._problem._start import default_start
from iclv_jax._report._modules import free_parameters
from iclv_jax._report._summary import HEADINGS, group_facts
from iclv_jax._spec import Indicator, Kernel
from iclv_jax._spec._model import Spec
from iclv_jax._tables._format import number
from iclv_jax._tables._table import Report, Section

ASSUMED = 5


def describe(spec: Given[Spec], data: Given[Any], person: Given[str | None], people: Given[Any]) -> Report:
    """The parameter table and, with data, shares, availability, missing items and levels."""
    if data is None:
        levels, unknown = _assumed_levels(spec)
        unknown += [c.name for c in spec.choices if c.unsettled]
        assumed = (c.settled(range(1, ASSUMED + 1), None) if c.unsettled else c for c in spec.choices)
        spec = replace(spec, choices=tuple(assumed))
        table = build_table(spec, levels)
        notes = []
        if unknown:
            notes.append(
                f"Levels of {', '.join(unknown)} are read from the data; {ASSUMED} are assumed here."
            )
        if spec.groups is not None:
            notes.append(
                f"Groups are read from the column {spec.groups.column!r} of the data; this is what each of them has."
            )
        return _report(spec, table, {}, [], notes)
    spec = settled(spec, data, person, people)
    panel = read_panel(spec, data, person, people)
    spec = in_every_group(spec, panel.levels)
    table = build_table(spec, panel.levels, panel.moments)
    starts = dict(zip(table.names, default_start(spec, table, panel), strict=True))
    facts = [("People", f"{len(panel.people):,}"), *group_facts(spec, panel)]
    for choice in spec.choices:
        facts += shares_of(choice, panel, len(spec.choices) > 1)
    facts += items_of(spec, table, panel)
    return _report(spec, table, starts, facts, list(panel.notes))


def _report(
    spec: Spec,
    table: ParameterTable,
    starts: dict[str, float],
    facts: list[tuple[str, str]],
    notes: list[str],
) -> Report:
    sections = []
    for block, heading in HEADINGS.items():
        rows = [r for r in table.rows if r.parameter.block == block and r.name not in spec.module_of]
        if rows:
            sections.append(Section(heading, tuple(_row(r, starts) for r in rows)))
    entries = tuple(_row(r, starts) for r in table.rows if r.name in spec.module_of)
    if entries:
        sections.append(Section("Modules", entries, shown=False))
    values = {
        r.name: r.value if r.status == "fixed" else starts.get(r.name, r.parameter.start) for r in table.rows
    }
    head = [
        *free_parameters(spec, table, values),
        ("Dimensions of integration", f"{spec.dimension}"),
    ]
    columns = ("", "standing", "start", "bounds", "meaning")
    return Report("Model", (*head, *facts), columns, tuple(sections), tuple(notes), words=(0, 1, 3, 4))


def _row(row: Row, starts: dict[str, float]) -> tuple[str, ...]:
    standing = {"fixed": f"= {number(row.value)}", "equal": f"= {row.tied}"}.get(row.status, row.status)
    start = number(starts.get(row.name, row.parameter.start)) if row.status == "free" else ""
    bounded = math.isfinite(row.lower) or math.isfinite(row.upper)
    bounds = f"[{number(row.lower)}, {number(row.upper)}]" if bounded else ""
    return (row.name, standing, start, bounds, row.parameter.meaning)


def _assumed_levels(spec: Spec) -> tuple[dict[str, tuple], list[str]]:
    levels, unknown = {}, []
    for item in spec.indicators:
        known = item.unseen
        levels[item.column] = tuple(range(1, ASSUMED + 1)) if known is None else known
        if known is None:
            unknown.append(item.column)
    for predictor in spec.nominal:
        first = "baseline" if predictor.baseline is None else predictor.baseline
        levels[predictor.column] = tuple(predictor.levels or (first, "other"))
        if predictor.levels is None:
            unknown.append(predictor.column)
    return levels, unknown


def shares_of(choice: Kernel, panel: Panel, named: bool) -> list[tuple[str, str]]:
    """How often the alternatives were chosen and available."""
    found = panel.situations_of(choice.name)
    title = f"Choice situations of {choice.name}" if named else "Choice situations"
    if not choice.discrete:
        return [(title, f"{len(found.outcome):,}"), *_sizes(choice, found.outcome)]
    shares = [
        (
            f"  {name}",
            f"chosen {np.mean(found.chosen == j):.1%}, available {np.mean(found.offered[:, j]):.1%}",
        )
        for j, name in enumerate(choice.outcomes)
    ]
    return [(title, f"{len(found.chosen):,}"), *shares]


def _sizes(choice: Kernel, values: np.ndarray) -> list[tuple[str, str]]:
    """Of every column of numbers the mean, and how often it is zero where it is."""
    facts = []
    for name, seen in zip(choice.columns, values.T, strict=True):
        none = float(np.mean(seen == 0.0))
        facts.append(
            (
                f"  {name}",
                f"mean {number(float(np.nanmean(seen)))}" + (f", zero in {none:.1%}" if none else ""),
            )
        )
    return facts


def items_of(spec: Spec, table: ParameterTable, panel: Panel) -> list[tuple[str, str]]:
    facts = {}
    # The data of the choices follow those of the stacks.
    for stack, data in zip(table.stacks, panel.person.data, strict=False):
        values, observed = data.outcome, data.occurs
        for i, name in enumerate(stack.items):
            seen = values[observed[:, i], i]
            missing = f", {np.mean(~observed[:, i]):.1%} missing" if not observed[:, i].all() else ""
            levels = panel.levels[name]
            if levels:
                shares = np.bincount(seen, minlength=len(levels)) / len(seen)
                text = ", ".join(
                    f"{_plain(level)}: {share:.0%}" for level, share in zip(levels, shares, strict=True)
                )
            else:
                text = _moments(next(k for k in spec.indicators if k.column == name), seen)
            facts[name] = (f"  {name}", text + missing)
    return [facts[item.column] for item in spec.indicators]


def _moments(item: Indicator, seen: np.ndarray) -> str:
    columns = item.answered(seen)
    values = columns[item.column]
    text = f"mean {number(float(values.mean()))}, standard deviation {number(float(values.std()))}"
    return text if item.flag is None else f"{text}, {np.mean(columns[item.flag] == 0):.1%} censored"


def _plain(level: Any) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
