"""Parameters by group: each group is the model itself, with names of its own for what differs.

A group's view of the model has the plain names. It is declared and checked like any model, and its parameters are then
called after it, but for those that all groups share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from iclv_jax._parameters._declare import Levels, declare
from iclv_jax._parameters._define import defined_order
from iclv_jax._spec import Cells, Domain, Parameter
from iclv_jax._spec._constraints import Definition
from iclv_jax._spec._groups import KINDS, Groups, called, kind_of, plain, settled
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest
from iclv_jax._spec._renamed import renamed_cells, renamed_domain
from iclv_jax._spec._text import TextError


@dataclass(frozen=True)
class Group:
    """What a model declares for one group: its view of the model, parameters by their plain names, and those, domains and
    arrays by the names of the table."""

    view: Spec
    plain: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    domains: tuple[Domain, ...]
    arrays: Mapping[str, list[Cells]]
    shared: frozenset[str]


def declare_groups(spec: Spec, levels: Levels) -> tuple[Group, ...]:
    """What the model declares, group by group; one group without a name where there are none."""
    groups = spec.groups
    if groups is None or not groups.names:
        parameters, domains, arrays = declare(spec, levels)
        return (Group(spec, tuple(parameters), tuple(parameters), tuple(domains), arrays, frozenset()),)
    located = _located(spec, levels, groups)
    return tuple(_of_group(spec, levels, groups, at, located) for at in range(len(groups.names)))


def merged(groups: Sequence[Group]) -> tuple[list[Parameter], list[Domain]]:
    """The parameters and domains of all groups, those of the first one in front."""
    parameters = {p.name: p for group in reversed(groups) for p in group.parameters}
    order = dict.fromkeys(p.name for group in groups for p in group.parameters)
    return [parameters[n] for n in order], list(dict.fromkeys(d for group in groups for d in group.domains))


def _of_group(spec: Spec, levels: Levels, groups: Groups, at: int, located: frozenset[str]) -> Group:
    view = _view(spec, groups.labels[at], located)
    parameters, domains, arrays = declare(view, levels)
    added = {v.name for v in spec.latents if not v.intercept} & located
    parameters = [_conventional(p, view, groups, at, added, located) for p in parameters]
    mine = {p.name for p in parameters if groups.differs(p)}

    def name(old: str) -> str:
        return called(old, groups.labels[at]) if old in mine else old

    found = tuple(
        replace(p, name=name(p.name), group=groups.labels[at], plain=p.name) if p.name in mine else p
        for p in parameters
    )
    return Group(
        view,
        tuple(parameters),
        found,
        tuple(renamed_domain(d, name) for d in domains),
        {section: [renamed_cells(cells, name) for cells in part] for section, part in arrays.items()},
        frozenset(p.name for p in parameters if p.name not in mine),
    )


def _view(spec: Spec, label: str, located: frozenset[str]) -> Spec:
    """The model of one group under the plain names, with an intercept where the group may have a mean."""
    return replace(
        spec,
        latents=tuple(replace(v, intercept=v.intercept or v.name in located) for v in spec.latents),
        fixed=tuple((plain(n, label), value) for n, value in spec.fixed),
        equal=tuple(tuple(plain(n, label) for n in tied) for tied in spec.equal),
        define=tuple(replace(d, name=plain(d.name, label)) for d in spec.define),
        groups=None,
    )


def _located(spec: Spec, levels: Levels, groups: Groups) -> frozenset[str]:
    """Latent variables whose means are free in all groups but the first: loadings and locations of their items are equal."""
    if "loadings" not in groups.equal or "means" in groups.equal:
        return frozenset()
    found = set()
    for latent in spec.latents:
        items = [i for i in spec.indicators if latent.name in i.of]
        declared = [p for i in items for p in i.declare(levels[i.column], spec.positions).parameters]
        kinds = {kind_of(p) for p in declared} & {"intercepts", "thresholds"}
        if kinds and kinds <= set(groups.equal):
            found.add(latent.name)
    return frozenset(found)


def _conventional(
    parameter: Parameter, view: Spec, groups: Groups, at: int, added: set[str], located: frozenset[str]
) -> Parameter:
    """What the first group gives all others by convention: the means, and the variances where these are the units."""
    if parameter.block != "structural":
        return parameter
    if parameter.role == "intercept" and parameter.owner in added:
        words = f"mean of {parameter.owner}" + ("" if at else ", the origin of all groups")
        return replace(parameter, fixed=None if at else 0.0, meaning=words)
    measured = any(parameter.owner in item.of for item in view.indicators)
    unit = parameter.role == "variance" and parameter.fixed is not None and measured
    # Equal loadings carry the unit of the first group to the others; a text may say so by labels.
    carried = at and "loadings" in groups.equal
    freed = called(parameter.name, groups.labels[at]) in groups.freed
    if unit and (carried or freed) and groups.differs(parameter):
        return replace(parameter, fixed=None)
    return parameter


def in_every_group(spec: Spec, levels: Levels) -> Spec:
    """The model with what the user says of a parameter by its plain name said of it in every group."""
    groups = spec.groups
    if groups is None or not groups.names:
        return spec
    spec = _settled(spec, groups)
    declared = declare_groups(spec, levels)
    groups = spec.groups or groups
    _check_named(groups, declared[0])
    apart = {p.plain for group in declared for p in group.parameters if p.plain}
    tied = {n: line for line in spec.equal for n in line}
    for definition in defined_order(spec):
        if apart & {definition.name, *definition.arguments} and definition.name not in declared[0].shared:
            apart |= {definition.name, *tied.get(definition.name, ())} - set(declared[0].shared)

    for definition in spec.derived:
        # Those that come later may use it.
        if apart & set(definition.arguments):
            apart.add(definition.name)

    def each(pairs: Iterable[tuple[str, object]]) -> tuple:
        # What is said of one group comes last, and so holds.
        whole = [(called(n, label), v) for n, v in pairs if n in apart for label in groups.labels]
        return tuple(dict([*whole, *((n, v) for n, v in pairs if n not in apart)]).items())

    return replace(
        spec,
        fixed=each(spec.fixed),
        bounds=each(spec.bounds),
        start=each(spec.start),
        equal=tuple(line for tie in spec.equal for line in _tied(tie, apart, groups)),
        define=tuple(d for old in spec.define for d in _defined(old, apart, groups, "define")),
        derived=tuple(d for old in spec.derived for d in _defined(old, apart, groups, "derived")),
    )


def _settled(spec: Spec, groups: Groups) -> Spec:
    """With groups by name where a text spoke of their places."""

    def definitions(old: Sequence[Definition]) -> tuple[Definition, ...]:
        return tuple(
            replace(d, name=settled(d.name, groups), arguments=tuple(settled(a, groups) for a in d.arguments))
            for d in old
        )

    _check_count(groups)
    return replace(
        spec,
        groups=replace(groups, freed=tuple(settled(n, groups) for n in groups.freed)),
        fixed=tuple((settled(n, groups), v) for n, v in spec.fixed),
        bounds=tuple((settled(n, groups), v) for n, v in spec.bounds),
        start=tuple((settled(n, groups), v) for n, v in spec.start),
        equal=tuple(tuple(settled(n, groups) for n in tie) for tie in spec.equal),
        define=definitions(spec.define),
        derived=definitions(spec.derived),
    )


def _check_count(groups: Groups) -> None:
    """As many groups as a text gives values for."""
    listed, labels = groups.listed, groups.labels
    if listed is not None and listed.count != len(labels):
        raise TextError(
            f"c(...) of {listed.word!r} gives {listed.count} values, one for each group, and column {groups.column!r} has "
            f"{len(labels)} groups ({', '.join(labels)}). Give one for each.",
            listed.line,
            listed.column,
        )


def _check_named(groups: Groups, first: Group) -> None:
    """Parameters that equal_across= and free_across= name."""
    known = [p.name for p in first.plain]
    for name in groups.equal:
        if name not in KINDS and name not in known:
            raise ValueError(
                f"equal_across= names {name!r}, which is neither a kind of parameters nor one of this model. "
                f"{nearest(name, [*KINDS, *known])}"
            )
    equal = [p.name for p in first.plain if (kind_of(p) or "") in groups.equal]
    for name in groups.free:
        if name not in equal:
            raise ValueError(
                f"free_across= names {name!r}, which is no parameter that equal_across= makes equal. {nearest(name, equal)}"
            )


def _tied(tie: Sequence[str], apart: set[str], groups: Groups) -> Iterable[tuple[str, ...]]:
    """A line of `equal=` in every group; one line where it ties them to what all share."""
    if not apart & set(tie):
        yield tuple(tie)
        return
    lines = [tuple(called(n, label) if n in apart else n for n in tie) for label in groups.labels]
    if set(tie) <= apart:
        yield from lines
    else:
        yield tuple(dict.fromkeys(n for line in lines for n in line))


def _defined(old: Definition, apart: set[str], groups: Groups, what: str) -> Iterable[Definition]:
    if old.name not in apart:
        if by_group := sorted(apart & set(old.arguments)):
            raise ValueError(
                f"{what}= gives {old.name!r}, which is equal across groups, a value that depends on {by_group[0]!r}, which "
                f"is not. Name a group: {called(by_group[0], groups.labels[0])!r}."
            )
        yield old
        return
    for label in groups.labels:
        arguments = tuple(called(a, label) if a in apart else a for a in old.arguments)
        yield replace(old, name=called(old.name, label), arguments=arguments)
