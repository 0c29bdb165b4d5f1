"""Derivatives by theta where groups have cells of their own: a person's are by those of the group."""

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Float, Int, Scores

Group = Int[Array, "*person"] | None


def own(theta: Float[Array, "*group cell"], group: Group) -> Float[Array, "*person cell"]:
    """Everybody's theta: one for all, or rows of people."""
    return theta if group is None else theta[group]


def summed_by_group(
    weights: Float[Array, " person"],
    scores: Float[Array, "person cell"],
    group: Group,
    theta: Float[Array, "*group cell"],
) -> Float[Array, "*group cell"]:
    """Weighted sums over people in the shape of theta."""
    if group is None:
        return weights @ scores
    return jnp.zeros_like(theta).at[group].add(weights[:, None] * scores)


def by_parameters(
    scores: Float[Array, "person cell"], group: Group, jacobian: Float[Array, "*group cell param"]
) -> Scores:
    """Scores by theta as scores by the parameters."""
    if group is None:
        return scores @ jacobian

    def add(total: Array, of_group: tuple[Array, Array]) -> tuple[Array, None]:
        at, slopes = of_group
        return total + jnp.where((group == at)[:, None], scores, 0.0) @ slopes, None

    zero = jnp.zeros((scores.shape[0], jacobian.shape[-1]))
    return jax.lax.scan(add, zero, (jnp.arange(jacobian.shape[0]), jacobian))[0]


def marks(
    weights: Float[Array, " person"], group: Int[Array, " person"], groups: int
) -> Float[Array, "group person"]:
    """The weights of the people of each group, zero for the others."""
    return jnp.where(group[None, :] == jnp.arange(groups)[:, None], weights[None, :], 0.0)
