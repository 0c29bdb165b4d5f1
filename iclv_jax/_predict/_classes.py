"""Who belongs to which latent class."""

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Given, Params
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel._frame import identifiers
from iclv_jax._predict._new_data import choice_of, situations_of
from iclv_jax._predict._probabilities import in_situations
from iclv_jax._predict._view import Information, View


@compiled
def class_shares(view: View, params: Params) -> Float[Array, "person situation class"]:
    """Probabilities of the classes in every situation, given what the view knows."""
    return in_situations(view, params, view.block.classes)


def class_probabilities(
    fit: Estimated, *, given: Given[Information] = "answers", choice: Given[str | None] = None
) -> pd.DataFrame:
    """Probabilities of latent classes.

    Parameters
    ----------
    given
        `"answers"`: what a person chose and answered (posterior probabilities, by Bayes); `"items"`: the items alone;
        `"nothing"`: membership by covariates.
    choice
        The name of the choice, where the model has several.

    Returns
    -------
    DataFrame
        One column per class; one row per person for classes of people, one per situation for those of situations.

    Raises
    ------
    ValueError
        For a choice without latent classes.

    Examples
    --------
    >>> def fast(b, x, lv):
    ...     return {"bus": b.asc_bus, "car": b.time * x.time}
    >>> def cheap(b, x, lv):
    ...     return {"bus": b.asc_bus, "car": b.cost * x.cost}
    >>> either = {"fast": iclv.Logit(fast, "mode"), "cheap": iclv.Logit(cheap, "mode")}
    >>> classes = iclv.LatentClasses(lambda b, x, lv: {"fast": 0.0, "cheap": b.share}, either)
    >>> list(iclv.Model(choice=classes).fit(df).choices.class_probabilities())
    ['fast', 'cheap']
    """
    kernel = choice_of(fit.problem, "class_probabilities", choice)
    if not kernel.classes:
        raise ValueError(
            f"class_probabilities: the choice {kernel.name!r} is a {type(kernel).__name__} and has no latent classes. "
            "LatentClasses has."
        )
    seen = situations_of(fit, kernel, None, None, given)
    shares, labels = class_shares(seen.view, jnp.asarray(fit.estimates)), [name for name, _ in kernel.classes]
    if kernel.of == "situation":
        return pd.DataFrame(seen.by_row(shares), index=seen.index, columns=labels)
    values = np.asarray(shares)[:, 0]
    there = np.any(np.asarray(seen.view.data.occurs), axis=1, keepdims=True)
    return pd.DataFrame(
        np.where(there, values, np.nan), index=identifiers(fit.problem.panel.people), columns=labels
    )
