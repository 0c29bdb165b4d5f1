"""The whole model as data, checked: what a `Model` holds and everything else reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from iclv_jax._base._types import Given, PyTree
from iclv_jax._spec._constraints import Definition, pairs, read_constraints
from iclv_jax._spec._equation import Equation, trace_equation
from iclv_jax._spec._family import Indicator, Kernel
from iclv_jax._spec._groups import Groups, check_groups
from iclv_jax._spec._item_checks import check_items, check_standardized
from iclv_jax._spec._latent import Latent, causal_order, check_pairs
from iclv_jax._spec._module import Module, as_modules, check_used
from iclv_jax._spec._names import as_tuple, duplicates, nearest, slope
from iclv_jax._spec._random import Mixing
from iclv_jax._spec._residuals import residual_pairs
from iclv_jax._spec._standardized import Covariate, Logarithm, Standardized
from iclv_jax._spec._utility import Recorder, Utility

MOST_WITHIN = 3
"""Coefficients of a choice that may be drawn anew in every situation."""


@dataclass(frozen=True)
class Spec:
    """A checked model. `latents` are in the user's order, `order` is a causal one."""

    latents: tuple[Latent, ...]
    order: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    choices: tuple[Kernel, ...]
    covariances: tuple[tuple[str, str], ...]
    random: tuple[tuple[str, Mixing], ...]
    fixed: tuple[tuple[str, float], ...]
    equal: tuple[tuple[str, ...], ...]
    define: tuple[Definition, ...]
    bounds: tuple[tuple[str, tuple[float, float]], ...]
    start: tuple[tuple[str, float], ...]
    modules: tuple[Module, ...] = ()
    groups: Groups | None = None
    residuals: tuple[tuple[str, str], ...] = ()
    """Pairs of items whose residuals covary."""
    derived: tuple[Definition, ...] = ()
    """Functions of parameters that are reported and enter nothing; each may use those before it."""

    @property
    def utilities(self) -> tuple[Utility, ...]:
        """Those of the choices, in their order."""
        return tuple(choice.utility for choice in self.choices)

    @property
    def felt(self) -> tuple[str, ...]:
        """Latent variables that enter utilities, each once."""
        return tuple(dict.fromkeys(name for utility in self.utilities for name in utility.latents))

    @property
    def drivers(self) -> dict[str, int]:
        """Places of the drivers of random coefficients, behind the latent variables."""
        between = (name for name, mixing in self.random if not mixing.within)
        return {name: len(self.latents) + i for i, name in enumerate(between)}

    @property
    def spreads(self) -> dict[str, str]:
        """Names of the spreads of random coefficients that have one."""
        return {name: spread for name, m in self.random if (spread := m.spread_of(name)) is not None}

    @property
    def linked(self) -> bool:
        """Whether random coefficients covary with each other or with latent variables."""
        random = dict(self.random)
        return any(name in random for pair in self.covariances for name in pair)

    @property
    def covariates(self) -> tuple[Covariate, ...]:
        """Columns that predict latent variables or act on items, as they are or standardised, in order of first use."""
        found: list[Covariate] = [p for v in self.latents for p in v.predictors if p not in self.order]
        for item in self.indicators:
            found += [*item.on, *([Logarithm(item.exposure)] if item.exposure is not None else [])]
        return tuple(dict.fromkeys(found))

    def users(self, covariate: Covariate) -> tuple[str, ...]:
        """Latent variables and items that a covariate enters."""
        latents = [v.name for v in self.latents if covariate in v.predictors]
        items = [i.column for i in self.indicators if covariate in i.on]
        return (*latents, *items)

    @property
    def nominal(self) -> tuple[Standardized, ...]:
        """Those of them that become dummies."""
        return tuple(p for p in self.covariates if isinstance(p, Standardized) and p.nominal)

    @property
    def nonlinear(self) -> tuple[Latent, ...]:
        """Latent variables whose structural equations are functions."""
        return tuple(latent for latent in self.latents if latent.equation is not None)

    @property
    def dimension(self) -> int:
        """Number of disturbances and random-coefficient shocks that are integrated out."""
        return len(self.latents) + len(self.drivers)

    @cached_property
    def module_of(self) -> dict[str, str]:
        """The module that a parameter is an entry of, by its name."""
        return {name: module.name for module in self.modules for name in module.names}

    @property
    def positions(self) -> dict[str, int]:
        """Latent variables by name in causal order, as arrays hold them."""
        return {name: i for i, name in enumerate(self.order)}


def build_spec(
    latent: Given[Sequence[Latent]],
    indicators: Given[Sequence[Indicator]],
    choice: Given[Kernel | Sequence[Kernel] | None],
    covariances: Given[Sequence[tuple[str, str]]],
    random: Given[Mapping[str, Mixing]],
    define: Given[Mapping[str, Callable[..., object]]],
    fixed: Given[Mapping[str, float]],
    equal: Given[Sequence[Sequence[str]]],
    bounds: Given[Mapping[str, tuple[float | None, float | None]]],
    start: Given[Mapping[str, float]],
    modules: Given[Mapping[str, PyTree] | None] = None,
    group: Given[str | Groups | None] = None,
    equal_across: Given[Sequence[str]] = (),
    free_across: Given[Sequence[str]] = (),
    derived: Given[Mapping[str, Callable[..., object]] | None] = None,
) -> Spec:
    """Check the parts of a model against each other and record its functions."""
    latents = _members(latent, Latent, "latent")
    items = _members(indicators, Indicator, "indicators")
    names = [v.name for v in latents]
    _refuse_duplicates(names, items, [i.shared for i in items if i.shared])
    check_items(items, names)
    nets = as_modules({} if modules is None else modules)
    choices = tuple(_trace_choice(c, names, nets) for c in as_tuple(choice))
    _check_choices(choices, names, items)
    latents = tuple(_trace_latent(v, names, nets) for v in latents)
    callers = [v.equation for v in latents if v.equation] + [c.utility for c in choices]
    check_used(nets, [m.name for caller in callers for m in caller.modules])
    _check_whole(latents, items, choices, fixed)
    among, residuals = residual_pairs(covariances, items)
    told = read_constraints(nets, fixed, equal, define, {} if derived is None else derived, bounds, start)
    return Spec(
        latents=latents,
        order=causal_order(latents),
        indicators=items,
        choices=choices,
        random=_check_random(random, choices, names),
        covariances=_check_covariances(among, names, random),
        residuals=residuals,
        **told._asdict(),
        modules=nets,
        groups=check_groups(group, equal_across, free_across, _owners(latents, items, choices)),
    )


def _owners(
    latents: Sequence[Latent], items: Sequence[Indicator], choices: Sequence[Kernel]
) -> tuple[str, ...]:
    """Words that names of parameters begin with, or are."""
    functions = [*(v.equation for v in latents if v.equation), *(c.utility for c in choices)]
    used = (name for function in functions for name in function.parameters)
    return (*used, *(i.column for i in items), *(i.shared for i in items if i.shared))


def _check_whole(
    latents: tuple[Latent, ...], items: tuple[Indicator, ...], choices: tuple[Kernel, ...], fixed: object
) -> None:
    """Refuse parts that are good by themselves, but do not make a model."""
    if not choices and not items:
        raise ValueError("The model has neither a choice nor an indicator, so there is nothing to explain.")
    _check_latents_serve(latents, items, choices, fixed)
    check_standardized(latents, items)
    _check_exact(items, choices)


def _members(parts: object, kind: type, argument: str) -> tuple:
    found = as_tuple(parts)
    for part in found:
        if not isinstance(part, kind):
            raise ValueError(f"{argument}= holds {kind.__name__} objects, not {part!r}.")
    return found


def _refuse_duplicates(latents: list[str], items: tuple[Indicator, ...], shared: list[str]) -> None:
    columns, exact = [i.column for i in items], {i.column for i in items if i.exact}
    for what, names in (("latent variable", latents), ("indicator column", columns)):
        twice = duplicates(names)
        if twice:
            raise ValueError(f"The {what} {twice[0]!r} occurs twice. Names must be unique.")
    both = [n for n in latents if n in columns and n not in exact]
    if both:
        raise ValueError(f"{both[0]!r} is the name of a latent variable and of an indicator. Rename one.")
    taken = [n for n in shared if n in (*latents, *columns)]
    if taken:
        raise ValueError(
            f"Thresholds({taken[0]!r}) has the name of a latent variable or an indicator. Rename it: its "
            "name begins those of its parameters."
        )


def _trace_choice(choice: object, latents: list[str], modules: Sequence[Module]) -> Kernel:
    if not isinstance(choice, Kernel):
        raise ValueError(f"choice= is a choice kernel such as iclv.Logit(...), or several, not {choice!r}.")
    if isinstance(choice.utility, Utility):
        return choice
    # What is no name is refused once the utility is known.
    named = isinstance(choice.name, str) and choice.name != "choice"
    owner = f" of {choice.name!r}" if named else ""
    return choice.recorded(Recorder(tuple(latents), tuple(modules), owner=owner))


def _check_choices(choices: tuple[Kernel, ...], latents: list[str], items: tuple[Indicator, ...]) -> None:
    """Refuse names that cannot tell choices apart."""
    taken = {*latents, *(i.column for i in items), *(i.shared for i in items if i.shared), "latent"}
    for choice in choices:
        for field in ("rows", "table"):
            told = getattr(choice, field)
            if told is not None and not isinstance(told, str):
                what = "column of zeros and ones" if field == "rows" else "frame of the data"
                raise ValueError(
                    f"{field}= of the choice {choice.name!r} is the name of a {what}, not {told!r}."
                )
        if not isinstance(choice.name, str) or not choice.name.isidentifier():
            raise ValueError(
                f"name= of a choice is a word of letters, digits and underscores, not {choice.name!r}."
            )
        if choice.name in taken:
            raise ValueError(
                f"The choice {choice.name!r} has a name that is taken already. Give it another one by name=."
            )
        taken.add(choice.name)
    twice = duplicates(
        name for name in (f"{c.chosen} of {c.table or 'the data'}" for c in choices if not c.rows)
    )
    if twice:
        raise ValueError(
            f"Two choices explain the same column, {twice[0]}. Say by rows= which of its rows belong to which."
        )


def _trace_latent(latent: Latent, latents: list[str], modules: Sequence[Module]) -> Latent:
    """A latent variable whose equation is a function, with that recorded and what it uses as predictors."""
    if latent.equation is None or isinstance(latent.equation, Equation):
        return latent
    equation = trace_equation(latent.equation, latent.name, latents, modules)
    return replace(latent, on=(*equation.columns, *equation.latents), equation=equation)


def _check_exact(items: tuple[Indicator, ...], choices: tuple[Kernel, ...]) -> None:
    """Refuse observed outcomes as latent variables of utilities."""
    for item in items:
        for choice in choices:
            if item.exact and item.column in choice.utility.latents:
                raise ValueError(
                    f"A utility uses lv[{item.column!r}], which is observed. Use the column, x[{item.column!r}]."
                )


def _check_latents_serve(
    latents: tuple[Latent, ...], items: tuple[Indicator, ...], choices: tuple[Kernel, ...], fixed: object
) -> None:
    used = {name for item in items for name in item.of} | {p for v in latents for p in v.predictors}
    used |= {name for choice in choices for name in choice.utility.latents}
    for latent in latents:
        # The unit of a higher-order factor is that of a latent variable on which its path is fixed.
        paths = {slope(v.name, latent.name) for v in latents}
        unit = any(n in paths and value for n, value in pairs(fixed, "fixed"))
        measured = unit or any(latent.name in item.of for item in items)
        if latent.name not in used:
            raise ValueError(
                f"Latent variable {latent.name!r} has no indicator, enters no utility and predicts nothing. "
                "Remove it, or use it."
            )
        if latent.scale == "loading" and not measured:
            raise ValueError(
                f"Latent variable {latent.name!r} has no indicator, so scale='loading' leaves its scale "
                "unidentified. Use scale='variance', or fix a path from it."
            )


def _check_random(
    random: Given[Mapping[str, Mixing]], choices: tuple[Kernel, ...], latents: list[str]
) -> tuple[tuple[str, Mixing], ...]:
    known = tuple(dict.fromkeys(name for choice in choices for name in choice.utility.parameters))
    for name, mixing in pairs(random, "random"):
        if name in latents:
            raise ValueError(
                f"random= names {name!r}, which is a latent variable too. Rename the parameter or the latent variable."
            )
        if name not in known:
            raise ValueError(
                f"random= names {name!r}, which the utility does not use. {nearest(name, known)}"
            )
        if not isinstance(mixing, Mixing):
            raise ValueError(
                f"random[{name!r}] is a distribution such as iclv.Normal() or iclv.LogNormal(sign=-1), not "
                f"{mixing!r}."
            )
        if not isinstance(mixing.within, bool):
            raise ValueError(f"random[{name!r}]: within is True or False, not {mixing.within!r}.")
    for choice in choices:
        anew = [n for n, m in random.items() if m.within and n in choice.utility.parameters]
        if len(anew) > MOST_WITHIN:
            raise ValueError(
                f"random= draws {len(anew)} coefficients of a utility anew in every situation ({', '.join(anew)}); at most "
                f"{MOST_WITHIN} can be: they are integrated by a product rule. Leave within=True to those that need it."
            )
    return tuple(random.items())


def _check_covariances(
    pairs: Given[Sequence[tuple[str, str]]], latents: list[str], random: Given[Mapping[str, Mixing]]
) -> tuple[tuple[str, str], ...]:
    found = check_pairs(as_tuple(pairs), latents, list(random))
    for name in (name for pair in found for name in pair):
        if name in random and random[name].within:
            raise ValueError(
                f"covariances= names {name!r}, which is drawn anew in every situation (within=True) and covaries with "
                "nothing. Leave one of them out."
            )
        if name in random and random[name].spread is None:
            raise ValueError(
                f"covariances= names {name!r}, whose distribution {type(random[name]).__name__} has no spread to give the "
                "covariance its unit. Leave the pair out, or give the distribution one."
            )
    return found
