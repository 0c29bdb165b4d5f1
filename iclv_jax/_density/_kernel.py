"""The kernel: the log density of one person's data given a draw, as a sum over blocks.

Modes, likelihood, scores, Hessians and simulation checks are transformations of `log_density`.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import AnyArray, CellTree, Float, Scalar, Shocks, Theta
from iclv_jax._density._block import Block
from iclv_jax._density._choice import Choice
from iclv_jax._density._items import Items
from iclv_jax._density._system import System
from iclv_jax._panel import Person
from iclv_jax._parameters._map import ParameterMap


@dataclass(frozen=True)
class Structure:
    """What the kernel needs to know of a model beside numbers; hashable and static in jit.

    `blocks` are the stacks of items in their order, then the choices; `system` may have integrated some of them in closed
    form.
    """

    map: ParameterMap
    system: System
    blocks: tuple[Block, ...]

    def cells(self, theta: Theta, person: Person, still: Theta | None = None) -> CellTree:
        """The arrays of the density for this person: those of the group; `still` as in `ParameterMap.dense`."""
        if person.group is not None:
            theta, still = theta[person.group], None if still is None else still[person.group]
        return self.map.dense(theta, still)

    def of_group(self, group: int) -> "Structure":
        """The structure for the people of one group, as if there were no others."""
        return replace(self, map=self.map.of(group))

    @property
    def dimension(self) -> int:
        """Number of shocks that are integrated out."""
        return self.system.dimension

    @cached_property
    def items(self) -> tuple[Items, ...]:
        return tuple(b for b in self.blocks if isinstance(b, Items))

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(b for b in self.blocks if isinstance(b, Choice))

    @cached_property
    def mixed(self) -> Choice | None:
        """The first choice that people make by their latent class; None where there is none."""
        return next((choice for choice in self.choices if choice.mixed), None)

    @cached_property
    def terms(self) -> tuple[Block, ...]:
        """The blocks that are terms of the integrand."""
        return tuple(b for b in self.blocks if b.at not in self.system.absorbed)

    def choice(self, name: str) -> Choice:
        """The choice of this name."""
        return next(choice for choice in self.choices if choice.name == name)


def log_density(structure: Structure, cells: CellTree, person: Person, shocks: Shocks) -> Scalar:
    """log f(items, choices | shocks) of one person; `cells` are the arrays of `ParameterMap.dense`."""
    items, choices = parts(structure, cells, person, shocks)
    return items + choices


def parts(structure: Structure, cells: CellTree, person: Person, shocks: Shocks) -> tuple[Scalar, Scalar]:
    """The log density of the items, and that of the choices."""
    world, items = structure.system.world(cells, person, shocks)
    choices = jnp.zeros(())
    for block in structure.terms:
        value = block.log_density(cells[block.name], person, world)
        if isinstance(block, Choice):
            choices = choices + value
        else:
            items = items + value
    return items, choices


def not_finite(structure: Structure, cells: CellTree, person: Person) -> str:
    """Which terms of one person's density are not finite at the centre of the shocks, in words; empty for none."""
    world, done = structure.system.world(cells, person, jnp.zeros(structure.dimension))
    if not np.isfinite(np.asarray(world.eta)).all():
        return "the structural equations"
    bad = [] if np.isfinite(float(done)) else ["the continuous items"]
    for block in structure.terms:
        each = np.asarray(block.each(cells[block.name], person, world))
        wrong = np.flatnonzero(np.asarray(person.data[block.at].occurs) & ~np.isfinite(each))
        if isinstance(block, Items):
            bad += [f"item {block.items[i]!r}" for i in wrong]
        else:
            bad += [f"{_called(structure, block)} in situation {i + 1}" for i in wrong]
    return ", ".join(bad)


def _called(structure: Structure, block: Block) -> str:
    return "the choice" if len(structure.choices) == 1 else f"the choice {block.name!r}"


def steady_columns(columns: Float[AnyArray, "person row column"]) -> tuple[int, ...]:
    """Places of the columns of a table that are the same in all situations of everybody; none where all are, or nobody has
    a second."""
    table = np.asarray(columns)
    same = (table == table[:, :1]).all(axis=(0, 1))
    return () if table.shape[1] == 1 or same.all() else tuple(map(int, np.flatnonzero(same)))
