"""Scores and Hessians of the log-likelihood at frozen nodes."""

from iclv_jax._derivatives._basic import (
    FEW_SCORES,
    Difference,
    Differences,
    Expansion,
    PersonScores,
    Slope,
    hessian_autodiff,
    hessian_numerical,
    hessian_products,
    little,
    outer_products,
    person_scores,
    slope,
    summed,
)
from iclv_jax._derivatives._given import expand_exact, of_moments

__all__ = [
    "FEW_SCORES",
    "Difference",
    "Differences",
    "Expansion",
    "PersonScores",
    "Slope",
    "expand_exact",
    "hessian_autodiff",
    "hessian_numerical",
    "hessian_products",
    "little",
    "of_moments",
    "outer_products",
    "person_scores",
    "slope",
    "summed",
]
