"""Parameters that nobody's likelihood depends on, or only a few people's, with the likely cause."""

import numpy as np

from iclv_jax._diagnose._point import Point, quoted, times
from iclv_jax._diagnose._utility import generic, marginal, situations
from iclv_jax._spec import Kernel

FEW = 5
"""People who carry all the information on a parameter, below which it is said."""
ENOUGH = 20
"""People from whom on few are worth a word."""
COUNTS = 1e-6
"""A person counts with a score above this share of the largest."""
ALIKE = 1e-3
"""Spread of the scores over people, as a share of their mean, that counts as none."""
MOST_TRIALS = 8
BUMP = 0.3


def informed(point: Point) -> np.ndarray:
    """Number of people whose likelihood depends on each parameter."""
    size = np.abs(point.scores)
    counts = (size > COUNTS * size.max(axis=0)).sum(axis=0)
    return np.where(point.silent, 0, counts)


def score_sentences(point: Point) -> list[str]:
    return [*_silent(point), *_few(point), *_alike(point), *_never(point)]


def _silent(point: Point) -> list[str]:
    hidden = _hidden(point)
    sentences = []
    for i in np.flatnonzero(point.silent):
        cause = hidden.get(int(i)) or _cause(point, int(i))
        sentences.append(f"No one's likelihood depends on {point.names[i]!r} here: {cause}")
    return sentences


def _hidden(point: Point) -> dict[int, str]:
    """Parameters that come to life once one that is zero moves, with the sentence that says so."""
    silent = [int(i) for i in np.flatnonzero(point.silent)]
    zero = [int(i) for i in np.flatnonzero(point.params == 0.0)]
    if not silent or not zero:
        return {}
    found: dict[int, str] = {}
    moved = point.params.copy()
    moved[zero] = BUMP
    alive = _alive(point, moved, silent)
    for j in zero[:MOST_TRIALS] if alive else ():
        trial = point.params.copy()
        trial[j] = BUMP
        for i in _alive(point, trial, silent):
            found.setdefault(i, _because(point, i, j))
    general = (
        "it is hidden while other parameters are zero. That is no error at a start; give these start values "
        "other than zero if the fit does not move."
    )
    return {i: found.get(i, general) for i in alive}


def _because(point: Point, i: int, j: int) -> str:
    if i == j:
        return "at zero its score vanishes by symmetry (a saddle). Start it elsewhere, at 0.5 say."
    return (
        f"it is hidden while {point.names[j]!r} is zero. That is no error at a start; if the fit stays there, "
        f"start {point.names[j]!r} elsewhere, or fix {point.names[i]!r}."
    )


def _alive(point: Point, params: np.ndarray, among: list[int]) -> list[int]:
    """Those of the parameters whose scores are not zero at other values."""
    size = np.abs(point.scores_at(params)).max(axis=0)
    least = 1e-10 * max(float(np.median(size)), 1e-300)
    return [i for i in among if size[i] > least]


def _cause(point: Point, i: int) -> str:
    """Why the scores of a parameter are zero whatever the others are."""
    name = point.names[i]
    if not (point.reach_theta[:, i] != 0.0).any():
        return "it enters neither an equation nor a utility. Remove it from define= (or fix it)."
    position = {row.name: k for k, row in enumerate(point.table.rows)}
    for choice in point.spec.choices:
        direction = point.reach[[position[p] for p in choice.utility.coefficients], i]
        if (direction != 0.0).any():
            return _cause_in_utilities(point, choice, direction)
    role = point.table.row(name).parameter.role
    if role == "threshold":
        return "nobody's answer lies next to it. Join the levels around it, or leave the empty one out of levels=."
    if role == "spread":
        return (
            "its coefficient does not enter the utility of any available alternative. Take it out of random=."
        )
    return (
        "nothing that was observed depends on it. Check that its latent variable reaches an item or a utility "
        "(all loadings fixed at zero?), or fix it."
    )


def _cause_in_utilities(point: Point, choice: Kernel, direction: np.ndarray) -> str:
    utility = choice.utility
    columns, offered = situations(point.problem, choice, None)
    available = np.asarray(choice.needed(offered))
    coefficients = generic(1, len(utility.coefficients), 1)[0]
    change = marginal(utility, coefficients, columns, direction)
    within = np.where(available, change, np.nan)
    if np.abs(change[available]).max(initial=0.0) > 0.0:
        with np.errstate(invalid="ignore"):
            return (
                "it adds the same to every available alternative, and only differences between utilities matter. "
                "Let one alternative go without it, or fix it."
                if change.shape[1] > 1
                and np.nanmax(np.ptp(_filled(within), axis=1)) <= 1e-10 * np.nanmax(np.abs(within))
                else "its effects cancel. Check the utility function."
            )
    if np.abs(change).max(initial=0.0) > 0.0:
        where = [a for a, c in zip(utility.alternatives, np.abs(change).max(axis=0), strict=True) if c > 0.0]
        return (
            f"it enters only {quoted(where)}, which is not available where it would count. Check the columns in "
            "available=, or take it out."
        )
    guilty = []
    for k, name in enumerate(utility.columns):
        trial = columns[:1].copy()
        trial[:, k] = 1.0
        if (marginal(utility, coefficients, trial, direction) != 0.0).any():
            guilty.append(name)
    if guilty:
        return f"column {quoted(guilty)} is zero wherever it is used. Check the column, or take it out."
    return "its marginal utility is zero in every row. Check the utility function and the columns beside it."


def _filled(within: np.ndarray) -> np.ndarray:
    """NaN replaced by the row's mean."""
    count = np.maximum((~np.isnan(within)).sum(axis=1), 1)
    mean = np.nansum(within, axis=1) / count
    return np.where(np.isnan(within), mean[:, None], within)


def _few(point: Point) -> list[str]:
    people = len(point.scores)
    if people < ENOUGH:
        return []
    counts = informed(point)
    return [
        f"All that the data say about {point.names[i]!r} comes from {counts[i]} of {people:,} people: its estimate "
        "rests on them. Join its category (or level) with another, or leave it out."
        for i in np.flatnonzero((counts > 0) & (counts < FEW))
    ]


def _alike(point: Point) -> list[str]:
    mean, spread = np.abs(point.scores.mean(axis=0)), point.scores.std(axis=0)
    same = ~point.silent & (spread < ALIKE * mean) & (len(point.scores) > 1)
    if not same.any():
        return []
    names = quoted([point.names[i] for i in np.flatnonzero(same)])
    return [
        f"The scores of {names} hardly differ between people (by less than {times(100 * ALIKE)} % of their mean), so "
        "the data push in one direction without end. Look for an outcome that never occurs, or for a predictor "
        "that is the same for everyone."
    ]


def _never(point: Point) -> list[str]:
    """Alternatives that nobody chose, and levels that nobody has."""
    sentences = []
    panel = point.problem.panel
    for choice in (c for c in point.spec.choices if c.discrete):
        found = panel.situations_of(choice.name)
        chosen = np.bincount(found.chosen, minlength=len(choice.outcomes))
        offered = found.offered.sum(axis=0)
        sentences += [
            f"Alternative {name!r} is available in {int(n):,} situations and never chosen: parameters that enter it "
            "alone run off to minus infinity. Remove it, or check the column of choices."
            for name, c, n in zip(choice.outcomes, chosen, offered, strict=True)
            if c == 0 and n > 0
        ]
    # The data of the choices follow those of the stacks.
    for stack, data in zip(point.table.stacks, panel.person.data, strict=False):
        for i, item in enumerate(stack.items):
            levels = panel.levels[item]
            seen = np.unique(np.asarray(data.outcome)[np.asarray(data.occurs)[:, i], i])
            empty = [level for k, level in enumerate(levels) if k not in seen]
            if empty and not _indicator(point, item).shared:
                sentences.append(
                    f"Nobody has level {quoted(empty)} of item {item!r}: the thresholds around it are not identified "
                    "by these data. Keep them fixed, or join the level with a neighbour."
                )
    return sentences


def _indicator(point: Point, column: str):
    return next(i for i in point.spec.indicators if i.column == column)
