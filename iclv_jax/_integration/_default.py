"""Which rule is taken when the user names none."""

from iclv_jax._integration._conditioned import Conditioned
from iclv_jax._integration._monte_carlo import Adaptive
from iclv_jax._integration._quadrature import GaussHermite
from iclv_jax._integration._rule import Rule, dimensions


def default_rule(dimension: int) -> tuple[Rule, str]:
    """A rule for this many dimensions, and why it was chosen."""
    if dimension == 0:
        return GaussHermite(1), "nothing is integrated out"
    if dimension <= 2:
        search = 5 if dimension == 2 else None
        return GaussHermite(
            15, search=search
        ), f"chosen because a grid is exact and small in {dimensions(dimension)}"
    return Adaptive(20), f"chosen because a grid in {dimension} dimensions would be large"


def choose_rule(given: Rule | None, dimension: int, seen: int, conditionable: bool) -> tuple[Rule, str]:
    """The rule that was asked for or else the usual one, and why.

    `seen` counts the latent variables and coefficients that are left to integrate once the items are in closed form, which
    they have where the model is `conditionable`.
    """
    if given is not None:
        if given.conditions and not conditionable:
            raise ValueError(
                "iclv.Conditioned needs latent variables with linear equations whose items are all continuous. Use "
                "iclv.GaussHermite or iclv.Adaptive."
            )
        return given, "as asked for"
    if conditionable:
        rule = Conditioned(default_rule(seen)[0])
        return rule, "chosen because all items are continuous and the equations linear"
    return default_rule(dimension)
