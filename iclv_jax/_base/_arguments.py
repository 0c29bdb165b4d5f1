"""Arguments that many functions take, checked in one sentence."""

from iclv_jax._base._types import Given

MOST_SEED = 2**63 - 1


def check_seed(seed: Given[object], what: Given[str] = "seed=") -> None:
    """ValueError for a seed that NumPy and JAX do not both take: it is a whole number from 0 to 2^63 - 1."""
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool) and getattr(seed, "shape", ()) == ()
    if not whole or not 0 <= int(seed) <= MOST_SEED:  # pyright: ignore[reportArgumentType]
        none = " Without a seed nothing could be repeated." if seed is None else ""
        raise ValueError(f"{what} is a whole number from 0 to 2**63 - 1, not {seed!r}.{none}")


def check_share(share: Given[object], what: Given[str] = "level=") -> None:
    """ValueError for the coverage of an interval, or what it leaves out, that does not lie between 0 and 1."""
    number = isinstance(share, (int, float)) or (hasattr(share, "__float__") and hasattr(share, "dtype"))
    if not number or not 0.0 < float(share) < 1.0:  # pyright: ignore[reportArgumentType]
        raise ValueError(
            f"{what} lies between 0 and 1, such as {'0.05' if 'alpha' in what else '0.95'}, not {share!r}."
        )
