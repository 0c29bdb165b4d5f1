"""Which latent class is called what: classes with utilities of one form may change their names, and nothing else changes."""

from collections.abc import Sequence
from itertools import combinations, permutations

import jax.numpy as jnp
import numpy as np

from iclv_jax._families._class_starts import reached
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel, Mixing

MOST = 5
"""Classes whose orders are all tried."""


def relabelled(problem: Problem, params: np.ndarray, like: np.ndarray, same: float) -> np.ndarray:
    """Parameters with the latent classes of every choice named such that they come closest to `like`, where that leaves the
    log-likelihood as it is."""
    for choice in problem.spec.choices:
        if 2 <= len(choice.classes) <= MOST:
            params = _of_choice(problem, choice, params, like, same)
    return params


def _of_choice(
    problem: Problem, choice: Kernel, params: np.ndarray, like: np.ndarray, same: float
) -> np.ndarray:
    parts = _parts(problem, choice)
    value, count = _loglike(problem, params), len(parts)
    can = {
        pair: abs(_loglike(problem, moved) - value) <= same
        for pair in combinations(range(count), 2)
        if (moved := _ordered(parts, params, _swapped(count, *pair))) is not None
    }
    found = [params]
    for order in permutations(range(count)):
        if all(can.get(pair, False) for pair in _cycles(order)):
            moved = _ordered(parts, params, order)
            found += [] if moved is None else [moved]
    size = np.abs(np.stack([*found, like])).mean(axis=0) + 1e-12
    return min(found, key=lambda p: float(np.sum(((p - like) / size) ** 2)))


def _loglike(problem: Problem, params: np.ndarray) -> float:
    at = jnp.asarray(params)
    return float(problem.recentre(at).loglike(at))


def _swapped(count: int, i: int, j: int) -> tuple[int, ...]:
    order = list(range(count))
    order[i], order[j] = j, i
    return tuple(order)


def _cycles(order: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs whose exchange, one after the other, makes an order."""
    return [(min(i, j), max(i, j)) for i, j in enumerate(order) if i != j]


def _parts(problem: Problem, choice: Kernel) -> list[tuple[list[int], list[int]] | None]:
    """Of every class the places of its own parameters among the free ones: those of its utilities with their distributions
    and of its kernel, and those of its membership. None where one of them is not free."""
    utility, place = choice.utility, {name: i for i, name in enumerate(problem.names)}
    count = len(choice.classes)
    outputs = utility.program.reaches()[:count]
    enters = reached(utility, choice)
    random = dict(problem.spec.random)
    found: list[tuple[list[int], list[int]] | None] = []
    declared = choice.declared_by_class()
    for c in range(count):
        alone = [i for i in sorted(enters[c]) if sum(i in other for other in enters) == 1]
        names = [n for i in alone for n in _with_spread(utility.parameters[i], random)]
        names += [p.name for p in declared[c].parameters]
        members = [
            n for i, n in enumerate(utility.parameters) if [i in out for out in outputs] == _only(c, count)
        ]
        whole = all(n in place for n in (*names, *members))
        found.append(([place[n] for n in names], [place[n] for n in members]) if whole else None)
    return found


def _only(c: int, count: int) -> list[bool]:
    return [k == c for k in range(count)]


def _with_spread(name: str, random: dict[str, Mixing]) -> list[str]:
    """A coefficient with the other parameters of its distribution."""
    return [name, *(n for n in (random[name].named(name).values() if name in random else ()) if n != name)]


def _ordered(
    parts: list[tuple[list[int], list[int]] | None], params: np.ndarray, order: Sequence[int]
) -> np.ndarray | None:
    """Class c becomes what class `order[c]` was; None where they are not of one form.

    Membership is a logit: what stands in the place of a class without parameters of membership is taken from all.
    """
    if any(part is None for part in parts):
        return None
    own, members = zip(*parts, strict=True)  # pyright: ignore[reportArgumentType]
    moved, width = params.copy(), max(map(len, members))
    if any(len(own[c]) != len(own[order[c]]) for c in range(len(parts))) or not {*map(len, members)} <= {
        0,
        width,
    }:
        return None
    worth = np.stack([params[m] if m else np.zeros(width) for m in members])[list(order)]
    base = [c for c, m in enumerate(members) if not m]
    if len(base) != 1:
        return None
    for c in range(len(parts)):
        moved[own[c]] = params[own[order[c]]]
        if members[c]:
            moved[members[c]] = worth[c] - worth[base[0]]
    return moved
