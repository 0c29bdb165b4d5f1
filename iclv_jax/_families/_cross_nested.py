"""Cross-nested logit: an alternative may belong to several nests in part."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from iclv_jax._base._types import Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._families._nested import logsum_coefficient
from iclv_jax._spec import Cell, Cells, Declared, Kernel, Parameter, Positive, Utility, one
from iclv_jax._spec import _names as names
from iclv_jax._spec._values import is_number

Members = tuple[tuple[Hashable, float | None], ...]
CLOSE = 1e-9
START = 1.0
"""From the logit: from lower values some surveys run off to nests that are maxima (on swissmetro from 0.7 and 0.9)."""


@dataclass(frozen=True)
class CrossNestedLogit(Kernel):
    """A cross-nested logit: `P_j = sum_m P(j | m) P(m)` with allocations `a_jm` that add up to 1 over nests.

    `P(j | m)` is proportional to `(a_jm exp V_j)^(1 / lambda_m)` and `P(m)` to the `lambda_m`-th power of the sum of
    these over j (Vovsha 1997; Wen and Koppelman 2001). With allocations of 0 and 1 it is the nested logit.

    Parameters
    ----------
    utility, chosen, available, name, rows, table
        As of `Logit`.
    nests
        Nests by name, each with its alternatives, such as `{"existing": ["train", "car"], "public": ["train",
        "bus"]}`. An alternative in several nests has a free allocation `train.existing` in [0, 1] to each of them
        but the last, which has the rest; with numbers, `{"existing": {"train": 0.4, "car": 1.0}, ...}`, allocations
        are given (`fixed=` and `equal=` work too). One in no nest stands alone. Each nest has a logsum coefficient
        `existing.lambda` in (0, 1], the inverse of Biogeme's `mu`.

    Raises
    ------
    ValueError
        For a member that is no alternative, and given allocations that do not add up to 1 or stand beside free ones.

    Notes
    -----
    The likelihood may have several maxima: `fit.multistart` tries other starts.

    Examples
    --------
    >>> def three(b, x, lv):
    ...     return {"bus": b.asc_bus, "train": b.asc_train, "car": b.time * x.time}
    >>> modes = df.assign(mode=np.where(df["q1"] == 1, "train", df["mode"]))
    >>> nests = {"public": ["bus", "train"], "fast": ["train", "car"]}
    >>> iclv.Model(choice=iclv.CrossNestedLogit(three, "mode", nests)).bind(modes).names[3:]
    ('public.lambda', 'fast.lambda', 'train.public')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    chosen: Given[str]
    nests: Given[
        Mapping[str, Sequence[Hashable] | Mapping[Hashable, float]] | tuple[tuple[str, Members], ...]
    ] = ()
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "nests", _nests_of(self.nests))
        _shared.normalise(self)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        for nest, members in self.nests:
            for member, _ in members:
                if member not in alternatives:
                    raise ValueError(
                        f"nests[{nest!r}] holds {member!r}, which is no alternative of the utility function. "
                        f"{names.nearest(member, alternatives)}"
                    )
        for member, homes in self._homes().items():
            _check_allocations(member, homes)

    def _homes(self) -> dict[Hashable, dict[str, float | None]]:
        """Of every alternative in a nest, its nests with the allocations that are given."""
        found: dict[Hashable, dict[str, float | None]] = {}
        for nest, members in self.nests:
            for member, share in members:
                found.setdefault(member, {})[nest] = share  # pyright: ignore[reportArgumentType]
        return found

    def declare(self) -> Declared:
        order = {nest: m for m, (nest, _) in enumerate(self.nests)}
        alternatives, count = self.utility.alternatives, len(order)
        parameters = [logsum_coefficient(nest, f"of the nest {nest}", START) for nest in order]
        lambdas = Cells("lambda", (count,), tuple(one(p.name) for p in parameters))
        entries: list[Cell] = [0.0] * (count * len(alternatives))
        for member, homes in self._homes().items():
            j = alternatives.index(member)
            for nest in list(homes)[:-1]:
                share = homes[nest]
                if share is None:
                    parameters.append(_allocation(member, nest, len(homes)))
                at = order[nest] * len(alternatives) + j
                entries[at] = one(parameters[-1].name) if share is None else share
        cells = Cells("allocations", (count, len(alternatives)), tuple(entries))
        domains = tuple(Positive(f"{nest}.lambda") for nest in order)
        return Declared(tuple(parameters), (lambdas, cells), domains)

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        return self._logs(cells, utilities, offered)[1][outcome]

    def log_sum(self, cells: Arrays, utilities: Array, offered: Array) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._logs(cells, utilities, offered)[0]

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        return _shared.drawn(self._logs(cells, utilities, offered)[1], offered, key)

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        return _shared.masked(self._logs(cells, utilities, offered)[1], offered)

    def _allocated(self, cells: Arrays) -> tuple[Array, Array]:
        """Logs of allocations by nest and alternative, and where they are none; an alternative without a nest has one of
        its own behind the others."""
        alternatives, homes = self.utility.alternatives, self._homes()
        given = cells["allocations"]
        rows = []
        for nest, _ in self.nests:
            last = [a in homes and list(homes[a])[-1] == nest for a in alternatives]
            rest = 1.0 - jnp.sum(given, axis=0)
            own = jnp.where(jnp.array(last), rest, given[len(rows)])
            rows.append(own)
        for j, a in enumerate(alternatives):
            if a not in homes:
                rows.append(jnp.zeros(len(alternatives)).at[j].set(1.0))
        shares = jnp.stack(rows)
        none = shares == 0.0
        # A share that leaves its domain is no number, so that the optimiser takes a shorter step.
        return jnp.log(jnp.where(none, 1.0, shares)), none

    def _logs(self, cells: Arrays, utilities: Array, offered: Array) -> tuple[Array, Array]:
        """The log-sum, and log probabilities of the alternatives."""
        logs, none = self._allocated(cells)
        alone = logs.shape[0] - cells["lambda"].shape[0]
        scale = jnp.concatenate([cells["lambda"], jnp.ones(alone)])
        inside = offered[None, :] & ~none
        worth = logs + jnp.where(offered, utilities, 0.0)[None, :]
        nests, shares = jax.vmap(_shared.shared_out)(worth, scale, inside)
        total, of_nests = _shared.shared_out(nests, jnp.ones(()), inside.any(axis=1))
        return total, jax.vmap(_shared.log_total, in_axes=1)(of_nests[:, None] + shares, inside)


def _allocation(member: Hashable, nest: str, homes: int) -> Parameter:
    meaning = f"allocation of {member} to the nest {nest}"
    name, start = f"{member}.{nest}", 1.0 / homes
    return Parameter(name, "choice", "allocation", start, meaning, owner=nest, bounds=(0.0, 1.0))


def _nests_of(given: object) -> tuple[tuple[str, Members], ...]:
    if isinstance(given, tuple) and given and all(isinstance(p, tuple) and len(p) == 2 for p in given):
        return given
    if not isinstance(given, Mapping) or not given:
        raise ValueError(
            "nests= is a mapping from names of nests to their alternatives, such as {'existing': ['train', 'car'], "
            f"'public': ['train', 'bus']}}, not {given!r}."
        )
    found = []
    for nest, members in given.items():
        strange = [member for member in names.as_tuple(members) if not names.is_label(member)]
        if strange:
            raise ValueError(f"nests[{nest!r}] holds alternatives, not {strange[0]!r}.")
        shares = members if isinstance(members, Mapping) else dict.fromkeys(names.as_tuple(members))
        count = len(shares) if isinstance(members, Mapping) else len(names.as_tuple(members))
        if not isinstance(nest, str) or not nest:
            raise ValueError(f"nests=: the name of a nest is a text, not {nest!r}.")
        if count == 0 or count > len(shares):
            what = "is empty" if count == 0 else "holds an alternative twice"
            raise ValueError(f"nests[{nest!r}] {what}. Name each of its alternatives once.")
        for member, share in shares.items():
            if share is not None and not (is_number(share) and math.isfinite(share)):
                raise ValueError(f"The allocations of {member!r} are numbers from 0 to 1, not {share!r}.")
        found.append((nest, tuple(shares.items())))
    return tuple(found)


def _check_allocations(member: Hashable, homes: Mapping[str, float | None]) -> None:
    numbers = [share for share in homes.values() if share is not None]
    if not numbers:
        return
    if len(numbers) < len(homes):
        free = next(nest for nest, share in homes.items() if share is None)
        raise ValueError(
            f"The allocation of {member!r} is given for some nests and free for {free!r}. Give all of them, or none."
        )
    if min(numbers) < 0.0 or abs(sum(numbers) - 1.0) > CLOSE:
        raise ValueError(
            f"The allocations of {member!r} are {', '.join(f'{s:g}' for s in numbers)}, which "
            + ("must not be negative." if min(numbers) < 0.0 else f"add up to {sum(numbers):g}, not 1.")
        )
