"""Derivatives of the log-likelihood with respect to the free parameters, at frozen nodes."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Hessian, Params, Scalar, Scores, Theta
from iclv_jax._derivatives._groups import by_parameters, own, summed_by_group
from iclv_jax._integration import Nodes
from iclv_jax._likelihood import Core, log_likelihoods
from iclv_jax._panel import Person

COLUMNS = 8
"""Columns of the Hessian that are differentiated at a time."""
AT_ONCE = 400_000
"""Entries (people, nodes, items and alternatives) of the arrays behind first derivatives up to which larger batches of
people are no slower: 3 MB each, which a processor's cache holds. Gradients of 2,624 people with 38 items and 20 nodes in
batches of 328 took 60 per cent of the time of a single batch."""
LITTLE = 100_000
"""Entries (people, nodes, items and alternatives) up to which a program is compiled with few optimisations, which takes a
quarter of the time: for 500 people with five items at 15 nodes (37,500) 0.1 of 0.4 seconds for scores and 0.2 of 0.9 for the
Hessian, after which they take 5 ms in place of 3 and 17 in place of 4: a fit has some ten of them."""
FEW_SCORES = 100_000
"""Scores, people times parameters, up to which a gradient is their sum: they take no longer, and every fit compiles them.
The sum takes longer to compile in full than ever to run."""

Difference = Literal["central", "forward"]


class Expansion(NamedTuple):
    """Log-likelihood, gradient and Hessian at a point, and the log-likelihood of the items alone at the same nodes."""

    value: Scalar
    gradient: Params
    hessian: Hessian
    items: Scalar | None = None


class Slope(NamedTuple):
    """Log-likelihood and gradient, and the log-likelihood of the items alone at the same nodes."""

    value: Scalar
    gradient: Params
    items: Scalar


class PersonScores(NamedTuple):
    """log L_n and its gradient for all people, and the log-likelihoods of their items alone."""

    values: Float[Array, " person"]
    scores: Scores
    items: Float[Array, " person"]


class Differences(NamedTuple):
    """A Hessian from differences of the gradient.

    `error` estimates the error of every entry, from steps of two sizes; `steps` are those of the
    parameters, in natural units.
    """

    hessian: Hessian
    error: Hessian
    steps: Params


def slope(core: Core, params: Params) -> Slope:
    """Log-likelihood and gradient, that of every batch of people taken where its values are at hand."""
    theta, pull = jax.vjp(core.theta, params)
    value, gradient, items = slope_by_theta(core, theta)
    return Slope(value, pull(gradient)[0], items)


def slope_by_theta(core: Core, theta: Theta) -> tuple[Scalar, Theta, Scalar]:
    """Log-likelihood, its derivatives by theta, and the log-likelihood of the items."""

    # Person by person, then summed by one product: faster than sums over people and nodes at once.
    row = None if core.person.group is None else 0
    each = jax.vmap(
        jax.value_and_grad(log_likelihoods, argnums=1, has_aux=True), in_axes=(None, row, 0, 0, row)
    )

    def part(
        person: Person, nodes: Nodes, weights: Array, theta: Theta
    ) -> tuple[tuple[Scalar, Scalar], Theta]:
        group = person.group
        mine, person = own(theta, group), person._replace(group=None)
        (values, items), scores = each(core.structure, mine, person, nodes, mine)
        return (weights @ values, weights @ items), summed_by_group(weights, scores, group, theta)

    zero = (jnp.zeros(()), jnp.zeros(())), jnp.zeros_like(theta)
    (value, items), gradient = core.people.fold(part, zero, few(core), shared=(theta,))
    return value, gradient, items


def few(core: Core, at_once: int = AT_ONCE) -> int:
    """People of a batch of derivatives, with arrays of so many entries."""
    return min(core.people.batch, max(1, at_once // max(core.people.node_count * _entries(core), 1)))


def little(core: Core, params: Params) -> bool:
    """Whether values and derivatives are of so little that their programs take far longer to compile than to run."""
    return core.people.size * max(core.people.node_count, 1) * _entries(core) <= LITTLE


def _entries(core: Core) -> int:
    """Items and alternatives of all situations of a person, at a node."""
    people = core.people
    rows = max(people.lengths, key=lambda length: length.people).rows
    data = people.held.person.data
    choices = zip(data[len(data) - len(rows) :], rows, strict=True)
    items = data[: len(data) - len(rows)]
    return sum(d.occurs.shape[1] for d in items) + sum(
        d.offered.shape[2] * n * block.inner.count
        for (d, n), block in zip(choices, core.structure.choices, strict=True)
    )


def person_scores(core: Core, params: Params) -> PersonScores:
    """log L_n and its gradient for all people: gradients with respect to theta, times the Jacobian of theta."""
    theta = core.theta(params)
    each = jax.value_and_grad(log_likelihoods, argnums=1, has_aux=True)
    people = core.people.in_batches_of(few(core))

    def one(person: Person, nodes: Nodes, theta: Theta) -> tuple[tuple[Scalar, Scalar], Array]:
        mine = own(theta, person.group)
        return each(core.structure, mine, person._replace(group=None), nodes, mine)

    (values, items), scores = people.each(one, shared=(theta,))
    return PersonScores(
        values, by_parameters(scores, core.person.group, jax.jacfwd(core.theta)(params)), items
    )


def hessian_autodiff(core: Core, params: Params) -> Hessian:
    """The Hessian by forward over reverse differentiation, `COLUMNS` columns at a time."""

    matrix = hessian_products(core, params, jnp.eye(params.shape[0]))
    return 0.5 * (matrix + matrix.T)


def hessian_products(
    core: Core, params: Params, directions: Float[Array, "row param"]
) -> Float[Array, "row param"]:
    """Products of the Hessian with rows, each for about four gradients, `COLUMNS` at a time."""

    def product(direction: Params) -> Params:
        return jax.jvp(lambda p: slope(core, p).gradient, (params,), (direction,))[1]

    return few_at_a_time(product, directions)


def few_at_a_time(product: Callable[[Array], Array], directions: Float[Array, "row entry"]) -> Array:
    """Products with rows, `COLUMNS` at a time."""
    count = directions.shape[0]
    # Zero directions fill the last chunk: a remainder of its own would be compiled a second time.
    width = min(COLUMNS, count)
    rest = -count % width
    filled = jnp.concatenate([directions, jnp.zeros((rest, directions.shape[1]))])
    return jax.lax.map(product, filled, batch_size=width)[:count]


@partial(compiled, quick=lambda weights, values, scores, items: scores.size <= FEW_SCORES)
def summed(weights: Array, values: Array, scores: Scores, items: Array) -> Slope:
    """The weighted sums over people."""
    return Slope(weights @ values, weights @ scores, weights @ items)


@compiled
def outer_products(weights: Array, values: Array, scores: Scores, items: Array) -> Expansion:
    """With minus the weighted sum of outer products of the scores in the Hessian's place (Berndt, Hall, Hall
    and Hausman 1974)."""
    return Expansion(
        weights @ values, weights @ scores, -(scores.T * weights[None, :]) @ scores, weights @ items
    )


def hessian_numerical(core: Core, params: Params, difference: Difference = "central") -> Differences:
    """Differences of the gradient.

    A parameter's step is `eps**(1/3)` (central) or `eps**(1/2)` (forward) of the distance over which its
    scores change by about their own size, `1 / root mean squared score`, at most of max(1, |value|).
    Differences over twice the step give the estimate of the error, and the rounding of sums of scores its least.
    """
    scores = person_scores(core, params).scores
    squares = core.weights @ scores**2 / core.weights.sum()
    reach = jnp.minimum(
        1.0 / jnp.sqrt(jnp.where(squares > 0.0, squares, 1.0)), jnp.maximum(1.0, jnp.abs(params))
    )
    eps = float(np.finfo(float).eps)
    steps = reach * (eps ** (1 / 3) if difference == "central" else eps**0.5)
    # The step that is taken is the one that floating point can represent.
    steps = (params + steps) - params

    noise = eps * jnp.sqrt(core.weights**2 @ scores**2)

    def score(p: Params) -> Params:
        return slope(core, p).gradient

    centre = score(params)

    def column(i: Array) -> tuple[Params, Params]:
        direction = jnp.zeros_like(params).at[i].set(steps[i])
        ups = [score(params + k * direction) for k in (1.0, 2.0)]
        downs = (
            [score(params - k * direction) for k in (1.0, 2.0)] if difference == "central" else [centre] * 2
        )
        width = 2.0 if difference == "central" else 1.0
        fine, coarse = (
            (u - d) / (k * width * steps[i]) for u, d, k in zip(ups, downs, (1.0, 2.0), strict=True)
        )
        # By chance the two differences may agree to the last digit.
        least = noise / (width * steps[i])
        return fine, jnp.maximum(jnp.abs(coarse - fine) / (3.0 if difference == "central" else 1.0), least)

    matrix, error = jax.lax.map(column, jnp.arange(params.shape[0]))
    return Differences(0.5 * (matrix + matrix.T), 0.5 * (error + error.T), steps)
