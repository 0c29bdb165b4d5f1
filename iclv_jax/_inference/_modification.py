"""What a fit would gain from parameters that it does not have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_name, is_word, names_of
from iclv_jax._base._distributions import chi2_tail
from iclv_jax._base._types import Array, Given
from iclv_jax._derivatives import Expansion, outer_products
from iclv_jax._inference._against import SMALLEST
from iclv_jax._inference._covariance import invert, summed_scores
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._hypotheses import HypothesisTest, chi_squared
from iclv_jax._inference._penalised import refuse_penalised
from iclv_jax._likelihood import Core
from iclv_jax._parameters import build_table
from iclv_jax._parameters._row import Row
from iclv_jax._problem import Problem, expand_exact
from iclv_jax._problem._fingerprint import outcomes
from iclv_jax._problem._portions import person_scores
from iclv_jax._spec._names import as_tuple

ScoreKind = Literal["hessian", "bhhh", "robust"]
FLAT = 1e-6
"""Share of a parameter's information that is left given the others, below which it is not determined."""


class Index(NamedTuple):
    """A score statistic with one degree of freedom, the change of the parameter that it promises, and why there
    is none."""

    statistic: float
    change: float
    reason: str


class Joint(NamedTuple):
    """A score statistic and why it is missing."""

    statistic: float
    reasons: tuple[str, ...]


def modification_indices(
    fit: Maximum, names: Given[Sequence[str] | None] = None, kind: Given[ScoreKind] = "hessian"
) -> pd.DataFrame:
    """Score tests of fixed parameters: what each would gain if it were free (Sörbom 1989).

    Parameters
    ----------
    names
        Fixed parameters; None: all of the table.
    kind
        Where the information comes from: `"hessian"`, `"bhhh"`, or `"robust"`, a statistic that is chi-squared
        also where the model is not quite true (White 1982).

    Returns
    -------
    By parameter, the largest first: `block`; `value` at which it is fixed; `statistic`, chi-squared with one
    degree of freedom, about twice the gain of the log-likelihood; `p`; `change`, by about how much the
    parameter would move; `note`, why there is no statistic: a parameter that sets a scale or a location has
    none.

    Raises
    ------
    ValueError
        For parameters that are not fixed.

    Examples
    --------
    >>> fit.tests.modification_indices().index[0]
    'green ~~ green'
    """
    if not is_word(kind, ("hessian", "bhhh", "robust")):
        raise ValueError(f"kind is 'hessian', 'bhhh' or 'robust', not {kind!r}.")
    refuse_penalised(fit, "modification_indices")
    problem = fit.problem
    asked = (
        [r.name for r in problem.table.rows if r.status == "fixed"]
        if names is None
        else names_of(names, "names=")
    )
    _fixed_rows(problem, asked)
    reasons = {name: why_not_free(problem, name) for name in asked}
    testable = [name for name in asked if not reasons[name]]
    found = dict(zip(testable, _indices(fit, testable, kind), strict=True)) if testable else {}
    rows = [found.get(name, Index(np.nan, np.nan, reasons[name])) for name in asked]
    columns = {
        "block": [problem.table.row(n).parameter.block for n in asked],
        "value": fixed_values(problem, asked),
        "statistic": [r.statistic for r in rows],
        "p": [chi2_tail(r.statistic, 1) for r in rows],
        "change": [r.change for r in rows],
        "note": [r.reason for r in rows],
    }
    frame = pd.DataFrame(columns, index=pd.Index(asked, name="parameter"))
    return frame.sort_values("statistic", ascending=False, na_position="last", kind="stable")


def _indices(fit: Maximum, names: list[str], kind: str) -> list[Index]:
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


def lm_test(
    fit: Maximum,
    larger: Given[str | Sequence[str] | Problem],
    values: Given[Mapping[str, float] | None] = None,
    kind: Given[Literal["hessian", "bhhh"]] = "hessian",
) -> HypothesisTest:
    """Score (Lagrange multiplier) test against a larger model, without fitting that one.

    Parameters
    ----------
    larger
        Names of fixed parameters to be set free together, or the larger model bound to the same data,
        `larger_model.bind(data, ...)`.
    values
        Values that parameters of the larger model have in this one, where that is not 0 and this fit has no
        such parameter.
    kind
        Where the information comes from.

    Raises
    ------
    ValueError
        For parameters that are not fixed, other data, and a larger model of which this fit is not a case:
        the two log-likelihoods must agree at the estimates.

    Examples
    --------
    >>> short = iclv.Model(choice=iclv.Logit(plain, chosen="mode"), fixed={"age_bus": 0.0}).fit(df)
    >>> short.tests.lm_test(["age_bus"]).df
    1
    """
    if not is_word(kind, ("hessian", "bhhh")):
        raise ValueError(f"kind is 'hessian' or 'bhhh', not {kind!r}.")
    refuse_penalised(fit, "lm_test")
    if values is not None and not isinstance(larger, Problem):
        raise ValueError(
            "values= goes with a larger model; parameters that are named are tested at the values at which they are fixed."
        )
    if isinstance(larger, Problem):
        core, params, names = _larger(fit, larger, values or {})
        words = [f"nothing is gained by {n}" for n in names if n not in fit.names]
    else:
        freed_names = list(as_tuple(larger))
        if not freed_names:
            raise ValueError(
                f"larger={larger!r} names no parameter. Name fixed ones, or give a larger model bound to the same data."
            )
        core = freed(fit.problem, freed_names)
        fixed = fixed_values(fit.problem, freed_names)
        params, names = jnp.asarray(np.concatenate([fit.estimates, fixed])), [*fit.names, *freed_names]
        words = [f"{n} = {v:g}" for n, v in zip(freed_names, fixed, strict=True)]
    found = expansion_by(core, params, kind)
    held = np.array([n in fit.optimizer_report.active for n in names])
    joint = joint_score(np.asarray(found.gradient), -np.asarray(found.hessian), names, held)
    df = len(names) - len(fit.names)
    return chi_squared("Score (Lagrange multiplier) test", words, joint.statistic, df, joint.reasons)


def expansion_by(core: Core, params: Array, kind: str) -> Expansion:
    if kind == "bhhh":
        return outer_products(core.weights, *person_scores(core, params))
    return expand_exact(core, params)


def _larger(fit: Maximum, larger: Problem, values: Mapping[str, float]) -> tuple[Core, Array, list[str]]:
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


def modification_index(
    score: np.ndarray, information: np.ndarray, meat: np.ndarray | None, inverse: np.ndarray, kept: np.ndarray
) -> Index:
    """Score test of the last of these parameters (Sörbom 1989), given the others.

    Parameters
    ----------
    score
        Sum of the weighted scores, the tested parameter last.
    information
        Negative Hessian (or outer products of scores) of all of them.
    meat
        Sum of outer products of weighted scores for a statistic that is robust to a wrong model (White 1982);
        None: the information stands for it.
    inverse, kept
        Inverse of the information of the estimated parameters, and their places.
    """
    slope = inverse @ information[kept, -1]
    left = float(information[-1, -1] - information[-1, kept] @ slope)
    if not left > FLAT * abs(float(information[-1, -1])):
        what = "are not told apart from it" if left > -FLAT * abs(information[-1, -1]) else "curve upwards"
        return Index(np.nan, np.nan, f"at the estimates the other parameters {what}")
    efficient = float(score[-1] - slope @ score[kept])
    spread = left
    if meat is not None:
        contrast = np.zeros(len(score))
        contrast[-1], contrast[kept] = 1.0, -slope
        spread = float(contrast @ meat @ contrast)
    return Index(efficient**2 / spread, efficient / left, "")


def joint_score(score: np.ndarray, information: np.ndarray, names: Sequence[str], held: np.ndarray) -> Joint:
    """`s' I^-1 s` at the estimates of a smaller model, in whose directions the score is zero (Rao 1948)."""
    inverse = invert(information, names, held)
    if inverse.reasons:
        return Joint(np.nan, inverse.reasons)
    part = score[inverse.kept]
    return Joint(float(part @ inverse.matrix @ part), ())


def freed(problem: Problem, names: Given[Sequence[str]]) -> Core:
    """The core of a model in which these fixed parameters follow the free ones in `params`.

    Raises ValueError for names of parameters that are not fixed.
    """
    rows, table = _fixed_rows(problem, names), problem.table
    positions = tuple(table.rows.index(row) for row in rows)
    core = problem.core
    structure = replace(
        core.structure, map=replace(core.structure.map, free=(*core.structure.map.free, *positions))
    )
    return Core(structure, core.constants, core.people)


def _fixed_rows(problem: Problem, names: Given[Sequence[str]]) -> list[Row]:
    rows = [problem.table.row(name) for name in names]
    for row in rows:
        if row.status != "fixed":
            raise ValueError(
                f"{row.name!r} is {row.standing}; only fixed parameters can be set free in a test."
            )
    return rows


def fixed_values(problem: Problem, names: Sequence[str]) -> np.ndarray:
    return np.array([problem.table.row(name).value for name in names])


def why_not_free(problem: Problem, name: Given[str]) -> str:
    """Why a fixed parameter cannot be estimated with the others; empty where nothing speaks against it."""
    spec = problem.spec
    check_name(name, "What a parameter is called")
    given = dict(spec.fixed)
    if name not in given:
        return "fixed by convention: it sets a scale or a location"
    others = tuple((n, v) for n, v in spec.fixed if n != name)
    try:
        table = build_table(
            replace(spec, fixed=others), problem.panel.levels, problem.panel.moments, problem.panel.far
        )
    except ValueError as error:
        return f"it could not be free: {error}"
    if set(table.names) - set(problem.names) != {name}:
        return "it sets a scale or a location: another parameter would take its place"
    return ""
