"""What every measurement family and every choice kernel must pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_whole
from iclv_jax._base._types import Array, Arrays, Given, Level
from iclv_jax._spec import Declared, Increasing, Indicator, Kernel, Positive
from iclv_jax._spec._names import is_label

INDICES = (-1.3, 0.0, 0.8)
"""Values of `loadings @ eta` at which items are looked at."""
DRAWS = 20_000
FAR = 5.0
"""Standard errors by which a mean of draws may be off."""
STEP = 1e-5


def check_indicator(
    item: Given[Indicator],
    answers: Given[Sequence[Level]],
    support: Sequence[float] | np.ndarray | None = None,
    atoms: Sequence[float] = (),
) -> None:
    """Put a measurement family to the test.

    It has to be hashable and equal to a copy; to name what it uses, once, with arrays of the right shapes and loadings over
    all latent variables; to have finite start values inside their domains; a density that sums or integrates to one, whose
    mean and variance are those of `expected`, whose parts below and above an answer are those of `tails` and whose
    information is that of `information` where there are such, and whose
    derivatives by the index and by every parameter are those of finite differences; and draws whose mean follows it.

    Parameters
    ----------
    item
        One item of the family.
    answers
        Observed answers, as they stand in the data.
    support
        For a family without levels: the points over which the density is integrated (by the trapezoidal rule, or summed
        where they are whole numbers). Levels are their own support.
    atoms
        Single points that have a probability beside the density over `support`.

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> families.check_indicator(iclv.Count("trips", of="green"), answers=[0, 1, 4], support=np.arange(60))
    """
    if not isinstance(item, Indicator):
        raise ValueError(
            f"check_indicator takes an item, such as iclv.Count('trips', of='green'), not {item!r}."
        )
    _check_answers(answers)
    copy: Any = replace(item)  # pyright: ignore[reportArgumentType]
    assert hash(item) == hash(copy) and item == copy, "A copy must be equal, with equal hash."
    hash(item.stack)
    item.check(list(answers), list(range(len(answers))))
    levels = item.find_levels(list(answers), None)
    codes = np.array(
        [levels.index(a) for a in answers] if item.discrete else answers, int if item.discrete else float
    )
    if item.discrete:
        item.check_levels(levels, np.bincount(codes, minlength=len(levels)).tolist())
    positions = {name: i for i, name in enumerate(["another", *item.of])}
    declared = item.declare(levels, positions)
    _check_declared(declared)
    shapes = {c.key: c.shape for c in declared.cells}
    wide = (len(item.indices(levels)), len(positions)) if item.several else (len(positions),)
    assert shapes.get("loadings") == wide, "An item has an array `loadings`, one entry per latent variable."
    values = _started(declared, item.starts(levels, codes, 0.5, 1.0))
    points = np.arange(len(levels)) if item.discrete else np.asarray(support, float)
    found = _Item(item, declared, values, points, np.asarray(atoms, float))
    for value in INDICES:
        found.check(value)
    found.check_slopes()


def _check_answers(answers: object) -> None:
    told = (
        list(answers) if isinstance(answers, (Sequence, np.ndarray)) and not isinstance(answers, str) else []
    )
    if not told or not all(map(is_label, told)):
        raise ValueError(f"check_indicator: answers are numbers or labels in a list, not {answers!r}.")


def check_kernel(
    kernel: Given[Kernel], alternatives: Given[int] = 2, values: Given[Mapping[str, float] | None] = None
) -> None:
    """Put a choice kernel to the test.

    It has to be hashable; to name what it uses, once; its probabilities must add up to one over the alternatives on offer,
    whatever the utilities of the others; their derivatives must be those of finite differences; draws must follow
    them and be on offer; and the log-sum, where there is one, must have the probabilities for derivatives (Williams 1977).

    Parameters
    ----------
    kernel
        A kernel, with any utility function.
    alternatives
        How many alternatives to try.
    values
        Values of the kernel's own parameters; their start values when absent.

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> families.check_kernel(iclv.Logit(plain, "mode"))
    """
    if not isinstance(kernel, Kernel):
        raise ValueError(f"check_kernel takes a choice, such as iclv.Logit(utility, 'mode'), not {kernel!r}.")
    if not is_whole(alternatives, 1):
        raise ValueError(f"check_kernel: alternatives is a positive whole number, not {alternatives!r}.")
    if values is not None and not isinstance(values, Mapping):
        raise ValueError(
            f"check_kernel: values is a mapping from the kernel's parameters to values, not {values!r}."
        )
    assert kernel.discrete, "check_kernel is for choices of one alternative; this kernel explains numbers."
    assert hash(kernel) == hash(replace(kernel)), "A copy must have an equal hash."  # pyright: ignore[reportArgumentType]
    declared = kernel.declare()
    _check_declared(declared)
    starts = {p.name: p.start for p in declared.parameters}
    known = starts | dict(values or {})
    cells = _one(filled(declared, list(known), jnp.asarray([*known.values(), 0.0])))
    utilities = jnp.asarray(np.random.default_rng(0).normal(size=alternatives))
    everything, choice = jnp.ones(alternatives, bool), _Choice(kernel, cells)
    for available in (
        everything,
        everything.at[0].set(alternatives < 2),
        everything.at[-1].set(alternatives < 2),
    ):
        choice.check(utilities, available)


def _one(cells: Arrays) -> Arrays:
    return {key: array[0] for key, array in cells.items()}


def _check_declared(declared: Declared) -> None:
    names = [p.name for p in declared.parameters]
    assert len(set(names)) == len(names), f"A parameter is declared twice: {names}."
    keys = [c.key for c in declared.cells]
    assert len(set(keys)) == len(keys), f"An array is declared twice: {keys}."
    for cells in declared.cells:
        size = int(np.prod(cells.shape, initial=1))
        assert len(cells.entries) == size, (
            f"{cells.key!r} has {len(cells.entries)} entries for the shape {cells.shape}."
        )
        used = [n for c in cells.entries if not isinstance(c, (int, float)) for n, _ in c]
        assert set(used) <= set(names), (
            f"{cells.key!r} uses {sorted(set(used) - set(names))}, which is not declared."
        )
    for domain in declared.domains:
        own = (
            domain.names
            if isinstance(domain, Increasing)
            else [domain.name]
            if isinstance(domain, Positive)
            else []
        )
        assert set(own) <= set(names), (
            f"A domain names {sorted(set(own) - set(names))}, which is not declared."
        )


def _started(declared: Declared, starts: Mapping[str, float]) -> dict[str, float]:
    """Start values of all parameters, the item's own from the data."""
    values = {p.name: p.start for p in declared.parameters}
    assert set(starts) <= set(values), (
        f"starts() names {sorted(set(starts) - set(values))}, which is not declared."
    )
    values |= starts
    assert np.isfinite(list(values.values())).all(), f"Start values are not finite: {values}."
    for domain in declared.domains:
        if isinstance(domain, Positive):
            assert values[domain.name] > 0.0, f"The start value of {domain.name!r} is not positive."
        elif isinstance(domain, Increasing):
            steps = [values[b] - values[a] for a, b in pairwise(domain.names)]
            assert min(steps, default=1.0) > 0.0, f"The start values of {domain.names} do not increase."
    return values


class _Item:
    """An item at some values of its parameters, compiled once for all indices; `shape` is that of its index, `atoms` are
    points with a probability beside the density over `points`."""

    def __init__(
        self,
        item: Indicator,
        declared: Declared,
        values: dict[str, float],
        points: np.ndarray,
        atoms: np.ndarray,
    ) -> None:
        self.item, self.points = item, points
        self.shape = next(c.shape for c in declared.cells if c.key == "loadings")[:-1]
        self.every = np.concatenate([points, atoms])
        self.whole = np.array_equal(points, np.round(points))
        self.answers = jnp.asarray(self.every, int if item.discrete else float)
        names, self.params = list(values), jnp.asarray(list(values.values()))
        self.cells = filled(declared, names, self.params)

        def log_density(index: Array, answer: Array, params: Array) -> Array:
            arrays = filled(declared, names, params)
            return item.log_density(arrays, answer[None], index[None])[0]

        def draws(index: Array) -> Array:
            keys = jax.random.split(jax.random.key(0), DRAWS)
            return jax.vmap(lambda key: item.sample(self.cells, index[None], key)[0])(keys)

        self.log_density, self.draws = log_density, jax.jit(draws)
        self.each = jax.jit(jax.vmap(log_density, in_axes=(None, 0, None)))
        self.slope = jax.jit(jax.vmap(jax.grad(log_density), in_axes=(None, 0, None)))

    def total(self, array: np.ndarray) -> float:
        """The sum or integral over all answers."""
        spread, single = array[: len(self.points)], array[len(self.points) :]
        return float((spread.sum() if self.whole else np.trapezoid(spread, self.points)) + single.sum())

    def check(self, value: float) -> None:
        """At an index; several ones are a unit apart."""
        index = jnp.asarray(value + np.arange(np.prod(self.shape)).reshape(self.shape))
        density = np.exp(np.asarray(self.each(index, self.answers, self.params)))
        adds = self.total(density)
        assert abs(adds - 1.0) < 1e-6, f"The density at the index {value} adds up to {adds:.8f}, not 1."
        mean = self.total(self.every * density)
        spread = max(self.total((self.every - mean) ** 2 * density), 1e-300) ** 0.5
        said = self.item.expected(self.cells, index[None])
        assert np.allclose([said.mean[0], said.variance[0]], [mean, spread**2], rtol=1e-3, atol=1e-6), (
            f"expected() says mean {float(said.mean[0]):.4f} and variance {float(said.variance[0]):.4f} at the index "
            f"{value}; the density has {mean:.4f} and {spread**2:.4f}."
        )
        if self.item.discrete:
            assert np.allclose(said.levels[0], density, atol=1e-10), (
                "expected() has other levels than the density."
            )
        information = self.item.information(self.cells, index[None])
        if information is not None:
            expected = self.total(np.asarray(self.slope(index, self.answers, self.params)) ** 2 * density)
            assert np.allclose(information[0], expected, rtol=1e-3), (
                f"information() says {float(information[0]):.4f} at the index {value}, the density {expected:.4f}."
            )
        self.check_tails(index, density)
        drawn = float(np.asarray(self.draws(index), float).mean())
        assert abs(drawn - mean) < FAR * spread / DRAWS**0.5, (
            f"The mean of draws at the index {value} is {drawn:.4f}, that of the density {mean:.4f}."
        )

    def check_tails(self, index: Array, density: np.ndarray) -> None:
        each = jax.vmap(lambda a: self.item.tails(self.cells, a[None], index[None]))(self.answers)
        if each is None:
            return
        below, mass, above = (np.asarray(t)[:, 0] for t in each)
        assert np.allclose(below + mass + above, 1.0, atol=1e-6), (
            "The three parts of tails() do not add up to 1."
        )
        points, spread = self.points, density[: len(self.points)]
        steps = spread[:-1] if self.whole else 0.5 * (spread[1:] + spread[:-1]) * np.diff(points)
        lower = np.append(0.0, np.cumsum(steps))
        single = zip(self.every[len(points) :], density[len(points) :], strict=True)
        lower = lower + sum((np.where(points > atom, p, 0.0) for atom, p in single), np.zeros(len(points)))
        assert np.allclose(below[: len(points)], lower, atol=1e-4), (
            "tails() has another probability of lower answers than the density."
        )

    def check_slopes(self) -> None:
        middle, count = self.answers[len(self.points) // 2], int(np.prod(self.shape))
        slopes = _slopes(lambda v: self.log_density(v[:count].reshape(self.shape), middle, v[count:]))
        _check_slopes(slopes(jnp.concatenate([0.3 + jnp.arange(float(count)), self.params])))


def filled(declared: Declared, names: Sequence[str], params: Array) -> Arrays:
    """The arrays that a member declares, at values of its parameters, with a first axis for items."""
    at = {name: i for i, name in enumerate(names)}
    found = {}
    for cells in declared.cells:
        entries = [
            jnp.asarray(float(c))
            if isinstance(c, (int, float))
            else sum((w * params[at[n]] for n, w in c), jnp.zeros(()))
            for c in cells.entries
        ]
        array = jnp.stack(entries) if entries else jnp.zeros(0)
        found[cells.key] = array.reshape(1, *cells.shape)
    return found


def _slopes(function: Callable[..., Array]) -> Callable[..., tuple[tuple[Array, Array], ...]]:
    """First and second derivatives at a point, each with central differences beside it."""

    @jax.jit
    def both(point: Array, *rest: Array) -> tuple[tuple[Array, Array], ...]:
        moves = STEP * jnp.eye(len(point))

        def differences(f: Callable[[Array], Array]) -> Array:
            return jax.vmap(lambda d: (f(point + d) - f(point - d)) / (2.0 * STEP))(moves)

        def here(v: Array) -> Array:
            return function(v, *rest)

        slope = jax.grad(here)
        return (slope(point), differences(here)), (jax.jacfwd(slope)(point), differences(slope))

    return both


def _check_slopes(found: tuple[tuple[Array, Array], ...]) -> None:
    for what, (exact, numerical) in zip(("first", "second"), found, strict=True):
        assert np.isfinite(np.asarray(exact)).all(), f"The {what} derivatives are not finite."
        close = np.allclose(np.asarray(exact), np.asarray(numerical), rtol=1e-5, atol=1e-6)
        assert close, f"The {what} derivatives are not those of finite differences."


class _Choice:
    """A kernel at some values of its own parameters, compiled once for all alternatives and all that is on offer."""

    def __init__(self, kernel: Kernel, cells: Arrays) -> None:
        def density(v: Array, place: Array, available: Array) -> Array:
            return kernel.log_density(cells, v, place, available)

        def draw(v: Array, available: Array) -> Array:
            keys = jax.random.split(jax.random.key(1), DRAWS)
            return jax.vmap(lambda key: kernel.sample(cells, v, available, key))(keys)

        self.kernel, self.cells = kernel, cells
        self.density, self.draw, self.slopes = jax.jit(density), jax.jit(draw), _slopes(density)
        total = kernel.log_sum
        self.pull = (
            None if total is None else jax.jit(jax.grad(lambda v, available: total(cells, v, available)))
        )

    def probabilities(self, v: Array, available: Array) -> np.ndarray:
        places = np.flatnonzero(np.asarray(available))
        return np.exp([float(self.density(v, jnp.asarray(j), available)) for j in places])

    def check(self, utilities: Array, available: Array) -> None:
        places, found = np.flatnonzero(np.asarray(available)), self.probabilities(utilities, available)
        assert abs(found.sum() - 1.0) < 1e-10, f"The probabilities add up to {found.sum():.10f}, not 1."
        wild = self.probabilities(jnp.where(available, utilities, 1e3), available)
        assert np.allclose(found, wild, rtol=1e-12), "What is not on offer changes the probabilities."
        for j in places:
            _check_slopes(self.slopes(utilities, jnp.asarray(j), available))
        said = np.asarray(self.kernel.expected(self.cells, utilities, available))
        assert np.allclose(said[places], found, rtol=1e-10) and not said[~np.asarray(available)].any(), (
            "expected() has other probabilities than the density."
        )
        draws = np.asarray(self.draw(utilities, available))
        assert np.isin(draws, places).all(), "A draw is not on offer."
        shares = np.array([(draws == j).mean() for j in places])
        error = FAR * np.sqrt(found * (1.0 - found) / DRAWS) + 1e-12
        assert (np.abs(shares - found) <= error).all(), (
            f"Shares of draws are {shares}, probabilities {found}."
        )
        if self.pull is not None:
            slopes = np.asarray(self.pull(utilities, available))[places]
            assert np.allclose(slopes, found, rtol=1e-8), "The log-sum does not have them for derivatives."
