"""What a fit would gain from parameters that it does not have."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._base._types import Array
from iclv_jax._derivatives import Expansion, outer_products
from iclv_jax._fit._against import SMALLEST
from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._penalised import refuse_penalised
from iclv_jax._inference import HypothesisTest, invert
from iclv_jax._inference._covariance import summed_scores
from iclv_jax._inference._freed import fixed_values, freed, why_not_free
from iclv_jax._inference._hypotheses import chi_squared
from iclv_jax._inference._score_test import Index, joint_score, modification_index
from iclv_jax._likelihood import Core
from iclv_jax._problem import Problem, expand_exact
from iclv_jax._problem._fingerprint import outcomes
from iclv_jax._problem._portions import person_scores

ScoreKind = Literal["hessian", "bhhh", "robust"]


def modification_indices(fit: Estimates, names: Sequence[str] | None, kind: str) -> pd.DataFrame:
    """See `Fit.modification_indices`."""
    if kind not in ("hessian", "bhhh", "robust"):
        raise ValueError(f"kind is 'hessian', 'bhhh' or 'robust', not {kind!r}.")
    refuse_penalised(fit, "modification_indices")
    problem = fit.problem
    asked = [r.name for r in problem.table.rows if r.status == "fixed"] if names is None else list(names)
    reasons = {name: why_not_free(problem, name) for name in asked}
    testable = [name for name in asked if not reasons[name]]
    found = dict(zip(testable, _indices(fit, testable, kind), strict=True)) if testable else {}
    rows = [found.get(name, Index(np.nan, np.nan, reasons[name])) for name in asked]
    columns = {
        "block": [problem.table.row(n).parameter.block for n in asked],
        "value": fixed_values(problem, asked),
        "statistic": [r.statistic for r in rows],
        "p": [float(stats.chi2.sf(r.statistic, 1)) for r in rows],
        "change": [r.change for r in rows],
        "note": [r.reason for r in rows],
    }
    frame = pd.DataFrame(columns, index=pd.Index(asked, name="parameter"))
    return frame.sort_values("statistic", ascending=False, na_position="last", kind="stable")


def _indices(fit: Estimates, names: list[str], kind: str) -> list[Index]:
    problem, size = fit.problem, len(fit.names)
    core = freed(problem, names)
    params = jnp.asarray(np.concatenate([fit.estimates, fixed_values(problem, names)]))
    each = person_scores(core, params)
    bhhh = outer_products(core.weights, *each)
    found = bhhh if kind == "bhhh" else expand_exact(core, params)
    information, total = -np.asarray(found.hessian), np.asarray(bhhh.gradient)
    meat = None
    if kind == "robust":
        panel = problem.panel
        weighted = summed_scores(np.asarray(each.scores), panel.weights, panel.clusters, panel.weights_count)
        meat = weighted.T @ weighted
    held = np.array([n in fit.optimizer_report.active for n in fit.names])
    inverse = invert(information[:size, :size], fit.names, held)
    if inverse.reasons:
        return [Index(np.nan, np.nan, "; ".join(inverse.reasons)) for _ in names]
    indices = []
    for i in range(len(names)):
        at = np.append(np.arange(size), size + i)
        part = None if meat is None else meat[np.ix_(at, at)]
        indices.append(
            modification_index(total[at], information[np.ix_(at, at)], part, inverse.matrix, inverse.kept)
        )
    return indices


def score_test(fit: Estimates, larger: Any, values: Mapping[str, float], kind: str) -> HypothesisTest:
    """See `Fit.lm_test`."""
    if kind not in ("hessian", "bhhh"):
        raise ValueError(f"kind is 'hessian' or 'bhhh', not {kind!r}.")
    refuse_penalised(fit, "lm_test")
    if isinstance(larger, Problem):
        core, params, names = _larger(fit, larger, values)
        words = [f"nothing is gained by {n}" for n in names if n not in fit.names]
    else:
        freed_names = [larger] if isinstance(larger, str) else list(larger)
        core = freed(fit.problem, freed_names)
        fixed = fixed_values(fit.problem, freed_names)
        params, names = jnp.asarray(np.concatenate([fit.estimates, fixed])), [*fit.names, *freed_names]
        words = [f"{n} = {v:g}" for n, v in zip(freed_names, fixed, strict=True)]
    found = _expansion(core, params, kind)
    held = np.array([n in fit.optimizer_report.active for n in names])
    joint = joint_score(np.asarray(found.gradient), -np.asarray(found.hessian), names, held)
    df = len(names) - len(fit.names)
    return chi_squared("Score (Lagrange multiplier) test", words, joint.statistic, df, joint.reasons)


def _expansion(core: Core, params: Array, kind: str) -> Expansion:
    if kind == "bhhh":
        return outer_products(core.weights, *person_scores(core, params))
    return expand_exact(core, params)


def _larger(fit: Estimates, larger: Problem, values: Mapping[str, float]) -> tuple[Core, Array, list[str]]:
    """The larger problem at the estimates, which must have the same likelihood there."""
    if outcomes(larger) != outcomes(fit.problem):
        raise ValueError(
            "The larger problem does not explain the same data: the same people, choices and items."
        )
    if len(larger.names) <= len(fit.names):
        raise ValueError(
            f"The larger problem has {len(larger.names)} free parameters; it needs more than the {len(fit.names)} of "
            "this fit."
        )
    known = fit.all_params.to_dict() | {n: float(v) for n, v in values.items()}
    params = jnp.asarray([known.get(n, 0.0) for n in larger.names])
    if larger.core.structure.dimension == fit.problem.core.structure.dimension:
        larger = larger.integrate(fit.problem.rule)
    larger = larger.recentre(params)
    there = float(larger.loglike(params))
    if abs(there - fit.llf) > max(SMALLEST, 4.0 * (fit.accuracy.error or 0.0)):
        raise ValueError(
            f"At the estimates the larger model has the log-likelihood {there:.4f}, this fit {fit.llf:.4f}. Parameters "
            "that this fit does not have are taken to be 0 unless values= says what they are; with these this fit "
            "is not a case of the larger model."
        )
    return larger.core, params, list(larger.names)
