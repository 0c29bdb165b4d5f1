"""Promotion of types and ranks in functions that are not ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def usual_promotion() -> Iterator[None]:
    """What a user writes (or a library for a user) follows JAX's usual rules, whatever is set for the code around it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
