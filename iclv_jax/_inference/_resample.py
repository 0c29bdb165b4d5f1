"""Samples of people drawn with replacement, and the maxima of their likelihoods, some samples side by side."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, Given
from iclv_jax._base._workers import Workers, do_all
from iclv_jax._inference._people import weighted_hessians
from iclv_jax._inference._signs import turns
from iclv_jax._likelihood import Core
from iclv_jax._optimise import Ended, Likelihood, minimise_frozen
from iclv_jax._optimise._many import derivatives
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._trust_region import TrustRegionSteps
from iclv_jax._parameters._penalties import Penalties, Terms, slope
from iclv_jax._problem import Problem
from iclv_jax._problem._memory import bytes_per_person

TOLERANCE = 1e-6
"""Newton decrement of a sample: a thousandth of a standard error."""
CHECKED = 1e-4
"""Newton decrement of a sample by its exact Hessian, at the end."""
FLAT = 1e-4
"""Smallest curvature of a sample in units of that of all people, below which it has no maximum: a coefficient runs
away where the people who were drawn are told apart completely."""
MOST_ROUNDS, STEPS = 20, 6
RADIUS = 0.3
"""First radius in scaled parameters, where one is sqrt(people) standard errors of a parameter alone."""
AT_ONCE = 8
"""Samples that are fitted side by side, where memory allows: all of them go on until the last is done."""
SHARES = 20
"""The people of a sample fill up to a multiple of this share of all people, so that little is compiled anew."""
TASK = 16
"""Samples of one task of a worker, and so at most what is lost with one that dies."""


class Resampled(NamedTuple):
    """Estimates of every sample, (sample, param), which of them converged, and how many had a latent variable
    turned around."""

    params: np.ndarray
    converged: np.ndarray
    turned: int


class Sample(NamedTuple):
    """Samples on their way: where they are, what corrects their outer products of scores, and the people who were
    drawn with their weights: (sample, param), (sample, param, param), and twice (sample, person)."""

    z: AnyArray
    correction: AnyArray
    people: AnyArray
    weights: AnyArray


class Setup(NamedTuple):
    """What all samples have in common: data and nodes, the estimates in unconstrained parameters with their scale and
    bounds, the information of all people in natural units, penalties, and how many samples are fitted side by side."""

    core: Core
    z: Array
    scale: Array
    lower: Array
    upper: Array
    whole: Array
    terms: Terms | None
    chunk: int


def resample(
    problem: Problem,
    params: np.ndarray,
    samples: int,
    seed: int,
    penalties: Penalties | None = None,
    workers: Given[Workers] = None,
    known: Answers | None = None,
) -> Resampled:
    """Refit at frozen nodes with people (or whole clusters) drawn with replacement.

    A sample is a vector of weights, so nothing is compiled for it. Steps within a trust region take outer products
    of scores, which cost a gradient, for the Hessian; the difference from the exact one is kept for a few steps
    and then taken again. At the estimates it is a weighted sum over people, known for all samples at once. Smooth
    penalties of the fit are those of every sample. What a sample comes to does not depend on those beside it.
    """
    objective = Likelihood(problem, np.ones(len(params), bool))
    setup = _setup(problem, objective, params, penalties)
    weights = draw_weights(problem, samples, seed)
    people, kept = _drawn(weights)
    alone = workers is None and (known is None or known.path is None)
    begun = _begun_at(problem, params, setup, weights)
    tasks: dict[str, Sample] = {}
    size = samples if alone else TASK
    for first in range(0, samples, size):
        at = slice(first, min(first + size, samples))
        name = f"bootstrap samples {at.start} to {at.stop - 1}"
        start = np.tile(np.asarray(setup.z), (at.stop - at.start, 1))
        tasks[name] = Sample(start, begun[at], people[at], kept[at])
    answers = do_all(fit_samples, setup, tasks, workers, known).values()
    found, done = (np.concatenate([a[key] for a in answers]) for key in ("z", "converged"))
    natural = np.asarray(jax.vmap(objective.params)(jnp.asarray(found)))
    towards, turned = aligned(problem, params, natural)
    return Resampled(towards, done, turned)


def _setup(problem: Problem, objective: Likelihood, params: np.ndarray, penalties: Penalties | None) -> Setup:
    lower, upper = (jnp.asarray(b) for b in objective.bounds())
    z = objective.z(jnp.asarray(params))
    scale = jnp.asarray(find_scale(objective, "scores", z).values)
    whole = -np.asarray(problem.hessian(jnp.asarray(params)))
    whole = whole if penalties is None else whole + np.diag(penalties.precision)
    terms = None if penalties is None else penalties.terms
    return Setup(problem.core, z, scale, lower, upper, jnp.asarray(whole), terms, _chunk(problem))


def _begun_at(problem: Problem, params: np.ndarray, setup: Setup, weights: np.ndarray) -> np.ndarray:
    at = jnp.asarray(params)
    known = weighted_hessians(problem.core, at, jnp.asarray(weights), problem.memory)
    scores = problem.score_person(at)
    return np.array(_begun(problem.core, setup.z, jnp.asarray(weights), known, scores, setup.terms))


def fit_samples(setup: Setup, sample: Sample) -> Answer:
    """Where samples that begin at the estimates end, and which of them are at a maximum."""
    core, z, scale, lower, upper, whole, terms, chunk = setup
    found, corrections, people, kept = (np.array(part) for part in sample)
    done = np.zeros(len(found), bool)
    open_samples = np.arange(len(found))

    def lanes(at: np.ndarray) -> Sample:
        return Sample(*(jnp.asarray(a[at]) for a in (found, corrections, people, kept)))

    for turn in range(MOST_ROUNDS):
        for at in _chunks(open_samples, chunk):
            mine = lanes(at)
            if turn:
                mine = mine._replace(correction=_correction(core, mine, terms))
            ended = _advance(core, mine, scale, lower, upper, terms)
            found[at], done[at] = ended.z, ended.converged
        open_samples = np.flatnonzero(~done & np.isfinite(found).all(axis=1))
        if not len(open_samples):
            break
    for at in _chunks(np.arange(len(found)), chunk):
        done[at] &= np.asarray(_determined(core, lanes(at), z, whole, lower, upper, terms))
    return {"z": found, "converged": done}


def _chunks(at: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """So many at a time. The last chunk is filled up with its last sample, so that its shape is that of the others."""
    for start in range(0, len(at), size):
        yield at[np.minimum(np.arange(start, start + size), len(at) - 1)]


def draw_weights(problem: Problem, samples: int, seed: int) -> np.ndarray:
    """(samples, people): weights times how often each person, or each person's cluster, was drawn. People who are counted
    by their weights are drawn one by one."""
    panel, generator = problem.panel, np.random.default_rng(seed)
    if panel.weights_count and panel.clusters is None:
        return generator.multinomial(panel.size, panel.weights / panel.size, size=samples).astype(float)
    groups = np.arange(len(panel.people)) if panel.clusters is None else panel.clusters
    count = int(groups.max()) + 1
    drawn = generator.multinomial(count, np.full(count, 1.0 / count), size=samples)
    return drawn[:, groups] * panel.weights


def _drawn(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the people in every sample, and their weights; zero where one only fills up."""
    size, unit = weights.shape[1], -(-weights.shape[1] // SHARES)
    width = min(size, unit * -(-int((weights > 0.0).sum(axis=1).max()) // unit))
    people = np.argsort(weights == 0.0, axis=1, kind="stable")[:, :width]
    return people, np.take_along_axis(weights, people, axis=1)


def _chunk(problem: Problem) -> int:
    core = problem.core
    each = bytes_per_person(core, core.people.node_count) * core.people.size
    return int(np.clip(problem.memory / each, 1, AT_ONCE))


@compiled
def _begun(
    core: Core, z: Array, weights: Array, hessians: Array, scores: Array, terms: Terms | None
) -> Array:
    """For every sample the exact Hessian at z less the outer products of scores (mean negative log-likelihood)."""
    mapping, constants = core.structure.map, core.constants
    jacobian = jax.jacfwd(partial(mapping.natural, constants))(z)

    def one(sample: tuple[Array, Array]) -> Array:
        weight, hessian = sample
        pull = 0.0 if terms is None else slope(terms, mapping.natural(constants, z))
        total = weight @ scores - pull
        bend = jax.hessian(lambda v: jnp.dot(total, mapping.natural(constants, v)))(z)
        outer = (scores.T * weight[None, :]) @ scores
        return -(jacobian.T @ (hessian + outer) @ jacobian + bend) / weight.sum()

    return jax.lax.map(one, (weights, hessians))


def _core_of(core: Core, people: Array, weights: Array) -> Core:
    return core.of(core.people.take(people, weights))


@compiled
def _correction(core: Core, lanes: Sample, terms: Terms | None) -> Array:
    """The exact Hessian of every sample less the outer products of scores, where it is now."""

    def one(lane: Sample) -> Array:
        mine = _core_of(core, lane.people, lane.weights)
        exact, outer = (derivatives(mine, lane.z, how, terms).hessian for how in ("exact", "bhhh"))
        return exact - outer

    return jax.vmap(one)(lanes)


@compiled
def _advance(
    core: Core, lanes: Sample, scale: Array, lower: Array, upper: Array, terms: Terms | None
) -> Ended:
    """A few steps of every sample."""
    method = TrustRegionSteps("bhhh", RADIUS)

    def one(lane: Sample) -> Ended:
        mine = _core_of(core, lane.people, lane.weights)
        limits = scale, lower, upper, TOLERANCE
        return minimise_frozen(mine, lane.z, *limits, method, STEPS, lane.correction, terms)

    return jax.vmap(one)(lanes)


@compiled
def _determined(
    core: Core, lanes: Sample, z: Array, whole: Array, lower: Array, upper: Array, terms: Terms | None
) -> Array:
    """Whether every sample is at a maximum, and one that is not all but flat, by its exact Hessian. `whole` is the
    information of all people at z, in natural units."""
    mapping, constants = core.structure.map, core.constants
    jacobian = jax.jacfwd(partial(mapping.natural, constants))(z)
    reference = jacobian.T @ whole @ jacobian / core.weights.sum()

    def one(lane: Sample) -> Array:
        here = derivatives(_core_of(core, lane.people, lane.weights), lane.z, "exact", terms)
        inside = (lane.z > lower) & (lane.z < upper)
        both = inside[:, None] & inside[None, :]
        factor = jnp.linalg.cholesky(jnp.where(both, reference, jnp.eye(len(lane.z))))
        matrix = jnp.where(both, here.hessian, jnp.eye(len(lane.z)))
        half = jax.scipy.linalg.solve_triangular(factor, matrix, lower=True)
        values, vectors = jnp.linalg.eigh(jax.scipy.linalg.solve_triangular(factor, half.T, lower=True))
        along = vectors.T @ jax.scipy.linalg.solve_triangular(
            factor, jnp.where(inside, here.gradient, 0.0), lower=True
        )
        decrement = jnp.sum(along**2 / values) * lane.weights.sum()
        return (values[0] > FLAT) & (decrement < CHECKED)

    return jax.vmap(one)(lanes)


def aligned(problem: Problem, params: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples with latent variables turned towards the estimates, and how many were."""
    spread = np.nanmedian(np.abs(found - params), axis=0) + 1e-12
    turned = np.zeros(len(found), bool)
    for signs in turns(problem, params):
        other = found * signs
        nearer = (((other - params) / spread) ** 2).sum(axis=1) < (((found - params) / spread) ** 2).sum(
            axis=1
        )
        found = np.where(nearer[:, None], other, found)
        turned |= nearer
    return found, int(turned.sum())
