"""The log-likelihood of people in chunks, in one process or in several: sums over what each chunk's problem says."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import count
from typing import Any, ClassVar, Literal, TypeVar, final
from weakref import finalize

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._archive import digest
from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import AnyArray, Array, Given
from iclv_jax._derivatives import Expansion, Slope
from iclv_jax._integration import Centre, Rule
from iclv_jax._likelihood import people as people_of
from iclv_jax._problem import Problem, centred_nodes, spread_nodes
from iclv_jax._problem._nodes import Among, is_shared, points_of
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._passes import Passed
from iclv_jax._stream._scratch import Scratch, Stored
from iclv_jax._stream._source import People

Found = TypeVar("Found")


@final
@dataclass(frozen=True, eq=False)
class StreamedProblem:
    """A model with people who come in chunks, as `model.bind(iclv.People.stream(...))` returns it, or who are in several
    processes of `jax.distributed`.

    Methods are those of `Problem`, with the numbers of all people in memory together up to rounding; but they read files,
    and so are no functions that JAX transforms. What has a number for every person comes chunk by chunk, of this process'
    people. Sums are over the people of all processes: all of them call the same methods, at the same parameters.

    Examples
    --------
    >>> problem = logit.bind(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
    >>> problem.names
    ('asc_bus', 'age_bus', 'time', 'cost')
    """

    people: People
    passed: Passed
    points: "Files | None" = None
    placed: "Files | None" = None
    at: np.ndarray | None = None
    counted: np.ndarray | None = None
    """The parameters at whose posteriors nodes are placed, and weights of this process' people in place of their own."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.first.names

    @property
    def first(self) -> Problem:
        """The problem of this process' first chunk, which stands for all: names, levels, bounds, the rule of integration."""
        return self.passed.first

    @property
    def weight_sums(self) -> tuple[float, float]:
        """The sum of the weights, and of their squares."""
        extent, counted = self.passed.extent, self.counted
        if counted is None:
            return extent.weight, extent.squares
        total = np.sum(
            hosts.together("weights", lambda: np.array([counted.sum(), (counted**2).sum()])), axis=0
        )
        return float(total[0]), float(total[1])

    @property
    def occurring(self) -> tuple[bool, ...]:
        """Whether anybody answers, by block of the density."""
        return self.passed.extent.occurring

    @property
    def room(self) -> float:
        """Bytes for each person: of memory, where one chunk is at a time, and of the disk, where the nodes of all are."""
        passed = self.passed
        disk = min(hosts.together("room on disks", lambda: passed.scratch.room / sum(passed.sizes)))
        return min(self.first.memory / passed.extent.largest, disk)

    @property
    def nobs(self) -> int:
        """Number of people, counted by frequency weights where there are such."""
        extent = self.passed.extent
        return round(extent.weight) if self.first.panel.weights_count else extent.people

    def start(self) -> Array:
        """Default start values, from the moments of the first chunk (of process 0)."""
        return jnp.asarray(hosts.by_first("start()", lambda: np.asarray(self.first.start())))

    def vector(self, mapping: Given[Any]) -> Array:
        """As of `Problem`."""
        return self.first.vector(mapping)

    def loglike(self, params: Given[Any]) -> float:
        """The weighted log-likelihood."""
        return float(self._at("loglike", params, lambda problem: problem.loglike(jnp.asarray(params))))

    def loglike_person(self, params: Given[Any]) -> Iterator[np.ndarray]:
        """log L_n of the people of each chunk, unweighted."""
        each = self._each(lambda problem: np.asarray(problem.loglike_person(jnp.asarray(params))))
        return (found[:size] for found, size in zip(each, self.passed.sizes, strict=True))

    def score_person(self, params: Given[Any]) -> Iterator[np.ndarray]:
        """Gradients of the people of each chunk, (people, parameters), unweighted."""
        each = self._each(lambda problem: np.asarray(problem.score_person(jnp.asarray(params))))
        return (found[:size] for found, size in zip(each, self.passed.sizes, strict=True))

    def weights(self) -> Iterator[np.ndarray]:
        """Weights of the people of each chunk."""
        for k, (size, name) in enumerate(zip(self.passed.sizes, self._chunks, strict=True)):
            stored = self.passed.scratch.get(name)
            assert isinstance(stored, Stored)
            yield self._weights(k, stored)[:size]

    def _weights(self, k: int, stored: Stored) -> np.ndarray:
        """Weights of a chunk's people, zero for those who only fill up."""
        if self.counted is None:
            return stored.weights
        first, size = sum(self.passed.sizes[:k]), self.passed.sizes[k]
        return np.append(self.counted[first : first + size], np.zeros(len(stored.weights) - size))

    def value_and_score(self, params: Given[Any]) -> tuple[Array, Array]:
        """The log-likelihood and its gradient in one pass."""
        return self.slope(params)[:2]

    def score(self, params: Given[Any]) -> Array:
        """Gradient of the log-likelihood."""
        return self.slope(params).gradient

    def slope(self, params: Given[Any]) -> Slope:
        """Value, gradient, and the log-likelihood of the items alone, as of `Problem`."""
        return self._at("slope", params, lambda problem: problem.slope(jnp.asarray(params)))

    def expansion(self, params: Given[Any], method: Given[str] = "exact") -> Expansion:
        """Value, gradient and Hessian (`"exact"` or `"bhhh"`) in one pass."""
        if not is_word(method, ("exact", "bhhh")):
            raise ValueError(f"method= of a stream is 'exact' or 'bhhh', not {method!r}.")
        how: Literal["exact", "bhhh"] = "exact" if method == "exact" else "bhhh"
        return self._at(
            f"{how} expansion", params, lambda problem: problem.expansion(jnp.asarray(params), how)
        )

    def hessian(self, params: Given[Any], method: Given[str] = "exact") -> Array:
        """Hessian of the log-likelihood, `"exact"` or `"bhhh"`."""
        return self.expansion(params, method).hessian

    def recentre(self, params: Given[Any]) -> "StreamedProblem":
        """The problem with its nodes placed at these parameters' posteriors."""
        if not self.first.rule.centred or self.first.core.structure.dimension == 0:
            return self
        scratch = self.passed.scratch
        placed = Files(scratch, len(self.passed.sizes))

        def place() -> None:
            found = self._each(lambda problem: problem.centres_of_nodes(jnp.asarray(params)))
            for name, centre in zip(placed.names, found, strict=True):
                scratch.put(name, jax.tree.map(np.asarray, centre))

        hosts.together(_place("placing nodes", params), place)
        return replace(self, placed=placed, at=np.asarray(params, float))

    def integrate(self, rule: Rule) -> "StreamedProblem":
        """The same people with the nodes of another rule, not yet placed.

        Every person has the nodes of the same place among all people together.
        """
        first = self.first.integrate(rule)
        found = replace(self, passed=replace(self.passed, first=first), points=None, placed=None, at=None)
        dimension, scratch, sizes = first.core.structure.dimension, self.passed.scratch, self.passed.sizes
        if is_shared(rule, dimension):
            return found
        points = Files(scratch, len(sizes))

        def write() -> None:
            scratch.check_room(8.0 * len(sizes) * max(sizes) * rule.size(dimension) * dimension, repr(rule))
            for k, name in enumerate(points.names):
                scratch.put(name, points_of(rule, max(sizes), dimension, self.among(k)).points)

        hosts.together("the nodes", write)
        return replace(found, points=points)

    @property
    def coarse(self) -> "StreamedProblem":
        """The same people with the nodes of the first stage of the rule."""
        rule = self.first.rule.stages()[0]
        return self if rule == self.first.rule else self.integrate(rule)

    def portable(self) -> "StreamedProblem":
        """The same for another process, which reads the files of this one: without the source of the people, who may be
        frames, and without devices."""
        bare = replace(self.people, source=())
        return replace(self, people=bare, passed=replace(self.passed, mesh=None))

    def check_start(self, params: Given[Any]) -> None:
        """ValueError that names a chunk in which the log-likelihood is not finite here."""
        hosts.together("the start", lambda: self._check_start(params))

    def _check_start(self, params: Given[Any]) -> None:
        for name, values in zip(self.passed.names, self.loglike_person(params), strict=True):
            if not np.isfinite(values).all():
                bad = np.flatnonzero(~np.isfinite(values))
                raise ValueError(
                    f"The log-likelihood is not finite at the start values for {len(bad)} people, the first of them person "
                    f"{bad[0] + 1} of {name}. Give other start values, or check these people's data."
                )

    def summed(self, function: Callable[[Problem], Found]) -> Found:
        """The sum of a function of the chunks' problems, over all chunks of all processes."""
        return self._over("a sum over people", function)

    def by_person(self, function: Callable[[Problem], AnyArray]) -> np.ndarray:
        """What a function of the chunks' problems has for every person, of all processes."""

        def mine() -> np.ndarray:
            each = zip(self._each(lambda part: np.asarray(function(part))), self.passed.sizes, strict=True)
            return np.concatenate([found[:size] for found, size in each])

        return np.concatenate(hosts.together("what people have", mine))

    def called(self, at: Sequence[int] | np.ndarray) -> tuple[Hashable, ...]:
        """What the people at these positions are called: by their places in chunks, because nobody's name is kept."""

        def mine() -> list[str]:
            first = self.passed.before.people
            ends = first + np.cumsum(self.passed.sizes)
            here = [(int(i), int(np.searchsorted(ends, i, "right"))) for i in at if first <= i < ends[-1]]
            return [
                f"person {i - int(ends[k]) + self.passed.sizes[k] + 1} of {self.passed.names[k]}"
                for i, k in here
            ]

        return tuple(name for names in hosts.together("who they are", mine) for name in names)

    def among(self, k: int) -> Among:
        """Where the people of a chunk stand among all."""
        return Among(self.passed.before.people + sum(self.passed.sizes[:k]), self.passed.extent.people)

    @cached_property
    def _chunks(self) -> list[str]:
        return [f"chunk {k}" for k in range(len(self.passed.sizes))]

    def _problem(self, k: int, chunk: Stored) -> Problem:
        first = self.first
        size, logs = len(chunk.weights), first.log_weights
        points = first.points
        if self.points is not None:
            points = jax.device_put(self.passed.scratch.get(self.points.names[k]))
        person, weights = jax.device_put((chunk.person, self._weights(k, chunk)))
        if self.placed is None:
            nodes = spread_nodes(np.asarray(points), np.asarray(logs), size)
        else:
            centre = self.passed.scratch.get(self.placed.names[k])
            assert isinstance(centre, Centre)
            nodes = centred_nodes(points, logs, jax.device_put(centre), first.from_prior)
        batch = min(first.core.people.batch, size)
        people = people_of(person, nodes, weights, batch, classes=False, mesh=self.passed.mesh)
        return replace(first, core=first.core.of(people), points=points, among=self.among(k))

    def _each(self, function: Callable[[Problem], Found]) -> Iterator[Found]:
        """Of a problem for each chunk, all of one shape; RuntimeError that names the chunk that fails."""
        stored = self.passed.scratch.each(self._chunks)
        for k, name in enumerate(self.passed.names):
            try:
                chunk = next(stored)
                assert isinstance(chunk, Stored)
                found = function(self._problem(k, chunk))
            except Exception as error:
                raise RuntimeError(f"{name}: {error}") from error
            yield found

    def _at(self, what: str, params: Given[Any], function: Callable[[Problem], Found]) -> Found:
        return self._over(_place(what, params), function)

    def _over(self, place: str, function: Callable[[Problem], Found]) -> Found:
        def mine() -> Found:
            found: Any = reduce(lambda one, two: jax.tree.map(jnp.add, one, two), self._each(function))
            return found

        return hosts.summed(place, mine)


def _place(what: str, params: Given[Any]) -> str:
    """What is worked out, and where: parameters that differ in a digit have come apart."""
    return f"{what} at {digest(np.asarray(params, float))[:12]}"


class Files:
    """Something of each chunk in files that go with it."""

    _counts: ClassVar = count()

    def __init__(self, scratch: Scratch, chunks: int) -> None:
        mine = next(Files._counts)
        self.names = [f"kept {mine} {k}" for k in range(chunks)]
        finalize(self, _forgotten, scratch, self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return _files_of, (self.names,)


def _files_of(names: list[str]) -> Files:
    """Those of another process, which it keeps."""
    found = Files.__new__(Files)
    found.names = names
    return found


def _forgotten(scratch: Scratch, names: list[str]) -> None:
    for name in names:
        scratch.forget(name)
