"""Parameters that may be equal: those of one kind."""

from collections.abc import Mapping
from itertools import combinations

from iclv_jax._parameters._define import DEFINITIONS
from iclv_jax._spec import Parameter
from iclv_jax._spec._model import Spec

# The first word is what a parameter is called; two may be equal that share any. A path is a regression, and what `=~` says
# of a latent variable that is measured by others; a loading and a direct effect stand in the index of an item. A coefficient
# of a function is what the function makes of it: a slope, a scale, a spread (a triangular distribution as wide as its mean).
KINDS = {
    "loading": ("loading", "index"),
    "effect": ("regression coefficient", "index"),
    "path": ("regression coefficient", "loading"),
    "slope": ("regression coefficient",),
    "coefficient": ("coefficient", "regression coefficient", "scale", "spread"),
    "scale": ("scale",),
    "spread": ("spread",),
    "mixing": ("spread",),
    "weight": ("weight of a module",),
    "logsum": ("logsum coefficient",),
    "guessing": ("guessing probability",),
    "slipping": ("slipping probability",),
}
ANY = "coefficient of definitions"
"""What only definitions use has the kind that they make of it."""


def check_ties(spec: Spec, parameters: Mapping[str, Parameter]) -> None:
    """ValueError for `equal=` across kinds: the data rarely say that a loading is a variance, and a slip often does."""
    for group in spec.equal:
        for first, second in combinations(group, 2):
            one, other = _kinds(parameters[first]), _kinds(parameters[second])
            if ANY not in (*one, *other) and not {*one} & {*other}:
                raise ValueError(
                    f"equal= ties {first!r} ({_article(one[0])}) to {second!r} ({_article(other[0])}). What is equal must "
                    f"be of one kind. If both are one number all the same, say so by define={{{second!r}: lambda p: "
                    f"p[{first!r}]}}."
                )


def _kinds(parameter: Parameter) -> tuple[str, ...]:
    if parameter.argument == DEFINITIONS:
        return (ANY,)
    if parameter.role == "scale" and parameter.block == "measurement":
        return ("variance",)  # the squared scale of an ordered item, `q ~~ q`
    return KINDS.get(parameter.role, (parameter.role,))


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
