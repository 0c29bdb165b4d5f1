"""Fit of models of items with levels, from the answers to one and to two items at a time.

Most of the patterns of answers to many items are seen once or never, so that a test of all of them has no chi-squared
distribution. Frequencies of single answers and of pairs are seen often enough (Maydeu-Olivares and Joe 2005, 2006).
"""

from collections.abc import Iterator
from typing import NamedTuple, get_args

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel import Person
from iclv_jax._predict._answer_moments import (
    Moments,
    Statistic,
    expected_and_covariance,
    given_nodes,
    moments_of,
    multipliers,
)
from iclv_jax._predict._moment_slopes import moment_slopes
from iclv_jax._predict._prior_nodes import levels_of, prior_nodes
from iclv_jax._problem import Problem
from iclv_jax._spec._names import nearest

MOST_MOMENTS = 5000
"""Their covariance matrix is a dense one."""
CHUNK = 2_000_000
"""Numbers in an array over rows of people, nodes and moments at a time."""
DETERMINED = 1e-10
"""Share of the largest eigenvalue of the (scaled) covariance of moments below which one is a function of the others."""
RANK = 1e-8
"""Share of the largest singular value of the (scaled) derivatives below which a direction does not move the moments."""


class Sample(NamedTuple):
    """The people of one group: codes of the answers (person, item) with NaN where there is none, covariates, weights; and
    the different rows of covariates and of who answered what, with the place of every person's. `at` is the group's."""

    codes: np.ndarray
    covariates: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    owner: np.ndarray
    at: int | None

    @property
    def answered(self) -> np.ndarray:
        return ~np.isnan(self.codes)

    @property
    def counts(self) -> np.ndarray:
        """Weights of the people of every row."""
        return np.bincount(self.owner, self.weights, len(self.rows))


class Residuals(NamedTuple):
    """Of one group: observed less expected sums of the moments, their covariance, and the derivatives of the expected."""

    away: np.ndarray
    covariance: np.ndarray
    slopes: np.ndarray


def chosen_statistic(problem: Problem, statistic: Given[str | None]) -> Statistic:
    """The one that is asked for, or M2 where all items have two levels and C2 where some have more."""
    known: tuple[Statistic, ...] = get_args(Statistic)
    if statistic is not None and statistic not in known:
        raise ValueError(
            f"statistic= is one of {', '.join(map(repr, known))}, not {statistic!r}. {nearest(str(statistic), known)}"
        )
    binary = all(len(problem.panel.levels[i.column]) == 2 for i in problem.spec.indicators)
    usual: Statistic = "M2" if binary else "C2"
    return usual if statistic is None else known[known.index(statistic)]


def samples(problem: Problem) -> list[Sample]:
    """The people by group."""
    person, weights = problem.core.person, np.asarray(problem.core.weights)
    found = [
        np.where(np.asarray(d.occurs), np.asarray(d.outcome, float), np.nan)
        for _, d in zip(problem.core.structure.items, person.data, strict=False)
    ]
    codes, covariates = np.concatenate(found, axis=1), np.asarray(person.covariates)
    group = None if person.group is None else np.asarray(person.group)
    parts = [(None, np.arange(len(codes)))]
    if group is not None:
        parts = [(at, np.flatnonzero(group == at)) for at in range(int(group.max()) + 1)]
    made = []
    for at, who in parts:
        marks = np.column_stack([covariates[who], ~np.isnan(codes[who])])
        _, rows, owner = np.unique(marks, axis=0, return_index=True, return_inverse=True)
        made.append(Sample(codes[who], covariates[who], weights[who], rows, owner.reshape(-1), at))
    return made


def observed(moments: Moments, sample: Sample) -> np.ndarray:
    """Sums of the moments over people; what was not answered counts as nothing."""
    indicator = (sample.codes[:, moments.level] == moments.code).astype(float)
    ones = np.column_stack([np.ones(len(indicator)), sample.covariates]) * sample.weights[:, None]
    single = (indicator @ moments.single.weights.T).T @ ones
    paired = indicator @ moments.paired.weights.T
    products = (paired * sample.weights[:, None]).T @ paired
    return np.concatenate([single.reshape(-1), products[moments.left, moments.right]])


def of_model(fit: Estimated, moments: Moments, sample: Sample) -> tuple[Residuals, np.ndarray, np.ndarray]:
    """Residuals of the moments of a group; and by row of people the expected codes and products of codes of two items."""
    core, rows = fit.problem.core, sample.rows
    covariates, answered = sample.covariates[rows], sample.answered[rows]
    group = None if sample.at is None else jnp.full(len(rows), sample.at)
    people = Person(jnp.asarray(covariates), (), (), group)
    points, weights = prior_nodes(core.structure.system.latents, len(rows))
    params, nodes = jnp.asarray(fit.estimates), (jnp.asarray(points), jnp.asarray(weights))
    factor = multipliers(moments, answered, covariates)
    size = factor.shape[1]
    away, spread = observed(moments, sample), np.zeros((size, size))
    means, products = [], []
    for some in _chunks(len(rows), len(weights) * max(size, len(moments.level))):
        part = Person(people.covariates[some], (), (), None if group is None else group[some])
        levels = np.asarray(levels_of(core.structure, core.constants, params, part, nodes[0]))
        expected, own = expected_and_covariance(moments, levels, weights, sample.counts[some], factor[some])
        away, spread = away - expected, spread + own
        one, two = expected_codes(moments, levels, weights)
        means.append(one)
        products.append(two)
    scaled = sample.counts[:, None] * factor
    slopes = moment_slopes(core.structure, core.constants, params, people, scaled, nodes, moments)
    return Residuals(away, spread, slopes.T), np.concatenate(means), np.concatenate(products)


def of_independence(moments: Moments, sample: Sample) -> Residuals:
    """The same under independent items whose levels have the frequencies that were observed: the zero-factor model."""
    indicator = (sample.codes[:, moments.level] == moments.code) * sample.weights[:, None]
    share = indicator.sum(axis=0)
    whole = np.bincount(moments.level, share)
    p = share / whole[moments.level]
    factor = multipliers(moments, sample.answered[sample.rows], sample.covariates[sample.rows])
    repeats = 1 + sample.covariates.shape[1]
    levels = np.broadcast_to(p, (len(sample.rows), 1, len(p)))
    expected, spread = expected_and_covariance(moments, levels, np.ones(1), sample.counts, factor)
    # A level's frequency grows at the expense of the first one of its item.
    free = np.flatnonzero((moments.code > 0) & (p > 0.0))
    moves = np.eye(len(p))[:, free]
    moves[[np.flatnonzero(moments.level == moments.level[k])[0] for k in free], np.arange(len(free))] = -1.0
    _, each = given_nodes(moments, p, repeats)
    single, paired = moments.single.weights @ moves, moments.paired.weights @ moves
    left, right = moments.left, moments.right
    slopes = np.concatenate(
        [
            np.repeat(single, repeats, axis=0),
            paired[left] * each[right, None] + each[left, None] * paired[right],
        ]
    )
    slopes = slopes * (sample.counts @ factor)[:, None]
    return Residuals(observed(moments, sample) - expected, spread, slopes)


def quadratic(parts: list[Residuals], shared: bool) -> tuple[float, int]:
    """The statistic and its degrees of freedom: the squared length, in the metric of their covariance, of what no direction
    of the parameters moves; those are `shared` by groups or not."""
    away = np.concatenate([p.away for p in parts])
    slopes, covariance = np.concatenate([p.slopes for p in parts]), _diagonal([p.covariance for p in parts])
    if not shared:
        slopes = _diagonal([p.slopes for p in parts])
    from scipy import linalg

    if not np.isfinite(slopes).all():
        raise ValueError(
            "fit_measures: expected frequencies of answers have no derivatives at these estimates. A parameter is far out: "
            "fit.summary() says whether it drifts to infinity."
        )
    # Nobody answered both items of some products.
    known = np.diagonal(covariance) > 0.0
    scale = np.sqrt(np.diagonal(covariance)[known])
    away, slopes = away[known] / scale, slopes[known] / scale[:, None]
    covariance = covariance[np.ix_(known, known)] / np.outer(scale, scale)
    lengths = np.linalg.norm(slopes, axis=0)
    slopes = slopes[:, lengths > 0.0] / lengths[lengths > 0.0]
    directions, sizes, _ = np.linalg.svd(slopes, full_matrices=False)
    rank = int((sizes > RANK * sizes[0]).sum()) if len(sizes) else 0
    root = _root(covariance)
    if root is None:
        return _by_eigenvalues(away, slopes, rank, covariance), len(away) - rank
    # In units of the root the metric is the usual one: what a regression on the directions leaves (Browne 1984).
    units = linalg.solve_triangular(root, np.column_stack([away, directions[:, :rank]]), lower=True)
    moved, _ = np.linalg.qr(units[:, 1:])
    left = units[:, 0] - moved @ (moved.T @ units[:, 0])
    return float(left @ left), len(away) - rank


def _root(covariance: np.ndarray) -> np.ndarray | None:
    """A lower triangular root, a twentieth of the work of eigenvalues; None where these have to tell how singular it is."""
    from scipy.linalg import get_lapack_funcs

    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return None
    (condition,) = get_lapack_funcs(("pocon",), (root,))
    share, _ = condition(root, np.abs(covariance).sum(axis=0).max(), uplo="L")
    return root if share > len(root) * DETERMINED else None


def _by_eigenvalues(away: np.ndarray, slopes: np.ndarray, rank: int, covariance: np.ndarray) -> float:
    rest = np.linalg.svd(slopes)[0][:, rank:]
    values, vectors = np.linalg.eigh(rest.T @ covariance @ rest)
    if len(values) and values[0] < DETERMINED * values[-1]:
        raise ValueError(
            "fit_measures: some frequencies of answers are functions of others, so that their covariance matrix is "
            "singular. A covariate may be the same for all of a group, or a level hardly ever expected: leave it out."
        )
    return float(((vectors.T @ (rest.T @ away)) ** 2 / values).sum())


def expected_codes(
    moments: Moments, levels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the codes (row, item), and of products of the codes of two items (row, item, item)."""
    place = np.zeros((len(moments.items), len(moments.level)))
    place[moments.level, np.arange(len(moments.level))] = moments.code
    code = levels @ place.T
    products = np.einsum("r,gri,grj->gij", weights, code, code, optimize=True)
    squares = np.einsum("r,grl->gl", weights, levels) @ (place**2).T
    at = np.arange(len(moments.items))
    products[:, at, at] = squares
    return np.einsum("r,gri->gi", weights, code), products


def correlation_residuals(
    moments: Moments, sample: Sample, means: np.ndarray, products: np.ndarray
) -> np.ndarray:
    """Observed less expected correlations of the codes of two ordered items, over those who answered both."""
    codes = np.nan_to_num(sample.codes)
    seen = [sample.answered.astype(float), sample.answered[sample.rows].astype(float)]
    weights = [sample.weights, sample.counts]
    cross = (codes * weights[0][:, None]).T @ codes
    mask = seen[1]
    expected = np.einsum("g,gi,gj,gij->ij", weights[1], mask, mask, products, optimize=True)
    own = np.diagonal(products, axis1=1, axis2=2)
    found = [
        _correlations(codes, codes**2, cross, seen[0], weights[0]),
        _correlations(means, own, expected, mask, weights[1]),
    ]
    i, j = np.triu_indices(len(moments.items), 1)
    both = moments.ordered[i] & moments.ordered[j]
    residual = (found[0] - found[1])[i, j][both]
    return residual[np.isfinite(residual)]


def _correlations(
    first: np.ndarray, second: np.ndarray, cross: np.ndarray, seen: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Of two items over rows in which both are seen, from means, mean squares and summed products."""
    scaled = seen * weights[:, None]
    count = scaled.T @ seen
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (first * scaled).T @ seen / count
        variance = (second * scaled).T @ seen / count - mean**2
        return (cross / count - mean * mean.T) / np.sqrt(variance * variance.T)


def _diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    rows, columns = (np.cumsum([0, *(b.shape[k] for b in blocks)]) for k in (0, 1))
    whole = np.zeros((rows[-1], columns[-1]))
    for k, block in enumerate(blocks):
        whole[rows[k] : rows[k + 1], columns[k] : columns[k + 1]] = block
    return whole


def _chunks(rows: int, each: int) -> Iterator[slice]:
    step = max(1, CHUNK // max(each, 1))
    return (slice(start, start + step) for start in range(0, rows, step))


def checked_moments(problem: Problem, statistic: Statistic) -> Moments:
    moments = moments_of(problem, statistic)
    count = len(moments.single.owner) * (1 + len(problem.panel.covariates)) + len(moments.left)
    if count > MOST_MOMENTS:
        raise ValueError(
            f"fit_measures: {statistic} of these items has {count:,} moments, more than {MOST_MOMENTS:,}. Take "
            "statistic='C2' or 'M2*', which have fewer, or fewer items at a time."
        )
    return moments
