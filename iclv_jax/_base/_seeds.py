"""Seeds: what NumPy and JAX both take, so that the same one always gives the same numbers."""

from iclv_jax._base._types import Given

MOST = 2**63 - 1


def check_seed(seed: Given[object], what: Given[str] = "seed=") -> None:
    """ValueError for a seed that is no whole number from 0 to 2^63 - 1; None would be another one each time."""
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool) and getattr(seed, "shape", ()) == ()
    if not whole or not 0 <= int(seed) <= MOST:  # pyright: ignore[reportArgumentType]
        none = " Without a seed nothing could be repeated." if seed is None else ""
        raise ValueError(f"{what} is a whole number from 0 to 2**63 - 1, not {seed!r}.{none}")
