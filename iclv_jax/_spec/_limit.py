"""Distributions that are all but another one, which their parameters only reach at infinity."""

import math
from collections.abc import Mapping
from typing import NamedTuple

FAR = 10.0
"""Standard deviations beyond an end from which on a normal density that is cut there is exponential, to a hundredth; and
how wide a normal variable is whose logistic transform has hardly anything left between its ends."""
ON = 30.0
"""How many times as wide a distribution is that is looked at further on."""
NOBODY = 1e-6
"""Distance from an end, in units of its own or of 1, that is none."""


class Limit(NamedTuple):
    """What a distribution of a random coefficient has all but become: `Mixing.limit` returns it.

    `beyond` holds parameters further on the way, by key, along which it changes little; `goes` says where each goes,
    `"infinity"`, `"minus infinity"` or `"zero"`; `words` what the distribution is in the end. Where the log-likelihood does
    not fall on the way, a fit ends as "no finite maximum" and says so.

    Examples
    --------
    >>> iclv.TruncatedNormal(upper=0.0).limit({"mean": 90.0, "sd": 6.0}).words
    'exponential from its end 0 on, of mean 0.4'
    """

    beyond: Mapping[str, float]
    goes: Mapping[str, str]
    words: str


def away(value: float, centre: float = 0.0) -> str:
    """Where what is scaled up from a centre goes."""
    return "infinity" if value > centre else "minus infinity"


def share_below(mean: float, sd: float) -> float:
    """The share of a normal distribution below zero."""
    return 0.5 * math.erfc(mean / sd / math.sqrt(2.0))
