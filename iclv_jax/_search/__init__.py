"""Hyperparameters: settings of models, optimisers and penalties, chosen by people left out."""

from iclv_jax._search._result import Search
from iclv_jax._search._search import search

__all__ = ["Search", "search"]
