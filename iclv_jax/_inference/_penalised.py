"""What penalties and training change in what follows from estimates."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._inference._covariance import bound_notes
from iclv_jax._inference._estimated import Maximum
from iclv_jax._optimise import OptimizerReport, Verdict
from iclv_jax._parameters._penalties import L1, L2, Applied, Gaussian, Penalties

SHOWN = 5
KINDS = {kind.__name__: kind for kind in (L1, L2, Gaussian)}


@runtime_checkable
class Penalised(Protocol):
    @property
    def penalties(self) -> Penalties | None: ...


@runtime_checkable
class Ended(Penalised, Protocol):
    """Estimates, and how the search for them ended."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def estimates(self) -> np.ndarray: ...

    @property
    def optimizer_report(self) -> OptimizerReport: ...


def refuse_penalised(fit: Penalised, what: str) -> None:
    """ValueError where a result holds for maximum likelihood estimates only."""
    if fit.penalties is not None:
        raise ValueError(
            f"{what}: this fit is penalised, so that its estimates do not maximise the log-likelihood and the result "
            "would not hold. Fit without penalties=."
        )


def smooth_penalties(fit: Penalised, what: str) -> Penalties | None:
    """The penalties of a fit, for refits by second derivatives."""
    if fit.penalties is not None and fit.penalties.kinked:
        raise ValueError(
            f"{what} fits again by second derivatives, which iclv.L1 does not have at zero. Take iclv.L2 or iclv.Gaussian."
        )
    return fit.penalties


def precision(fit: Penalised) -> np.ndarray | None:
    """Minus the second derivatives of the penalties, a diagonal."""
    return None if fit.penalties is None else fit.penalties.precision


def pull(fit: Maximum) -> np.ndarray | None:
    """The gradient of the penalties."""
    return None if fit.penalties is None else fit.penalties.slope(fit.estimates)


def penalised_hessian(fit: Maximum) -> pd.DataFrame:
    """Hessian of what was maximised, the log-likelihood less its penalties."""
    return fit.hessian if fit.penalties is None else fit.hessian - np.diag(fit.penalties.precision)


def known_parameters(fit: Ended) -> tuple[np.ndarray, tuple[str, ...]]:
    """Marks parameters that count as known in covariances, and says why."""
    names, report = fit.names, fit.optimizer_report
    held = np.array([n in report.active for n in names])
    notes = bound_notes(names, held)
    for how, whom in (
        ("no maximum at finite values", tuple(report.limits)),
        ("a flat log-likelihood", report.undetermined),
    ):
        held = held | np.array([n in whom for n in names])
        notes += [f"{n} has {how} and no standard error; those of others take it as known" for n in whom]
    held = held | np.array([n in report.zero for n in names])
    notes += [f"{n} is 0 and has no standard error; those of others take it as known" for n in report.zero]
    if report.trained:
        trained = set(report.trained)
        held = held | np.array([n in trained for n in names])
        notes.append(
            f"{_listed(report.trained)} stayed where training stopped: they have no standard errors, and those of the "
            "others take them as known"
        )
    if fit.penalties is None:
        return held, tuple(notes)
    kinked = set(fit.penalties.kinked)
    zero = [n for n, v in zip(names, fit.estimates, strict=True) if n in kinked and v == 0.0]
    held = held | np.array([n in zero for n in names])
    return held, (*notes, *_of_penalties(zero, bool(kinked)))


def _of_penalties(zero: list[str], kinked: bool) -> list[str]:
    notes = [
        "penalised: second derivatives are those of the penalised log-likelihood, so that standard errors shrink with the "
        "estimates (for Gaussian priors they approximate posterior standard deviations) and leave out the bias"
    ]
    if kinked:
        notes.append("iclv.L1 chooses parameters, and standard errors take its choice as given")
    if zero:
        notes.append(f"iclv.L1 has set {_listed(zero)} to zero, where they count as known")
    return notes


def unfinished(fit: Maximum) -> tuple[str, ...]:
    """A note on standard errors where training stopped."""
    if fit.optimizer_report.verdict is not Verdict.TRAINED:
        return ()
    return (
        "the estimates are where training stopped, not a maximum: standard errors describe the curvature there and are not "
        "those of maximum likelihood estimates",
    )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def as_data(penalties: Penalties) -> list[dict[str, Any]]:
    """Penalties as JSON takes them."""
    return [
        {
            "key": g.key,
            "parameters": g.parameters,
            "penalties": [[type(p).__name__, vars(p)] for p in g.penalties],
        }
        for g in penalties.applied
    ]


def from_data(names: Sequence[str], known: Sequence[Mapping[str, Any]] | None) -> Penalties | None:
    if known is None:
        return None
    groups = (
        Applied(
            g["key"],
            tuple(KINDS[kind](**numbers) for kind, numbers in g["penalties"]),
            tuple(g["parameters"]),
        )
        for g in known
    )
    return Penalties(tuple(names), tuple(groups))
