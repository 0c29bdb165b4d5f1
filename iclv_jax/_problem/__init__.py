"""Data, nodes and specification bound together."""

from iclv_jax._problem._bind import bind, of_panel
from iclv_jax._problem._evaluated import expand_exact
from iclv_jax._problem._nodes import centred_nodes, centres, spread_nodes
from iclv_jax._problem._problem import Problem

__all__ = ["Problem", "bind", "centred_nodes", "centres", "expand_exact", "of_panel", "spread_nodes"]
