"""Score (Lagrange multiplier) tests, from scores and Hessian of a larger model at the estimates of a smaller one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iclv_jax._inference._covariance import invert

FLAT = 1e-6
"""Share of a parameter's information that is left given the others, below which it is not determined."""


class Index(NamedTuple):
    """A score statistic with one degree of freedom, the change of the parameter that it promises, and why there
    is none."""

    statistic: float
    change: float
    reason: str


def modification_index(
    score: np.ndarray, information: np.ndarray, meat: np.ndarray | None, inverse: np.ndarray, kept: np.ndarray
) -> Index:
    """Score test of the last of these parameters (Sörbom 1989), given the others.

    Parameters
    ----------
    score
        Sum of the weighted scores, the tested parameter last.
    information
        Negative Hessian (or outer products of scores) of all of them.
    meat
        Sum of outer products of weighted scores for a statistic that is robust to a wrong model (White 1982);
        None: the information stands for it.
    inverse, kept
        Inverse of the information of the estimated parameters, and their places.
    """
    slope = inverse @ information[kept, -1]
    left = float(information[-1, -1] - information[-1, kept] @ slope)
    if not left > FLAT * abs(float(information[-1, -1])):
        what = "are not told apart from it" if left > -FLAT * abs(information[-1, -1]) else "curve upwards"
        return Index(np.nan, np.nan, f"at the estimates the other parameters {what}")
    efficient = float(score[-1] - slope @ score[kept])
    spread = left
    if meat is not None:
        contrast = np.zeros(len(score))
        contrast[-1], contrast[kept] = 1.0, -slope
        spread = float(contrast @ meat @ contrast)
    return Index(efficient**2 / spread, efficient / left, "")


class Joint(NamedTuple):
    """A score statistic and why it is missing."""

    statistic: float
    reasons: tuple[str, ...]


def joint_score(score: np.ndarray, information: np.ndarray, names: Sequence[str], held: np.ndarray) -> Joint:
    """`s' I^-1 s` at the estimates of a smaller model, in whose directions the score is zero (Rao 1948)."""
    inverse = invert(information, names, held)
    if inverse.reasons:
        return Joint(np.nan, inverse.reasons)
    part = score[inverse.kept]
    return Joint(float(part @ inverse.matrix @ part), ())
