"""Rules of integration, posterior-centred nodes, sequences."""

from iclv_jax._integration._centre import Centre, Nodes, find_centre, place, place_mixture
from iclv_jax._integration._conditioned import Conditioned
from iclv_jax._integration._default import choose_rule, default_rule
from iclv_jax._integration._moments import by_moments, pilot_count, pilot_points
from iclv_jax._integration._monte_carlo import Adaptive, Laplace, MonteCarlo
from iclv_jax._integration._quadrature import GaussHermite, Trapezoid
from iclv_jax._integration._quartered import Quartered
from iclv_jax._integration._rule import Points, Rule

__all__ = [
    "Adaptive",
    "Centre",
    "Conditioned",
    "GaussHermite",
    "Laplace",
    "MonteCarlo",
    "Nodes",
    "Points",
    "Quartered",
    "Rule",
    "Trapezoid",
    "by_moments",
    "choose_rule",
    "default_rule",
    "find_centre",
    "pilot_count",
    "pilot_points",
    "place",
    "place_mixture",
]
