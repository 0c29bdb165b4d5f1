"""The bootstrap: people resampled as weights, and every sample fitted from the estimates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._compiled import compiled
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Array, Float, Given
from iclv_jax._inference._covariance import Covariance
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._penalised import smooth_penalties
from iclv_jax._inference._people import person_hessians
from iclv_jax._inference._signs import turns
from iclv_jax._integration._rule import check_count
from iclv_jax._likelihood import Core
from iclv_jax._optimise import Ended, Likelihood, minimise_frozen
from iclv_jax._optimise._many import derivatives
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._optimise._trust_region import TrustRegionSteps
from iclv_jax._parameters._penalties import Penalties, Terms, slope
from iclv_jax._problem import Problem
from iclv_jax._problem._memory import bytes_per_person
from iclv_jax._tables import Report, Tabular, number, of_frame

if TYPE_CHECKING:
    from arviz import InferenceData  # pyright: ignore[reportMissingImports]
else:
    InferenceData = object  # arviz is optional.

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
FEWEST = 0.9
"""Share of samples that have to converge before what is left out goes without a warning."""


class Resampled(NamedTuple):
    """Estimates of every sample, (sample, param), which of them converged, and how many had a latent variable
    turned around."""

    params: np.ndarray
    converged: np.ndarray
    turned: int


@dataclass(frozen=True, eq=False)
class Bootstrap(Tabular):
    """Estimates from resampled people.

    Attributes
    ----------
    samples
        Estimates by sample that converged, columns by parameter.
    params
        The estimates from the data.
    failed
        Number of samples that did not converge; they are left out.
    notes
        What a reader must know.
    """

    samples: pd.DataFrame = field(repr=False)
    params: pd.Series = field(repr=False)
    failed: int
    notes: tuple[str, ...]

    @property
    def standard_errors(self) -> pd.Series:
        """Standard deviations over samples."""
        return self.samples.std(ddof=1).rename("standard error")

    @property
    def bias(self) -> pd.Series:
        """Mean over samples less the estimate."""
        return (self.samples.mean() - self.params).rename("bias")

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Percentiles of the samples (`lower`, `upper`), and `estimate +- z * standard error` (`normal_lower`,
        `normal_upper`)."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is a share between 0 and 1, such as 0.95, not {level!r}.")
        ends = self.samples.quantile([0.5 - 0.5 * level, 0.5 + 0.5 * level]).to_numpy()
        reach = reach_of(level) * self.standard_errors
        columns = {"lower": ends[0], "upper": ends[1]}
        columns |= {"normal_lower": self.params - reach, "normal_upper": self.params + reach}
        return pd.DataFrame(columns, index=self.params.index)

    def to_arviz(self) -> "InferenceData":
        """The samples as an `arviz.InferenceData`, one chain, for the plots and tables of arviz. They are no draws of a
        posterior, though where the prior says little they look alike. It needs the package `arviz`."""
        try:
            import arviz
        except ImportError as error:
            raise ImportError(
                "to_arviz needs the package arviz, which is not installed: pip install arviz."
            ) from error
        draws = {str(name): self.samples[name].to_numpy()[None, :] for name in self.samples}
        return arviz.from_dict(posterior=draws)

    @property
    def covariance(self) -> Covariance:
        """Covariance matrix over samples."""
        few = len(self.samples) < 2
        size = (self.samples.shape[1],) * 2
        matrix = np.full(size, np.nan) if few else np.cov(self.samples.to_numpy(), rowvar=False).reshape(size)
        return Covariance("bootstrap", matrix, self.notes)

    @property
    def _table(self) -> pd.DataFrame:
        frame = pd.DataFrame({"estimate": self.params, "se": self.standard_errors, "bias": self.bias})
        return frame.join(self.intervals()[["lower", "upper"]])

    def as_report(self) -> Report:
        return of_frame(self._table, "Bootstrap", self.notes)

    def __str__(self) -> str:
        text = self._table.to_string(float_format=number)
        return "\n".join([f"{len(self.samples)} samples", text, *(f"* {note}" for note in self.notes)])


@one_thread
def bootstrap(fit: Maximum, samples: Given[int] = 200, seed: Given[int] = 0) -> Bootstrap:
    """Estimates from samples of people drawn with replacement (Efron 1979), whole clusters where the fit has
    clusters; computed once. From then on `cov="bootstrap"` means this one.

    Every sample is fitted from the estimates, at the nodes of the fit. Samples that do not converge are left out
    and counted, as are those without a maximum; latent variables that ended the other way around are turned. A
    sample costs about forty gradients in a hybrid model whose choice part is hard to tell.

    Parameters
    ----------
    samples
        How many. Standard errors of 200 samples have an error of their own of 5 per cent; the ends of
        percentile intervals take 1000.
    seed
        Of the draws.
    """
    check_count(samples, "samples")
    penalties = smooth_penalties(fit, "The bootstrap")
    check_seed(seed)
    if (samples, seed) not in fit._bootstraps:
        resampled = resample(fit.problem, fit.estimates, samples, seed, penalties)
        clusters = fit.problem.panel.clusters is not None
        inside = fit.problem.spec.module_of
        modules = list(dict.fromkeys(inside[name] for name in fit.names if name in inside))
        about = clusters, modules, penalties is not None
        fit._bootstraps[samples, seed] = collected(resampled, fit.params, *about)
    found = fit._bootstraps[samples, seed]
    fit._covariances["bootstrap"] = found.covariance
    return found


def collected(
    found: Resampled, params: pd.Series, clusters: bool, modules: Sequence[str] = (), penalised: bool = False
) -> Bootstrap:
    """Samples with notes; `modules` are the names of those with free entries."""
    size, kept = len(found.converged), found.params[found.converged]
    notes = [
        f"{size} samples of {'clusters' if clusters else 'people'} drawn with replacement, nodes as at the estimates"
    ]
    if failed := size - len(kept):
        poor = "; standard errors may be too small" if len(kept) < FEWEST * size else ""
        notes.append(f"{failed} of {size} bootstrap samples did not converge and are left out{poor}")
    if found.turned:
        notes.append(f"in {found.turned} bootstrap samples a latent variable was turned around to match")
    if modules:
        bias = ", and that a penalty biases" if penalised else ""
        notes.append(
            "every sample was fitted from the estimates: the bootstrap ignores that another start could have led "
            f"{', '.join(modules)} to another maximum{bias}"
        )
    elif penalised:
        notes.append("samples are penalised as the fit is: the bootstrap ignores that a penalty biases")
    return Bootstrap(pd.DataFrame(kept, columns=params.index), params, failed, tuple(notes))


class Sample(NamedTuple):
    """Samples on their way: where they are, what corrects their outer products of scores, and the people who were
    drawn with their weights."""

    z: Float[Array, "sample param"]
    correction: Float[Array, "sample param param"]
    people: Array
    weights: Array

    def take(self, at: np.ndarray) -> "Sample":
        return Sample(*(a[at] for a in self))


def resample(
    problem: Problem, params: np.ndarray, samples: int, seed: int, penalties: Penalties | None = None
) -> Resampled:
    """Refit at frozen nodes with people (or whole clusters) drawn with replacement.

    A sample is a vector of weights, so nothing is compiled for it. Steps within a trust region take outer products
    of scores, which cost a gradient, for the Hessian; the difference from the exact one is kept for a few steps
    and then taken again. At the estimates it is a weighted sum over people, known for all samples at once. Smooth
    penalties of the fit are those of every sample.
    """
    terms = None if penalties is None else penalties.terms
    objective = Likelihood(problem, np.ones(len(params), bool))
    lower, upper = (jnp.asarray(b) for b in objective.bounds())
    z = objective.z(jnp.asarray(params))
    scale = jnp.asarray(find_scale(objective, "scores", z).values)
    weights = draw_weights(problem, samples, seed)
    chunk = _chunk(problem)
    known = person_hessians(problem.core, jnp.asarray(params))
    scores = problem.score_person(jnp.asarray(params))
    state = _begun(problem.core, z, jnp.asarray(weights), known, scores, terms)
    found, done = np.tile(np.asarray(z), (samples, 1)), np.zeros(samples, bool)
    corrections = np.array(state)
    people, kept = _drawn(weights)
    open_samples = np.arange(samples)
    for turn in range(MOST_ROUNDS):
        for start in range(0, len(open_samples), chunk):
            # The last chunk is filled up with its last sample, so that its shape is that of the others.
            at = open_samples[np.minimum(np.arange(start, start + chunk), len(open_samples) - 1)]
            lanes = Sample(*(jnp.asarray(a[at]) for a in (found, corrections, people, kept)))
            if turn:
                lanes = lanes._replace(correction=_correction(problem.core, lanes, terms))
            ended = _advance(problem.core, lanes, scale, lower, upper, terms)
            found[at], done[at] = ended.z, ended.converged
        open_samples = np.flatnonzero(~done & np.isfinite(found).all(axis=1))
        if not len(open_samples):
            break
    whole = -np.asarray(problem.hessian(jnp.asarray(params)))
    whole = whole if penalties is None else whole + np.diag(penalties.precision)
    for start in range(0, samples, chunk):
        at = np.minimum(np.arange(start, start + chunk), samples - 1)
        lanes = Sample(*(jnp.asarray(a[at]) for a in (found, corrections, people, kept)))
        done[at] &= np.asarray(_determined(problem.core, lanes, z, jnp.asarray(whole), lower, upper, terms))
    natural = np.asarray(jax.vmap(objective.params)(jnp.asarray(found)))
    aligned, turned = _aligned(problem, params, natural)
    return Resampled(aligned, done, turned)


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

    def one(weight: Array) -> Array:
        pull = 0.0 if terms is None else slope(terms, mapping.natural(constants, z))
        total = weight @ scores - pull
        bend = jax.hessian(lambda v: jnp.dot(total, mapping.natural(constants, v)))(z)
        outer = (scores.T * weight[None, :]) @ scores
        return -(jacobian.T @ (jnp.tensordot(weight, hessians, 1) + outer) @ jacobian + bend) / weight.sum()

    return jax.lax.map(one, weights)


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


def _aligned(problem: Problem, params: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, int]:
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
