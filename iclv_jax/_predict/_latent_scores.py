"""Posterior moments of people's latent variables and random coefficients."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import names_of
from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._predict._posterior import Posterior, posterior
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest


def latent_scores(fit: Estimated) -> pd.DataFrame:
    """Posterior means of every person's latent variables and random coefficients, given the
    person's items and choices, with posterior standard deviations (`name.sd`); `fit.measurement.reliability()` has their
    reliability.

    Examples
    --------
    >>> fit.latent_scores().shape
    (300, 2)
    """
    return scores_frame(
        latent_posterior(fit), quantities(fit.problem.spec), pd.Index(fit.problem.panel.people)
    )


def individual_parameters(fit: Estimated, names: Given[Sequence[str] | None] = None) -> pd.DataFrame:
    """What is known of each person's own coefficients: posterior means of random coefficients and latent variables, given
    all items and choices, with posterior standard deviations (`name.sd`).

    Other names of the same: individual, conditional or individual-level parameters (Train 2009, chapter 11), best linear
    unbiased predictors (BLUP) of multilevel models, expected a posteriori scores (EAP) of item response. They vary less over
    people than the coefficients do, the less so the fewer the answers. Coefficients come as they stand in the utility: of a
    log-normal one the mean of `exp(...)`, with its sign.

    Parameters
    ----------
    names
        Which; None: random coefficients, then latent variables.

    Raises
    ------
    ValueError
        For a model without either, and names of neither.

    Examples
    --------
    >>> list(fit.individual_parameters())
    ['green', 'green.sd']
    """
    scores, order = latent_scores(fit), quantities(fit.problem.spec)
    random = list(fit.problem.spec.drivers)
    known = [*random, *(name for name in order if name not in random)]
    if not known:
        raise ValueError(
            "individual_parameters: the model has neither random coefficients nor latent variables, so that everyone has "
            "the same parameters, fit.params."
        )
    chosen = known if names is None else names_of(names, "names=")
    for name in chosen:
        if name not in known:
            raise ValueError(
                f"{name!r} is no random coefficient or latent variable of the model. {nearest(name, known)}"
            )
    return scores[[column for name in chosen for column in (name, f"{name}.sd")]]


def latent_covariances(fit: Estimated) -> np.ndarray:
    """Posterior covariance matrices, (people, quantities, quantities), quantities as the means of
    `latent_scores`.

    Examples
    --------
    >>> fit.structure.latent_covariances().shape
    (300, 1, 1)
    """
    return np.asarray(latent_posterior(fit).covariance)


def latent_posterior(fit: Estimated) -> Posterior:
    return posterior(fit.problem.core, jnp.asarray(fit.estimates))


def quantities(spec: Spec) -> list[str]:
    """Latent variables in causal order, then random coefficients."""
    return [*spec.order, *spec.drivers]


def scores_frame(moments: Posterior, names: list[str], people: pd.Index) -> pd.DataFrame:
    """Posterior means with standard deviations beside them."""
    mean, matrix = (np.asarray(a) for a in moments)
    spread = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    values = np.stack([mean, spread], axis=2).reshape(len(mean), -1)
    return pd.DataFrame(values, index=people, columns=[c for name in names for c in (name, f"{name}.sd")])
