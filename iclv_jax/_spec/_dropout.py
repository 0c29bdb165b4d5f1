"""Dropout inside modules: off in every likelihood, on while training draws units."""

import equinox as eqx
import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, PyTree, Scalar


class Dropout(eqx.Module):
    """Stands in a model for `eqx.nn.Dropout(p)`: drops units by a whole number, `draw`, and none where that is 0.

    The number is an entry of the module like any other, held at 0, so that a likelihood stays a function of parameters and
    data alone. Training sets another one for every batch; the units are then dropped for all people of the batch.
    """

    draw: Scalar
    p: float = eqx.field(static=True)

    def __call__(self, x: Array, *, key: Array | None = None, inference: bool | None = None) -> Array:
        draw = jax.lax.stop_gradient(self.draw)
        seed = jax.random.PRNGKey(draw.astype(jnp.uint32))
        kept = jax.random.bernoulli(seed, 1.0 - self.p, x.shape)
        return jnp.where(draw == 0.0, x, jnp.where(kept, x / (1.0 - self.p), 0.0))


def with_draws(module: PyTree) -> PyTree:
    """The module with its active dropout layers in a form that takes draws."""

    def exchanged(part: PyTree) -> PyTree:
        active = isinstance(part, eqx.nn.Dropout) and not part.inference and 0.0 < part.p < 1.0
        return Dropout(jnp.zeros(()), float(part.p)) if active else part

    return jax.tree.map(exchanged, module, is_leaf=lambda part: isinstance(part, eqx.nn.Dropout))


def without_draws(module: PyTree) -> PyTree:
    """The module with equinox's own dropout layers, in inference mode."""

    def exchanged(part: PyTree) -> PyTree:
        return eqx.nn.Dropout(part.p, inference=True) if isinstance(part, Dropout) else part

    return jax.tree.map(exchanged, module, is_leaf=lambda part: isinstance(part, Dropout))
