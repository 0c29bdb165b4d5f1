"""Where the nodes of every person are: the same for all, or placed at each one's posterior."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, Params, Theta
from iclv_jax._density import log_density
from iclv_jax._derivatives import little
from iclv_jax._integration import Centre, Nodes, Rule, by_moments, find_centre, place, place_mixture
from iclv_jax._integration._rule import Points
from iclv_jax._likelihood import Core
from iclv_jax._panel import Person


class Among(NamedTuple):
    """Where people stand who are a part of more: behind `before` others, of `total` in all."""

    before: int
    total: int


def points_of(rule: Rule, size: int, dimension: int, among: Among | None) -> Points:
    """Of so many people; of a part of more those that they have among all. Behind the last of all, copies of his or hers
    fill up."""
    if among is None:
        return rule.standard(size, dimension)
    real = min(size, among.total - among.before)
    found = rule.behind(among.before, real, among.total, dimension)
    if is_shared(rule, dimension):
        return found
    return found._replace(
        points=np.concatenate([found.points, np.repeat(found.points[-1:], size - real, axis=0)])
    )


def is_shared(rule: Rule, dimension: int) -> bool:
    """Whether all people have the same points."""
    return rule.standard(2, dimension).points.shape[0] == 1


@partial(compiled, quick=little)
def centres(core: Core, params: Params) -> Centre:
    """Mode and curvature of every person's posterior; the core comes without nodes, so that any number of
    them shares what is compiled."""
    theta = core.theta(params)

    def one(person: Person, _: Nodes, theta: Theta) -> Centre:
        cells = core.structure.cells(theta, person)
        return find_centre(partial(log_density, core.structure, cells, person), core.structure.dimension)

    return core.people.each(one, shared=(theta,))


@compiled
def moved_by_moments(core: Core, params: Params, centre: Centre, pilot: Array) -> Centre:
    """The same with the means and covariances of posteriors in place of modes and curvatures."""
    theta = core.theta(params)

    def one(person: Person, _: Nodes, mine: Centre, theta: Theta, pilot: Array) -> Centre:
        cells = core.structure.cells(theta, person)
        return by_moments(partial(log_density, core.structure, cells, person), mine, pilot)

    return core.people.each(one, centre, shared=(theta, pilot))


@compiled
def centres_by_class(core: Core, params: Params, pilot: Array) -> Centre:
    """Means and covariances of every person's posterior in each latent class of people, arrays (person, class, ...)."""
    theta, shape, mixed = core.theta(params), core.structure, core.structure.mixed
    assert mixed is not None
    marks = np.where(np.eye(len(mixed.kernel.classes), dtype=bool), 0.0, -np.inf)

    def one(person: Person, _: Nodes, theta: Theta, pilot: Array) -> Centre:
        cells = shape.cells(theta, person)

        def of(mark: Array) -> Centre:
            inside = {**cells, mixed.name: mixed.of_class(cells[mixed.name], mark)}
            density = partial(log_density, shape, inside, person)
            return by_moments(density, find_centre(density, shape.dimension), pilot)

        return jax.vmap(of)(jnp.asarray(marks))

    return core.people.each(one, shared=(theta, pilot))


@partial(compiled, static_argnames="from_prior")
def centred_nodes(points: Array, log_weights: Array, centre: Centre, from_prior: int) -> Nodes:
    shared = points.shape[0] == 1
    at = place if centre.mode.ndim == 2 else place_mixture
    own = log_weights.ndim == 2
    axes = (None if shared else 0, 0 if own else None, 0)
    nodes = jax.vmap(partial(at, from_prior=from_prior), in_axes=axes)(
        points[0] if shared else points, log_weights, centre
    )
    return _packed(nodes, log_weights) if own else nodes


def _packed(nodes: Nodes, log_weights: AnyArray) -> Nodes:
    """Those without weight behind the others."""
    order = jnp.argsort(jnp.isneginf(log_weights), axis=1, stable=True)
    shocks = jnp.take_along_axis(nodes.shocks, order[:, :, None], axis=1)
    return Nodes(shocks, jnp.take_along_axis(nodes.log_weights, order, axis=1))


def spread_nodes(points: AnyArray, log_weights: AnyArray, size: int) -> Nodes:
    shocks = np.broadcast_to(points, (size, *points.shape[1:]))
    logs = np.broadcast_to(log_weights, (size, log_weights.shape[-1]))
    nodes = Nodes(*jax.device_put((shocks, logs)))
    return _packed(nodes, log_weights) if log_weights.ndim == 2 else nodes


def counts_of(rule: Rule, people: int, nodes: int) -> np.ndarray | None:
    """Nodes by person where numbers differ, of so many at most."""
    known = rule.quartered
    return None if known is None or len(known) != people else known.counts(nodes)
