"""Latent classes: a choice that different people make in different ways."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import AnyArray, Array, Arrays, ByAlternative, Given
from iclv_jax._families._class_starts import class_starts
from iclv_jax._spec import Cells, Declared, Kernel, Recorder, Utility, Words
from iclv_jax._spec import _names as names
from iclv_jax._spec._renamed import renamed

OF = ("person", "situation")


@dataclass(frozen=True)
class Outputs:
    """The alternatives of a class, whose utilities stand among those of all."""

    alternatives: tuple[Hashable, ...]


@dataclass(frozen=True)
class LatentClasses(Kernel):
    """A mixture of choices: `P = sum_c pi_c prod_t P_ct`, with membership by a logit.

    Parameters
    ----------
    membership
        `membership(b, x, lv)` returns a mapping from classes to utilities of membership, by columns that do not vary
        within a person and latent variables, such as `{"time": b.m + b.m_age * x.age, "cost": 0.0}`.
    classes
        Choices by class, such as `{"time": iclv.Logit(u1, "mode"), "cost": iclv.Logit(u2, "mode")}`: other utilities or
        other kernels of the same column and alternatives. A parameter that stands in two is one parameter; one that
        stands in none of a class's utilities is what the class does not attend to. Random coefficients may stand in
        any of them.
    of
        `"person"`: a class holds for all situations of a person (of a row, where rows are people); `"situation"`: for each
        by itself, and membership may depend on its columns.
    apart
        Whether parameters of the kernels themselves, such as logsum coefficients, scales, and gammas of `MDCEV`, are those
        of each class by itself, `rich.public.lambda`. False: of one name they are one parameter, as coefficients are.
    name, rows, table
        As of `Logit`; the choices of the classes leave them out.

    `fit.choices.class_probabilities()` says who belongs where. The likelihood has several maxima, and equal classes are a
    saddle: starts are the fits of each class alone, moved apart (Kamakura and Russell 1989).

    Raises
    ------
    ValueError
        For classes that explain other columns, alternatives or availabilities, and a membership of other classes.

    Examples
    --------
    >>> def hurried(b, x, lv):
    ...     return {"bus": b.asc_bus, "car": b.time * x.time}
    >>> def thrifty(b, x, lv):
    ...     return {"bus": b.asc_bus, "car": b.cost * x.cost}
    >>> kinds = {"hurried": iclv.Logit(hurried, "mode"), "thrifty": iclv.Logit(thrifty, "mode")}
    >>> classes = iclv.LatentClasses(lambda b, x, lv: {"hurried": b.share, "thrifty": 0.0}, kinds)
    >>> iclv.Model(choice=classes).bind(df).names
    ('share', 'asc_bus', 'time', 'cost')
    """

    membership: Given[Callable[..., ByAlternative[object]] | Utility]
    classes: Given[Mapping[str, Kernel] | tuple[tuple[str, Kernel], ...]] = ()
    of: Given[str] = "person"
    apart: Given[bool] = False
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None
    personal: Given[tuple[str, ...]] = ()
    function: ClassVar[str] = "membership"

    def __post_init__(self) -> None:
        if isinstance(self.classes, Mapping):
            object.__setattr__(self, "classes", tuple(self.classes.items()))
        if not is_word(self.of, OF):
            raise ValueError(f"of= is 'person' or 'situation', not {self.of!r}. {names.nearest(self.of, OF)}")
        if not isinstance(self.apart, bool):
            raise ValueError(f"apart= is True or False, not {self.apart!r}.")
        if not isinstance(self.personal, tuple) or not all(isinstance(c, str) for c in self.personal):
            raise ValueError(
                f"personal= is what the model finds that membership uses, not {self.personal!r}. Leave it out."
            )
        _check_classes(self.classes)

    @property
    def utility(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.membership

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """The choices of the classes."""
        return tuple(kernel for _, kernel in self.classes)  # pyright: ignore[reportReturnType]

    @property
    def chosen(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.parts[0].chosen

    @property
    def available(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.parts[0].available

    @property
    def columns(self) -> tuple[str, ...]:
        return self.parts[0].columns

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        return self.parts[0].outcomes

    @property
    def discrete(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.parts[0].discrete

    @property
    def unpredicted(self) -> str:
        return next((k.unpredicted for k in self.parts if k.unpredicted), "")

    @property
    def unvalued(self) -> str:
        return next((k.unvalued for k in self.parts if k.unvalued), "")

    @property
    def undrawn(self) -> str:
        return next((k.undrawn for k in self.parts if k.undrawn), "")

    @property
    def constant(self) -> tuple[str, ...]:
        return self.personal if self.of == "person" else ()

    def recorded(self, record: Recorder) -> Kernel:
        known = [name for name, _ in self.classes]
        seen = record.speaking(_words(known))(self.membership, False)
        if set(seen.alternatives) != set(known):
            raise ValueError(
                f"membership returns utilities of {', '.join(map(repr, seen.alternatives))}, but the classes are "
                f"{', '.join(map(repr, known))}. Name the same classes in both."
            )
        each = [
            kernel.recorded(record.owned(f" of the class {name!r}"))
            for name, kernel in zip(known, self.parts, strict=True)
        ]
        _check_alike(known, each)
        members, functions = self.membership, [kernel.whole for kernel in self.parts]

        def all_utilities(b: Any, x: Any, lv: Any) -> dict[Hashable, object]:
            of = members(b, x, lv)  # pyright: ignore[reportCallIssue]
            found: dict[Hashable, object] = {("class", name): of[name] for name in known}
            for name, function, kernel in zip(known, functions, each, strict=True):
                value = function(b, x, lv)
                value = value if isinstance(value, dict) else {kernel.utility.alternatives[0]: value}
                found |= {(name, a): value[a] for a in kernel.utility.alternatives}
            return found

        stripped = tuple(
            (name, replace(k, **{k.function: Outputs(k.utility.alternatives)}))  # pyright: ignore[reportArgumentType]
            for name, k in zip(known, each, strict=True)
        )
        whole = record(all_utilities, False)
        return replace(self, membership=whole, classes=stripped, personal=seen.columns)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        return None

    def needed(self, offered: AnyArray) -> AnyArray:
        xp = np if isinstance(offered, np.ndarray) else jnp
        members = xp.ones((len(offered), len(self.classes)), bool)
        each = [k.needed(offered[:, order]) for k, order in zip(self.parts, self._orders, strict=True)]
        return xp.concatenate([members, *each], axis=1)

    def check_outcomes(self, outcome: np.ndarray, offered: np.ndarray, labels: Sequence[Any]) -> None:
        self.parts[0].check_outcomes(outcome, offered, labels)

    def check_sample(self, outcome: np.ndarray) -> None:
        self.parts[0].check_sample(outcome)

    def check_numbers(
        self,
        outcome: np.ndarray,
        columns: Mapping[str, np.ndarray],
        offered: np.ndarray,
        labels: Sequence[Any],
    ) -> None:
        self.parts[0].check_numbers(outcome, columns, offered, labels)

    @property
    def _orders(self) -> list[np.ndarray]:
        """Of every class the places of its outcomes among those of the first."""
        return [np.array([self.outcomes.index(a) for a in k.outcomes], int) for k in self.parts]

    def declared_by_class(self) -> list[Declared]:
        """What the choice of each class declares, under the names of the model."""
        each = [kernel.declare() for kernel in self.parts]
        if not self.apart:
            return each
        known = [name for name, _ in self.classes]
        return [
            renamed(declared, lambda old, name=name: f"{name}.{old}")
            for name, declared in zip(known, each, strict=True)
        ]

    def declare(self) -> Declared:
        each = self.declared_by_class()
        parameters = {p.name: p for declared in each for p in declared.parameters}
        cells = tuple(
            Cells(f"{name}/{c.key}", c.shape, c.entries)
            for (name, _), declared in zip(self.classes, each, strict=True)
            for c in declared.cells
        )
        domains = dict.fromkeys(d for declared in each for d in declared.domains)
        return Declared(tuple(parameters.values()), cells, tuple(domains))

    def starts(self, outcome: np.ndarray, columns: np.ndarray, offered: np.ndarray) -> dict[str, float]:
        return class_starts(self, outcome, columns, offered)

    def by_class(
        self, cells: Arrays, utilities: Array, offered: Array
    ) -> list[tuple[Kernel, Any, Array, Array, Array]]:
        """Of every class its kernel, cells, utilities, what is offered to it, and where outcomes stand in its order."""
        found, at = [], len(self.classes)
        for (name, _), kernel, order in zip(self.classes, self.parts, self._orders, strict=True):
            own = {key.removeprefix(f"{name}/"): c for key, c in cells.items() if key.startswith(f"{name}/")}
            count = len(kernel.utility.alternatives)
            found.append(
                (kernel, own, utilities[at : at + count], offered[order], jnp.array(np.argsort(order)))
            )
            at += count
        return found

    def log_membership(self, cells: Arrays, utilities: Array) -> Array:
        return jax.nn.log_softmax(utilities[: len(self.classes)])

    def log_classes(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        return jnp.stack(
            [
                kernel.log_density(own, v, _own(kernel, outcome, place), on)
                for kernel, own, v, on, place in self.by_class(cells, utilities, offered)
            ]
        )

    def log_sum_classes(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        """Expected maximum utility by class, of classes that have it in closed form."""
        each = self.by_class(cells, utilities, offered)
        return jnp.stack([k.log_sum(own, v, on) for k, own, v, on, _ in each if k.log_sum is not None])

    def compensation_classes(
        self, cells: Arrays, before: Array, after: Array, offered_before: Array, offered_after: Array
    ) -> Array:
        """The money that makes up for a change by class, of classes that share out a budget."""
        first = self.by_class(cells, before, offered_before)
        second = self.by_class(cells, after, offered_after)
        pairs = zip(first, second, strict=True)
        return jnp.stack(
            [
                k.compensation(own, v, w, on, later)
                for (k, own, v, on, _), (_, _, w, later, _) in pairs
                if k.compensation is not None
            ]
        )

    def expected_classes(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        each = self.by_class(cells, utilities, offered)
        return jnp.stack([kernel.expected(own, v, on)[place] for kernel, own, v, on, place in each])

    def sample_classes(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        drawn = []
        for (kernel, own, v, on, _), order in zip(
            self.by_class(cells, utilities, offered), self._orders, strict=True
        ):
            drawn.append(_own(kernel, kernel.sample(own, v, on, key), jnp.array(order, int)))
        return jnp.stack(drawn)

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        logs = self.log_classes(cells, utilities, outcome, offered)
        return jax.nn.logsumexp(self.log_membership(cells, utilities) + logs)

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        shares = jnp.exp(self.log_membership(cells, utilities))
        return shares @ self.expected_classes(cells, utilities, offered)

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        which, rest = jax.random.split(key)
        member = jax.random.categorical(which, self.log_membership(cells, utilities))
        return self.sample_classes(cells, utilities, offered, rest)[member]


def _own(kernel: Kernel, outcome: Array, place: Array) -> Array:
    """Positions of alternatives in another order; numbers as they are."""
    if not kernel.discrete:
        return outcome
    return jnp.where(outcome >= 0, place[jnp.maximum(outcome, 0)], -1)


def _words(known: Sequence[str]) -> Words:
    """How messages speak of the membership of these classes."""
    example = "".join(f"{name!r}: b.{name}, " for name in known[:-1] if name.isidentifier()) or "..., "
    return Words(
        "The membership function",
        f"a mapping from the classes to their utilities, such as {{{example}{known[-1]!r}: 0.0}}",
        "class",
        "The utility of membership in {!r}",
    )


def _check_classes(classes: object) -> None:
    pairs = isinstance(classes, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in classes)
    if not pairs or len(classes) < 2:  # pyright: ignore[reportArgumentType]
        raise ValueError(
            "classes= is a mapping from two or more classes to their choices, such as {'time': iclv.Logit(u1, 'mode'), "
            "'cost': iclv.Logit(u2, 'mode')}."
        )
    for name, kernel in classes:  # pyright: ignore[reportGeneralTypeIssues]
        if not isinstance(name, str) or name == "class" or "/" in name:
            raise ValueError(f"The name of a class is a text without '/' other than 'class', not {name!r}.")
        if not isinstance(kernel, Kernel) or isinstance(kernel, LatentClasses):
            what = type(kernel).__name__ if isinstance(kernel, Kernel) else repr(kernel)
            raise ValueError(f"classes[{name!r}] is a choice such as iclv.Logit(...), not {what}.")
        if kernel.unsettled:
            raise ValueError(f"classes[{name!r}] reads its levels from the data. Give it levels=[...].")
        if kernel.rows is not None or kernel.table is not None:
            raise ValueError(f"classes[{name!r}] has rows= or table=. Give them to LatentClasses.")


def _check_alike(known: Sequence[str], each: Sequence[Kernel]) -> None:
    first = each[0]
    for name, kernel in zip(known[1:], each[1:], strict=True):
        for what, mine, theirs in (
            ("kinds of answers", {kernel.discrete}, {first.discrete}),
            ("columns", kernel.columns, first.columns),
            ("alternatives", set(kernel.outcomes), set(first.outcomes)),
            ("available=", set(kernel.available), set(first.available)),
        ):
            if mine != theirs:
                raise ValueError(
                    f"The classes {known[0]!r} and {name!r} have other {what}: {_listed(theirs)} and {_listed(mine)}. All "
                    "classes explain one choice."
                )


def _listed(values: Any) -> str:
    return ", ".join(sorted(map(repr, values))) or "none"
