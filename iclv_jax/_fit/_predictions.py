"""What a fit says about people."""

from functools import cached_property

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._estimates import Estimates
from iclv_jax._predict import Posterior, posterior


class Predictions(Estimates):
    """The part of a fit that speaks of people."""

    @cached_property
    def _posterior(self) -> Posterior:
        return posterior(self.problem.core, jnp.asarray(self.estimates))

    @property
    def _quantities(self) -> list[str]:
        spec = self.problem.spec
        return [*spec.order, *(name for name, _ in spec.random)]

    def latent_scores(self) -> pd.DataFrame:
        """Posterior means of every person's latent variables and random coefficients, given the
        person's items and choices, with posterior standard deviations (`name.sd`)."""
        mean, matrix = (np.asarray(a) for a in self._posterior)
        spread = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
        columns = [c for name in self._quantities for c in (name, f"{name}.sd")]
        values = np.stack([mean, spread], axis=2).reshape(len(mean), -1)
        return pd.DataFrame(values, index=pd.Index(self.problem.panel.people), columns=columns)

    def latent_covariances(self) -> np.ndarray:
        """Posterior covariance matrices, (people, quantities, quantities), quantities as the means of
        `latent_scores`."""
        return np.asarray(self._posterior.covariance)
