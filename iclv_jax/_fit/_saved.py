"""A fit read from a file without its model and data."""

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import kind_of
from iclv_jax._base._distributions import two_sided
from iclv_jax._base._types import Given
from iclv_jax._fit._labels import unpacked_label
from iclv_jax._fit._stored import Stored
from iclv_jax._inference import MODULE_KINDS, Covariance, covariance, delta_errors, module_covariance
from iclv_jax._predict import Posterior
from iclv_jax._predict._latent_scores import scores_frame
from iclv_jax._report._page import report


@final
@dataclass(frozen=True, eq=False, repr=False)
class SavedFit(Stored):
    """Estimates, covariances, tables and scores of a saved fit; names and groups as of `Fit`.

    Whatever needs the utility function or the data (predictions, say) needs `iclv.load(path, model, data)`.

    Attributes
    ----------
    about
        The facts of the file: versions, fingerprints, rule of integration, report of the optimiser.
    arrays
        Its arrays by name.
    """

    @property
    def nobs(self) -> int:
        weights = self.arrays["weights"]
        return round(float(weights.sum())) if self._weights_count else len(weights)

    @property
    def _weights_count(self) -> bool:
        return self.about.get("weights_are") == "frequency"

    @property
    def scores(self) -> pd.DataFrame:
        return pd.DataFrame(self.arrays["scores"], index=self._people, columns=list(self.names))

    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """The covariance of a kind with its notes."""
        inside, held = self.about.get("modules", {}), self.arrays["held"]
        plain = self._weights_count or (self.arrays["weights"] == 1.0).all()
        usual = "hessian" if plain else "robust"
        kind = kind_of(kind, "joint" if any(name in inside for name in self.names) else usual)
        if kind in MODULE_KINDS:
            known = self.arrays.get("precision"), self.about["known"]
            return module_covariance(kind, self.arrays["hessian"], self.names, held, inside, *known)
        return covariance(
            kind,
            self.arrays["hessian"],
            self.arrays["scores"],
            self.arrays["weights"],
            self.names,
            held,
            self.arrays.get("clusters"),
            self.arrays.get("precision"),
            self.about["known"],
            self._weights_count,
        )

    def table(self, cov: str | None = None) -> pd.DataFrame:
        """Every parameter, free or not, as of `Fit.table`."""
        known = self.about["table"]
        frame = pd.DataFrame({k: known[k] for k in ("block", "role", "status", "estimate")})
        frame.index = pd.Index(known["name"], name="parameter")
        frame["se"] = delta_errors(self.arrays["jacobian"], self.covariance(cov).of_functions)
        frame["t"] = frame["estimate"] / frame["se"]
        frame["p"] = two_sided(frame["t"])
        frame["t_one"] = ((frame["estimate"] - 1.0) / frame["se"]).where(np.array(known["against one"]))
        return frame

    def latent_scores(self) -> pd.DataFrame:
        """Posterior means and standard deviations, as of `Fit.latent_scores`."""
        moments = Posterior(*(jnp.asarray(self.arrays[k]) for k in ("latent mean", "latent covariance")))
        return scores_frame(moments, self.about["quantities"], self._people)

    report = report

    def __str__(self) -> str:
        return self.summary()

    @property
    def _people(self) -> pd.Index:
        return pd.Index([unpacked_label(person) for person in self.about["people"]], tupleize_cols=False)
