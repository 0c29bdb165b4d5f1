"""Parameters defined as functions of others: their order, and the free parameters they bring."""

from collections.abc import Sequence

from iclv_jax._spec import Block, Parameter
from iclv_jax._spec._constraints import Definition
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest

DEFINITIONS = "define"
"""What a parameter stands in that only definitions use."""


def defined_order(spec: Spec) -> list[Definition]:
    """Definitions such that each comes after those it uses; ValueError names a cycle."""
    known = {d.name: d for d in spec.define}
    tied = {n: [m for m in group if m in known] for group in spec.equal for n in group}
    order: list[Definition] = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise ValueError(f"define= is cyclic: {cycle}. Each definition may use only earlier ones.")
        definition = known[name]
        if definition not in order:
            for argument in definition.arguments:
                for source in [argument] if argument in known else tied.get(argument, []):
                    visit(source, (*trail, name))
            order.append(definition)

    for definition in spec.define:
        visit(definition.name, ())
    return order


def derived_parameters(spec: Spec, known: Sequence[Parameter]) -> list[Parameter]:
    """What is only reported; ValueError for a name that is taken, and for one that it uses and nothing has."""
    block: dict[str, Block] = {p.name: p.block for p in known}
    found: list[Parameter] = []
    for derived in spec.derived:
        if derived.name in block:
            raise ValueError(
                f"derived= names {derived.name!r}, which is a parameter already. Give it another name."
            )
        for name in derived.arguments:
            if name not in block:
                raise ValueError(
                    f"derived[{derived.name!r}] uses the parameter {name!r}, which the model does not have. "
                    f"{nearest(name, block)}"
                )
        home = block[derived.arguments[0]] if derived.arguments else "structural"
        found.append(Parameter(derived.name, home, "derived", 0.0, "function of other parameters"))
        block[derived.name] = home
    return found


def resolve_definitions(spec: Spec, declared: Sequence[Parameter]) -> list[Parameter]:
    """Parameters that exist only because define= uses them: new free ones, and links of chains."""
    block: dict[str, Block] = {p.name: p.block for p in declared}
    targets = {d.name for d in spec.define}
    used = {a for d in spec.define for a in d.arguments}
    known = [*block, *used]
    for name in targets:
        if name not in block and name not in used:
            raise ValueError(
                f"define= gives a value to {name!r}, which neither the model nor another definition uses. "
                f"{nearest(name, [k for k in known if k != name])}"
            )
    extra: dict[str, Parameter] = {}
    for definition in reversed(defined_order(spec)):
        home = block.get(definition.name, "choice")
        for name in (definition.name, *definition.arguments):
            if name not in block:
                meaning = f"used by define[{definition.name!r}]"
                extra[name] = Parameter(name, home, "coefficient", 0.0, meaning, argument=DEFINITIONS)
                block[name] = home
    return list(extra.values())
