"""Standard normal points: every person has an own block of one sequence."""

import warnings
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._distributions import quantile
from iclv_jax._base._types import Given

AT_ONCE = 100_000
"""Points that are made at once where they are only passed by."""
Sequence: TypeAlias = Literal["halton", "sobol", "mlhs", "random"]


def check_sequence(sequence: Given[str], *others: str) -> None:
    known = (*others, *get_args(Sequence))
    if not is_word(sequence, known):
        raise ValueError(f"sequence is one of {', '.join(map(repr, known))}, not {sequence!r}.")


def normal_points(
    sequence: Sequence,
    people: int,
    count: int,
    dimension: int,
    seed: int | tuple[int, ...],
    before: int = 0,
    total: int | None = None,
) -> np.ndarray:
    """Points of shape (people, count, dimension); those of people behind so many `before` them, as if all of them, `total`,
    were made at once.

    `"halton"` and `"sobol"` are scrambled (Owen 2017; Matousek 1998, as in `scipy.stats.qmc`), and
    person n has points n * count to (n + 1) * count - 1. `"mlhs"` is the modified Latin hypercube of
    Hess, Train and Polak (2006), stratified within the person. `"random"` are pseudo-random.
    """
    wanted, skipped = people * count, before * count
    if wanted * dimension == 0:
        return np.zeros((people, count, dimension))
    generator = np.random.default_rng(seed)
    if sequence == "halton":
        from scipy.stats import qmc  # Heavy, and many fits need no sequence.

        halton = qmc.Halton(dimension, scramble=True, rng=generator)
        if skipped:
            halton.fast_forward(skipped)
        uniform = halton.random(wanted)
    elif sequence == "sobol":
        uniform = _sobol(wanted, dimension, generator, skipped)
    elif sequence == "mlhs":
        behind = 0 if total is None else total - before - people
        uniform = _stratified((before, people, behind), count, dimension, generator)
    else:
        bits = np.random.PCG64(seed)
        generator = np.random.Generator(bits.advance(skipped * dimension))
        uniform = generator.random((wanted, dimension))
    # A point exactly at 0 or 1 would be infinite; half a unit in the last place keeps it inside.
    inside = np.clip(uniform, 2.0**-54, 1.0 - 2.0**-53)
    return quantile(inside).reshape(people, count, dimension)


def _sobol(total: int, dimension: int, generator: np.random.Generator, skipped: int) -> np.ndarray:
    from scipy.stats import qmc

    with warnings.catch_warnings():
        # Balance holds within each block of a power of two; the whole need not be one.
        warnings.filterwarnings("ignore", message="The balance properties of Sobol")
        sobol = qmc.Sobol(dimension, scramble=True, rng=generator, bits=64)
        # Its fast_forward takes 32 bits only (scipy 1.17), so that what is skipped is made.
        passed_by(sobol.random, skipped, AT_ONCE)
        return sobol.random(total)


def _stratified(
    people: tuple[int, int, int], count: int, dimension: int, generator: np.random.Generator
) -> np.ndarray:
    """Of the people in the middle; what those before and behind them would have is made and passed by."""

    def permuted(people: int) -> np.ndarray:
        strata = np.broadcast_to(np.arange(count)[None, :, None], (people, count, dimension))
        return generator.permuted(strata, axis=1)

    before, middle, behind = people
    at_once = max(1, AT_ONCE // (count * dimension))
    passed_by(lambda size: permuted(size), before, at_once)
    shuffled = permuted(middle)
    passed_by(lambda size: permuted(size), behind, at_once)
    passed_by(lambda size: generator.random(size * dimension), before, at_once)
    return (shuffled + generator.random((middle, 1, dimension))) / count


def passed_by(make: Callable[[int], object], count: int, at_once: int) -> None:
    """Make so many of something, some at a time, and leave them: the generator is behind them then."""
    for first in range(0, count, at_once):
        make(min(at_once, count - first))
