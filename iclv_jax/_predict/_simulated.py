"""`Model.simulate`: artificial data in the form in which real ones come."""

from collections.abc import Mapping
from typing import Protocol, overload, runtime_checkable

import pandas as pd

from iclv_jax._base._types import AnyFrame, AnyFrames, Given
from iclv_jax._predict._simulate import draw_frames
from iclv_jax._spec._model import Spec


@runtime_checkable
class Specified(Protocol):
    """Whoever has a checked model."""

    @property
    def spec(self) -> Spec: ...


@overload
def simulate(
    model: Specified,
    params: Given[Mapping[str, float]],
    frame: Given[AnyFrame],
    *,
    seed: Given[int] = 0,
    person: Given[str | None] = None,
) -> pd.DataFrame: ...
@overload
def simulate(
    model: Specified,
    params: Given[Mapping[str, float]],
    frame: Given[Mapping[str, AnyFrame]],
    *,
    seed: Given[int] = 0,
    person: Given[str | None] = None,
) -> dict[str, pd.DataFrame]: ...
def simulate(
    model: Specified,
    params: Given[Mapping[str, float]],
    frame: Given[AnyFrames],
    *,
    seed: Given[int] = 0,
    person: Given[str | None] = None,
) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """The frame with items and choices drawn from the model at given parameters.

    Parameters
    ----------
    params
        Every free parameter by name; for the entries of a module, the module.
    frame
        Covariates, columns of the utilities and of what is available, one row per situation. Of a model whose choices
        stand in tables (`table=`) a mapping of frames, as `fit` takes it.
    seed
        Of the draws.
    person
        The column that says whose a row is. None: every row is a person.

    Returns
    -------
    DataFrame, or dict of DataFrame
        The frame with items and choices added, or replaced; or a mapping of the same names, with items in the first frame
        and every choice in that of its table.

    Raises
    ------
    ValueError
        For values that no parameter of its kind may have, for parameters without a value, for frames that do not fit
        the model, and for a `LogLikelihood` without `draw=`.

    Notes
    -----
    Durations are drawn to their end, with 1 in the column of the event: when people are lost from sight is no part of the
    model. With a `limit` by person, `df["ended"] = (df["d"] < limit).astype(int)` and `df["d"] = np.minimum(df["d"], limit)`
    cut them off.

    Examples
    --------
    >>> list(model.simulate(fit.params, df, seed=2)[["q1", "mode"]])
    ['q1', 'mode']
    """
    if not isinstance(params, (Mapping, pd.Series)):
        raise ValueError(
            f"params is a mapping from names of parameters to values, such as fit.params, not {params!r}."
        )
    return draw_frames(model.spec, dict(params), frame, seed, person)
