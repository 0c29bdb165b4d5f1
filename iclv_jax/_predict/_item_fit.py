"""Whether items with levels are answered as the model has it by people with the same sum of scores: S-X2."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import is_real
from iclv_jax._base._distributions import chi2_tail
from iclv_jax._base._types import Array, Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT
from iclv_jax._predict._answer_moments import Moments, moments_of
from iclv_jax._predict._limited_information import Sample, samples
from iclv_jax._predict._prior_nodes import levels_of, prior_nodes
from iclv_jax._problem import Problem

FEWEST = 1.0
"""Expected people of a cell, below which it is joined with a neighbour."""


class Scored(NamedTuple):
    """Of one item: people by sum of scores and level, observed and expected."""

    observed: np.ndarray
    expected: np.ndarray


def item_fit(fit: Estimated, fewest: Given[float] = FEWEST) -> pd.DataFrame:
    """S-X2 of every item (Orlando and Thissen 2000; of items with several levels Kang and Chen 2008): people with the same
    sum of scores over all items are compared with what the model expects of them.

    Parameters
    ----------
    fewest
        Expected people in a cell (a level, among those with a sum of scores), below which it is joined with the level next
        to it.

    Returns
    -------
    DataFrame
        By item, and with groups by group and item: `statistic`, approximately chi-squared with `df`, `p`; `rmsea`; and
        `people`, those who answered all items, who alone have a sum of scores; with missing answers they stand for all
        where these are missing completely at random.

    Raises
    ------
    ValueError
        For a model with items of which some have no levels, or levels without an order; with fewer than three items; where
        nobody has answered all of them; for sampling weights, and a `fewest` that is not positive.

    Notes
    -----
    Expected frequencies are those of all people together, whatever their covariates, by the recursion of Lord and Wingersky
    (1984) at nodes of the latent variables. `df` is the number of cells less that of the sums of scores and that of the
    item's own free parameters: not those that other items share, but with the loading that is fixed to set a scale, whose
    part the variance of the latent variable plays. With sums that a few people have the approximation is a rough one.

    Examples
    --------
    >>> list(fit.measurement.item_fit().index)
    ['q1', 'q2', 'q3']
    """
    problem = fit.problem
    _check(problem, fewest)
    moments = moments_of(problem, "M2*")
    found = {}
    for sample in samples(problem):
        complete = np.asarray(sample.answered.all(axis=1))
        if not complete.any():
            raise ValueError("item_fit: nobody has answered all items, so that there are no sums of scores.")
        levels, weights = _levels(fit, sample, np.flatnonzero(complete))
        own = _own_parameters(fit, sample.at)
        for i, name in enumerate(moments.items):
            scored = _scored(moments, sample, complete, levels, weights, i)
            found[_key(problem, sample, name)] = _judged(scored, own[name], float(fewest))
    frame = pd.DataFrame(found).T.astype({"df": int})
    names = [item.column for item in problem.spec.indicators]
    if isinstance(frame.index, pd.MultiIndex):
        return frame.reindex(names, level=1)
    return frame.loc[names]


def _check(problem: Problem, fewest: object) -> None:
    items = problem.spec.indicators
    for item in items:
        count = len(problem.panel.levels[item.column]) if item.discrete else 0
        if not item.discrete or (item.several and count > 2):
            raise ValueError(
                f"item_fit: item {item.column!r} has no levels in order, so that there is no sum of scores. "
                "fit.measurement.item_residuals() has residuals of items of every family."
            )
    if len(items) < 3:
        raise ValueError("item_fit: sums of scores say something of an item where there are at least three.")
    if not np.all(problem.panel.weights == 1.0) and not problem.panel.weights_count:
        raise ValueError("item_fit is for samples without weights, or with frequency weights.")
    if not (is_real(fewest) and 0.0 < float(fewest) < np.inf):  # pyright: ignore[reportArgumentType]
        raise ValueError(f"fewest= is a positive number of people, not {fewest!r}.")


def _key(problem: Problem, sample: Sample, name: str) -> object:
    groups = problem.spec.groups
    return name if groups is None or sample.at is None else (groups.labels[sample.at], name)


def _levels(fit: Estimated, sample: Sample, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the levels (point, level) and the people at every point of covariates and latent variables."""
    core = fit.problem.core
    rows, owner = np.unique(sample.covariates[complete], axis=0, return_inverse=True)
    counts = np.bincount(owner.reshape(-1), sample.weights[complete], len(rows))
    points, weights = prior_nodes(core.structure.system.latents, len(rows))
    group = None if sample.at is None else jnp.full(len(rows), sample.at)
    people = Person(jnp.asarray(rows), (), (), group)
    params = jnp.asarray(fit.estimates)
    levels = np.asarray(levels_of(core.structure, core.constants, params, people, jnp.asarray(points)))
    return levels.reshape(-1, levels.shape[-1]), (counts[:, None] * weights[None, :]).reshape(-1)


def _scored(
    moments: Moments, sample: Sample, complete: np.ndarray, levels: np.ndarray, weights: np.ndarray, item: int
) -> Scored:
    own = [levels[:, moments.level == k] for k in range(len(moments.items))]
    tops = [int(moments.single.weights[moments.single.owner == k].max()) for k in range(len(own))]
    rest = np.ones((len(weights), 1))
    for k in (k for k in range(len(own)) if k != item):
        rest = _plus(rest, own[k][:, : tops[k] + 1])
    total, top = sum(tops), tops[item]
    expected = np.zeros((total + 1, top + 1))
    for level in range(top + 1):
        joint = weights @ (rest * own[item][:, [level]])
        expected[level : level + len(joint), level] = joint
    codes = sample.codes[complete].astype(int)
    observed = np.zeros_like(expected)
    np.add.at(observed, (codes.sum(axis=1), codes[:, item]), sample.weights[complete])
    # What is expected is so among those with a sum.
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = expected * (observed.sum(axis=1) / expected.sum(axis=1))[:, None]
    return Scored(observed, expected)


def _plus(sums: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The distribution of a sum (point, sum) with one more item."""
    found = np.zeros((len(sums), sums.shape[1] + levels.shape[1] - 1))
    for level in range(levels.shape[1]):
        found[:, level : level + sums.shape[1]] += sums * levels[:, [level]]
    return found


def _judged(scored: Scored, own: int, fewest: float) -> dict[str, float]:
    statistic, df = 0.0, -own
    people = scored.observed.sum()
    # The lowest and the highest sum leave no choice.
    for seen, meant in zip(scored.observed[1:-1], scored.expected[1:-1], strict=True):
        if not seen.sum() > 0.0:
            continue
        cells = _joined(seen[meant > 0.0], meant[meant > 0.0], fewest)
        statistic += sum((o - e) ** 2 / e for o, e in cells) if len(cells) > 1 else 0.0
        df += len(cells) - 1
    p = chi2_tail(statistic, df) if df > 0 else np.nan
    rmsea = np.sqrt(max(statistic - df, 0.0) / (df * people)) if df > 0 else np.nan
    return {"statistic": statistic, "df": max(df, 0), "p": p, "rmsea": rmsea, "people": people}


def _joined(observed: np.ndarray, expected: np.ndarray, fewest: float) -> list[tuple[float, float]]:
    """Neighbouring levels joined until enough people are expected in each."""
    cells: list[tuple[float, float]] = []
    held = (0.0, 0.0)
    for o, e in zip(observed, expected, strict=True):
        held = (held[0] + float(o), held[1] + float(e))
        if held[1] >= fewest:
            cells.append(held)
            held = (0.0, 0.0)
    if held[1] > 0.0:
        last = cells.pop() if cells else (0.0, 0.0)
        cells.append((last[0] + held[0], last[1] + held[1]))
    return cells


def _own_parameters(fit: Estimated, at: int | None) -> dict[str, int]:
    """Free parameters that move the arrays of one item only, and loadings of one that are fixed to set a scale."""
    core, table = fit.problem.core, fit.problem.table
    mapping = core.structure.of_group(at or 0).map

    def arrays(params: Array) -> dict[str, Array]:
        cells = mapping.dense(mapping.theta(core.constants, params))
        parts = {s.name: cells[s.name] for s in table.stacks}
        latent = jnp.concatenate([jnp.zeros(0), *(a.reshape(-1) for a in cells[LATENT].values())])
        flat = {
            name: jnp.concatenate([a.reshape(a.shape[0], -1) for a in part.values()], axis=1)
            for name, part in parts.items()
        }
        return flat | {LATENT: latent}

    slopes = {k: np.asarray(a) for k, a in jax.jacfwd(arrays)(jnp.asarray(fit.estimates)).items()}
    items = [q for s in table.stacks for q in s.items]
    touched = np.concatenate([(slopes[s.name] != 0.0).any(axis=1) for s in table.stacks])
    alone = (touched.sum(axis=0) == 1) & ~(slopes[LATENT] != 0.0).any(axis=0)
    found = {name: int((touched[i] & alone).sum()) for i, name in enumerate(items)}
    loadings = [row.parameter for row in table.rows if row.parameter.role == "loading"]
    for item in {p.argument for p in loadings if p.fixed is not None}:
        found[item] += 1
    return found
