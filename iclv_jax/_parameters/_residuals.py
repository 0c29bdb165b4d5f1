"""Covariances of the residuals of continuous items: their parameters, domains and cells."""

from collections.abc import Iterable, Sequence

from iclv_jax._spec import Cell, Cells, Domain, Parameter, Positive, PositiveDefinite, one
from iclv_jax._spec import _names as names

RESIDUAL = "residual"
"""Key of the covariances of the residuals of a stack, a symmetric matrix with an empty diagonal."""
Pairs = Sequence[tuple[str, str]]


def connected(members: Sequence[str], pairs: Pairs) -> list[list[str]]:
    """Members that covary with each other, directly or by others, in order of first occurrence."""
    linked: dict[str, set[str]] = {m: set() for m in members}
    for first, second in pairs:
        linked[first].add(second)
        linked[second].add(first)
    remaining, groups = list(members), []
    while remaining:
        group, frontier = [], [remaining[0]]
        while frontier:
            member = frontier.pop(0)
            if member not in group:
                group.append(member)
                frontier.extend(sorted(linked[member]))
        remaining = [m for m in remaining if m not in group]
        groups.append(group)
    return groups


def triangle(group: Sequence[str], diagonal: Sequence[str | None], pairs: Pairs) -> PositiveDefinite:
    """The covariance matrix of a connected group with these names on its diagonal."""
    known = {frozenset(pair): names.covariance(*pair) for pair in pairs}
    rows = [(*(known.get(frozenset((a, b))) for b in group[:i]), diagonal[i]) for i, a in enumerate(group)]
    return PositiveDefinite(tuple(rows), (False,) * len(group))


def residual_parameters(pairs: Pairs) -> Iterable[Parameter]:
    for first, second in pairs:
        meaning = f"covariance of the residuals of {first} and {second}"
        name = names.covariance(first, second)
        yield Parameter(name, "measurement", "covariance", 0.0, meaning, owner=first, argument=second)


def residual_domains(pairs: Pairs, domains: Sequence[Domain]) -> list[Domain]:
    """Those of the items, with the variances of residuals that covary in matrices."""
    members = list(dict.fromkeys(name for pair in pairs for name in pair))
    variances = {names.variance(m) for m in members}
    kept = [d for d in domains if not (isinstance(d, Positive) and d.name in variances)]
    groups = connected(members, pairs)
    return [*kept, *(triangle(g, [names.variance(m) for m in g], pairs) for g in groups)]


def residual_cells(items: Sequence[str], pairs: Pairs) -> Cells:
    """The covariances of a stack whose residuals covary."""
    at, size = {name: i for i, name in enumerate(items)}, len(items)
    cells: list[Cell] = [0.0] * size**2
    for first, second in pairs:
        a, b = at[first], at[second]
        cells[a * size + b] = cells[b * size + a] = one(names.covariance(first, second))
    return Cells(RESIDUAL, (size, size), tuple(cells))
