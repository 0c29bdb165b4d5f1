"""Multiple discrete-continuous choices: what is bought, and how much of it."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from iclv_jax._base._types import AnyArray, Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._families._compensation import compensation
from iclv_jax._families._demand import Goods, gumbels, quantities
from iclv_jax._families._mdcev_checks import check_quantities, nobody, pairs_of, profile_of
from iclv_jax._spec import Cell, Cells, Declared, Kernel, Parameter, Positive, Recorder, Utility, one
from iclv_jax._spec._trace import check_arguments, plain

DRAWS = 256
"""Draws of the errors over which forecasts are averaged."""
OPEN = 1e-4
"""How far alphas stay away from 0 and 1."""


@dataclass(frozen=True)
class MDCEV(Kernel):
    """How much of each of several goods is consumed within a budget: the multiple discrete-continuous extreme value model
    (Bhat 2005, 2008).

    Parameters
    ----------
    utility, available, name, rows, table
        As of `Logit`; utilities are baseline utilities, logs of marginal utilities at zero consumption but for what the
        profile adds. Only their differences matter: one good goes without a constant.
    quantities
        The column with the quantity of each good, such as `{"leisure": "hours_leisure", ...}`; zero where nothing was
        consumed.
    prices
        The column with the price of each good. A good without one costs 1.
    budget
        The column with what can be spent, the sum of prices times quantities. It is needed for forecasts and simulation, and
        checked against the data; the likelihood does not use it.
    outside
        The good of which everybody consumes something. None: none.
    profile
        How goods satiate, with `psi = exp(utility + error)`. `"gamma"`: `gamma psi log(x / gamma + 1)`, the outside good
        `psi log x`, with a parameter `leisure.gamma` for each. `"alpha"`: `psi ((x + 1)^alpha - 1) / alpha`, the
        outside good `psi x^alpha / alpha`, with `leisure.alpha` below 1. `"translated"`: `psi (x + gamma)^alpha` with
        both, and alphas between 0 and 1 (Bhat 2005; the outside good without gamma).
    scale
        Whether errors have another scale than 1: `choice.scale` multiplies utilities, 1 / sigma of Bhat (2008). Where
        prices do not vary and all goods but one have a constant, it cannot be told from alphas: twice the scale with
        half of every `1 - alpha` is the same model. Then fix it, `fixed={"choice.scale": 10.0}`.

    The log-likelihood is that of expenditures (Bhat 2008, eq. 19), with its factorial `(M - 1)!` of the number M of goods
    that are consumed; Biogeme leaves that constant out. `fit.predict()` gives expected quantities, over 256 Sobol draws
    of the errors at each point; elasticities are those of expected quantities. In latent classes goods of one name have
    the same gammas and alphas in all, unless `LatentClasses` has `apart=True`.

    Raises
    ------
    ValueError
        For goods without a quantity, negative quantities, what is consumed but not available, a row in which nothing is
        consumed or nothing of the outside good, prices that are not positive, and budgets that are not what was spent.

    Examples
    --------
    >>> def baseline(b, x, lv):
    ...     return {"rest": b.rest + b.age_rest * x.age, "work": 0.0}
    >>> hours = df.assign(rest=df["time"], work=df["cost"])
    >>> iclv.Model(choice=iclv.MDCEV(baseline, quantities={"rest": "rest", "work": "work"})).bind(hours).names
    ('rest', 'age_rest', 'rest.gamma', 'work.gamma', 'choice.scale')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    quantities: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...]] = ()
    prices: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    budget: Given[str | None] = None
    outside: Given[Hashable | None] = None
    profile: Given[str] = "gamma"
    scale: Given[bool] = True
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None
    discrete: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in ("quantities", "prices"):
            object.__setattr__(self, field, pairs_of(getattr(self, field), field))
        profile_of(self.profile, self.scale, self.outside, self.goods, pairs_of(self.prices, "prices"))
        _shared.normalise(self)

    @property
    def goods(self) -> tuple[Hashable, ...]:
        """In the order of the utility function, once that is recorded."""
        return tuple(good for good, _ in pairs_of(self.quantities, "quantities"))

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        return self.goods

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for _, column in pairs_of(self.quantities, "quantities"))

    @property
    def chosen(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.columns[0]

    @property
    def unpredicted(self) -> str:
        if self.budget is not None:
            return ""
        return f"{self.name!r} does not say what can be spent. Give MDCEV budget=, a column"

    @property
    def undrawn(self) -> str:
        return self.unpredicted

    @property
    def whole(self) -> Callable[..., object]:
        own, goods = plain(self.utility), self.goods  # pyright: ignore[reportArgumentType]
        prices = dict(pairs_of(self.prices, "prices"))

        def all_of(b: Any, x: Any, lv: Any) -> object:
            found = own(b, x, lv)
            if not isinstance(found, dict):
                return found
            if set(found) != set(goods):
                raise ValueError(
                    f"The utility function returns utilities of {_listed(found)}, but quantities= has {_listed(goods)}. "
                    "Name the same goods in both."
                )
            costs = {("price", g): x[prices[g]] if g in prices else 1.0 for g in found} if prices else {}
            return {**found, **costs, **({} if self.budget is None else {("budget", ""): x[self.budget]})}

        return all_of

    def recorded(self, record: Recorder) -> Kernel:
        check_arguments(self.utility, ("b", "x", "lv"), "The utility function")
        seen = record(self.whole, False)
        columns = dict(pairs_of(self.quantities, "quantities"))
        ordered = tuple((good, columns[good]) for good in seen.alternatives[: len(columns)])
        return replace(self, utility=seen, quantities=ordered)

    def needed(self, offered: AnyArray) -> AnyArray:
        xp = np if isinstance(offered, np.ndarray) else jnp
        spent = xp.ones((len(offered), int(self.budget is not None)), bool)
        return xp.concatenate([offered, *([offered] if self.prices else []), spent], axis=1)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        return None

    def check_numbers(
        self,
        outcome: np.ndarray,
        columns: Mapping[str, np.ndarray],
        offered: np.ndarray,
        labels: Sequence[Any],
    ) -> None:
        check_quantities(self, outcome, columns, offered, labels)

    def starts(self, outcome: np.ndarray, columns: np.ndarray, offered: np.ndarray) -> dict[str, float]:
        nobody(self, outcome.max(axis=0))
        means = outcome.sum(axis=0) / (outcome > 0.0).sum(axis=0)
        known = {p.name for p in self.declare().parameters}
        return {
            f"{g}.gamma": float(m) for g, m in zip(self.goods, means, strict=True) if f"{g}.gamma" in known
        }

    def declare(self) -> Declared:
        alphas, gammas, found = [], [], []
        for good in self.goods:
            alphas.append(self._alpha(good, found))
            gammas.append(self._gamma(good, found))
        cells = [
            Cells(key, (len(self.goods),), tuple(entries))
            for key, entries in (("alpha", alphas), ("gamma", gammas))
        ]
        if self.scale:
            name = f"{self.name}.scale"
            found.append(Parameter(name, "choice", "scale", 1.0, "scale of the utilities", owner=self.name))
            cells.append(Cells("scale", (), (one(name),)))
        positive = tuple(Positive(p.name) for p in found if p.role != "shape")
        return Declared(tuple(found), tuple(cells), positive)

    def _alpha(self, good: Hashable, into: list[Parameter]) -> Cell:
        if self.profile == "gamma":
            return 0.0
        meaning = f"satiation of {good}: 1 is none"
        bounds = (OPEN if self.profile == "translated" else -math.inf, 1.0 - OPEN)
        into.append(
            Parameter(f"{good}.alpha", "choice", "shape", 0.5, meaning, owner=str(good), bounds=bounds)
        )
        return one(f"{good}.alpha")

    def _gamma(self, good: Hashable, into: list[Parameter]) -> Cell:
        if good == self.outside:
            return 0.0
        if self.profile == "alpha":
            return 1.0
        meaning = f"translation of {good}: the larger, the later it satiates"
        into.append(Parameter(f"{good}.gamma", "choice", "scale", 1.0, meaning, owner=str(good)))
        return one(f"{good}.gamma")

    def _goods(self, cells: Arrays, utilities: Array, offered: Array) -> Goods:
        """What is known of the goods in one situation, without errors."""
        count = len(self.goods)
        alpha, gamma = cells["alpha"], cells["gamma"]
        price = jnp.where(offered, utilities[count : 2 * count], 1.0) if self.prices else jnp.ones(count)
        base = jnp.where(offered, utilities[:count], 0.0)
        if self.profile == "gamma":
            base = base + jnp.log(jnp.where(gamma > 0.0, gamma, 1.0))
        elif self.profile == "translated":
            base = base + jnp.log(alpha)
        return Goods(base, alpha, gamma, price, offered)

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        goods, scale = self._goods(cells, utilities, offered), cells["scale"] if self.scale else jnp.ones(())
        bought = outcome > 0.0
        count = jnp.sum(bought).astype(float)
        v = scale * goods.log_marginal(outcome)
        # Bhat's 1 / c: how fast marginal utilities fall with expenditure.
        slack = jnp.where(bought, goods.price * (outcome + goods.gamma) / (1.0 - goods.alpha), 1.0)
        jacobian = jnp.log(jnp.sum(jnp.where(bought, slack, 0.0))) - jnp.sum(jnp.log(slack))
        chosen = jnp.sum(jnp.where(bought, v, 0.0)) - count * _shared.log_total(v, offered)
        return chosen + jacobian + (count - 1.0) * jnp.log(scale) + gammaln(count)

    def _consumed(self, cells: Arrays, utilities: Array, offered: Array, errors: Array) -> Array:
        goods = self._goods(cells, utilities, offered)
        errors = errors / cells["scale"] if self.scale else errors
        return quantities(goods._replace(base=goods.base + errors), utilities[-1])

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        errors = jnp.asarray(gumbels(DRAWS, len(self.goods)))
        return jnp.mean(jax.vmap(lambda e: self._consumed(cells, utilities, offered, e))(errors), axis=0)

    @property
    def purse(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.budget

    def compensation(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, cells: Arrays, before: Array, after: Array, offered_before: Array, offered_after: Array
    ) -> Array:
        a, b = self._goods(cells, before, offered_before), self._goods(cells, after, offered_after)
        errors = jnp.asarray(gumbels(DRAWS, len(self.goods)))
        errors = errors / cells["scale"] if self.scale else errors

        def one(e: Array) -> Array:
            moved = a._replace(base=a.base + e), b._replace(base=b.base + e)
            return compensation(*moved, before[-1], after[-1])

        return jnp.mean(jax.vmap(one)(errors))

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        errors = jax.random.gumbel(key, (len(self.goods),), utilities.dtype)
        return self._consumed(cells, utilities, offered, errors)


def _listed(values: Any) -> str:
    return ", ".join(map(repr, values))
