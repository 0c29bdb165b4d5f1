"""People in chunks fitted again: the bootstrap, and profiles of single parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._alone import several
from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._arguments import check_seed
from iclv_jax._base._facts import Fact, Facts, fact
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import File, Given
from iclv_jax._base._workers import Workers, check_workers, do_all
from iclv_jax._inference._bootstrap import Bootstrap, collected
from iclv_jax._inference._penalised import smooth_penalties
from iclv_jax._inference._profile import Profile, profiled
from iclv_jax._inference._resample import Resampled, aligned
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import Likelihood, TrustRegion, minimise
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem._fingerprint import of_model, of_rule
from iclv_jax._stream import _hosts as hosts
from iclv_jax._stream._checkpoint import of_people
from iclv_jax._stream._problem import StreamedProblem

TOLERANCE = 1e-6
"""Newton decrement of a sample: a thousandth of a standard error."""


class Lottery(NamedTuple):
    """How samples are drawn: so many of those who can be drawn, by their `shares`; and who of them this process' people are,
    with the weights that they have each time."""

    count: int
    shares: np.ndarray
    own: np.ndarray
    weights: np.ndarray

    def states(self, samples: int, seed: int) -> dict[str, Mapping[str, Any]]:
        """States of the generator from which samples are drawn one after the other, by their names."""
        generator, found = np.random.default_rng(seed), {}
        for number in range(samples):
            found[f"bootstrap sample {number}"] = generator.bit_generator.state
            generator.multinomial(self.count, self.shares)
        return found

    def drawn(self, state: Mapping[str, Any]) -> np.ndarray:
        """Weights of this process' people in the sample of a state."""
        generator = np.random.default_rng()
        generator.bit_generator.state = dict(state)
        return generator.multinomial(self.count, self.shares)[self.own] * self.weights


class Refits(NamedTuple):
    """What all samples have in common: the people and how they are drawn, the estimates, and penalties."""

    problem: StreamedProblem
    lottery: Lottery
    start: np.ndarray
    penalties: Penalties | None


@one_thread
def bootstrap(
    fit: Any,
    samples: Given[int] = 200,
    seed: Given[int] = 0,
    *,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> Bootstrap:
    """Estimates from samples of people drawn with replacement, whole clusters where the fit has clusters. From then on
    `cov="bootstrap"` means this one.

    The draws are those of `Fit.bootstrap` with the same seed: they depend neither on chunks nor on processes. Every sample
    is fitted from the estimates, at the nodes of the fit, and takes a few passes over all people.

    Parameters
    ----------
    samples
        How many.
    seed
        Of the draws.
    workers
        How many processes share the samples, or an executor, as of `Fit.bootstrap`. They read the files that the fit keeps
        of its people, and so are on this machine or share the folder of temporary files. None: this process. Not for several
        processes of `jax.distributed`, which share the people.
    resume
        Path of a file to which samples are added as they are done, as of `Fit.bootstrap`.

    Raises
    ------
    ValueError
        For counts and seeds that are none, a file of something else, and workers that do not see the files.
    RuntimeError
        When the workers of the same sample died twice.

    Examples
    --------
    >>> streamed = logit.fit(iclv.People.stream([df.iloc[:150], df.iloc[150:]]))
    >>> streamed.uncertainty.bootstrap(2).samples.shape
    (2, 4)
    """
    check_count(samples, "samples")
    check_seed(seed)
    check_workers(workers)
    if workers is not None and several():
        raise ValueError(
            "workers= is not for people in several processes, which share every sample. Leave it out."
        )
    penalties = smooth_penalties(fit, "The bootstrap")
    known, first = _known(fit, resume, seed), fit.problem.first
    problem, lottery = fit.problem, _lottery(fit.problem)
    common = Refits(problem if workers is None else problem.portable(), lottery, fit.estimates, penalties)
    answers = do_all(fit_sample, common, lottery.states(samples, seed), workers, known).values()
    params, done = (np.array([answer[key] for answer in answers]) for key in ("params", "converged"))
    params, turned = aligned(first, fit.estimates, params)
    inside = first.spec.module_of
    modules = list(dict.fromkeys(inside[name] for name in fit.names if name in inside))
    about = fit.problem.passed.clusters is not None, modules, penalties is not None
    found = collected(Resampled(params, done, turned), fit.params, *about)
    fit._covariances["bootstrap"] = found.covariance
    return found


def fit_sample(common: Refits, state: Mapping[str, Any]) -> Answer:
    """The estimates from one sample, and whether this is a maximum; `state` is that of the generator which draws it."""
    problem, lottery, start, penalties = common
    problem.passed.scratch.check_there()
    problem = replace(problem, counted=lottery.drawn(state))
    objective = Likelihood(problem, np.ones(len(start), bool), penalties, frozen=True)
    outcome = minimise(TrustRegion(tolerance=TOLERANCE), objective, jnp.asarray(start))
    return {"params": outcome.params, "converged": np.array(outcome.report.verdict.success)}


def _known(fit: Any, resume: Given[File | None], seed: int) -> Answers:
    """The samples that were done before, which the first process keeps and all processes have."""
    if resume is None:
        return Answers()
    applied: Fact = [] if fit.penalties is None else fact(fit.penalties.applied)
    known = {"estimates": fact(fit.estimates), "penalties": applied, "seed": int(seed)}
    about: Facts = {
        "answers": "bootstrap of people in chunks",
        "model": of_model(fit.problem.first),
        "data": of_people(fit.problem),
        "integration": of_rule(fit.problem.first.rule),
        **known,
    }
    own: list[Answers] = []

    def opened() -> dict[str, Answer]:
        own.append(Answers(resume, about))
        return own[0].found

    found = hosts.by_first("opening the file of samples", opened)
    if not own:
        own.append(Answers())
        own[0].found = found
    return own[0]


def _lottery(problem: StreamedProblem) -> Lottery:
    passed = problem.passed
    mine = np.concatenate(list(problem.weights()))
    places = passed.before.people + np.arange(len(mine))
    if passed.weights_are == "frequency" and passed.clusters is None and passed.weighted:
        every = np.concatenate(hosts.together("weights", lambda: mine))
        total = round(float(every.sum()))
        return Lottery(total, every / total, places, np.ones(len(mine)))
    own = places if passed.clusters is None else passed.clusters
    count = passed.extent.people if passed.clusters is None else passed.cluster_count
    return Lottery(count, np.full(count, 1.0 / count), own, mine)


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
