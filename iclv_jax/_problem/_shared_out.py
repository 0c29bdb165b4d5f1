"""How draws are shared out among people: those whose log-likelihood is least certain have most."""

import numpy as np

from iclv_jax._base._types import Float, Int
from iclv_jax._integration import Quartered

RATE = 0.8
"""The error of draws by moments falls with the number of nodes to the power of minus this: 0.77 to 0.90 for four random
coefficients with nine choices per person from 256 to 4,096 draws, 0.9 for most of 752 people in WTP space from 512 to 8,192,
1.2 to 1.4 for two lognormal coefficients."""
FEWEST = 256
"""Draws that everybody has."""
MOST_QUARTERED = 2
"""Each number of draws is compiled by itself."""
SAVING = 1.5
"""Draws for everybody over those that are shared out, from which on they are."""
AIM = 0.8
"""Part of the target that is aimed at: what is expected of single people is itself uncertain."""
REACHABLE = 1.1
"""Variance over the least that can be reached, where the target cannot."""


def likely(
    variances: Float[np.ndarray, " person"],
    sizes: Float[np.ndarray, " person"],
    nodes: Int[np.ndarray, " person"],
) -> Float[np.ndarray, " person"]:
    """Variances of a few randomisations, which by luck are small for some: at least what the least effective number of
    nodes lets expect, on the scale of what it is for most people."""
    short = np.maximum(1.0 / sizes - 1.0 / nodes, 0.0)
    usual = float(np.median(short))
    return np.maximum(variances, float(np.median(variances)) / usual * short) if usual > 0.0 else variances


def shared_out(
    variances: Float[np.ndarray, " person"], counts: Int[np.ndarray, " person"], most: int, target: float
) -> tuple[int, Quartered | None]:
    """Draws, and who has a part of them, such that the standard error of log L is expected to be the target; or the least
    that `most` draws reach.

    `variances` are those of each person's log-likelihood with `counts` draws, times squared weights.
    """
    everybody = _for_everybody(variances, counts, most, target)
    found = {top: _parts(variances, counts, top, target) for top in _powers(everybody, most)}
    spent = {top: int((top // 4**times).sum()) for top, times in found.items()}
    best = min(spent, key=lambda top: spent[top])
    if SAVING * spent[best] > everybody * len(variances):
        return everybody, None
    return best, Quartered(found[best].tolist())


def _powers(first: int, last: int) -> list[int]:
    found = [first]
    while found[-1] * 2 <= last:
        found.append(found[-1] * 2)
    return found


def _expected(variances: np.ndarray, counts: np.ndarray, draws: np.ndarray | int) -> np.ndarray:
    """Variances with other numbers of draws."""
    return variances * (counts / draws) ** (2.0 * RATE)


def _for_everybody(variances: np.ndarray, counts: np.ndarray, most: int, target: float) -> int:
    """Draws that reach the target, at least as many as somebody has, where all have as many."""
    for draws in _powers(int(counts.max()), most):
        if _expected(variances, counts, draws).sum() <= (AIM * target) ** 2:
            return draws
    return max(int(counts.max()), most)


def _parts(variances: np.ndarray, counts: np.ndarray, top: int, target: float) -> np.ndarray:
    """By person, how many times a quarter of `top` draws is enough, so that the fewest reach the target."""
    times = np.array([t for t in range(MOST_QUARTERED + 1) if t == 0 or top // 4**t >= FEWEST])
    draws = top // 4**times
    expected = np.stack([_expected(variances, counts, int(d)) for d in draws], axis=1)
    goal = max((AIM * target) ** 2, REACHABLE * float(expected[:, 0].sum()))

    def at(price: float) -> np.ndarray:
        """What each person takes where a unit of variance costs so many draws."""
        return np.argmin(draws[None, :] + price * expected, axis=1)

    low, high = -50.0, 50.0  # logarithms of prices
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = expected[np.arange(len(expected)), at(np.exp(middle))].sum() <= goal
        low, high = (low, middle) if enough else (middle, high)
    return times[at(np.exp(high))]
