"""Draws from the prior, and draws from each person's approximate posterior."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from iclv_jax._base._arguments import check_seed, is_word
from iclv_jax._base._types import Given
from iclv_jax._integration._quartered import Quartered
from iclv_jax._integration._rule import Points, Rule, check_count, check_target
from iclv_jax._integration._sequences import Sequence, check_sequence, normal_points
from iclv_jax._integration._spherical import design, sphere, spherical_points

PRIOR_SHARE = 0.05
"""Draws from the prior for each at the posterior's mode."""
PRIOR_SHARE_BY_MOMENTS = 0.25
"""The same at the posterior's mean. A quarter of a power of two is one too: both parts of a Sobol sequence are balanced."""
FEWEST_FOR_PRIOR = 10
SPHERICAL = "spherical"
Placing: TypeAlias = Sequence | Literal["spherical"]
Proposal: TypeAlias = Literal["mode", "mean", "classes"]


@dataclass(frozen=True)
class MonteCarlo(Rule):
    """Draws from the prior of the latent variables, as in Biogeme and Apollo.

    With many items nearly all such draws have no weight; `Adaptive` needs a hundredth of them. A fit
    warns when half of the people have an effective sample size below 10.

    Parameters
    ----------
    draws
        Number of draws per person.
    sequence
        `"halton"`, `"sobol"` (scrambled), `"mlhs"` or `"random"`.
    seed
        Seed of the scrambling or of the draws.

    Examples
    --------
    >>> model.bind(df, integration=iclv.MonteCarlo(200, "sobol", seed=1)).core.nodes.shocks.shape
    (300, 200, 1)
    """

    draws: Given[int] = 500
    sequence: Given[Sequence] = "halton"
    seed: Given[int] = 0

    def __post_init__(self) -> None:
        check_count(self.draws, "draws")
        check_sequence(self.sequence)
        check_seed(self.seed, "seed")

    @property
    def centred(self) -> bool:
        return False

    @property
    def conditions(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        return self.behind(0, people, people, dimension)

    def behind(self, before: int, people: int, total: int, dimension: int) -> Points:
        points = normal_points(self.sequence, people, self.draws, dimension, self.seed, before, total)
        return Points(points, np.full(self.draws, -np.log(self.draws)))

    def size(self, dimension: int) -> int:
        return self.draws if dimension else 1

    def describe(self, dimension: int) -> str:
        return f"{self.draws} {self.sequence} draws per person from the prior"

    def stages(self) -> tuple[Rule, ...]:
        return (self,)

    def finer(self, factor: int) -> "MonteCarlo":
        return replace(self, draws=self.draws * factor)

    def reseeded(self, seed: int) -> "MonteCarlo":
        return replace(self, seed=seed)

    @property
    def scatters(self) -> bool:
        return True

    @property
    def target_error(self) -> float | None:
        return None


@dataclass(frozen=True)
class Adaptive(Rule):
    """Draws from the normal approximation of each person's posterior, weighted by how far it is from the posterior.

    Parameters
    ----------
    draws
        Draws per person in the search; about as many with `"spherical"`, which takes whole designs.
    sequence
        `"spherical"`: designs on spheres of several radii, randomly rotated for every person and sphere (Genz and
        Monahan 1998), exact where the posterior is a normal density times a polynomial of degree 3 (few draws) or 5.
        On the reference survey with five latent variables, about 126 of them miss standard errors by 0.3 %, where 512
        Sobol draws miss them by 0.7 %. Or a sequence of `MonteCarlo`, for importance sampling.
    seed
        Seed of the rotations, of the scrambling or of the draws.
    final_draws
        Draws per person in the last steps and for the Hessian, where standard errors need more than
        the search does; None: at least 128.
    target_error
        When given, the final draws are doubled until the standard error of log L, from independent
        randomisations, is below it.
    proposal
        `"mode"`: the normal density at the posterior's mode with the curvature there, right for posteriors that are
        nearly normal, as those of many items are. `"mean"`: one with the posterior's mean and 1 + 2/D times its covariance
        in D dimensions, from two passes of 128 nodes (512 before 500 draws and more), for skewed posteriors, as those of
        lognormal coefficients with few choices per person are; not with `"spherical"`. `"classes"`: the same in
        equal parts for each latent class of people, whose posteriors may be far apart; that of a person without
        classes is `"mean"`.
    quartered
        For each person, how many times a quarter of the draws is enough: 0 for all of them. A default fit that needs many
        draws finds it from the variance of each person's log-likelihood. Other people than these have all draws.

    Where a person's posterior is not log-concave at its mode, the normal approximation is widened. A spherical design
    has no draws in far tails and gives those that it has little weight; a random sequence does meet them, so that to every
    twenty of its draws one from the prior is added, and all are weighted by the mixture (Owen and Zhou 2000):
    no weight exceeds 21 times the person's largest likelihood, whatever the tails are. With `proposal="mean"` and
    `"classes"` there is one for every four. They are added, not exchanged: a Sobol sequence that lacks some of its points is
    no longer balanced, which on a survey with 38 items made the noise of standard errors four times as large.

    Examples
    --------
    >>> model.bind(df, integration=iclv.Adaptive(64)).core.nodes.shocks.shape
    (300, 36, 1)
    """

    draws: Given[int] = 20
    sequence: Given[Placing] = "spherical"
    seed: Given[int] = 0
    final_draws: Given[int | None] = None
    target_error: Given[float | None] = None  # pyright: ignore[reportIncompatibleMethodOverride]
    proposal: Given[Proposal] = "mode"
    quartered: Given[Iterable[int] | None] = None  # pyright: ignore[reportIncompatibleMethodOverride]

    def __post_init__(self) -> None:
        check_count(self.draws, "draws")
        check_sequence(self.sequence, SPHERICAL)
        check_seed(self.seed, "seed")
        check_target(self.target_error)
        if not is_word(self.proposal, get_args(Proposal)):
            raise ValueError(f"proposal is 'mode', 'mean' or 'classes', not {self.proposal!r}.")
        if self.by_moments and self.sequence == SPHERICAL:
            raise ValueError(
                f"Spherical designs are for posteriors that are nearly normal. With proposal={self.proposal!r} take "
                "sequence='sobol'."
            )
        if self.final_draws is not None:
            check_count(self.final_draws, "final_draws")
        self._check_quartered()

    def _check_quartered(self) -> None:
        if self.quartered is None:
            return
        found = self.quartered if isinstance(self.quartered, Quartered) else Quartered(self.quartered)
        object.__setattr__(self, "quartered", found)
        least = 4 ** (1 + max(found, default=0))
        if self.proposal != "mean" or self._final != self.draws or self.draws % least:
            raise ValueError(
                f"quartered= is for proposal='mean' with as many final_draws as draws, a multiple of {least}; not for "
                f"proposal={self.proposal!r} and {self.draws} draws, {self._final} in the end."
            )

    @property
    def centred(self) -> bool:
        return True

    @property
    def conditions(self) -> bool:
        return False

    @property
    def by_moments(self) -> bool:
        return self.proposal != "mode"

    @property
    def by_classes(self) -> bool:
        return self.proposal == "classes"

    def standard(self, people: int, dimension: int) -> Points:
        return self.behind(0, people, people, dimension)

    def behind(self, before: int, people: int, total: int, dimension: int) -> Points:
        if self.sequence == SPHERICAL:
            return Points(*spherical_points(people, self.draws, dimension, self.seed, before, total))
        points = normal_points(self.sequence, people, self.draws, dimension, self.seed, before, total)
        share = PRIOR_SHARE_BY_MOMENTS if self.by_moments else PRIOR_SHARE
        from_prior = max(1, round(share * self.draws)) if self.draws >= FEWEST_FOR_PRIOR else 0
        tails = normal_points(self.sequence, people, from_prior, dimension, (self.seed, 1), before, total)
        count = self.draws + from_prior
        logs = np.full(count, -np.log(count))
        if isinstance(self.quartered, Quartered) and len(self.quartered) == total:
            logs = self.quartered.of(np.arange(before, before + people)).log_weights(self.draws, from_prior)
        return Points(np.concatenate([points, tails], axis=1), logs, from_prior)

    def size(self, dimension: int) -> int:
        return max(self.draws, self.final_draws or 128) if dimension else 1

    def describe(self, dimension: int) -> str:
        if self.sequence == SPHERICAL and dimension:
            laid = design(self.draws, dimension)
            count = laid.radii * laid.rotations * len(sphere(dimension, laid.degree)[0])
            return f"{count} nodes per person on {laid.radii * laid.rotations} spheres at the approximate posterior"
        how = ", in parts for each latent class," if self.by_classes else ""
        how += " and a quarter as many from the prior" if self.by_moments else ""
        how += (
            f"; {words}"
            if isinstance(self.quartered, Quartered) and (words := self.quartered.words())
            else ""
        )
        return f"{self.draws} {self.sequence} draws per person from the approximate posterior{how}"

    def stages(self) -> tuple[Rule, ...]:
        final = self._final
        if final == self.draws:
            return (self,)
        return (self, replace(self, draws=final, final_draws=final))

    @property
    def _final(self) -> int:
        return self.final_draws if self.final_draws is not None else max(128, self.draws)

    def finer(self, factor: int) -> "Adaptive":
        return replace(self, draws=self.draws * factor, final_draws=self.draws * factor)

    def reseeded(self, seed: int) -> "Adaptive":
        return replace(self, seed=seed)

    def of(self, people: np.ndarray) -> "Adaptive":
        known = self.quartered
        return replace(self, quartered=known.of(people)) if isinstance(known, Quartered) else self

    @property
    def scatters(self) -> bool:
        return self.sequence != SPHERICAL


@dataclass(frozen=True)
class Laplace(Rule):
    """The Laplace approximation: one node at each person's posterior mode.

    For values of the log-likelihood at given parameters. Derivatives are those at the frozen node, so that the
    curvature of the posterior does not move with the parameters: a fit with it is refused. Its error does not
    shrink with more people; `Adaptive` and `GaussHermite` are the same with more nodes.

    Examples
    --------
    >>> model.bind(df, integration=iclv.Laplace()).core.nodes.shocks.shape[1]
    1
    """

    @property
    def centred(self) -> bool:
        return True

    @property
    def conditions(self) -> bool:
        return False

    def standard(self, people: int, dimension: int) -> Points:
        return Points(np.zeros((1, 1, dimension)), np.zeros(1))

    def describe(self, dimension: int) -> str:
        return "Laplace approximation"

    def stages(self) -> tuple[Rule, ...]:
        return (self,)

    def finer(self, factor: int) -> Rule:
        return Adaptive(20 * factor, final_draws=20 * factor)

    def reseeded(self, seed: int) -> None:
        return None

    @property
    def scatters(self) -> bool:
        return False

    @property
    def target_error(self) -> float | None:
        return None
