"""Scores and Hessians of the log-likelihood at frozen nodes."""

from iclv_jax._derivatives._basic import hessian_autodiff, hessian_bhhh, score, score_person
from iclv_jax._derivatives._exact import hessian_exact

__all__ = ["hessian_autodiff", "hessian_bhhh", "hessian_exact", "score", "score_person"]
