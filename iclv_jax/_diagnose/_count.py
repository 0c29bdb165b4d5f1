"""How many parameters the answers to items can determine, where that can be counted.

With linear equations, normal and ordered probit items are thresholds on jointly normal responses: all that the data know
are the thresholds, the slopes on covariates and the correlations of the responses, and of normal items the means and
variances. A model with more free parameters than these has a ridge on which the log-likelihood is constant, whatever a
Hessian at noisy nodes says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iclv_jax._families import Continuous, Ordered
from iclv_jax._parameters._row import Row
from iclv_jax._problem import Problem
from iclv_jax._spec import Indicator, Latent
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import column_of


@dataclass(frozen=True)
class Uncounted:
    """Latent variables that hang together, with more free parameters than what their items determine."""

    latents: tuple[str, ...]
    items: tuple[str, ...]
    parameters: tuple[str, ...]
    determined: int

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        several, count = "s" if len(self.latents) > 1 else "", len(self.parameters)
        return (
            f"The items {_listed(self.items)} determine at most {self.determined} numbers (means or thresholds, slopes "
            f"on covariates, variances and correlations), but {count} parameters of the latent variable{several} "
            f"{_listed(self.latents)} are free: {_listed(self.parameters)}. They are not identified together, so that "
            "estimates and standard errors of them mean nothing. Fix some of them, or add items."
        )


def uncounted(problem: Problem) -> tuple[Uncounted, ...]:
    """Where the model has more parameters than its items can determine; nothing for latent variables that enter a utility
    or an equation that is a function, or have items of other families, and nothing for groups."""
    spec, found = problem.spec, []
    if spec.groups is not None:
        return ()
    tied = any(r.status in ("equal", "defined") for r in problem.table.rows)
    for group in [tuple(v.name for v in spec.latents)] if tied else _together(spec):
        items = tuple(i for i in spec.indicators if set(i.of) & set(group))
        latents = tuple(v for v in spec.latents if v.name in group)
        if not items or not _countable(spec, latents, items):
            continue
        names = {*group, *(i.column for i in items), *(i.shared for i in items if i.shared)}
        free = tuple(r.name for r in problem.table.rows if r.status == "free" and _among(r, names))
        determined = _determined(spec, latents, items, problem.panel.levels)
        if len(free) > determined:
            found.append(Uncounted(group, tuple(i.column for i in items), free, determined))
    return tuple(found)


def _countable(spec: Spec, latents: Sequence[Latent], items: Sequence[Indicator]) -> bool:
    plain = all(isinstance(i, Continuous) or (isinstance(i, Ordered) and i.link == "probit") for i in items)
    closed = not any(v.equation is not None or v.name in spec.felt for v in latents)
    random = {name for name, _ in spec.random}
    return plain and closed and not any(set(pair) & random for pair in spec.covariances)


def _among(row: Row, names: set[str]) -> bool:
    return row.parameter.owner in names or row.parameter.argument in names


def _together(spec: Spec) -> list[tuple[str, ...]]:
    """Latent variables that share an item, thresholds, a path or a covariance."""
    names = {v.name for v in spec.latents}
    links = [set(i.of) for i in spec.indicators]
    shared = {i.shared for i in spec.indicators if i.shared}
    links += [{v for i in spec.indicators if i.shared == s for v in i.of} for s in shared]
    links += [{v.name, *(names & {column_of(p) for p in v.predictors})} for v in spec.latents]
    links += [set(pair) & names for pair in spec.covariances]
    groups = [{name} for name in names]
    for link in links:
        met = [g for g in groups if g & link]
        groups = [g for g in groups if not g & link] + ([set().union(*met)] if met else [])
    return [tuple(v.name for v in spec.latents if v.name in g) for g in groups]


def _determined(
    spec: Spec, latents: Sequence[Latent], items: Sequence[Indicator], levels: Mapping[str, Sequence[object]]
) -> int:
    """Means and variances or thresholds, slopes, and correlations of the responses."""
    own = sum(2 if isinstance(i, Continuous) else len(levels[i.column]) - 1 for i in items)
    names = {v.name for v in spec.latents}
    columns = {
        column_of(p) for part in (*(v.predictors for v in latents), *(i.on for i in items)) for p in part
    } - names
    nominal = {p.column for p in spec.nominal}
    slopes = sum(len(levels[c]) - 1 if c in nominal else 1 for c in columns)
    count = len(items)
    return own + count * slopes + count * (count - 1) // 2


def _listed(names: Sequence[str]) -> str:
    shown = [repr(n) for n in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
