"""Which rule is taken when the user names none."""

from iclv_jax._integration._monte_carlo import Adaptive
from iclv_jax._integration._quadrature import GaussHermite
from iclv_jax._integration._rule import Rule, dimensions


def default_rule(dimension: int) -> tuple[Rule, str]:
    """A rule for this many dimensions, and why it was chosen."""
    if dimension == 0:
        return GaussHermite(1), "nothing is integrated out"
    if dimension <= 2:
        return GaussHermite(15), f"chosen because a grid is exact and small in {dimensions(dimension)}"
    return Adaptive(20), f"chosen because a grid in {dimension} dimensions would be large"
