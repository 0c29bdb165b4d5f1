"""Rules of integration, posterior-centred nodes, sequences."""

from iclv_jax._integration._centre import Centre, Nodes, find_centre, place
from iclv_jax._integration._rules import Adaptive, GaussHermite, MonteCarlo, Points, Rule, Trapezoid, default_rule

__all__ = [
    "Adaptive",
    "Centre",
    "GaussHermite",
    "MonteCarlo",
    "Nodes",
    "Points",
    "Rule",
    "Trapezoid",
    "default_rule",
    "find_centre",
    "place",
]
