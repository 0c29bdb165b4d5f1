"""How estimates move with what they were estimated from: derivatives through the fit, by the implicit function theorem.

Estimates solve `sum_n w_n s_n(theta, data) = 0`, s_n the score of person n. So `d theta / d x = -H^-1 sum_n w_n d s_n / d x`
for anything x that the scores depend on, and `d theta / d w_n = -H^-1 s_n`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import is_word
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Array, Given
from iclv_jax._inference._covariance import Inverse, invert
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._functions import check_estimates, delta_errors, quantities
from iclv_jax._inference._intervals import standard_errors
from iclv_jax._inference._moved import Move, moved_column, moved_parameter, score_changes
from iclv_jax._inference._penalised import known_parameters, penalised_hessian
from iclv_jax._optimise import Verdict
from iclv_jax._panel._frame import identifiers
from iclv_jax._tables import Report, Section, Tabular, number, of_frame

SHOWN = 10
"""People in the printed table."""


@final
@dataclass(frozen=True, eq=False)
class Influence(Tabular):
    """What each person does to the estimates.

    Attributes
    ----------
    table
        A row per person, the most influential first: `weight`; `displacement`, about twice the log-likelihood that the
        estimates without this person lose among all people (Cook 1986), which is small beside 1 for a person who does
        not matter; `largest`, the dfbeta that is largest in size; `of`, the parameter (or value of the function) that
        it belongs to. The first ten are printed.
    people
        Derivatives of the estimates by the weight of each person: person by parameter, natural units.
    dfbetas
        The same times the person's weight, in standard errors: by how much this person pulls an estimate up. Without
        the person it would be about as much lower (Belsley, Kuh and Welsch 1980).
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    people: pd.DataFrame = field(repr=False)
    dfbetas: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        size = len(self.table)
        limit = 2.0 / np.sqrt(size)
        beyond = int((self.dfbetas.abs() > limit).any(axis=1).sum())
        facts = (
            ("People", f"{size:,}"),
            (f"A dfbeta beyond 2/sqrt(people) = {limit:.2g}", f"{beyond:,} people"),
        )
        rows = tuple(
            (
                str(person),
                number(row["weight"]),
                number(row["displacement"]),
                number(row["largest"]),
                str(row["of"]),
            )
            for person, row in self.table.head(SHOWN).iterrows()
        )
        columns = ("person", "weight", "displacement", "largest dfbeta", "of")
        sections = (Section("The most influential", rows),)
        return Report("Influence of people", facts, columns, sections, self.notes, words=(0, 4))

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


@final
@dataclass(frozen=True, eq=False)
class Sensitivity(Tabular):
    """How the estimates move with a column of the data or with a fixed parameter.

    Attributes
    ----------
    what
        What moves, in words.
    table
        By parameter (or value of the function): `estimate`; `change`, its derivative, per unit or per one per cent of
        what moves; `in_se`, the change in standard errors.
    people
        What each person contributes to the change, with the weights: the derivative where the column moves for this
        person alone. They add up to `change`, but for what a function of the parameters takes from a fixed one directly.
    notes
        What a reader must know.
    """

    what: str
    table: pd.DataFrame
    people: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        return of_frame(self.table, f"Change of the estimates per {self.what}", self.notes)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


class _Target(NamedTuple):
    """What is asked about: labels, values, derivatives by the free parameters, standard errors, and the function of the
    free parameters and the constants."""

    labels: list[Any]
    values: np.ndarray
    jacobian: np.ndarray
    errors: np.ndarray
    function: Callable[[Array, Array], Array]


@one_thread
def sensitivity(
    fit: Maximum,
    what: Given[Literal["weights"] | None] = None,
    *,
    column: Given[str | None] = None,
    fixed: Given[str | None] = None,
    function: Given[Callable[[Any], Any] | None] = None,
    per: Given[Literal["unit", "percent"]] = "unit",
    cov: Given[str | None] = None,
) -> Influence | Sensitivity:
    """Derivatives of the estimates, through the fit, with respect to what they were estimated from.

    By the implicit function theorem `d params / d x = -H^-1 d score / d x` at the estimates: exact derivatives, without
    a refit. They tell what small changes do; what happens far away needs a refit.

    Parameters
    ----------
    what
        `"weights"`: the influence of each person.
    column
        A column of numbers that the utilities use, a covariate of latent variables, or a continuous item. It moves for
        everybody, everywhere it stands.
    fixed
        A parameter that is fixed.
    function
        Of the named parameters, as of `delta`: derivatives of what it returns rather than of the parameters.
    per
        `"unit"`, or `"percent"` of every value of the column (of the fixed parameter).
    cov
        Kind of covariance behind the standard errors in which changes are told, as of `cov_params`.

    Returns
    -------
    Influence
        For `"weights"`: derivatives by each person's weight, dfbetas, and the most influential people.
    Sensitivity
        For a column or a fixed parameter: change per unit, in natural units and in standard errors, and what each
        person contributes.

    Raises
    ------
    ValueError
        When not exactly one of `what`, `column` and `fixed` is given; for columns that the model does not use or whose
        values are no numbers; for parameters that are not fixed; where training stopped before a maximum.

    Notes
    -----
    Of a penalised fit the derivatives are those of the penalised estimates. Parameters at a bound, and those that `L1`
    has set to zero, do not move. Derivatives are those at frozen nodes. Nodes that are placed at each person's
    posterior would move with the data, but where they stand changes an integral by its error only, and so the
    derivatives by the derivative of that error.

    Examples
    --------
    >>> logit_fit.uncertainty.sensitivity("weights").dfbetas.shape
    (300, 4)
    """
    asked = [name for name in (what, column, fixed) if name is not None]
    if len(asked) != 1 or not (what is None or is_word(what, ("weights",))):
        raise ValueError(
            "sensitivity takes one of 'weights', column='...' and fixed='...': sensitivity('weights'), say."
        )
    if not is_word(per, ("unit", "percent")):
        raise ValueError(f"per is 'unit' or 'percent', not {per!r}.")
    if what is None:
        return _sensitivity(fit, column, fixed, function, per == "percent", cov)
    if per != "unit":
        raise ValueError("Influence is per unit of weight; leave per= out.")
    return _influence(fit, function, cov)


def _influence(fit: Maximum, function: Any, cov: str | None) -> Influence:
    target, notes = _target(fit, function, cov), list(fit.covariance(cov).notes)
    held, inverse = _inverse(fit)
    scores, weights = fit.scores.to_numpy(), np.asarray(fit.problem.core.weights)
    index = identifiers(fit.problem.panel.people)
    moves = _times(responses(inverse, scores, held), target.jacobian)
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = weights[:, None] * moves / target.errors
    size = np.abs(np.where(np.isfinite(pulls), pulls, 0.0))
    most = size.argmax(axis=1)
    table = pd.DataFrame(
        {
            "weight": weights,
            "displacement": weights**2 * displacements(inverse, scores),
            "largest": pulls[np.arange(len(pulls)), most],
            "of": [target.labels[i] for i in most],
        },
        index=index,
    )
    table = table.sort_values("displacement", ascending=False, kind="stable")
    labels = pd.Index(target.labels)
    people = pd.DataFrame(moves, index=index, columns=labels)
    return Influence(table, people, pd.DataFrame(pulls, index=index, columns=labels), tuple(notes))


def _sensitivity(
    fit: Maximum,
    column: Given[str | None],
    fixed: Given[str | None],
    function: Any,
    percent: bool,
    cov: str | None,
) -> Sensitivity:
    problem = fit.problem
    move = (
        moved_parameter(problem, fixed, percent) if column is None else moved_column(problem, column, percent)
    )
    target = _target(fit, function, cov)
    held, inverse = _inverse(fit)
    params, core = jnp.asarray(fit.estimates), problem.core
    changes = np.asarray(score_changes(core, params, move.direction)) * np.asarray(core.weights)[:, None]
    each = _times(responses(inverse, changes, held), target.jacobian)
    direct = jax.jvp(lambda c: target.function(params, c), (core.constants,), (move.direction.constants,))[1]
    change = each.sum(axis=0) + np.asarray(direct)
    labels = pd.Index(target.labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        in_se = change / target.errors
    table = pd.DataFrame({"estimate": target.values, "change": change, "in_se": in_se}, index=labels)
    people = pd.DataFrame(each, index=identifiers(problem.panel.people), columns=labels)
    return Sensitivity(move.what, table, people, (*_notes(move), *fit.covariance(cov).notes))


def _notes(move: Move) -> tuple[str, ...]:
    return (f"the column moves in {move.where}",) if move.where else ()


def _inverse(fit: Maximum) -> tuple[np.ndarray, Inverse]:
    """Which parameters stay where they are, and the inverse of the negative Hessian of what was maximised."""
    if fit.optimizer_report.verdict is Verdict.TRAINED or fit.optimizer_report.trained:
        raise ValueError(
            "sensitivity is about estimates at a maximum, and training stopped before one. Fit with Stochastic(..., "
            "polish=True)."
        )
    held, _ = known_parameters(fit)
    return held, invert(-penalised_hessian(fit).to_numpy(), fit.names, held)


def _target(fit: Maximum, function: Any, cov: str | None) -> _Target:
    """The free parameters themselves, or a function of named parameters."""
    table, core = fit.problem.table, fit.problem.core
    params, errors = jnp.asarray(fit.estimates), standard_errors(fit, cov).to_numpy()
    if function is None:
        size = len(fit.names)
        return _Target(list(fit.names), fit.estimates, np.eye(size), errors, lambda p, c: p)
    found = quantities(function, [row.name for row in table.rows], fit.problem.spec.modules)

    def values(p: Array, constants: Array) -> Array:
        return found.flat(table.map.full(constants, p))

    check_estimates(values(params, core.constants), found.labels)
    jacobian = np.asarray(jax.jacfwd(values)(params, core.constants))
    errors = delta_errors(jacobian, fit.covariance(cov).of_functions)
    return _Target(found.labels, np.asarray(values(params, core.constants)), jacobian, errors, values)


def _times(moves: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Moves of functions from moves of parameters; a parameter without one spoils only what depends on it."""
    lost = np.isnan(moves).any(axis=0)
    found = moves[:, ~lost] @ jacobian[:, ~lost].T
    found[:, (jacobian[:, lost] != 0.0).any(axis=1)] = np.nan
    return found


def responses(inverse: Inverse, changes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """`-H^-1 d s` of every row of changes of scores; `inverse` is that of -H.

    Parameters at a bound do not move. NaN for those that the data do not determine.
    """
    found = np.full(changes.shape, np.nan)
    found[:, held] = 0.0
    moved = changes[:, inverse.kept] @ inverse.matrix
    sound = np.isin(inverse.kept, inverse.sound)
    found[:, inverse.kept[sound]] = moved[:, sound]
    return found


def displacements(inverse: Inverse, scores: np.ndarray) -> np.ndarray:
    """`s' (-H)^-1 s` of every row: about twice the log-likelihood that the estimates without this person lose among all
    people (Cook 1986)."""
    part = scores[:, inverse.kept]
    return np.sum(part @ inverse.matrix * part, axis=1)
