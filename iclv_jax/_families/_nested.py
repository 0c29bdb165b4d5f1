"""Nested logit of any depth."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from iclv_jax._base._types import Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._spec import Cells, Declared, Kernel, Parameter, Positive, Utility, one
from iclv_jax._spec import _names as names

START = 0.7
"""Where logsum coefficients start: inside, so that their scores say on which side they end."""
SMALLEST = 0.01
"""Below it a nest is a maximum to the eye, with kinks for a likelihood."""
Nests = tuple[tuple[str, tuple[Hashable, ...]], ...]


@dataclass(frozen=True)
class NestedLogit(Kernel):
    """A nested logit: alternatives of one nest are closer substitutes; nests may hold nests.

    A nest `m` is worth `V_m = mu_m log sum exp(V_c / mu_m)` over what it holds, where `mu_m` is the product of the
    logsum coefficients from the root down to it, and so is the root with 1: `log sum exp(V_c)` (McFadden 1978; Train 2009,
    ch. 4). In each nest the choice is a logit of its members.

    Parameters
    ----------
    utility, chosen, available, name, rows, table
        As of `Logit`.
    nests
        Nests by name, each with its members: alternatives and other nests, such as `{"public": ["bus", "train"],
        "motorised": ["car", "public"]}`. What stands in no nest stands at the root. Each has a parameter
        `public.lambda` in (0, 1], relative to the nest that holds it: 1 says that it might as well not be there, and
        so all 1 is the logit. Bounds are [0.01, 1], others go into `bounds=`; an estimate at 1 is reported as a bound.
        Biogeme's `mu` is its inverse, Apollo's `lambda` the product down from the root.

    Raises
    ------
    ValueError
        For a member that is neither an alternative nor a nest, one that stands in two nests, a nest with fewer
        than two members or the name of an alternative, and nests that hold each other.

    Examples
    --------
    >>> def three(b, x, lv):
    ...     return {"bus": b.asc_bus, "train": b.asc_train, "car": b.time * x.time}
    >>> modes = df.assign(mode=np.where(df["q1"] == 1, "train", df["mode"]))
    >>> iclv.Model(choice=iclv.NestedLogit(three, "mode", {"public": ["bus", "train"]})).bind(modes).names
    ('asc_bus', 'asc_train', 'time', 'public.lambda')
    """

    utility: Given[Callable[..., ByAlternative[object]] | Utility]
    chosen: Given[str]
    nests: Given[Mapping[str, Sequence[Hashable]] | Nests] = ()
    available: Given[ByAlternative[str] | tuple[tuple[Hashable, str], ...] | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None

    def __post_init__(self) -> None:
        nests = nests_of(self.nests)
        _check_tree(nests)
        object.__setattr__(self, "nests", nests)
        _shared.normalise(self)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        known = [n for n, _ in self.nests]
        for nest, members in self.nests:
            if nest in alternatives:
                raise ValueError(f"nests= has a nest {nest!r}, which is an alternative too. Rename the nest.")
            for member in members:
                if member not in alternatives and member not in known:
                    raise ValueError(
                        f"nests[{nest!r}] holds {member!r}, which is neither an alternative of the utility function nor a "
                        f"nest. {names.nearest(member, [*alternatives, *known])}"
                    )

    def declare(self) -> Declared:
        parameters = tuple(logsum_coefficient(nest, f"of the nest {nest}") for nest, _ in self.nests)
        cells = Cells("lambda", (len(parameters),), tuple(one(p.name) for p in parameters))
        return Declared(parameters, (cells,), tuple(Positive(p.name) for p in parameters))

    def log_probabilities(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        """Of every alternative; anything finite for what is not offered."""
        return self._tree(cells, utilities, offered)[1]

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        return self.log_probabilities(cells, utilities, offered)[outcome]

    def log_sum(self, cells: Arrays, utilities: Array, offered: Array) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._tree(cells, utilities, offered)[0]

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        return _shared.drawn(self.log_probabilities(cells, utilities, offered), offered, key)

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        return _shared.masked(self.log_probabilities(cells, utilities, offered), offered)

    def _tree(self, cells: Arrays, utilities: Array, offered: Array) -> tuple[Array, Array]:
        """The worth of the root, and log probabilities of the alternatives: sums of those on the way down."""
        alternatives, nests = self.utility.alternatives, dict(self.nests)
        place = {nest: i for i, nest in enumerate(nests)}
        inside = {member for members in nests.values() for member in members}
        worth = {a: utilities[j] for j, a in enumerate(alternatives)}
        there = {a: offered[j] for j, a in enumerate(alternatives)}
        log_share: dict[Hashable, Array] = {}

        def climb(members: Sequence[Hashable], mu: Array) -> tuple[Array, Array]:
            for member in members:
                if member in nests:
                    scale = mu * cells["lambda"][place[str(member)]]
                    worth[member], there[member] = climb(nests[str(member)], scale)
            v, on = jnp.stack([worth[m] for m in members]), jnp.stack([there[m] for m in members])
            total, shares = _shared.shared_out(v, mu, on)
            log_share.update({m: shares[i] for i, m in enumerate(members)})
            return total, on.any()

        root = [member for member in (*alternatives, *nests) if member not in inside]
        top, _ = climb(root, jnp.ones(()))
        holder = {member: nest for nest, members in nests.items() for member in members}
        found = []
        for alternative in alternatives:
            member, log = alternative, log_share[alternative]
            while member in holder:
                member = holder[member]
                log = log + log_share[member]
            found.append(log)
        return top, jnp.stack(found)


def logsum_coefficient(nest: str, of: str, start: float = START) -> Parameter:
    """`nest.lambda` in (0, 1]."""
    meaning = f"logsum coefficient {of} (1: as if it were not there)"
    return Parameter(f"{nest}.lambda", "choice", "logsum", start, meaning, owner=nest, bounds=(SMALLEST, 1.0))


def nests_of(given: object) -> Nests:
    """A mapping of nests as pairs."""
    if isinstance(given, Mapping):
        given = tuple((nest, names.as_tuple(members)) for nest, members in given.items())
    if (
        not isinstance(given, tuple)
        or not given
        or not all(isinstance(p, tuple) and len(p) == 2 for p in given)
    ):
        raise ValueError(
            f"nests= is a mapping from names of nests to their members, such as {{'public': ['bus', 'train']}}, not "
            f"{given!r}."
        )
    for nest, members in given:
        if not isinstance(nest, str) or not nest:
            raise ValueError(f"nests=: the name of a nest is a text, not {nest!r}.")
        strange = [member for member in members if not names.is_label(member)]
        if strange:
            raise ValueError(f"nests[{nest!r}] holds alternatives and nests, not {strange[0]!r}.")
        if len(members) < 2:
            raise ValueError(f"nests[{nest!r}] has fewer than two members. Leave the nest out.")
        twice = names.duplicates(members)
        if twice:
            raise ValueError(f"nests[{nest!r}] holds {twice[0]!r} twice. Name it once.")
    return given


def _check_tree(nests: Nests) -> None:
    holder: dict[Hashable, str] = {}
    for nest, members in nests:
        for member in members:
            if member in holder:
                raise ValueError(
                    f"{member!r} stands in two nests, {holder[member]!r} and {nest!r}. Keep it in one; an alternative "
                    "that belongs to several takes CrossNestedLogit."
                )
            holder[member] = nest
    for nest, _ in nests:
        above, at = [nest], holder.get(nest)
        while at is not None:
            if at in above:
                raise ValueError(f"The nests {nest!r} and {at!r} hold each other. Nests make a tree.")
            above.append(at)
            at = holder.get(at)
