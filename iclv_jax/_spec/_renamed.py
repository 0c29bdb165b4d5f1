"""What a component declares, with its parameters called otherwise."""

from collections.abc import Callable
from dataclasses import replace

from iclv_jax._spec._family import Declared
from iclv_jax._spec._parameter import Cell, Cells, Domain, Increasing, Positive

Rename = Callable[[str], str]


def renamed(declared: Declared, name: Rename) -> Declared:
    """Parameters, arrays and domains with new names."""
    return Declared(
        tuple(replace(p, name=name(p.name)) for p in declared.parameters),
        tuple(renamed_cells(cells, name) for cells in declared.cells),
        tuple(renamed_domain(domain, name) for domain in declared.domains),
    )


def renamed_domain(domain: Domain, name: Rename) -> Domain:
    if isinstance(domain, Positive):
        return replace(domain, name=name(domain.name))
    if isinstance(domain, Increasing):
        return replace(domain, names=tuple(map(name, domain.names)))
    entries = tuple(tuple(None if n is None else name(n) for n in row) for row in domain.entries)
    return replace(domain, entries=entries)


def renamed_cells(cells: Cells, name: Rename) -> Cells:
    def entry(cell: Cell) -> Cell:
        return tuple((name(n), weight) for n, weight in cell) if isinstance(cell, tuple) else cell

    return replace(cells, entries=tuple(map(entry, cells.entries)))
