"""Initial values of networks by name."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers

from iclv_jax._base._arguments import check_seed, is_real, is_word
from iclv_jax._base._types import Array, Given, PyTree

Scheme = Literal["glorot", "he", "lecun", "normal", "zeros"]
FLATTEST = 2
"""Dimensions from which on an array is a weight matrix (or a kernel) and not a bias."""


def initialise(
    module: Given[PyTree], how: Given[Scheme] = "glorot", *, seed: Given[int] = 0, scale: Given[float] = 0.01
) -> PyTree:
    """A module with new initial values.

    Weights (arrays of two dimensions and more, the first being that of the outputs, as in equinox) are drawn. Biases become
    zero; other vectors and scalars become one where all of them were, as the gains of a layer norm are, or else zero.

    Parameters
    ----------
    module
        An equinox module, or any tree of arrays.
    how
        `"glorot"`: uniform with variance `2 / (inputs + outputs)` (Glorot and Bengio 2010), for tanh and sigmoid.
        `"he"`: normal with variance `2 / inputs` (He, Zhang, Ren and Sun 2015), for ReLU. `"lecun"`: normal with variance
        `1 / inputs` (LeCun, Bottou, Orr and Mueller 1998), for SELU and linear layers. `"normal"`: normal with
        the standard deviation `scale`: a network that begins close to zero. `"zeros"`: exactly zero, for a network that is
        fixed; a free one would not leave this saddle.
    seed
        Of the draws; the same seed gives the same values in any process.
    scale
        Standard deviation for `"normal"`.

    Returns
    -------
    A module of the same structure; arrays of real numbers have 64 bits.

    Raises
    ------
    ValueError
        For an unknown name, a scale that is not positive, and what holds no weights.

    Examples
    --------
    >>> net = iclv.initialise({"weight": jnp.zeros((1, 3)), "bias": jnp.ones(1)}, "glorot", seed=1)
    >>> net["weight"].shape, float(net["bias"][0])
    ((1, 3), 1.0)
    """
    check_seed(seed)
    if not is_word(how, get_args(Scheme)):
        raise ValueError(f"initialise takes {', '.join(map(repr, get_args(Scheme)))}, not {how!r}.")
    if not (is_real(scale) and 0.0 < scale < np.inf):
        raise ValueError(f"scale is a positive standard deviation, not {scale!r}.")
    draw = {
        "glorot": initializers.glorot_uniform(in_axis=1, out_axis=0),
        "he": initializers.he_normal(in_axis=1, out_axis=0),
        "lecun": initializers.lecun_normal(in_axis=1, out_axis=0),
        "normal": initializers.normal(scale),
        "zeros": initializers.zeros,
    }[how]
    arrays, rest = eqx.partition(module, _is_float_array)
    leaves, tree = jax.tree_util.tree_flatten_with_path(arrays)
    if not leaves:
        raise ValueError(
            f"initialise: {module!r} holds no array of real numbers, and so nothing that has an initial value."
        )
    keys = jax.random.split(jax.random.key(seed), max(len(leaves), 1))
    new = [_new(path, a, draw, key) for (path, a), key in zip(leaves, keys, strict=False)]
    return eqx.combine(jax.tree.unflatten(tree, new), rest)


def _is_float_array(leaf: object) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray)) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _new(path: Sequence[object], array: Array, draw: Callable[..., Array], key: Array) -> Array:
    # The bias of a convolution has as many dimensions as its kernel.
    bias = str(getattr(path[-1], "name", "")).startswith("bias") if path else False
    if array.size and array.ndim >= FLATTEST and not bias:
        return draw(key, array.shape, jnp.float64)
    gain = array.size and not bias and bool(np.all(np.asarray(array) == 1.0))
    return jnp.ones(array.shape) if gain else jnp.zeros(array.shape)
