"""The second pass over people in chunks: their arrays, in one shape and in files."""

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from iclv_jax._integration import Rule
from iclv_jax._panel import Data, Panel, WeightsAre, read_panel, weighted_as
from iclv_jax._problem import Problem
from iclv_jax._problem._bind import of_panel
from iclv_jax._spec._model import Spec
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._chunk import Chunk
from iclv_jax._stream._extent import Extent, extent_of, joined, of_all
from iclv_jax._stream._known import Known
from iclv_jax._stream._scratch import Scratch, Stored
from iclv_jax._stream._source import People
from iclv_jax._stream._who import once_more


class Before(NamedTuple):
    """How much there is in the processes before this one."""

    people: int
    chunks: int


@dataclass(frozen=True, eq=False)
class Passed:
    """What the second pass leaves: a problem of the first chunk, the names of this process' chunks and how many people each
    has, how much there is in processes before, the extent of all people in all processes, and clusters by person,
    from 0, with their number in all."""

    first: Problem
    known: Known
    scratch: Scratch
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    before: Before
    extent: Extent
    clusters: np.ndarray | None
    cluster_count: int
    weighted: bool
    weights_are: WeightsAre
    mesh: Mesh | None


class Settings(NamedTuple):
    """How the problem of the first chunk is made."""

    integration: Rule | None
    memory: float
    weights_are: WeightsAre
    mesh: Mesh | None


def second_pass(known: Known, people: People, how: Settings) -> Passed:
    """Arrays of one shape in files, with a problem that stands for all of them."""
    scratch, read = Scratch(), _Read()
    every = hosts.together("the second pass", lambda: _kept(known, people, how.weights_are, scratch, read))
    extent = reduce(joined, every)
    clusters, count = _codes(read, people.cluster)
    made: list[Problem] = []
    # A process may lack memory or room on its disk that others have.
    hosts.together("the first chunk", lambda: made.append(_arranged(known.spec, scratch, read, extent, how)))
    return Passed(
        made[0],
        known,
        scratch,
        tuple(read.names),
        tuple(read.sizes),
        _before(every[: hosts.mine()]),
        extent,
        clusters,
        count,
        people.weights is not None,
        how.weights_are,
        how.mesh,
    )


def _before(others: list[Extent]) -> Before:
    return Before(sum(one.people for one in others), sum(one.chunks for one in others))


def _arranged(spec: Spec, scratch: Scratch, read: "_Read", extent: Extent, how: Settings) -> Problem:
    """Chunks of one shape, and the problem of the first."""
    assert read.first is not None
    panel = of_all(read.first, extent)
    _check_groups(spec, panel, read.names[0])
    _fill(scratch, read.sizes, extent.rows)
    return of_panel(
        spec,
        panel,
        how.integration,
        None,
        how.memory,
        how.mesh,
        steady=extent.steady,
        masked=extent.masked,
        patterns=(),
    )


def _check_groups(spec: Spec, first: Panel, name: str) -> None:
    """ValueError for a group that the first chunk lacks, from which a fit begins."""
    if spec.groups is None or hosts.mine():
        return
    there = np.unique(np.asarray(first.person.group)).tolist()
    if absent := [group for at, group in enumerate(spec.groups.names) if at not in there]:
        raise ValueError(
            f"{name}: nobody is in the group {absent[0]!r}, and a fit begins with the first chunk. Mix the people of all "
            "groups, or make chunks larger."
        )


class _Read:
    """What is kept of this process' chunks beside their arrays; clusters by person, as they are called."""

    def __init__(self) -> None:
        self.first: Panel | None = None
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.clusters: list[np.ndarray] = []
        self.labels: dict[object, int] = {}

    def add(self, chunk: Chunk, panel: Panel, cluster: str | None) -> None:
        self.first = self.first or panel
        self.names.append(chunk.name)
        self.sizes.append(len(panel.people))
        if cluster is not None:
            values = panel.frame.people_of(cluster, "cluster=", everyone=True).tolist()
            self.clusters.append(np.array([self.labels.setdefault(v, len(self.labels)) for v in values]))


def _kept(known: Known, people: People, weights_are: WeightsAre, scratch: Scratch, read: _Read) -> Extent:
    """Arrays of this process' chunks, put into files as they are; what they extend to."""
    extents = []
    for k, chunk in enumerate(once_more(people, known.marks)):
        panel = _panel(known, people, chunk, weights_are)
        scratch.put(f"read {k}", Stored(panel.person, panel.weights))
        read.add(chunk, panel, people.cluster)
        extents.append(extent_of(panel))
    return reduce(joined, extents)


def _panel(known: Known, people: People, chunk: Chunk, weights_are: WeightsAre) -> Panel:
    about = people.person, None, people.weights, people.cluster, known.levels
    try:
        panel = weighted_as(read_panel(known.spec, chunk.frame, *about, estimating=False), weights_are)
        occurs = [data.occurs.any(axis=1) for data in panel.person.data]
        if not (said := np.any(occurs, axis=0)).all():
            idle = panel.people[int(np.argmin(said))]
            raise ValueError(f"person {idle!r} has neither an observed item nor a choice. Drop such people.")
    except ValueError as error:
        raise ValueError(f"{chunk.name}: {error}") from error
    return panel


def _codes(read: _Read, cluster: str | None) -> tuple[np.ndarray | None, int]:
    """Clusters by person, counted through all processes, and how many there are."""
    if cluster is None:
        return None, 0
    every = hosts.together("the clusters", lambda: list(read.labels))
    codes = {label: k for k, label in enumerate(dict.fromkeys(label for one in every for label in one))}
    shared = np.array([codes[label] for label in read.labels])
    return shared[np.concatenate(read.clusters)], len(codes)


def _fill(scratch: Scratch, sizes: list[int], rows: tuple[int, ...]) -> None:
    for k in range(len(sizes)):
        stored = scratch.get(f"read {k}")
        assert isinstance(stored, Stored)
        scratch.put(f"chunk {k}", _filled(stored, max(sizes), rows))
        scratch.forget(f"read {k}")


def _filled(stored: Stored, people: int, rows: tuple[int, ...]) -> Stored:
    """With copies of the last person, of weight zero, and of last rows, that do not occur."""
    short = people - len(stored.weights)
    person = stored.person
    first = len(person.data) - len(rows)
    tables = tuple(_longer(t, n) for t, n in zip(person.tables, rows, strict=True))
    data = (*person.data[:first], *map(_longer_data, person.data[first:], rows))
    whole = person._replace(tables=tables, data=data)
    whole = jax.tree.map(lambda a: np.concatenate([a, np.repeat(a[-1:], short, axis=0)]), whole)
    return stored._replace(person=whole, weights=np.concatenate([stored.weights, np.zeros(short)]))


def _longer(array: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([array, np.repeat(array[:, -1:], rows - array.shape[1], axis=1)], axis=1)


def _longer_data(data: Data, rows: int) -> Data:
    longer = Data(*(_longer(np.asarray(a), rows) for a in data))
    longer.occurs[:, data.occurs.shape[1] :] = False
    return longer
