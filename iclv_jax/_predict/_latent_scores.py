"""Posterior moments of people's latent variables and random coefficients."""

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._inference._estimated import Estimated
from iclv_jax._predict._posterior import Posterior, posterior
from iclv_jax._spec._model import Spec


def latent_scores(fit: Estimated) -> pd.DataFrame:
    """Posterior means of every person's latent variables and random coefficients, given the
    person's items and choices, with posterior standard deviations (`name.sd`); `fit.reliability()` has their
    reliability."""
    return scores_frame(
        latent_posterior(fit), quantities(fit.problem.spec), pd.Index(fit.problem.panel.people)
    )


def latent_covariances(fit: Estimated) -> np.ndarray:
    """Posterior covariance matrices, (people, quantities, quantities), quantities as the means of
    `latent_scores`."""
    return np.asarray(latent_posterior(fit).covariance)


def latent_posterior(fit: Estimated) -> Posterior:
    return posterior(fit.problem.core, jnp.asarray(fit.estimates))


def quantities(spec: Spec) -> list[str]:
    """Latent variables in causal order, then random coefficients."""
    return [*spec.order, *(name for name, _ in spec.random)]


def scores_frame(moments: Posterior, names: list[str], people: pd.Index) -> pd.DataFrame:
    """Posterior means with standard deviations beside them."""
    mean, matrix = (np.asarray(a) for a in moments)
    spread = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    values = np.stack([mean, spread], axis=2).reshape(len(mean), -1)
    return pd.DataFrame(values, index=people, columns=[c for name in names for c in (name, f"{name}.sd")])
