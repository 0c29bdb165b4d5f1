"""Networks that have stopped to compute: units that no one's answer moves."""

import jax.numpy as jnp
import numpy as np

from iclv_jax._problem import Problem

LOOKED_AT = 1_000
"""People whose scores are looked at."""
MOSTLY = 0.5
"""Share of dead units from which on it is said."""


def dead_networks(problem: Problem, params: np.ndarray) -> tuple[str, ...]:
    """A sentence for each module with free entries whose hidden units are mostly dead, or all of them, so that its output is
    the same for everybody. A unit is dead where no one's score of its weights differs from zero."""
    if not problem.spec.modules:
        return ()
    people = len(problem.panel.people)
    some = problem.take(np.unique(np.linspace(0, people - 1, min(people, LOOKED_AT)).astype(int)))
    at = jnp.asarray(params)
    moved = (np.asarray(some.recentre(at).score_person(at)) != 0.0).any(axis=0)
    alive = dict(zip(problem.names, moved.tolist(), strict=True))
    found = []
    for module in problem.spec.modules:
        hidden = [part for part in module.parts if len(part.shape) == 2][:-1]
        hidden = [part for part in hidden if all(name in alive for name in part.names)]
        units: list[np.ndarray] = [
            np.asarray(np.array([alive[n] for n in part.names]).reshape(part.shape).any(axis=1))
            for part in hidden
        ]
        dead, count = sum(int((~u).sum()) for u in units), sum(u.size for u in units)
        if any(not u.any() for u in units):
            found.append(
                f"The network {module.name!r} is dead: its output is the same for everybody, because no one's answer moves "
                "the units of a layer. Initialise it again, with a smaller learning rate or another activation than relu"
            )
        elif count and dead > MOSTLY * count:
            found.append(
                f"{dead} of {count} hidden units of the network {module.name!r} are dead: they compute the same for "
                "everybody. Initialise it again, or take a smaller learning rate or another activation than relu"
            )
    return tuple(found)
