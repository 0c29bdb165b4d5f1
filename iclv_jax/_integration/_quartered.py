"""People who need fewer draws than others.

The more draws there are, the more the error of a log-likelihood is that of a few people, whose posteriors are far from any
normal density: with a money scale and three lognormal values of time of 752 people ten of them carry a quarter of its
variance with 512 draws, and three quarters with 8,192. The others keep a quarter, or a sixteenth, of the draws: the first
ones of a Sobol sequence are one themselves.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from iclv_jax._base._types import Float, Given, Int

MOST = 10
"""Times that draws are quartered: of a million one is left."""


class Quartered(tuple[int, ...]):
    """By person, how many times a quarter of the draws is enough.

    Examples
    --------
    >>> Quartered([0, 1, 1])
    <0: 1 person, 1: 2 people>
    """

    def __new__(cls, times: Given[Iterable[Any]]) -> "Quartered":
        found = tuple(times) if isinstance(times, Iterable) else (times,)
        whole = all(isinstance(t, (int, np.integer)) and not isinstance(t, bool) for t in found)
        if not isinstance(times, Iterable) or not whole or not all(0 <= t <= MOST for t in found):
            raise ValueError(
                f"quartered= has a whole number from 0 (all of the draws) to {MOST} for every person, not {times!r}."
            )
        return super().__new__(cls, map(int, found))

    def __repr__(self) -> str:
        counts = dict(zip(*(a.tolist() for a in np.unique(self, return_counts=True)), strict=True))
        return f"<{', '.join(f'{t}: {n} ' + ('person' if n == 1 else 'people') for t, n in counts.items())}>"

    def of(self, people: np.ndarray) -> "Quartered":
        """Those of some people by position."""
        return Quartered(np.asarray(self)[people].tolist())

    def counts(self, total: int) -> Int[np.ndarray, " person"]:
        """So many nodes, quartered."""
        return total // 4 ** np.asarray(self)

    def log_weights(self, draws: int, tails: int) -> Float[np.ndarray, "person node"]:
        """Equal weights of the first of the draws, and of the first of the `tails` behind them, by person."""
        place = np.concatenate([np.arange(draws), np.arange(tails)])
        among = np.where(np.arange(draws + tails) < draws, draws, tails)
        kept = place[None, :] < among[None, :] // 4 ** np.asarray(self)[:, None]
        count = self.counts(draws) + self.counts(tails)
        return np.where(kept, -np.log(count)[:, None], -np.inf)

    def words(self) -> str:
        """Who has how many, in words; empty where everybody has all."""
        shares = {1: "a quarter", 2: "a sixteenth"}
        each = [(t, self.count(t)) for t in sorted(set(self)) if t]
        said = [f"{shares.get(t, f'1/{4**t}')} of that for {n:,} of {len(self):,} people" for t, n in each]
        return ", ".join(said)
