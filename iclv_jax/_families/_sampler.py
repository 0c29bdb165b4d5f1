"""Draws by a user's function of predictions and of numbers between 0 and 1."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array
from iclv_jax._spec import Traced, record, trace
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import check_arguments

WHAT = "draw="


@dataclass(frozen=True)
class Sampler:
    """Draws of `columns` from predictions, of which those at the places `used` enter, and from so many `uniforms`."""

    columns: tuple[str, ...]
    used: tuple[int, ...]
    uniforms: int
    program: Traced

    def __call__(self, predictions: Array, key: Array) -> Array:
        """One draw of every column; shapes `prediction` and `column`."""
        smallest = jnp.finfo(predictions.dtype).tiny
        numbers = jax.random.uniform(key, (self.uniforms,), predictions.dtype, minval=smallest)
        return jnp.stack(self.program(*(predictions[i] for i in self.used), *jnp.unstack(numbers)))


def record_sampler(
    function: Callable[..., Mapping[str, object]] | Sampler,
    labels: Sequence[Hashable],
    columns: Sequence[str],
) -> Sampler:
    """Record `draw(p, u)`; ValueError where it uses what is not predicted, or draws other columns."""
    if isinstance(function, Sampler):
        return function
    check_arguments(function, ("p", "u"), WHAT)

    def predicted(name: str) -> None:
        if name not in labels:
            raise ValueError(f"{WHAT} uses {name!r}, which predict= does not return. {nearest(name, labels)}")

    (known, numbers), result = record(function, [predicted, lambda name: None], WHAT)
    if not isinstance(result, dict) or set(result) != set(columns):
        raise ValueError(
            f"{WHAT} returns a mapping from the columns in explains= to numbers, such as "
            f"{{{columns[0]!r}: ...}}, and no others."
        )
    program = trace(function, (known, numbers), WHAT, tuple(columns))
    places = tuple(list(labels).index(name) for name in known)
    return Sampler(tuple(columns), places, len(numbers), program)
