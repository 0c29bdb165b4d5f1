"""What counts as a number, in data and in arguments."""

import math
from decimal import Decimal
from numbers import Real
from typing import SupportsFloat, SupportsIndex, TypeGuard

import numpy as np

LARGEST = 1e100
"""Beyond it moments of a column overflow."""


def is_number(value: object) -> TypeGuard[SupportsFloat]:
    """Whether a value is a number as it stands; text with digits in it is none."""
    return isinstance(value, (Real, Decimal, np.bool_))


def finite(name: str, value: object, argument: str) -> float:
    """A value given by the user as a finite float, or a ValueError that names it."""
    try:
        number = float(value) if isinstance(value, (SupportsFloat, SupportsIndex)) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{argument}[{name!r}] must be a finite number, not {value!r}.")
    return number
