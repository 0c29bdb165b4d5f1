"""People in chunks fitted again: the bootstrap, and profiles of single parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._inference._bootstrap import Bootstrap, collected
from iclv_jax._inference._penalised import smooth_penalties
from iclv_jax._inference._profile import Profile, profiled
from iclv_jax._inference._resample import Resampled, aligned
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import Likelihood, TrustRegion, minimise
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._problem import StreamedProblem

TOLERANCE = 1e-6
"""Newton decrement of a sample: a thousandth of a standard error."""


@one_thread
def bootstrap(fit: Any, samples: Given[int] = 200, seed: Given[int] = 0) -> Bootstrap:
    """Estimates from samples of people drawn with replacement, whole clusters where the fit has clusters.

    The draws are those of `Fit.bootstrap` with the same seed: they depend neither on chunks nor on processes. Every sample
    is fitted from the estimates, at the nodes of the fit, and takes a few passes over all people.

    Parameters
    ----------
    samples
        How many.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        For counts and seeds that are none.

    Examples
    --------
    >>> streamed = logit.fit(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
    >>> streamed.bootstrap(2).samples.shape
    (2, 4)
    """
    check_count(samples, "samples")
    check_seed(seed)
    penalties = smooth_penalties(fit, "The bootstrap")
    found, done = [], []
    start = jnp.asarray(fit.estimates)
    for weights in _drawn(fit.problem, samples, seed):
        problem = replace(fit.problem, counted=weights)
        objective = Likelihood(problem, np.ones(len(fit.names), bool), penalties, frozen=True)
        outcome = minimise(TrustRegion(tolerance=TOLERANCE), objective, start)
        found.append(outcome.params)
        done.append(outcome.report.verdict.success)
    params, turned = aligned(fit.problem.first, fit.estimates, np.array(found))
    inside = fit.problem.first.spec.module_of
    modules = list(dict.fromkeys(inside[name] for name in fit.names if name in inside))
    about = fit.problem.passed.clusters is not None, modules, penalties is not None
    return collected(Resampled(params, np.array(done), turned), fit.params, *about)


def _drawn(problem: StreamedProblem, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Weights of this process' people in one sample after the other."""
    passed, generator = problem.passed, np.random.default_rng(seed)
    mine = np.concatenate(list(problem.weights()))
    before = passed.before.people
    if passed.weights_are == "frequency" and passed.clusters is None and passed.weighted:
        every = np.concatenate(hosts.together("weights", lambda: mine))
        total = round(float(every.sum()))
        for _ in range(samples):
            yield generator.multinomial(total, every / total)[before : before + len(mine)].astype(float)
        return
    own = before + np.arange(len(mine)) if passed.clusters is None else passed.clusters
    count = passed.extent.people if passed.clusters is None else passed.cluster_count
    for _ in range(samples):
        yield generator.multinomial(count, np.full(count, 1.0 / count))[own] * mine


@one_thread
def profile(
    fit: Any,
    name: Given[str],
    points: Given[int | Sequence[float] | None] = None,
    level: Given[float] = 0.95,
) -> Profile:
    """Profile-likelihood interval of a free parameter, as `Fit.profile`; every value takes a few passes over all people.

    Raises
    ------
    ValueError
        For a parameter that is not free, at its bound, or that cannot be held without others.

    Examples
    --------
    >>> streamed = logit.fit(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
    >>> str(streamed.profile("time")).splitlines()[0]
    'time = -1.183, 95% profile-likelihood interval -1.727 to -0.665'
    """
    return profiled(fit, name, points, level)
