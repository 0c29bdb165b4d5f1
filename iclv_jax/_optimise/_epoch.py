"""An epoch of training as one compiled loop over batches of people."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import AnyArray, Array, Bool, Float, Int, Params, Scalar
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, loglike
from iclv_jax._optimise._losses import total_loss
from iclv_jax._optimise._recorded import Leaves, Recorded
from iclv_jax._parameters._penalties import Terms, cost
from iclv_jax._problem import centred_nodes, centres


class Everybody(NamedTuple):
    """All people of the problem, standard points (people or 1, node, dimension) and log weights of a centred rule; the core
    of such a rule has no nodes."""

    core: Core
    points: Array
    log_weights: Array


class Setting(NamedTuple):
    """What stays as it is: scales (or a matrix from training coordinates to z), bounds of scaled parameters, which of
    them move, the penalties (with absolute values per scaled parameter in `kinks`), the numbers of people and weights of
    the training set and of all, the longest gradient, how an average is taken, and the places among all parameters of the
    numbers by which dropout layers draw, with the key of these."""

    scale: Float[Array, " param"] | Float[Array, "param param"]
    lower: Float[Array, " param"]
    upper: Float[Array, " param"]
    free: Bool[Array, " param"]
    terms: Terms
    kinks: Float[Array, " param"]
    people: Scalar
    size: Scalar
    whole: Scalar
    clip: Scalar
    weighting: tuple[Scalar, Scalar]
    draws: Int[Array, " draw"]
    key: Array


class State(NamedTuple):
    """Scaled parameters, their average, the state of the transformation, and the steps so far."""

    point: Float[Array, " param"]
    average: Float[Array, " param"]
    leaves: Leaves
    steps: Scalar


class Step(NamedTuple):
    """What a step has seen: people of the batch, its log-likelihood per unit of weight, the length of its gradient before
    clipping and of its step in scaled parameters, and whether all of it was finite."""

    people: AnyArray
    loglike: AnyArray
    gradient: AnyArray
    length: AnyArray
    finite: AnyArray


@partial(compiled, static_argnames=("rule", "update", "kinked", "loss"))
def epoch(
    all_of: Everybody,
    setting: Setting,
    state: State,
    batches: Int[Array, "batch person"],
    real: Float[Array, "batch person"],
    rule: tuple[bool, int],
    update: Recorded,
    kinked: bool,
    loss: str,
) -> tuple[State, Step]:
    """One step per batch of people. `rule` says whether nodes are placed at posteriors, and how many come from the prior;
    `kinked` whether there are absolute values among the penalties; `loss` what is minimised."""

    def step(state: State, rows: tuple[Array, Array]) -> tuple[State, Step]:
        return _step(all_of, setting, state, *rows, rule, update, kinked, loss)

    return jax.lax.scan(step, state, (batches, real))


def _step(
    all_of: Everybody,
    setting: Setting,
    state: State,
    people: Array,
    real: Array,
    rule: tuple[bool, int],
    update: Recorded,
    kinked: bool,
    loss: str,
) -> tuple[State, Step]:
    all_of = _dropping(all_of, setting, state.steps)
    found, gradient = batch_slope(all_of, setting, state.point, people, real, rule, loss)
    gradient = jnp.where(setting.free, gradient, 0.0)
    side = jnp.zeros_like(gradient)
    if kinked:
        gradient, side = _across_kinks(setting.kinks, state.point, gradient)
    size = jnp.linalg.norm(gradient)
    shorter = jnp.minimum(1.0, setting.clip / jnp.where(size > 0.0, size, 1.0))
    move, leaves = update.update(gradient * shorter, state.point, state.leaves)
    there = jnp.clip(state.point + jnp.where(setting.free, move, 0.0), setting.lower, setting.upper)
    if kinked:
        there = jnp.where((setting.kinks > 0.0) & (jnp.sign(there) != side), 0.0, there)
    steps = state.steps + 1.0
    least, start = setting.weighting
    share = jnp.maximum(least, (start + 1.0) / (steps + start))
    average = state.average + share * (there - state.average)
    finite = jnp.isfinite(found) & jnp.isfinite(size) & jnp.all(jnp.isfinite(there))
    after = State(there, average, leaves, steps)
    after = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
    length = jnp.linalg.norm(after.point - state.point)
    return after, Step(real.sum(), found, size, length, finite)


def _dropping(all_of: Everybody, setting: Setting, steps: Scalar) -> Everybody:
    """Everybody with other units dropped in every step, where there are dropout layers."""
    if not setting.draws.shape[0]:
        return all_of
    bits = jax.random.bits(jax.random.fold_in(setting.key, steps.astype(int)), setting.draws.shape, "uint32")
    core = all_of.core
    constants = core.constants.at[setting.draws].set(jnp.maximum(bits, 1).astype(float))
    return all_of._replace(core=Core(core.structure, constants, core.people))


def unscaled(scale: Array, point: Array) -> Array:
    """Training coordinates as unconstrained parameters z."""
    return scale @ point if scale.ndim == 2 else scale * point


def batch_slope(
    all_of: Everybody,
    setting: Setting,
    point: Array,
    people: Array,
    real: Array,
    rule: tuple[bool, int],
    loss: str = "likelihood",
) -> tuple[Scalar, Array]:
    """The batch's log-likelihood per unit of weight, and the gradient of the mean objective in scaled parameters, with
    nodes frozen where they are placed now: unbiased for those of all people in the training set.

    People who only fill up a batch are not `real` and weigh nothing. The share `whole` of penalties that belongs to the
    training set is that of its weights.
    """
    mapping, constants = all_of.core.structure.map, all_of.core.constants
    core = _batch(
        all_of, setting, mapping.natural(constants, unscaled(setting.scale, point)), people, real, rule
    )

    def objective(point: Array) -> tuple[Array, Array]:
        params = mapping.natural(constants, unscaled(setting.scale, point))
        found = loglike(core, params) / setting.size
        smooth = setting.terms._replace(absolute=jnp.zeros_like(point))
        mean = -found if loss == "likelihood" else total_loss(core, params, loss) / setting.size
        return cost(smooth, params) / setting.whole + mean, found

    (_, found), gradient = jax.value_and_grad(objective, has_aux=True)(point)
    return found, gradient


def _batch(
    all_of: Everybody, setting: Setting, params: Params, people: Array, real: Array, rule: tuple[bool, int]
) -> Core:
    """The core of a batch: weighted up to the training set, nodes placed at these parameters."""
    whole = all_of.core
    weights = whole.weights[people] * real * (setting.people / real.sum())
    core = whole.of(whole.people.take(people, weights))
    centred, from_prior = rule
    if not centred:
        return core
    own = all_of.points.shape[0] > 1
    points = all_of.points[people] if own else all_of.points
    placed: Nodes = centred_nodes(points, all_of.log_weights, centres(core, params), from_prior)
    return core.of(core.people.with_nodes(placed))


def _across_kinks(kinks: Array, point: Array, gradient: Array) -> tuple[Array, Array]:
    """The gradient with absolute values `kinks |point|` in it, and the side of zero on which each entry has to stay.

    The orthant-wise steps of Andrew and Gao (2007), which need no step length and so serve every transformation: at zero
    the gradient is that of the side on which the objective falls, or zero; a step that would leave its side ends at
    zero.
    """
    at_zero = jnp.sign(gradient) * jnp.maximum(jnp.abs(gradient) - kinks, 0.0)
    found = jnp.where(point == 0.0, at_zero, gradient + kinks * jnp.sign(point))
    found = jnp.where(kinks > 0.0, found, gradient)
    return found, jnp.where(point == 0.0, -jnp.sign(found), jnp.sign(point))


def cut(people: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """People in equal batches of at most this many, filled up with the first person, and a mask of those who are real. The
    batches have the same number of people but for one."""
    count = -(-len(people) // batch)
    width = -(-len(people) // count)
    found, real = np.full((count, width), people[0]), np.zeros((count, width))
    for k, part in enumerate(np.array_split(people, count)):
        found[k, : len(part)], real[k, : len(part)] = part, 1.0
    return found, real
