"""What choice kernels have in common: the fields that say what was chosen and what was available."""

from collections.abc import Mapping

from iclv_jax._spec import Kernel, Utility
from iclv_jax._spec._names import nearest


def normalise(kernel: Kernel) -> None:
    """Check `chosen`; turn the mapping `available` into a hashable tuple of pairs."""
    if not isinstance(kernel.chosen, str) or not kernel.chosen:
        raise ValueError(
            f"chosen= is the name of the column that holds the chosen alternative, not {kernel.chosen!r}."
        )
    available = kernel.available
    if available is None:
        available = ()
    elif isinstance(available, Mapping):
        available = tuple(available.items())
    elif not isinstance(available, tuple) or not all(isinstance(p, tuple) and len(p) == 2 for p in available):
        raise ValueError(
            "available= is a mapping from alternatives to columns of zeros and ones, such as "
            f"{{'car': 'car_available'}}, not {available!r}."
        )
    for alternative, column in available:
        if not isinstance(column, str):
            raise ValueError(
                f"available[{alternative!r}] is the name of a column of zeros and ones, not {column!r}."
            )
    object.__setattr__(kernel, "available", available)
    if isinstance(kernel.utility, Utility):
        kernel.check(kernel.utility.alternatives)
        for alternative, _ in available:
            if alternative not in kernel.utility.alternatives:
                raise ValueError(
                    f"available= names {alternative!r}, which is no alternative of the utility function. "
                    f"{nearest(alternative, kernel.utility.alternatives)}"
                )
