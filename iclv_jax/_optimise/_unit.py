"""The search in units of the disturbances: a marker loading sets a scale, and is not what the optimiser climbs.

A marker that turns out weak sends variance and loadings to the ends of the world, one of the other sign cannot be reached
at all. With unit disturbance variances and free loadings the model is the same, and the log-likelihood the same number.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._directions import unit_power
from iclv_jax._diagnose._utility import multiplied
from iclv_jax._optimise._checkpoint import Checkpoint
from iclv_jax._optimise._options import TrustRegion
from iclv_jax._optimise._row import Row
from iclv_jax._optimise._stages import run, sequential_start
from iclv_jax._optimise._verdict import OptimizerReport, Verdict
from iclv_jax._problem import Problem, of_panel
from iclv_jax._spec import _names as names

SEARCH = TrustRegion(tolerance=1e-2, recentrings=1)
"""The last stage finishes in the coordinates of the user."""
SAME = 1e-6
"""Relative difference of log-likelihoods that are one."""


@dataclass(frozen=True)
class Units:
    """The problem with unit disturbances, and what leads back: by latent variable the name of its marker and its value, and
    the power of the latent variable's unit in every parameter."""

    problem: Problem
    markers: dict[str, tuple[str, float]]
    powers: dict[str, dict[str, float]]

    def inner(self, user: Problem, params: np.ndarray) -> np.ndarray:
        values = {n: float(v) for n, v in user.unpack(jnp.asarray(params), everything=True).items()}
        sizes = {latent: values[names.variance(latent)] ** 0.5 for latent in self.markers}
        return self._moved(values, sizes, self.problem.names, -1.0)

    def outer(self, user: Problem, params: np.ndarray) -> np.ndarray:
        values = {n: float(v) for n, v in self.problem.unpack(jnp.asarray(params), everything=True).items()}
        sizes = {latent: values[name] / given for latent, (name, given) in self.markers.items()}
        return self._moved(values, sizes, user.names, 1.0)

    def _moved(
        self, values: dict[str, float], sizes: dict[str, float], kept: tuple[str, ...], way: float
    ) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [
                values[name]
                * np.prod([np.float64(sizes[k]) ** int(way * self.powers[k][name]) for k in self.markers])
                for name in kept
            ]
        return np.array(found, float)


def in_units(problem: Problem) -> Units | None:
    """None where no latent variable has a marker, and where constraints of the user do not let its scale move."""
    spec, rows = problem.spec, problem.table.rows
    bound = {n for n, _ in spec.bounds} | {n for group in spec.equal for n in group}
    bound |= {d.name for d in spec.define} | {a for d in spec.define for a in d.arguments}
    # Where groups share loadings no group's unit moves by itself.
    if spec.groups is not None or all(item.scale != "loading" for item in spec.latents):
        return None
    effects, markers = multiplied(problem, "latents"), {}
    for latent in (item for item in spec.latents if item.scale == "loading"):
        own = [r for r in rows if unit_power(r.parameter, latent.name, effects.get(latent.name, ()))]
        given = [r for r in own if r.status == "fixed" and r.value != 0.0]
        free = all(r.status == "free" or r.value == 0.0 or r in given for r in own)
        if (
            len(given) == 1
            and given[0].parameter.role == "loading"
            and free
            and not bound & {r.name for r in own}
        ):
            markers[latent.name] = (given[0].name, float(given[0].value))
    if not markers:
        return None
    held = {name for name, _ in markers.values()}
    latents = tuple(replace(v, scale="variance") if v.name in markers else v for v in spec.latents)
    variances = {names.variance(n) for n in markers}
    start = tuple(pair for pair in spec.start if pair[0] not in variances)
    other = replace(
        spec, latents=latents, fixed=tuple(p for p in spec.fixed if p[0] not in held), start=start
    )
    powers = {n: {r.name: unit_power(r.parameter, n, effects.get(n, ())) for r in rows} for n in markers}
    return Units(
        of_panel(other, problem.panel, problem.rule, None, problem.memory, problem.core.people.mesh),
        markers,
        powers,
    )


def unit_start(
    problem: Problem,
    start: np.ndarray,
    staged: bool,
    watch: Callable[[str, Row], None],
    file: Checkpoint | None,
) -> tuple[np.ndarray, list[Row], OptimizerReport | None] | None:
    """Where the search in units of the disturbances ends, in the coordinates of the user; None where there is none, or
    where it is another model."""
    units = in_units(problem)
    if units is None:
        return None
    inner, rows, ended = units.problem, [], None
    params = units.inner(problem, start)
    if not np.isfinite(params).all() or not _alike(problem, start, inner, params):
        return None
    if staged:
        params, rows, ended = sequential_start(inner, jnp.asarray(params), watch, file)
    if ended is not None:
        return units.outer(problem, params), rows, ended
    label = "unit disturbances"
    rule = inner.rule.stages()[0]
    coarse = inner if rule == inner.rule else inner.integrate(rule)
    free = np.ones(len(inner.names), bool)
    outcome = run(
        SEARCH, coarse, free, jnp.asarray(params), lambda row: watch(label, row), file, verify=False
    )
    found = units.outer(problem, outcome.params)
    if not np.isfinite(found).all() or not _alike(problem, found, inner, outcome.params):
        return None
    rows += [{"stage": label, **row} for row in outcome.trace]
    return found, rows, outcome.report if outcome.report.verdict is Verdict.INTERRUPTED else None


def _alike(one: Problem, here: np.ndarray, other: Problem, there: np.ndarray) -> bool:
    values = (
        float(p.recentre(jnp.asarray(at)).loglike(jnp.asarray(at))) for p, at in ((one, here), (other, there))
    )
    a, b = values
    return bool(np.isfinite(a) and abs(a - b) <= SAME * (1.0 + abs(a)))
