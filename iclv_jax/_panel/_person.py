"""The arrays of one person, as the kernel reads them."""

from typing import NamedTuple

from iclv_jax._base._types import AnyArray, Bool, Float, Int


class Person(NamedTuple):
    """One person's data; arrays over people have a first axis more.

    `values` and `observed` hold one array per stack of items. Situations are padded to the longest
    panel; `occurs` marks the real ones.
    """

    covariates: Float[AnyArray, " covariate"]
    values: tuple[AnyArray, ...]
    observed: tuple[Bool[AnyArray, " indicator"], ...]
    columns: Float[AnyArray, "situation column"]
    chosen: Int[AnyArray, " situation"]
    available: Bool[AnyArray, "situation alternative"]
    occurs: Bool[AnyArray, " situation"]
