"""The bootstrap as users see it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._inference import Covariance
from iclv_jax._inference._bootstrap import Resampled
from iclv_jax._tables import Report, Tabular, number, of_frame

FEWEST = 0.9
"""Share of samples that have to converge before what is left out goes without a warning."""


@dataclass(frozen=True, eq=False)
class Bootstrap(Tabular):
    """Estimates from resampled people.

    Attributes
    ----------
    samples
        Estimates by sample that converged, columns by parameter.
    params
        The estimates from the data.
    failed
        Number of samples that did not converge; they are left out.
    notes
        What a reader must know.
    """

    samples: pd.DataFrame = field(repr=False)
    params: pd.Series = field(repr=False)
    failed: int
    notes: tuple[str, ...]

    @property
    def standard_errors(self) -> pd.Series:
        """Standard deviations over samples."""
        return self.samples.std(ddof=1).rename("standard error")

    @property
    def bias(self) -> pd.Series:
        """Mean over samples less the estimate."""
        return (self.samples.mean() - self.params).rename("bias")

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Percentiles of the samples (`lower`, `upper`), and `estimate +- z * standard error` (`normal_lower`,
        `normal_upper`)."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is a share between 0 and 1, such as 0.95, not {level!r}.")
        ends = self.samples.quantile([0.5 - 0.5 * level, 0.5 + 0.5 * level]).to_numpy()
        reach = stats.norm.ppf(0.5 + 0.5 * level) * self.standard_errors
        columns = {"lower": ends[0], "upper": ends[1]}
        columns |= {"normal_lower": self.params - reach, "normal_upper": self.params + reach}
        return pd.DataFrame(columns, index=self.params.index)

    @property
    def covariance(self) -> Covariance:
        """Covariance matrix over samples."""
        few = len(self.samples) < 2
        size = (self.samples.shape[1],) * 2
        matrix = np.full(size, np.nan) if few else np.cov(self.samples.to_numpy(), rowvar=False).reshape(size)
        return Covariance("bootstrap", matrix, self.notes)

    @property
    def _table(self) -> pd.DataFrame:
        frame = pd.DataFrame({"estimate": self.params, "se": self.standard_errors, "bias": self.bias})
        return frame.join(self.intervals()[["lower", "upper"]])

    def as_report(self) -> Report:
        return of_frame(self._table, "Bootstrap", self.notes)

    def __str__(self) -> str:
        text = self._table.to_string(float_format=number)
        return "\n".join([f"{len(self.samples)} samples", text, *(f"* {note}" for note in self.notes)])


def collected(
    found: Resampled, params: pd.Series, clusters: bool, modules: Sequence[str] = (), penalised: bool = False
) -> Bootstrap:
    """Samples with notes; `modules` are the names of those with free entries."""
    size, kept = len(found.converged), found.params[found.converged]
    notes = [
        f"{size} samples of {'clusters' if clusters else 'people'} drawn with replacement, nodes as at the estimates"
    ]
    if failed := size - len(kept):
        poor = "; standard errors may be too small" if len(kept) < FEWEST * size else ""
        notes.append(f"{failed} of {size} bootstrap samples did not converge and are left out{poor}")
    if found.turned:
        notes.append(f"in {found.turned} bootstrap samples a latent variable was turned around to match")
    if modules:
        bias = ", and that a penalty biases" if penalised else ""
        notes.append(
            "every sample was fitted from the estimates: the bootstrap ignores that another start could have led "
            f"{', '.join(modules)} to another maximum{bias}"
        )
    elif penalised:
        notes.append("samples are penalised as the fit is: the bootstrap ignores that a penalty biases")
    return Bootstrap(pd.DataFrame(kept, columns=params.index), params, failed, tuple(notes))
