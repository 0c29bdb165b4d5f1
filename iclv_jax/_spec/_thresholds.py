"""Thresholds that several ordered items share."""

from dataclasses import dataclass

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import Given
from iclv_jax._spec import _names
from iclv_jax._spec._parameter import Combination, Domain, Increasing, Positive, one


@dataclass(frozen=True)
class Thresholds:
    """One set of thresholds for all items that name it.

    Parameters
    ----------
    name
        Prefix of the parameters: `name | 1`, `name | 2`, ... or, when symmetric, `name.delta1`, ...
    symmetric
        Thresholds mirror each other around zero. The parameters are the increments outwards from
        zero: with five levels -(d1 + d2), -d1, d1, d1 + d2; an even number of levels has one
        threshold at zero.

    Items with shared thresholds have free intercepts and scales by default; location and unit must
    then be given by fixing the intercept and the scale (or the loading) of one of them.

    Examples
    --------
    >>> likert = iclv.Thresholds("likert")
    >>> shared = [iclv.Ordered(q, of="green", levels=[1, 2, 3], thresholds=likert) for q in ("q1", "q2", "q3")]
    >>> location = {"q1 ~ 1": 0.0, "q1 ~~ q1": 1.0}  # of the first item, for the others to be compared with
    >>> names = iclv.Model([iclv.Latent("green")], shared, fixed=location).bind(df).names
    >>> [name for name in names if "likert" in name]
    ['likert | 1', 'likert | 2']
    """

    name: Given[str]
    symmetric: Given[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"The name of Thresholds is a non-empty text, not {self.name!r}.")
        check_switch(self.symmetric, f"Thresholds({self.name!r}): symmetric")

    def cells(self, levels: int) -> tuple[Combination, ...]:
        """The `levels - 1` thresholds as combinations of parameters."""
        if not self.symmetric:
            return tuple(one(name) for name in self.names(levels))
        half = [tuple((name, 1.0) for name in self.names(levels)[: i + 1]) for i in range((levels - 1) // 2)]
        middle: list[Combination] = [()] if levels % 2 == 0 else []
        below = [tuple((name, -1.0) for name, _ in terms) for terms in reversed(half)]
        return (*below, *middle, *half)

    def names(self, levels: int) -> tuple[str, ...]:
        if self.symmetric:
            return tuple(f"{self.name}.delta{i + 1}" for i in range((levels - 1) // 2))
        return tuple(_names.threshold(self.name, i + 1) for i in range(levels - 1))

    def domains(self, levels: int) -> tuple[Domain, ...]:
        names = self.names(levels)
        return tuple(Positive(n) for n in names) if self.symmetric else (Increasing(names),)

    def starts(self, positions: list[float]) -> dict[str, float]:
        """Start values from the positions of all thresholds."""
        names = self.names(len(positions) + 1)
        if not self.symmetric:
            return dict(zip(names, positions, strict=True))
        outward = [0.0, *(p for p in positions if p > 1e-12)]
        return {n: outward[i + 1] - outward[i] for i, n in enumerate(names)}
