"""Exact conditioning on continuous items, and a rule for what is left."""

from dataclasses import dataclass

import numpy as np

from iclv_jax._integration._quadrature import GaussHermite
from iclv_jax._integration._quartered import Quartered
from iclv_jax._integration._rule import Points, Rule


@dataclass(frozen=True)
class Conditioned(Rule):
    """Latent variables given the items in closed form; only the choice is integrated, by `rule`.

    For models whose items are all continuous: the likelihood of the items is exact, the dimensions
    are those of the latent variables that enter utilities (and of random coefficients), and the nodes
    move with the parameters. A model without a choice needs no nodes at all. It is what such models get
    by default; any other rule given as `integration=` turns it off.

    Parameters
    ----------
    rule
        For the latent variables that enter utilities, given the items.

    Examples
    --------
    >>> normal = [iclv.Continuous(q, of="green") for q in ("q1", "q2", "q3")]
    >>> problem = iclv.Model([iclv.Latent("green")], normal).bind(df, integration=iclv.Conditioned())
    >>> bool(np.isfinite(problem.loglike(problem.start())))
    True
    """

    rule: Rule = GaussHermite(15)  # noqa: RUF009 (frozen, so it may be shared)

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule) or self.rule.conditions:
            raise ValueError(f"Conditioned takes a rule such as iclv.GaussHermite(15), not {self.rule!r}.")

    @property
    def centred(self) -> bool:
        return self.rule.centred

    @property
    def conditions(self) -> bool:
        return True

    @property
    def by_moments(self) -> bool:
        return self.rule.by_moments

    @property
    def by_classes(self) -> bool:
        return self.rule.by_classes

    @property
    def quartered(self) -> Quartered | None:
        return self.rule.quartered

    def of(self, people: np.ndarray) -> "Conditioned":
        return Conditioned(self.rule.of(people))

    def size(self, dimension: int) -> int:
        return self.rule.size(dimension)

    def standard(self, people: int, dimension: int) -> Points:
        return self.rule.standard(people, dimension)

    def behind(self, before: int, people: int, total: int, dimension: int) -> Points:
        return self.rule.behind(before, people, total, dimension)

    def describe(self, dimension: int) -> str:
        exact = "exact conditioning on the continuous items"
        return f"{exact}, then {self.rule.describe(dimension)}" if dimension else exact

    def stages(self) -> tuple[Rule, ...]:
        return tuple(Conditioned(rule) for rule in self.rule.stages())

    def finer(self, factor: int) -> "Conditioned":
        return Conditioned(self.rule.finer(factor))

    def reseeded(self, seed: int) -> "Conditioned | None":
        rule = self.rule.reseeded(seed)
        return None if rule is None else Conditioned(rule)

    @property
    def scatters(self) -> bool:
        return self.rule.scatters

    @property
    def target_error(self) -> float | None:
        return self.rule.target_error
