"""From a model and data to a problem: check the data, build the table, make the nodes."""

from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from iclv_jax._base._types import Given
from iclv_jax._density import answered, conditionable, steady_columns, structure
from iclv_jax._integration import Rule, choose_rule
from iclv_jax._integration._rule import check_count, check_room, check_rule
from iclv_jax._likelihood import Core, Devices, mesh_of
from iclv_jax._likelihood import people as people_of
from iclv_jax._panel import Panel, WeightsAre, read_panel, settled, weighted_as
from iclv_jax._parameters import build_table, in_every_group
from iclv_jax._problem._memory import MEMORY, batch_size, parse_memory
from iclv_jax._problem._nodes import counts_of, spread_nodes
from iclv_jax._problem._portions import Portion
from iclv_jax._problem._problem import Problem
from iclv_jax._spec._model import Spec


def bind(
    spec: Given[Spec],
    data: Given[Any],
    *,
    person: Given[str | None] = None,
    people: Given[Any] = None,
    weights: Given[Any] = None,
    cluster: Given[str | None] = None,
    integration: Given[Rule | None] = None,
    levels: Given[Mapping[str, Any] | None] = None,
    batch_people: Given[int | None] = None,
    memory: Given[str | float] = MEMORY,
    weights_are: Given[WeightsAre] = "sampling",
    devices: Given[Devices] = None,
) -> Problem:
    """Check the data, build the parameter table, make the nodes."""
    if integration is not None:
        check_rule(integration, "integration=")
    if batch_people is not None:
        check_count(batch_people, "batch_people", None)
    bytes_allowed, mesh = parse_memory(memory), mesh_of(devices)
    spec = settled(spec, data, person, people)
    panel = weighted_as(read_panel(spec, data, person, people, weights, cluster, levels), weights_are)
    return of_panel(spec, panel, integration, batch_people, bytes_allowed, mesh)


def of_panel(
    spec: Spec,
    panel: Panel,
    integration: Rule | None,
    batch_people: int | None,
    bytes_allowed: float,
    mesh: Mesh | None = None,
    *,
    steady: tuple[tuple[int, ...], ...] | None = None,
    masked: tuple[bool, ...] | None = None,
    patterns: tuple[tuple[bool, ...], ...] | None = None,
) -> Problem:
    """A problem of data that have been checked for this model, or for one that reads the same columns; `steady` columns,
    `masked` utilities and `patterns` of answers are those of these data, or of more than these (no patterns: any)."""
    spec = in_every_group(spec, panel.levels)
    table = build_table(spec, panel.levels, panel.moments, panel.far)
    seen = len(spec.felt) + len(spec.drivers)
    rule, reason = choose_rule(integration, spec.dimension, seen, conditionable(spec))
    if not rule.conditions:
        _check_exact(spec)
    steady = tuple(map(steady_columns, panel.person.tables)) if steady is None else steady
    masked = tuple(t.masked for t in panel.tables) if masked is None else masked
    stacks = panel.person.data[: len(panel.person.data) - len(panel.tables)]
    patterns = answered(stacks) if rule.conditions and patterns is None else patterns or ()
    shape = structure(spec, table, rule.conditions, steady, masked, patterns)
    check_room(rule, len(panel.people), shape.dimension, bytes_allowed)
    standard = rule.standard(len(panel.people), shape.dimension)
    points, logs = jax.device_put((standard.points, standard.log_weights))
    constants, weights, arrays = jax.device_put((table.constants, panel.weights, panel.person))
    size = len(panel.people)
    nodes = spread_nodes(standard.points, standard.log_weights, size)
    counts = counts_of(rule, size, points.shape[1])
    held = people_of(arrays, nodes, weights, batch_people or size, mesh=mesh, counts=counts)
    core = Core(shape, constants, held)
    if batch_people is None:
        core = core.of(core.people.in_batches_of(batch_size(core, points.shape[1], bytes_allowed)))
    portion = Portion(_searched_with(rule, shape.dimension, points.shape[1]), core.people.batch)
    new = core, points, logs, standard.from_prior
    return Problem(*new, spec, table, panel, rule, reason, bytes_allowed, portion)


def _searched_with(rule: Rule, dimension: int, count: int) -> int:
    """Nodes of the coarse stage of a rule, with which everything is compiled that goes in portions; else all of them."""
    first = rule.stages()[0]
    return count if first == rule or not rule.centred else first.standard(1, dimension).points.shape[1]


def _check_exact(spec: Spec) -> None:
    """Refuse to integrate over what is observed."""
    for item in spec.indicators:
        if item.exact:
            raise ValueError(
                f"The observed outcome {item.column!r} is conditioned on in closed form: all items must then be "
                "continuous, structural equations linear, and integration= not given. Otherwise make it an item of "
                "a latent variable."
            )
