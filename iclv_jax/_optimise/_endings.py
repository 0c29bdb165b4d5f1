"""Parameters that have no finite maximum: with each step the log-likelihood rises by less, and never falls again.

Perfect prediction, alternatives that nobody chooses and variances that go to zero make Newton steps converge in
gradient long after estimates have lost their meaning. A parameter that the data determine costs half a point of the
log-likelihood one standard error away, on either side; one that drifts costs nothing on one side however far it goes.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array
from iclv_jax._optimise._objective import Likelihood
from iclv_jax._optimise._ridges import Ridge
from iclv_jax._optimise._spreads import signless

FADED = 1e-3
"""Share of the mean squared score at the start below which a parameter is looked at."""
SHORT = 0.05
"""Points of the log-likelihood that count as nothing where half a point is due."""
GONE = 6.0
"""Change in the log of a variance after which nearly everything of it is gone."""
BACK = (2.0, 3.0, 4.0)
PERFECT = 1e-3
"""Points of the log-likelihood per person below which everything is predicted."""
MOST = 40
LONGEST = 1e8


def endings(
    objective: Likelihood, z: Array, first: np.ndarray, found: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where parameters go that have no finite maximum: by name `"infinity"`, `"minus infinity"` or `"zero"`; and those on
    which nothing depends. `first` holds the scales at a usual point, `found` says whether the gradient is zero: if not,
    items that their latent variable decides count too, because no integral follows them to the end."""
    squares = np.asarray(objective.mean_squared_scores(z))
    faded = objective.free & ~objective.inside & (squares * first**2 < FADED)
    goes = {} if found else dict.fromkeys(objective.steep(z), "infinity")
    if not faded.any():
        return goes, ()
    probe = _Probe(objective, z)
    if 0.0 <= probe.here < PERFECT and not objective.problem.first.spec.indicators:
        return {objective.names[i]: probe.words(int(i), np.asarray(z)) for i in np.flatnonzero(faded)}, ()
    silent = []
    for i in np.flatnonzero(faded)[:MOST]:
        sides = [(step, probe.sides(step)) for step in probe.steps(int(i))]
        one = next(((step, sides) for step, sides in sides if sum(sides) == 1), None)
        if one is not None:
            goes[objective.names[i]] = probe.words(int(i), one[0] if one[1][0] else -one[0])
        elif all(all(free) for _, free in sides):
            silent.append(objective.names[i])
    return goes, tuple(silent)


class _Probe:
    def __init__(self, objective: Likelihood, z: Array) -> None:
        self.objective, self.z = objective, z
        self.here = objective.recentred(z).value(z)
        self.hessian = np.asarray(objective.derivatives(z, "exact").hessian) * objective.count
        self.reach = np.asarray(jax.jacfwd(objective.params)(z))
        self.params = np.asarray(objective.params(z))
        self.signless = signless(objective.problem.first)

    def steps(self, i: int) -> list[np.ndarray]:
        """One standard error, the others following; alone; and of what is a log, far enough to be gone."""
        found, size = [], len(self.z)
        alone = np.zeros(size)
        if self.logarithmic(i):
            alone[i] = GONE
            return [alone]
        free = np.flatnonzero(self.objective.free)
        matrix = self.hessian[np.ix_(free, free)]
        if np.isfinite(matrix).all() and (np.diag(matrix) > 0.0).all():
            unit = 1.0 / np.sqrt(np.diag(matrix))
            values, vectors = np.linalg.eigh(matrix * np.outer(unit, unit))
            if values[0] > 1e-10:
                at = int(np.flatnonzero(free == i)[0])
                column = unit * (vectors @ (vectors[at] * unit[at] / values))
                together = np.zeros(size)
                together[free] = column / np.sqrt(column[at])
                found.append(together)
        own = self.hessian[i, i]
        alone[i] = min(1.0 / np.sqrt(own), LONGEST) if own > 0.0 else LONGEST
        return [*found, alone]

    def sides(self, step: np.ndarray) -> tuple[bool, bool]:
        """Whether the step costs nothing, forwards and backwards."""
        free = self.cost(step) < SHORT, self.cost(-step) < SHORT
        if all(free) and self.logarithmic(int(np.argmax(np.abs(step)))):
            # It may have gone so far that the way back is long.
            for side in (1, -1):
                if any(self.cost(side * k * step) > SHORT for k in BACK):
                    return (False, True) if side == 1 else (True, False)
        return free

    def cost(self, step: np.ndarray) -> float:
        """Fall of the log-likelihood, in as many people as the weights are worth; infinite where it is not finite."""
        lower, upper = self.objective.bounds()
        there = jnp.asarray(np.clip(np.asarray(self.z) + step, lower, upper))
        fall = (self.objective.recentred(there).value(there) - self.here) * self.objective.count
        return fall if np.isfinite(fall) else np.inf

    def logarithmic(self, i: int) -> bool:
        """Whether z is the log of a parameter, or of its root."""
        change = self.reach[:, i]
        own = change[i]
        alone = np.abs(np.delete(change, i)).max(initial=0.0) <= 1e-12 * abs(own)
        ratio = own / self.params[i] if self.params[i] else 0.0
        return bool(alone and min(abs(ratio - 1.0), abs(ratio - 2.0)) < 1e-9)

    def words(self, i: int, step: np.ndarray) -> str:
        if self.logarithmic(i) and step[i] < 0.0:
            return "zero"
        return "infinity" if step[i] > 0.0 or self.signless[i] else "minus infinity"


def told(limits: Mapping[str, str], loglike: float, size: float, ways: Sequence[Ridge] = ()) -> str:
    """A sentence about them, and about random coefficients that become others."""
    goes = {way: [n for n, w in limits.items() if w == way] for way in ("infinity", "minus infinity", "zero")}
    parts = [
        f"{', '.join(names)} {'goes' if way == 'zero' else 'drifts'} to {way}"
        if len(names) == 1
        else f"{', '.join(names)} {'go' if way == 'zero' else 'drift'} to {way}"
        for way, names in goes.items()
        if names
    ]
    sentence = (
        f"There is no maximum at finite values: {'; '.join(parts)}, and log L no longer falls on the way. "
    )
    if ways:
        return sentence + (
            f"In the limit {'; '.join(r.sentence() for r in ways)}. What is left of the distribution is at its estimate: "
            "take one with fewer parameters, or other ends, or fix one of these."
        )
    if 0.0 <= -loglike < PERFECT * size:
        return (
            sentence + "Everything is predicted perfectly (complete separation): leave out what predicts it."
        )
    if goes["zero"] and not (goes["infinity"] or goes["minus infinity"]):
        return sentence + (
            "A variance at zero (a Heywood case) says that an item alone is the latent variable: take fewer parameters "
            "for these items, or bound the variance."
        )
    return sentence + (
        "Look for outcomes that never occur, for predictors that decide an outcome (separation), or for a random part "
        "that is not there; take them out, join levels, or fix or bound the parameter."
    )
