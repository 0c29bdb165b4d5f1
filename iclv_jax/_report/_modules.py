"""Modules in reports: a line for each instead of a row for every entry."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from iclv_jax._parameters import ParameterTable
from iclv_jax._spec import Module
from iclv_jax._spec._model import Spec
from iclv_jax._tables._format import number


def free_parameters(
    spec: Spec, table: ParameterTable, values: Mapping[str, float] | pd.Series
) -> list[tuple[str, str]]:
    """The number of free parameters, and below it what each module holds."""
    facts = [("Free parameters", f"{len(table.names)}")]
    status = {row.name: row.status for row in table.rows}
    for module in spec.modules:
        entries = np.array([values[name] for name in module.names])
        free = sum(status[name] == "free" for name in module.names)
        norm = f"norm {number(float(np.linalg.norm(entries)))}"
        facts.append(
            (
                f"  in the module {module.name}",
                f"{free} of {module.size - len(module.draws)}, {norm}, {_enters(spec, module)}",
            )
        )
    return facts


def _enters(spec: Spec, module: Module) -> str:
    users = [u for u in spec.utilities if module in u.modules]
    where = list(dict.fromkeys(str(a) for utility in users for a in utility.reached(module.name)))
    return (
        f"in the utilities of {', '.join(where)}"
        if len(where) > 1
        else f"in the utility of {', '.join(where)}"
    )


def collapsed(names: Iterable[str], module_of: Mapping[str, str]) -> list[str]:
    """The names, with entries of modules counted: `["asc", "12 entries of taste"]`."""
    names = list(names)
    counts: dict[str, int] = {}
    for name in names:
        if name in module_of:
            counts[module_of[name]] = counts.get(module_of[name], 0) + 1
    plain = [name for name in names if name not in module_of]
    return plain + [f"{n} {'entry' if n == 1 else 'entries'} of {module}" for module, n in counts.items()]


def flat_notes(directions: Iterable[Mapping[str, float]], module_of: Mapping[str, str]) -> list[str]:
    """Flat directions of the log-likelihood; those within modules are counted."""
    notes, within = [], 0
    for direction in directions:
        if all(name in module_of for name in direction):
            within += 1
            continue
        weights = ", ".join(f"{n} ({w:+.2f})" for n, w in direction.items())
        notes.append(f"Flat direction of the log-likelihood: {weights}")
    if within:
        notes.append(
            f"The log-likelihood is flat in {within} direction{'' if within == 1 else 's'} within modules: other entries "
            "give the same utilities. A penalty would choose between them"
        )
    return notes
