"""The kernel: the log density of one person's items and choices given the shocks.

Modes, likelihood, scores, Hessians and simulation checks are transformations of `log_density`.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._linear import cholesky
from iclv_jax._base._types import Array, Arrays, Float, Scalar, Shocks
from iclv_jax._density._conditioning import Conditional, condition
from iclv_jax._density._latent import Nonlinear, latent_variables, random_coefficients
from iclv_jax._panel import Person
from iclv_jax._parameters import CHOICE, LATENT, ParameterTable, Stack, section
from iclv_jax._parameters._map import ParameterMap
from iclv_jax._spec import Kernel, Mixing, Utility
from iclv_jax._spec._model import Spec

MEASUREMENT = "items"


@dataclass(frozen=True)
class Structure:
    """What the kernel needs to know of a model beside numbers; hashable and static in jit.

    `seen` are the places of the utilities' latent variables, `random` the places and
    distributions of random coefficients, `correlated` whether these covary. With `conditioned` the
    latent variables are integrated out in closed form given the items, but for those that are seen. `nonlinear` are the
    structural equations that are functions. `steady` are the places of the utilities' columns that are the same in all of a
    person's situations: what depends on them alone is computed once per person.
    """

    map: ParameterMap
    stacks: tuple[Stack, ...]
    kernel: type[Kernel] | None
    utility: Utility | None
    seen: tuple[int, ...]
    random: tuple[tuple[int, Mixing], ...]
    correlated: bool
    latents: int
    conditioned: bool = False
    nonlinear: tuple[Nonlinear, ...] = ()
    steady: tuple[int, ...] = ()

    @property
    def shocks(self) -> int:
        """Number of shocks that stand for latent variables; those of random coefficients follow."""
        return len(self.seen) if self.conditioned else self.latents

    @property
    def dimension(self) -> int:
        return self.shocks + len(self.random)


def structure(
    spec: Spec, table: ParameterTable, conditioned: bool = False, steady: tuple[int, ...] = ()
) -> Structure:
    utility, random = spec.utility, dict(spec.random)
    names = utility.parameters if utility else ()
    return Structure(
        map=table.map,
        stacks=table.stacks,
        kernel=type(spec.choice) if spec.choice is not None else None,
        utility=utility,
        seen=tuple(spec.positions[name] for name in (utility.latents if utility else ())),
        random=tuple((names.index(name), mixing) for name, mixing in random.items()),
        correlated=any(first in random for first, _ in spec.covariances),
        latents=len(spec.latents),
        conditioned=conditioned,
        nonlinear=tuple(
            Nonlinear(
                latent.name,
                spec.positions[latent.name],
                latent.equation,
                tuple(table.covariates.index(name) for name in latent.equation.columns),
                tuple(spec.positions[name] for name in latent.equation.latents),
            )
            for latent in spec.nonlinear
        ),
        steady=steady,
    )


def steady_columns(person: Person) -> tuple[int, ...]:
    """Places of the columns that are the same in all situations of everybody; none where all are, or nobody has a second."""
    columns = np.asarray(person.columns)
    same = (columns == columns[:, :1]).all(axis=(0, 1))
    return () if columns.shape[1] == 1 or same.all() else tuple(map(int, np.flatnonzero(same)))


def conditionable(spec: Spec) -> bool:
    """Whether the latent variables are normal given the items, in closed form."""
    linear = bool(spec.latents) and not spec.nonlinear
    return linear and bool(spec.indicators) and all(i.normal for i in spec.indicators)


def log_density(structure: Structure, cells: dict[str, Arrays], person: Person, shocks: Shocks) -> Scalar:
    """log f(items, choices | shocks) of one person; `cells` are the arrays of `ParameterMap.dense`."""
    return sum(factors(structure, cells, person, shocks).values(), start=jnp.zeros(()))


def factors(
    structure: Structure, cells: dict[str, Arrays], person: Person, shocks: Shocks
) -> dict[str, Scalar]:
    """The terms of the log density by the section that they come from."""
    terms = {}
    if structure.conditioned:
        given = given_items(structure, cells, person)
        terms[MEASUREMENT] = given.log_marginal
        eta = seen_given_items(structure, given, shocks)
    else:
        eta = latent_variables(
            cells[LATENT], person.covariates, shocks[: structure.latents], structure.nonlinear
        )
        for i, stack in enumerate(structure.stacks):
            each = item_log_densities(stack, cells[section(stack)], person.values[i], eta)
            # Missing items carry a valid stand-in value, so the masked branch is finite.
            terms[section(stack)] = jnp.sum(jnp.where(person.observed[i], each, 0.0))
    if structure.utility is not None:
        each = choice_log_densities(structure, cells[CHOICE], person, eta, shocks)
        terms[CHOICE] = jnp.sum(jnp.where(person.occurs, each, 0.0))
    return terms


def given_items(structure: Structure, cells: dict[str, Arrays], person: Person) -> Conditional:
    """Latent variables given the items, for a conditioned structure."""
    items = [
        (cells[section(stack)], person.values[i], person.observed[i])
        for i, stack in enumerate(structure.stacks)
    ]
    return condition(cells[LATENT], person.covariates, items)


def seen_given_items(structure: Structure, given: Conditional, shocks: Shocks) -> Float[Array, " latent"]:
    """Latent variables with those that the utilities see moved by the shocks, the others at their mean."""
    at = np.array(structure.seen, int)
    if not len(at):
        return given.mean
    factor = cholesky(given.covariance[np.ix_(at, at)])
    return given.mean.at[at].add(factor @ shocks[: len(at)])


def item_log_densities(stack: Stack, cells: Arrays, values: Array, eta: Array) -> Float[Array, " indicator"]:
    # In this order nodes and items stay where they are; the other way round the product would be transposed.
    return item_log_densities_at(stack, cells, values, eta @ cells["loadings"].T)


def item_log_densities_at(
    stack: Stack, cells: Arrays, values: Array, index: Array
) -> Float[Array, " indicator"]:
    """Log densities of a stack's items at their indices `loadings @ eta`."""
    return stack.family.log_density(stack.key, cells, values, index)  # pyright: ignore[reportArgumentType]


def choice_log_densities(
    structure: Structure, cells: Arrays, person: Person, eta: Array, shocks: Shocks
) -> Float[Array, " situation"]:
    """Log probability of the choice in every situation, padding included."""
    assert structure.kernel is not None
    v = utilities(structure, cells, person, eta, shocks)
    each = jax.vmap(structure.kernel.log_density, in_axes=(None, 0, 0, 0))
    return each(cells, v, person.chosen, person.available)


def utilities(
    structure: Structure, cells: Arrays, person: Person, eta: Array, shocks: Shocks
) -> Float[Array, "situation alternative"]:
    assert structure.utility is not None
    coefficients = random_coefficients(
        cells, structure.random, structure.correlated, shocks[structure.shocks :]
    )
    seen = eta[np.array(structure.seen, int)]
    steady = [i in structure.steady for i in range(person.columns.shape[1])]
    columns = [person.columns[0, i] if same else person.columns[:, i] for i, same in enumerate(steady)]
    axes = [None if same else 0 for same in steady]
    if not any(axis == 0 for axis in axes):
        return jax.vmap(structure.utility, in_axes=(None, 0, None))(coefficients, person.columns, seen)
    return jax.vmap(structure.utility, in_axes=(None, axes, None))(coefficients, columns, seen)


def not_finite(structure: Structure, cells: dict[str, Arrays], person: Person) -> str:
    """Which factors of one person's density are not finite at the centre of the shocks, in words; empty for none."""
    shocks = jnp.zeros(structure.dimension)
    eta = latent_variables(
        cells[LATENT], person.covariates, jnp.zeros(structure.latents), structure.nonlinear
    )
    if not np.isfinite(np.asarray(eta)).all():
        return "the structural equations"
    bad = []
    for stack, values, observed in zip(structure.stacks, person.values, person.observed, strict=True):
        each = item_log_densities(stack, cells[section(stack)], values, eta)
        wrong = np.asarray(observed & ~jnp.isfinite(each))
        bad += [f"item {stack.items[i]!r}" for i in np.flatnonzero(wrong)]
    if structure.utility is not None:
        each = choice_log_densities(structure, cells[CHOICE], person, eta, shocks)
        wrong = np.flatnonzero(np.asarray(person.occurs & ~jnp.isfinite(each)))
        bad += [f"the choice in situation {i + 1}" for i in wrong]
    return ", ".join(bad)
