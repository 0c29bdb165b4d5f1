"""From the model as data to the system and the blocks of its density."""

from dataclasses import replace
from itertools import count

from iclv_jax._density._choice import Choice, Random
from iclv_jax._density._conditioned import Conditioned, Patterns
from iclv_jax._density._correlated import Correlated
from iclv_jax._density._functions import Functions, Nonlinear
from iclv_jax._density._items import LOADINGS, Items
from iclv_jax._density._kernel import Structure
from iclv_jax._density._linear import Linear
from iclv_jax._density._system import System
from iclv_jax._parameters import ParameterTable
from iclv_jax._spec import Kernel
from iclv_jax._spec._model import Spec
from iclv_jax._spec._random import MEAN

Steady = tuple[tuple[int, ...], ...]


def structure(
    spec: Spec,
    table: ParameterTable,
    conditioned: bool = False,
    steady: Steady = (),
    masked: tuple[bool, ...] = (),
    patterns: Patterns = (),
) -> Structure:
    """The structure of a model; `steady` are the columns of each table of situations that do not vary within people,
    `masked` says whether its utilities are cut off where they do not count, `patterns` which items were answered."""
    stacks = tuple(
        (Correlated if s.pairs else Items)(
            s.name, at, s.family, s.items, len(spec.latents), *_widths(table, s.name)
        )
        for at, s in enumerate(table.stacks)
    )
    choices = tuple(
        replace(
            _choice(spec, choice, len(stacks) + i, i),
            steady=steady[i] if steady else (),
            masked=masked[i] if masked else False,
        )
        for i, choice in enumerate(spec.choices)
    )
    return Structure(
        table.map, _system(spec, table, stacks, choices, conditioned, patterns), (*stacks, *choices)
    )


def conditionable(spec: Spec) -> bool:
    """Whether the latent variables are normal given the items, in closed form."""
    linear = bool(spec.latents) and not spec.nonlinear
    return linear and bool(spec.indicators) and all(i.normal for i in spec.indicators)


def _widths(table: ParameterTable, section: str) -> tuple[tuple[tuple[str, int], ...], int | None]:
    """Entries of every array of a section per item, and how many indices an item has where it has an axis of them."""
    arrays = [a for a in table.map.arrays if a.path[0] == section]
    loadings = next(a.shape for a in arrays if a.path[1] == LOADINGS)
    widths = tuple((a.path[1], a.size // a.shape[0]) for a in arrays)
    return widths, loadings[1] if len(loadings) > 2 else None


def _choice(spec: Spec, choice: Kernel, at: int, table: int) -> Choice:
    utility, drivers = choice.utility, spec.drivers
    names = utility.parameters
    random: list[Random] = []
    within: list[Random] = []
    place = count()
    for name, mixing in spec.random:
        if name in names:
            cells = tuple((key, next(place)) for key in mixing.starts if key != MEAN)
            driver = drivers.get(name, len(within))
            (random if name in drivers else within).append(Random(names.index(name), mixing, driver, cells))
    latents = tuple(spec.positions[name] for name in utility.latents)
    return Choice(choice.name, at, table, choice, latents, tuple(random), within=tuple(within))


def _system(
    spec: Spec,
    table: ParameterTable,
    stacks: tuple[Items, ...],
    choices: tuple[Choice, ...],
    conditioned: bool,
    patterns: Patterns,
) -> System:
    sizes = len(spec.latents), len(spec.drivers), spec.linked
    if conditioned:
        seen = dict.fromkeys(i for choice in choices for i in choice.latents)
        kept = (*seen, *spec.drivers.values())
        exact = any(s.family.exact for s in stacks)
        return Conditioned(*sizes, tuple((s.name, s.at) for s in stacks), kept, patterns, exact)
    if not spec.nonlinear:
        return Linear(*sizes)
    functions = tuple(
        Nonlinear(
            latent.name,
            spec.positions[latent.name],
            latent.equation,
            tuple(table.covariates.index(name) for name in latent.equation.columns),
            tuple(spec.positions[name] for name in latent.equation.latents),
        )
        for latent in spec.nonlinear
    )
    return Functions(*sizes, functions)
