"""The arrays of one person, as the kernel reads them."""

from typing import NamedTuple

from iclv_jax._types import Array, Bool, Float, Int


class Person(NamedTuple):
    """One person's data; arrays over people have a first axis more.

    `values` and `observed` hold one array per stack of items. Situations are padded to the longest
    panel; `occurs` marks the real ones.
    """

    covariates: Float[Array, " covariate"]
    values: tuple[Array, ...]
    observed: tuple[Bool[Array, " indicator"], ...]
    columns: Float[Array, "situation column"]
    chosen: Int[Array, " situation"]
    available: Bool[Array, "situation alternative"]
    occurs: Bool[Array, " situation"]
