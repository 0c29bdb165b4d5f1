"""The arrays of one person, as blocks read them."""

from typing import NamedTuple

from iclv_jax._base._types import AnyArray, Bool, Float, Int


class Data(NamedTuple):
    """What one block explains: outcomes of a stack of items (a row is an item) or of a choice (a row is a situation).

    `occurs` marks the rows that count; the others carry a stand-in that is valid. `offered` is empty for items.
    """

    outcome: AnyArray
    offered: Bool[AnyArray, "row alternative"]
    occurs: Bool[AnyArray, " row"]

    @property
    def chosen(self) -> AnyArray:
        """Of a choice the outcome, the first one where a situation has several."""
        return first_outcome(self.outcome, self.offered)


class Person(NamedTuple):
    """One person's data; arrays over people have a first axis more.

    `tables` are the columns of the tables of situations, padded to the longest panel; `data` the outcomes, one entry
    for each block: stacks of items in their order, then the choices. `group` is the position of the person's group, None
    where the model has no groups.
    """

    covariates: Float[AnyArray, " covariate"]
    tables: tuple[Float[AnyArray, "row column"], ...]
    data: tuple[Data, ...]
    group: Int[AnyArray, ""] | None = None


def first_outcome(outcome: AnyArray, offered: AnyArray) -> AnyArray:
    """Outcomes by row, the first ones where there are several in a row."""
    return outcome if outcome.ndim < offered.ndim else outcome[..., 0]
