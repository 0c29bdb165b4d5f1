"""From `penalties={...}` to arrays over the free parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from iclv_jax._parameters._penalties._penalty import L1, L2, Gaussian, Penalty
from iclv_jax._parameters._penalties._terms import Terms, cost, slope
from iclv_jax._spec._names import nearest


@dataclass(frozen=True)
class Applied:
    """Penalties of one key, and the parameters that they fall on."""

    key: str
    penalties: tuple[Penalty, ...]
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        what = " + ".join(map(repr, self.penalties))
        count = len(self.parameters)
        many = "" if self.parameters == (self.key,) else f" ({count} parameter{'s' if count > 1 else ''})"
        return f"{what} on {self.key}{many}"


@dataclass(frozen=True)
class Penalties:
    """Penalties of the free parameters `names`, in natural units."""

    names: tuple[str, ...]
    applied: tuple[Applied, ...]

    @cached_property
    def terms(self) -> Terms:
        """Quadratics of one parameter add up to one quadratic and a constant."""
        at = {name: i for i, name in enumerate(self.names)}
        precision, pull, square, absolute = np.zeros((4, len(self.names)))
        for group in self.applied:
            places = [at[name] for name in group.parameters]
            for shape in (penalty.shape for penalty in group.penalties):
                precision[places] += shape.precision
                pull[places] += shape.precision * shape.mean
                square[places] += shape.precision * shape.mean**2
                absolute[places] += shape.absolute
        mean = pull / np.where(precision > 0.0, precision, 1.0)
        offset = 0.5 * float(np.sum(square - precision * mean**2))
        return Terms(*map(jnp.asarray, (precision, mean, absolute, offset)))

    @property
    def kinked(self) -> tuple[str, ...]:
        """Parameters under an absolute value."""
        return tuple(n for n, a in zip(self.names, np.asarray(self.terms.absolute), strict=True) if a > 0.0)

    @property
    def smooth(self) -> "Penalties":
        """Without what has no derivative everywhere."""
        kept = (Applied(g.key, tuple(p for p in g.penalties if p.smooth), g.parameters) for g in self.applied)
        return Penalties(self.names, tuple(g for g in kept if g.penalties))

    def cost(self, params: Any) -> float:
        return float(cost(self.terms, jnp.asarray(params)))

    def slope(self, params: Any) -> np.ndarray:
        return np.asarray(slope(self.terms, jnp.asarray(params)))

    @property
    def precision(self) -> np.ndarray:
        return np.asarray(self.terms.precision)


def resolve(given: Any, names: Sequence[str], standing: Mapping[str, str]) -> Penalties | None:
    """Penalties by parameter; None for none.

    A key is a parameter or what the names of several begin with, up to a dot or a bracket (`"taste"` of
    `taste.layers[0].weight[2,1]`). Where keys overlap the longest one holds. `standing` says why a parameter of the
    table that is not in `names` is not free.
    """
    if given is None or (isinstance(given, Mapping) and not given):
        return None
    if not isinstance(given, Mapping):
        raise ValueError(
            f'penalties= maps names of parameters to penalties, {{"price": iclv.L2(1.0)}}, not {given!r}.'
        )
    held = {key: _penalties(key, value) for key, value in given.items()}
    covered = {key: under(key, names) for key in held}
    for key in held:
        if not covered[key]:
            _refuse(key, names, standing)
    owner = {name: key for key in sorted(held, key=len) for name in covered[key]}
    groups = ((key, tuple(n for n in covered[key] if owner[n] == key)) for key in held)
    applied = tuple(Applied(key, held[key], mine) for key, mine in groups if mine and held[key])
    return Penalties(tuple(names), applied) if applied else None


def under(key: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The parameter of this name, or those whose names begin with it up to a dot or a bracket."""
    if key in names:
        return (key,)
    return tuple(n for n in names if isinstance(key, str) and n.startswith((f"{key}.", f"{key}[")))


def _penalties(key: Any, value: Any) -> tuple[Penalty, ...]:
    """None is no penalty: an exception to a shorter key."""
    found = () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for one in found:
        if not isinstance(one, Penalty):
            members = ", ".join(f"iclv.{kind.__name__}" for kind in (L1, L2, Gaussian))
            raise ValueError(f"penalties[{key!r}] is one of {members}, a list of them, or None, not {one!r}.")
    return found


def _refuse(key: Any, names: Sequence[str], standing: Mapping[str, str]) -> None:
    if key in standing:
        raise ValueError(
            f"penalties= names {key!r}, which is {standing[key]}: only free parameters are penalised."
        )
    known = dict.fromkeys([*names, *(n.split(c)[0] for n in names for c in ".[" if c in n)])
    raise ValueError(
        f"penalties= names {key!r}, which is no free parameter and not what names begin with. {nearest(key, known)}"
    )
