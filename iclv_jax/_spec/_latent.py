"""Latent variables and the recursive system of their structural equations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given
from iclv_jax._spec._names import as_tuple, duplicates, nearest
from iclv_jax._spec._standardized import Predictor, Standardized, column_of


@dataclass(frozen=True)
class Latent:
    """A latent variable and its structural equation.

    Parameters
    ----------
    name
        Its name, as utilities (`lv.name`), indicators (`of=`) and other latent variables use it.
    on
        Predictors of its structural equation: columns that are constant within a person, as they are or
        `Standardized(...)`, and other latent variables. Their coefficients are called `name ~ predictor`. Or a
        function of `(b, x, lv)`, as a utility is, that returns the systematic part, to which the disturbance is
        added: `lambda b, x, lv: b.slope * jnp.log(x.income) + b.net(jnp.stack([x.age, lv.trust]))`. Its columns are
        constant within a person, and its parameters keep their names. Such a model has no closed forms: second derivatives
        are taken by automatic differentiation, and what speaks of linear paths (`effects`, `standardized`) is refused.
    scale
        What gives the latent variable its unit. `"variance"`: its disturbance has variance 1 and
        every loading is free. `"loading"`: its first loading is 1 (or the loading named in the
        model's `fixed` keeps the value given there) and the variance `name ~~ name` is free.
    intercept
        Whether its equation has an intercept `name ~ 1`. The location of a latent variable is
        that of its items, so one item's intercept must then be fixed.
    equation
        The function behind `on` once the model has recorded it; not to be given.

    Raises
    ------
    ValueError
        For a predictor that occurs twice, or for itself as predictor.

    Examples
    --------
    >>> anger = iclv.Latent("anger", on=["age", "green"])  # a path from another latent variable
    >>> both = [iclv.Latent("green", on=["female"]), anger]
    >>> iclv.Model(both, [*items, iclv.Continuous("time", of="anger")]).bind(df).names[:3]
    ('green ~ female', 'anger ~ age', 'anger ~ green')
    """

    name: Given[str]
    on: Given[Sequence[Predictor] | Callable[..., object]] = ()
    scale: Given[Literal["variance", "loading"]] = "variance"
    intercept: Given[bool] = False
    equation: Any = None

    def __post_init__(self) -> None:
        if callable(self.on):
            object.__setattr__(self, "equation", self.on)
            object.__setattr__(self, "on", ())
        object.__setattr__(self, "on", as_tuple(self.on))
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"The name of a latent variable is a non-empty text, not {self.name!r}.")
        if not is_word(self.scale, ("variance", "loading")):
            raise ValueError(
                f"Latent variable {self.name!r}: scale is 'variance' or 'loading', not {self.scale!r}."
            )
        if not isinstance(self.intercept, bool):
            raise ValueError(
                f"Latent variable {self.name!r}: intercept is True or False, not {self.intercept!r}. A value "
                "of its own goes into fixed=."
            )
        wrong = [p for p in as_tuple(self.on) if not isinstance(p, (str, Standardized))]
        if wrong:
            raise ValueError(
                f"Latent variable {self.name!r}: predictors are names of columns and latent variables, not "
                f"{wrong[0]!r}."
            )
        columns = [column_of(p) for p in self.predictors]
        twice = duplicates(columns)
        if twice:
            raise ValueError(
                f"Latent variable {self.name!r} has the predictor {twice[0]!r} twice. Name it once."
            )
        if self.name in columns:
            raise ValueError(f"Latent variable {self.name!r} cannot be a predictor of itself.")

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """Those in `on`, and what a function uses once the model has recorded it."""
        return tuple(self.on)  # pyright: ignore[reportArgumentType]


def causal_order(latents: Sequence[Latent]) -> tuple[str, ...]:
    """Names of the latent variables such that each comes after its predictors.

    Raises ValueError, naming the cycle, when the paths are cyclic.
    """
    names = {v.name for v in latents}
    parents = {v.name: [p for p in v.predictors if isinstance(p, str) and p in names] for v in latents}
    order: list[str] = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise ValueError(
                f"The paths among the latent variables are cyclic: {cycle} (each is a predictor of the one "
                "before it). Remove one of them; structural equations must be recursive."
            )
        if name not in order:
            for parent in parents[name]:
                visit(parent, (*trail, name))
            order.append(name)

    for latent in latents:
        visit(latent.name, ())
    return tuple(order)


def check_pairs(
    pairs: Given[Sequence[tuple[str, str]]], latents: Sequence[str], coefficients: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Covariance pairs in the model's own order; errors name what is unknown, mixed or repeated."""
    known = [*latents, *coefficients]
    ordered = []
    for pair in pairs:
        names = as_tuple(pair)
        if len(names) != 2 or names[0] == names[1]:
            raise ValueError(f"covariances holds pairs of two different names, not {pair!r}.")
        for name in names:
            if name not in known:
                raise ValueError(
                    f"covariances names {name!r}, which is neither a latent variable, a continuous item nor a "
                    f"random coefficient. {nearest(name, known)}"
                )
        first, second = sorted(names, key=known.index)
        ordered.append((first, second))
    twice = duplicates(f"{a} ~~ {b}" for a, b in ordered)
    if twice:
        raise ValueError(f"covariances holds the pair {twice[0]!r} twice.")
    return tuple(ordered)
