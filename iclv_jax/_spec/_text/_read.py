"""From a text to the parts of a model: units, defaults, labels and constraints."""

from collections.abc import Sequence

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import Given
from iclv_jax._spec import _names as names
from iclv_jax._spec._groups import Groups, placed
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._text._parts import Named, Parts, Reading
from iclv_jax._spec._text._statements import Term
from iclv_jax._spec._text._ties import Ties
from iclv_jax._spec._text._tokens import TextError


def read(
    text: Given[str],
    ordered: Given[Sequence[str] | bool] = (),
    auto: Given[bool] = True,
    groups: Groups | None = None,
) -> Parts:
    """The parts of the model that a text describes; TextError, with line and column, for what is wrong. `groups`: those of
    which c(...) may speak, and what is equal across them."""
    if not isinstance(text, str):
        raise TextError(f"A model is written as text, not {text!r}.")
    check_switch(auto, "auto")
    if not isinstance(ordered, bool) and not all(isinstance(name, str) for name in names.as_tuple(ordered)):
        raise TextError(f"ordered= holds names of items, or is True for all, not {ordered!r}.")
    reading = Reading(text, ordered, auto)
    if not reading.terms:
        raise TextError("The text has no equations.")
    parts = reading.parts
    reading.check_paths()
    if groups is None:
        _refuse_groups(reading)
    else:
        _across(reading, groups)
    for named in reading.everywhere:
        term = named.term
        if term.fixed is not None and not (
            named.kind == "covariance" and term.fixed == 0.0 and not term.label
        ):
            parts.fixed[named.name] = term.fixed
        if term.lower is not None or term.upper is not None:
            parts.bounds[named.name] = term.lower, term.upper
        if term.start is not None:
            parts.start[named.name] = term.start
    _items(reading)
    _latents(reading, groups)
    _outcomes(reading)
    _covariances(reading)
    Ties(reading).apply()
    return parts


def _refuse_groups(reading: Reading) -> None:
    for term in reading.terms:
        if term.listed is not None:
            raise term.listed.error(
                "c(...) gives values by group, and there are none. Name the column that tells them apart by group=."
            )


def _across(reading: Reading, groups: Groups) -> None:
    """What labels make equal across groups, or free: they say more than kinds do, as in lavaan."""
    parts = reading.parts
    for named in reading.named:
        term, equal = named.term, reading.kind(named) in groups.equal and named.name not in groups.free
        if term.equal is not None:
            raise term.place.error(
                "equal() names a parameter of one group, and there are groups. Say it by labels: one label is equal in all "
                "groups, c(a, b) in none."
            )
        if term.label is not None and term.label not in reading.split and not term.apart:
            parts.shared.append(named.name)
        elif term.label is not None or "label" in term.apart:
            parts.apart += [named.name] if equal else []
        elif term.listed is not None and equal and _differs(term):
            raise term.listed.error(
                f"c(...) gives {term.right!r} a value for each group, and equal_across= has {reading.kind(named)!r}, "
                f"which makes it one parameter. Name {named.name!r} in free_across=."
            )


def _differs(term: Term) -> bool:
    return any(len(set(values)) > 1 for values in term.apart.values())


def _items(reading: Reading) -> None:
    parts, mentioned = reading.parts, {n.name for n in reading.named}
    for item in parts.items.values():
        location = names.intercept(item.column)
        if item.ordered:
            # Thresholds are the location; an intercept of zero says no more than that.
            item.intercept = item.intercept and parts.fixed.get(location) != 0.0
            if not item.intercept:
                parts.fixed.pop(location, None)
            if not item.scale:
                parts.fixed.pop(names.variance(item.column), None)
            continue
        if not item.intercept and location not in mentioned and not reading.auto:
            parts.fixed[location] = 0.0
        item.intercept = True


def _latents(reading: Reading, groups: Groups | None) -> None:
    parts, intercepts = reading.parts, {n.name for n in reading.named if n.kind == "intercept"}
    for name in reading.latents:
        if name in reading.said.formed:
            parts.latents.append(_formed(reading, name))
            continue
        own = [n for n in reading.named if n.term.operator == "=~" and n.term.left == name]
        first = own[0]
        if (
            reading.auto
            and not _freed(first.term)
            and first.name not in parts.fixed
            and "fixed" not in first.term.apart
        ):
            parts.fixed[first.name] = 1.0
        variance = names.variance(name)
        marked = any(parts.fixed.get(n.name, 0.0) != 0.0 or all(n.term.apart.get("fixed", (0,))) for n in own)
        if first.name in parts.fixed and len(places := reading.in_groups(first)) > 1:
            # Its labels are those of the groups, and what is fixed is fixed in each.
            parts.fixed |= dict.fromkeys((n.name for n in places), parts.fixed.pop(first.name))
        given = not marked and _variance_by_group(reading, name, own, groups)
        if not marked and not given and variance not in parts.fixed:
            raise first.term.place.error(
                f"The latent variable {name!r} has no unit: fix a loading ({name} =~ 1*{first.term.right}) or its "
                f"variance ({name} ~~ 1*{name})."
            )
        if not marked and parts.fixed.get(variance) == 1.0:
            del parts.fixed[variance]
        parts.latents.append(
            Latent(
                name,
                on=tuple(reading.on[name]),
                scale="loading" if marked else "variance",
                intercept=names.intercept(name) in intercepts,
            )
        )


def _freed(term: Term) -> bool:
    """Whether it has NA in every group."""
    return term.free or all(term.apart.get("free", (False,)))


def _variance_by_group(reading: Reading, name: str, own: list[Named], groups: Groups | None) -> bool:
    """Whether the variance that is the unit is given by group: in all, or, with loadings that carry it over, in some."""
    parts, variance = reading.parts, names.variance(name)
    term = next((n.term for n in reading.named if n.name == variance), None)
    if term is None or "fixed" not in term.apart:
        return False
    values = term.apart["fixed"]
    each = [placed(variance, g, len(values)) for g in range(len(values))]
    if len(set(values)) == 1:
        for one in each:
            del parts.fixed[one]
        parts.fixed[variance] = values[0]
        return True
    units = [g for g, value in enumerate(values) if value is not None]
    for g in (g for g, value in enumerate(values) if value is None):
        if not any(_carries(n, g, units, reading, groups) for n in own):
            raise (term.listed or term.place).error(
                f"The variance of {name!r} is free in group {g + 1}, and none of its loadings there is fixed or equal to "
                "one of a group where the variance is given: it has no unit there. Give loadings a label, as in "
                f"{name} =~ a*{own[0].term.right}, or equal_across=['loadings']."
            )
        parts.freed.append(each[g])
    return True


def _carries(named: Named, g: int, units: list[int], reading: Reading, groups: Groups | None) -> bool:
    """Whether a loading is given in a group, by a value or by that of a group that has a unit."""
    term = named.term
    labels, values = term.apart.get("label"), term.apart.get("fixed")
    if values is not None and values[g]:
        return True
    if labels is not None:
        return labels[g] is not None and labels[g] in [labels[unit] for unit in units]
    equal = groups is not None and reading.kind(named) in groups.equal and named.name not in groups.free
    return term.label is not None or equal


def _formed(reading: Reading, name: str) -> Latent:
    """A latent variable that is what its causes make of it."""
    fixed, place, causes = reading.parts.fixed, reading.said.formed[name], reading.on[name]
    if not any(fixed.get(names.slope(name, cause), 0.0) for cause in causes):
        example = f"{name} <~ 1*{causes[0] if causes else 'x'} + ..."
        raise place.error(f"The composite {name!r} has no unit: fix one of its weights ({example}).")
    if fixed.get(names.variance(name)) != 0.0:
        raise place.error(
            f"The composite {name!r} is what its causes make of it and has no variance of its own. Leave '{name} ~~ {name}' "
            f"out, or write '{name} ~' in place of '{name} <~'."
        )
    return Latent(
        name, on=tuple(reading.on[name]), intercept=names.intercept(name) in {n.name for n in reading.named}
    )


def _outcomes(reading: Reading) -> None:
    """Observed variables with equations of their own."""
    mentioned = {n.name for n in reading.named if n.kind == "intercept"}
    for name in reading.observed:
        intercept = reading.auto or names.intercept(name) in mentioned
        reading.parts.latents.append(
            Latent(name, on=tuple(reading.on[name]), scale="loading", intercept=intercept)
        )


def _covariances(reading: Reading) -> None:
    said = {n.name for n in reading.named if n.kind == "covariance"}
    for first, second in reading.automatic_pairs() if reading.auto else ():
        if names.covariance(first, second) not in said:
            reading.parts.covariances.append((first, second))
    known = [*reading.variables, *reading.parts.items]
    reading.parts.covariances.sort(key=lambda pair: tuple(map(known.index, pair)))
