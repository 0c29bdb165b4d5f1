"""What a user's function computes, as numbers: by them it is known in files, in other processes and years.

A program as text changes with every release of JAX, and with the way in which the same formula is written. Values at
points do not. What they cannot see is said at `values_at_points`.
"""

from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from iclv_jax._base._facts import Fact, fact
from iclv_jax._base._types import Array

SEED = 20_260_101
SPACES = 3
"""Parameters, columns, latent variables: the namespaces of a user's function in their order."""
MAGNITUDES = (0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
"""Of columns: from shares to incomes in small change."""
MODERATE = (0.1, 1.0, 10.0)
"""Of parameters and latent variables."""
CODES, LARGEST_CODE = 16, 5
DIGITS = 10


def values_at_points(
    call: Callable[..., Sequence[Array]], counts: Sequence[int], vectors: Sequence[int] = ()
) -> list[Fact]:
    """Values of a function at 64 points, rounded to ten significant digits; one list per point, one number per output.

    `counts` are the numbers of scalar arguments in each namespace (parameters, columns, latent variables), `vectors` the
    lengths of the vectors behind them, which hold the arrays of modules. The points are the same for ever: 24 with both
    signs and 24 of positive numbers, for all pairs of eight magnitudes of columns (0.01 to 100,000) and three of parameters
    (0.1 to 10), and 16 with whole numbers from 0 to 5 for columns, as codes and dummies have.

    Two ways to write one function agree. Functions that differ in a constant, a sign, an argument or a branch differ,
    if only the branch is taken at one of the points: `x.purpose == 2` is, `x.age > 45` against `x.age > 46` most likely
    is not, and nor is a tail beyond the largest magnitude. A file therefore also holds the log-likelihood on the data
    themselves, which is computed again where the file is read. Values that are not finite are compared as such.
    """
    compiled = jax.jit(call)
    return [[_rounded(v) for v in compiled(*point)] for point in _points(counts, vectors)]


def _points(counts: Sequence[int], vectors: Sequence[int]) -> Iterator[list[np.ndarray]]:
    # The stream of raw numbers is what numpy promises to keep; its distributions may change.
    source = np.random.PCG64(SEED)

    def uniform(count: int) -> np.ndarray:
        return (source.random_raw(count) >> np.uint64(11)) * 2.0**-53 if count else np.zeros(0)

    for magnitudes, signed, whole in _kinds():
        scalars: list[np.ndarray] = []
        for space, count in enumerate(counts):
            share = uniform(count)
            if whole and space == 1:
                scalars.append(np.floor(share * (LARGEST_CODE + 1)))
            else:
                scalars.append(magnitudes[space] * (2.0 * share - 1.0 if signed else share))
        nets = [2.0 * uniform(size) - 1.0 for size in vectors]
        yield [*(np.float64(v) for v in np.concatenate([*scalars, np.zeros(0)])), *nets]  # pyright: ignore[reportReturnType]


def _kinds() -> Iterator[tuple[tuple[float, ...], bool, bool]]:
    """Magnitudes per namespace, whether both signs, and whether columns are whole numbers."""
    for signed in (True, False):
        for columns in MAGNITUDES:
            for moderate in MODERATE:
                yield (moderate, columns, moderate), signed, False
    for _ in range(CODES):
        yield (1.0, 1.0, 1.0), True, True


def _rounded(value: Array) -> Fact:
    return fact(float(f"{float(value):.{DIGITS - 1}e}"))
