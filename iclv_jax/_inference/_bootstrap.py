"""The bootstrap: people resampled as weights, and every sample fitted from the estimates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._draws import inference_data
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import File, Given
from iclv_jax._base._workers import Workers, check_workers
from iclv_jax._inference._covariance import Covariance
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._penalised import smooth_penalties
from iclv_jax._inference._resample import Resampled, resample
from iclv_jax._inference._resumed import answers_of
from iclv_jax._integration._rule import check_count
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
        reach = reach_of(level) * self.standard_errors
        columns = {"lower": ends[0], "upper": ends[1]}
        columns |= {"normal_lower": self.params - reach, "normal_upper": self.params + reach}
        return pd.DataFrame(columns, index=self.params.index)

    def to_arviz(self) -> Any:
        """The samples for the plots and tables of arviz, one chain: an `InferenceData`, or an `xarray.DataTree` from its
        version 1 on. They are no draws of a posterior, though where the prior says little they look alike. It needs the
        package `arviz`."""
        return inference_data({str(name): self.samples[name].to_numpy()[None, :] for name in self.samples})

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


@one_thread
def bootstrap(
    fit: Maximum,
    samples: Given[int] = 200,
    seed: Given[int] = 0,
    *,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> Bootstrap:
    """Estimates from samples of people drawn with replacement (Efron 1979), whole clusters where the fit has
    clusters; computed once. From then on `cov="bootstrap"` means this one.

    Every sample is fitted from the estimates, at the nodes of the fit. Samples that do not converge are left out
    and counted, as are those without a maximum; latent variables that ended the other way around are turned. A
    sample costs about forty gradients in a hybrid model whose choice part is hard to tell.

    Parameters
    ----------
    samples
        How many. Standard errors of 200 samples have an error of their own of 5 per cent; the ends of
        percentile intervals take 1000.
    seed
        Of the draws.
    workers
        How many processes share the work, or an executor: `ProcessPoolExecutor`, or that of a Dask cluster,
        `client.get_executor()`. The draws, and so the samples, do not depend on it. None: this process, samples side by
        side. Of one that dies only the samples it was at are done again.
    resume
        Path of a file to which what is done is added. The same call goes on from there, also with more samples; the file
        of another model, other data, estimates or seed is refused.

    Raises
    ------
    ValueError
        For counts and seeds that are none, and a file of something else.
    RuntimeError
        When the workers of the same samples died twice.

    Examples
    --------
    >>> logit_fit.uncertainty.bootstrap(20, seed=1).samples.shape
    (20, 4)
    """
    check_count(samples, "samples")
    check_workers(workers)
    penalties = smooth_penalties(fit, "The bootstrap")
    check_seed(seed)
    if resume is not None or (samples, seed) not in fit._bootstraps:
        known = answers_of(fit, resume, "bootstrap", seed=seed)
        resampled = resample(fit.problem, fit.estimates, samples, seed, penalties, workers, known)
        clusters = fit.problem.panel.clusters is not None
        inside = fit.problem.spec.module_of
        modules = list(dict.fromkeys(inside[name] for name in fit.names if name in inside))
        about = clusters, modules, penalties is not None
        fit._bootstraps[samples, seed] = collected(resampled, fit.params, *about)
    found = fit._bootstraps[samples, seed]
    fit._covariances["bootstrap"] = found.covariance
    return found


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
