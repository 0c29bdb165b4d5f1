"""Coordinates for covariates that are far from zero (a year of birth, an income in cents): locations as they are where the
covariates are at their means.

The mean of a latent variable, `mu = (I - B)^-1 Gamma x`, is multiplied by loadings, so that intercepts, thresholds and
constants follow every loading and slope along a narrow curved valley: with an age of 20,000 give or take 15, two hundred
Newton steps end nowhere. With centred covariates seven do. Slopes and loadings are the same in both; locations differ by
what the mean adds to them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array, Float, Params
from iclv_jax._parameters._row import Row
from iclv_jax._parameters._transform import Standard
from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec

POINTS = 8
"""Arbitrary points at which utilities are looked at."""


@dataclass(frozen=True)
class Equation:
    """Of the mean of a latent variable: places of slopes in the full table with those of the means in `constants`, places of
    paths with those of the latent variables they come from, and the free parameter that takes the mean up (None: none)."""

    slopes: tuple[tuple[int, int], ...]
    paths: tuple[tuple[int, int], ...]
    intercept: int | None


@dataclass(frozen=True)
class Follower:
    """A free parameter that moves by `weight` times the parameter at `place` of the full table times the mean of a latent
    variable, or that at `mean` in `constants`."""

    free: int
    place: int
    weight: float
    latent: int | None = None
    mean: int | None = None


@dataclass(frozen=True)
class Centred:
    """What means of covariates that are far from zero add to the locations of equations, items and choices.

    `free` says which entry of the free parameters stands at a place of the full table (None: a constant). Nothing that is
    moved is among what it is moved by, so that the shift is the same before and after.
    """

    free: tuple[int | None, ...]
    equations: tuple[Equation, ...]
    followers: tuple[Follower, ...]

    @property
    def moved(self) -> frozenset[int]:
        """The free parameters that are moved."""
        own = {e.intercept for e in self.equations if e.intercept is not None}
        return frozenset(own | {one.free for one in self.followers})

    def shift(self, constants: Float[Array, " constant"], params: Params) -> Params:
        """By how much the free parameters lie above themselves with centred covariates."""
        found, moved = [jnp.zeros(())] * params.shape[0], []

        def value(place: int) -> Array:
            free = self.free[place]
            return constants[place] if free is None else params[free]

        for equation in self.equations:
            mean = sum((value(i) * constants[k] for i, k in equation.slopes), jnp.zeros(()))
            mean = mean + sum((value(i) * moved[k] for i, k in equation.paths), jnp.zeros(()))
            if equation.intercept is not None:
                found[equation.intercept] = found[equation.intercept] - mean
                mean = jnp.zeros(())
            moved.append(mean)
        for one in self.followers:
            mean = constants[one.mean] if one.latent is None else moved[one.latent]
            found[one.free] = found[one.free] + one.weight * value(one.place) * mean
        return jnp.stack(found)


class _Layout:
    """Where things stand in the table, and which free parameters may be moved. Means stand in `constants` from `first`."""

    def __init__(self, spec: Spec, rows: Sequence[Row], means: Mapping[str, float], first: int) -> None:
        self.rows = rows
        self.place = {r.name: i for i, r in enumerate(rows)}
        self.position = {r.name: i for i, r in enumerate(r for r in rows if r.status == "free")}
        bound = {n for group in spec.equal for n in group}
        bound |= {a for d in (*spec.define, *spec.derived) for a in (d.name, *d.arguments)}
        self.movable = {
            r.name
            for r in rows
            if r.name in self.position and r.name not in bound and math.isinf(r.lower) and math.isinf(r.upper)
        }
        self.latent = {name: i for i, name in enumerate(spec.order)}
        self.mean = {name: first + i for i, name in enumerate(means)}

    def known(self, place: int) -> bool:
        """Whether the value at a place is that of a free or of a fixed parameter."""
        return self.rows[place].status in ("free", "fixed")

    def of(self, role: str, owner: str) -> Iterator[tuple[int, str, str]]:
        """Place, name and argument of the parameters of an owner."""
        for i, row in enumerate(self.rows):
            if row.parameter.role == role and row.parameter.owner == owner and self.known(i):
                yield i, row.name, row.parameter.argument


def centred(
    spec: Spec, rows: Sequence[Row], means: Mapping[str, float], first: int, standard: Sequence[Standard]
) -> Centred | None:
    """None where no covariate is far from zero, and with groups, which share locations or do not.

    `means` are those of covariates that are far from zero; what `standard` units have centred stays as it is.
    """
    if not means or spec.groups is not None:
        return None
    layout = _Layout(spec, rows, means, first)
    taken = {slope for s in standard if s.intercept is not None for slope in s.slopes}
    equations = tuple(_equation(layout, name, taken) for name in spec.order)
    followers = [*_items(spec, layout, taken)]
    for choice in spec.choices:
        followers += _constants(layout, choice)
    free = tuple(layout.position.get(r.name) for r in rows)
    return Centred(free, equations, tuple(followers))


def _equation(layout: _Layout, latent: str, taken: set[int]) -> Equation:
    slopes = tuple(
        (i, layout.mean[x])
        for i, name, x in layout.of("slope", latent)
        if x in layout.mean and layout.position.get(name) not in taken
    )
    paths = tuple((i, layout.latent[v]) for i, _, v in layout.of("path", latent))
    own = names.intercept(latent)
    return Equation(slopes, paths, layout.position[own] if own in layout.movable else None)


def _items(spec: Spec, layout: _Layout, taken: set[int]) -> Iterator[Follower]:
    """An item's own intercept, or all its thresholds, follow the means that its loadings and effects multiply."""
    for q in (item.column for item in spec.indicators):
        intercepts = [n for _, n, _ in layout.of("intercept", q)]
        thresholds = [n for _, n, _ in layout.of("threshold", q)]
        moved, weight = (intercepts, -1.0) if intercepts else (thresholds, 1.0)
        if not moved or not set(moved) <= layout.movable:
            continue
        for free in (layout.position[n] for n in moved):
            for latent, at in layout.latent.items():
                for i, _, argument in layout.of("loading", latent):
                    if argument == q:
                        yield Follower(free, i, weight, latent=at)
            for i, name, x in layout.of("effect", q):
                if x in layout.mean and layout.position.get(name) not in taken:
                    yield Follower(free, i, weight, mean=layout.mean[x])


def _constants(layout: _Layout, choice: Kernel) -> Iterator[Follower]:
    """Constants of a utility follow the means that effects of latent variables multiply, where they can."""
    utility: Utility = choice.utility
    if not utility.latents or not utility.coefficients:
        return
    slopes, mixed = _slopes(utility)
    moving = [
        i
        for i, name in enumerate(utility.coefficients)
        if name in layout.movable and np.ptp(slopes[:, :, i], axis=0).max(initial=0.0) < 1e-9
    ]
    # What is added to all alternatives changes nothing.
    every = [np.ones(len(utility.alternatives))] if len(utility.alternatives) > 1 else []
    if not moving:
        return
    basis = np.stack([*slopes[0][:, moving].T, *every], axis=1)
    for v, e in np.argwhere(np.abs(mixed[0]).max(axis=0).T > 0.0):
        name, latent, effect = utility.coefficients[e], utility.latents[v], mixed[:, :, e, v]
        if latent not in layout.latent or name not in layout.place or not layout.known(layout.place[name]):
            continue
        shares = np.linalg.lstsq(basis, -effect[0], rcond=None)[0]
        if np.ptp(effect, axis=0).max() < 1e-9 and np.abs(basis @ shares + effect[0]).max() < 1e-9:
            for share, i in zip(shares[: len(moving)].tolist(), moving, strict=True):
                if abs(share) > 1e-12:
                    free = layout.position[utility.coefficients[i]]
                    yield Follower(free, layout.place[name], share, latent=layout.latent[latent])


def _slopes(utility: Utility) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of utilities by coefficients, (point, alternative, coefficient), and of these by latent variables, (point,
    alternative, coefficient, latent), at arbitrary points."""
    random = np.random.default_rng(0)
    sizes = len(utility.coefficients), len(utility.columns), len(utility.latents)
    points = [jnp.asarray(random.uniform(0.5, 1.5, (POINTS, size))) for size in sizes]

    def one(b: Array, x: Array, lv: Array) -> tuple[Array, Array]:
        def slopes(lv: Array) -> Array:
            return jax.jacfwd(lambda p: utility(p, x, lv))(b)

        return slopes(lv), jax.jacfwd(slopes)(lv)

    first, second = jax.jit(jax.vmap(one))(*points)
    return np.asarray(first), np.asarray(second)
