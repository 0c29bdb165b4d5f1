"""An optax transformation recorded as a program, so that what is compiled is keyed by what it computes."""

from typing import TYPE_CHECKING, Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._facts import Fact, fact
from iclv_jax._base._promotion import usual_promotion
from iclv_jax._base._types import Array, Given
from iclv_jax._spec._trace import program_key

if TYPE_CHECKING:
    import optax

Leaves = tuple[Array, ...]
HINT = "Stochastic takes transformations of a gradient alone, such as optax.adam(1e-3) or optax.sgd(0.1, momentum=0.9)"


COUNTS = (0, 10, 100, 1_000, 10_000)


class Recorded:
    """`update(gradient, params, *state) -> (step, *state)` for a vector of `size` parameters; the state is flat.

    Two of them are equal when their programs are: a transformation written anew with the same numbers compiles nothing.

    Raises ValueError for what is no transformation, and for one that needs more than the gradient.
    """

    def __init__(self, transformation: Given["optax.GradientTransformation"], size: int) -> None:
        self.size, zeros = size, jnp.zeros(size)
        try:
            with usual_promotion():
                begin = transformation.init(zeros)
                leaves, self.shape = jax.tree.flatten(jax.tree.map(jnp.asarray, begin))
                self.first: Leaves = tuple(leaves)
                program = jax.make_jaxpr(lambda *a: self._flat(transformation, *a))
                self._program = program(zeros, zeros, *leaves)
        except Exception as error:
            raise ValueError(
                f"{HINT}; {transformation!r} could not be recorded: {type(error).__name__}: {error}"
            ) from error
        self._call = jex.jaxpr_as_fun(self._program)
        self._key = program_key(self._program), self.shape
        self._hash = hash(self._key)

    def _flat(self, transformation: Any, gradient: Array, params: Array, *leaves: Array) -> Leaves:
        step, state = transformation.update(gradient, jax.tree.unflatten(self.shape, leaves), params)
        after, shape = jax.tree.flatten(state)
        if shape != self.shape:
            raise ValueError("its state changes its structure from step to step")
        kept = (jnp.asarray(a).astype(b.dtype) for a, b in zip(after, self.first, strict=True))
        return (step, *kept)

    def update(self, gradient: Array, params: Array, leaves: Leaves) -> tuple[Array, Leaves]:
        step, *after = self._call(gradient, params, *leaves)
        return step, tuple(after)

    @property
    def steps(self) -> list[Fact]:
        """Steps along gradients that never change: what the transformation is known by in files.

        Three at the beginning and three after each of the counts in `COUNTS`, which whole numbers in its state are set to:
        so a schedule is seen at these steps, and not in between.
        """
        at, found = jnp.linspace(-0.5, 1.0, self.size), []
        for count in COUNTS:
            leaves = tuple(_counted(leaf, count) for leaf in self.first)
            for turn in range(3):
                gradient = jnp.sin(jnp.arange(1.0, self.size + 1.0) * (turn + 1.0)) * 10.0 ** (1 - turn)
                step, leaves = self.update(gradient, at, leaves)
                found.append(fact([float(f"{v:.9e}") for v in np.asarray(step)]))
        return found

    def learning_rate(self, leaves: Leaves) -> float:
        """The rate in the state of `optax.inject_hyperparams`; NaN for a transformation that does not tell it."""
        state = jax.tree.unflatten(self.shape, leaves)
        found = [
            leaf for path, leaf in jax.tree.leaves_with_path(state) if getattr(path[-1], "key", None) == "learning_rate"
        ] if len(leaves) else []  # fmt: skip
        return float(found[0]) if len(found) == 1 else float("nan")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recorded) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash


def _counted(leaf: Array, count: int) -> Array:
    """A whole number of a state, such as its count of steps, set to this one; other leaves as they are."""
    whole = leaf.ndim == 0 and jnp.issubdtype(leaf.dtype, jnp.integer)
    return jnp.asarray(count, leaf.dtype) if whole else leaf
