"""Standard normal points: every person has an own block of one sequence."""

import warnings
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.special import ndtri

AT_ONCE = 100_000
"""Points that are made at once where they are only passed by."""
Sequence: TypeAlias = Literal["halton", "sobol", "mlhs", "random"]


def check_sequence(sequence: str, *others: str) -> None:
    known = (*others, *get_args(Sequence))
    if sequence not in known:
        raise ValueError(f"sequence is one of {', '.join(map(repr, known))}, not {sequence!r}.")


def normal_points(
    sequence: Sequence, people: int, count: int, dimension: int, seed: int | tuple[int, ...], before: int = 0
) -> np.ndarray:
    """Points of shape (people, count, dimension); those of people behind so many `before` them, as if all were made at once.

    `"halton"` and `"sobol"` are scrambled (Owen 2017; Matousek 1998, as in `scipy.stats.qmc`), and
    person n has points n * count to (n + 1) * count - 1. `"mlhs"` is the modified Latin hypercube of
    Hess, Train and Polak (2006), stratified within the person, of which none can be skipped. `"random"` are pseudo-random.
    """
    total, skipped = people * count, before * count
    if total * dimension == 0:
        return np.zeros((people, count, dimension))
    generator = np.random.default_rng(seed)
    if sequence == "halton":
        from scipy.stats import qmc  # Heavy, and many fits need no sequence.

        halton = qmc.Halton(dimension, scramble=True, rng=generator)
        if skipped:
            halton.fast_forward(skipped)
        uniform = halton.random(total)
    elif sequence == "sobol":
        uniform = _sobol(total, dimension, generator, skipped)
    elif sequence == "mlhs":
        assert not before
        uniform = _stratified(people, count, dimension, generator)
    else:
        bits = np.random.PCG64(seed)
        generator = np.random.Generator(bits.advance(skipped * dimension))
        uniform = generator.random((total, dimension))
    # A point exactly at 0 or 1 would be infinite; half a unit in the last place keeps it inside.
    inside = np.clip(uniform, 2.0**-54, 1.0 - 2.0**-53)
    return ndtri(inside).reshape(people, count, dimension)


def _sobol(total: int, dimension: int, generator: np.random.Generator, skipped: int) -> np.ndarray:
    from scipy.stats import qmc

    with warnings.catch_warnings():
        # Balance holds within each block of a power of two; the whole need not be one.
        warnings.filterwarnings("ignore", message="The balance properties of Sobol")
        sobol = qmc.Sobol(dimension, scramble=True, rng=generator, bits=64)
        # Its fast_forward takes 32 bits only (scipy 1.17), so that what is skipped is made.
        for first in range(0, skipped, AT_ONCE):
            sobol.random(min(AT_ONCE, skipped - first))
        return sobol.random(total)


def _stratified(people: int, count: int, dimension: int, generator: np.random.Generator) -> np.ndarray:
    strata = np.broadcast_to(np.arange(count)[None, :, None], (people, count, dimension))
    shuffled = generator.permuted(strata, axis=1)
    return (shuffled + generator.random((people, 1, dimension))) / count
