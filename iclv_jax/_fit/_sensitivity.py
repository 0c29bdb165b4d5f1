"""Derivatives of the estimates with respect to weights, columns and fixed parameters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._types import Array
from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._moved import Move, moved_column, moved_parameter
from iclv_jax._fit._penalised import known_parameters
from iclv_jax._inference import Inverse, delta_errors, invert
from iclv_jax._inference._functions import quantities
from iclv_jax._inference._sensitivity import displacements, responses, score_changes
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


def influence(fit: Estimates, function: Any, cov: str | None) -> Influence:
    """See `Fit.sensitivity`."""
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


def sensitivity(
    fit: Estimates, column: str | None, fixed: str | None, function: Any, percent: bool, cov: str | None
) -> Sensitivity:
    """See `Fit.sensitivity`."""
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


def _inverse(fit: Estimates) -> tuple[np.ndarray, Inverse]:
    """Which parameters stay where they are, and the inverse of the negative Hessian of what was maximised."""
    if fit.optimizer_report.verdict is Verdict.TRAINED or fit.optimizer_report.trained:
        raise ValueError(
            "sensitivity is about estimates at a maximum, and training stopped before one. Fit with Stochastic(..., "
            "polish=True)."
        )
    held, _ = known_parameters(fit)
    return held, invert(-fit.penalised_hessian.to_numpy(), fit.names, held)


def _target(fit: Estimates, function: Any, cov: str | None) -> _Target:
    """The free parameters themselves, or a function of named parameters."""
    table, core = fit.problem.table, fit.problem.core
    params, errors = jnp.asarray(fit.estimates), fit.standard_errors(cov).to_numpy()
    if function is None:
        size = len(fit.names)
        return _Target(list(fit.names), fit.estimates, np.eye(size), errors, lambda p, c: p)
    found = quantities(function, [row.name for row in table.rows], fit.problem.spec.modules)

    def values(p: Array, constants: Array) -> Array:
        return found.flat(table.map.full(constants, p))

    jacobian = np.asarray(jax.jacfwd(values)(params, core.constants))
    errors = delta_errors(jacobian, fit.covariance(cov).of_functions)
    return _Target(found.labels, np.asarray(values(params, core.constants)), jacobian, errors, values)


def _times(moves: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Moves of functions from moves of parameters; a parameter without one spoils only what depends on it."""
    lost = np.isnan(moves).any(axis=0)
    found = moves[:, ~lost] @ jacobian[:, ~lost].T
    found[:, (jacobian[:, lost] != 0.0).any(axis=1)] = np.nan
    return found
