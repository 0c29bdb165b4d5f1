"""Cross-validation over people: what a model says of those who were left out when it was fitted."""

from dataclasses import dataclass, field
from typing import NamedTuple, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._answers import Answer, Answers
from iclv_jax._base._arguments import check_seed
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import File, Given
from iclv_jax._base._workers import Workers, check_workers, do_all
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._penalised import penalised_hessian, smooth_penalties
from iclv_jax._inference._refits import Refit, refit
from iclv_jax._inference._resumed import answers_of
from iclv_jax._panel._frame import identifiers
from iclv_jax._parameters._penalties import Penalties
from iclv_jax._problem import Problem
from iclv_jax._problem._components import equal_shares
from iclv_jax._tables import Report, Section, Tabular, fixed

CHOICES = ("choices", "choices given items", "equal shares", "per choice", "per choice given items")


@final
@dataclass(frozen=True, eq=False)
class CrossValidation(Tabular):
    """Log-likelihoods of people whom the fit has not seen.

    Attributes
    ----------
    table
        A row for every fold, then `total` over folds and, for comparison, `in sample`: the estimates from everybody on
        everybody. Columns `people`, `situations`, `joint` (items and choices together); for a choice model `choices`
        (marginal: nothing known but covariates), `choices given items` (the joint less the marginal of the items),
        `equal shares` (of the available alternatives), and the first two per choice situation. Person weights count.
    people
        By person: `fold`, and the held-out `joint`, `choices` and `items` log-likelihoods, unweighted.
    params
        Maximum without each fold, a column per fold.
    converged
        Whether the fit without each fold converged.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    people: pd.DataFrame = field(repr=False)
    params: pd.DataFrame = field(repr=False)
    converged: pd.Series
    notes: tuple[str, ...]

    def as_report(self) -> Report:
        frame = self.table
        counts = {"people", "situations"}
        rows = tuple(
            (str(name), *(_shown(column, row[column], column in counts) for column in frame.columns))
            for name, row in frame.iterrows()
        )
        folds = Section("Held out", rows[:-1])
        columns = ("fold", *map(str, frame.columns))
        lost = [str(k) for k, ok in self.converged.items() if not ok]
        alarm = (
            f"NOT CONVERGED WITHOUT FOLD {', '.join(lost)}: their rows are not to be trusted."
            if lost
            else None
        )
        sections = (folds, Section("All people, for comparison", rows[-1:]))
        return Report("Cross-validation", (), columns, sections, self.notes, alarm)

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


def _shown(column: str, value: float, count: bool) -> str:
    return f"{int(value):,}" if count else fixed(float(value), 4 if column.startswith("per") else 2)


class Parts(NamedTuple):
    """Unweighted log-likelihoods of every person: of items and choices together, of the choices alone, of the items
    alone; each with nodes of its own."""

    joint: np.ndarray
    choices: np.ndarray
    items: np.ndarray


@one_thread
def cross_validate(
    fit: Maximum,
    folds: Given[int] = 5,
    seed: Given[int] = 0,
    *,
    workers: Given[Workers] = None,
    resume: Given[File | None] = None,
) -> CrossValidation:
    """Out-of-sample log-likelihoods: the model is fitted without each fold of people and asked about them.

    Whole people are left out, with all their answers, or whole clusters where the fit has clusters. Every fit starts at
    the estimates, with weights of zero for those left out and nodes placed anew, so that nothing is compiled; it takes
    a few Newton steps. Levels of items, and centres and units of `Standardized` covariates, are those of all people.

    Parameters
    ----------
    folds
        How many. More take longer and leave out fewer.
    seed
        Of the assignment of people to folds.
    workers, resume
        As of `bootstrap`: who fits the folds, and a file that an interrupted call goes on from. The folds do not depend on
        them.

    Returns
    -------
    CrossValidation
        Held-out log-likelihoods by fold and in total: joint, of the choices alone, and of the choices given the items.
        A choice model and a hybrid model compare by the first of the two for choices; the second says what asking people
        the items is worth.

    Raises
    ------
    ValueError
        For less than two folds, and more than there are people or clusters.

    Examples
    --------
    >>> str(logit_fit.tests.cross_validate(folds=2)).splitlines()[0]
    'Cross-validation'
    """
    check_workers(workers)
    problem = fit.problem
    fold = draw_folds(problem, folds, seed)
    information = -penalised_hessian(fit).to_numpy()
    setup = Setup(problem, fit.estimates, information, smooth_penalties(fit, "cross_validate"))
    known = answers_of(fit, resume, "cross-validation", folds=int(folds), seed=int(seed))
    found, fits = without_folds(setup, fold, workers, known)
    labels = [str(k + 1) for k in range(folds)]
    masks = {label: fold == k for k, label in enumerate(labels)}
    everyone = np.ones(len(fold), bool)
    rows = {name: _row(fit, found, mask) for name, mask in (masks | {"total": everyone}).items()}
    rows["in sample"] = _row(fit, parts(problem, fit.estimates), everyone)
    columns = ["people", "situations", "joint", *CHOICES]
    if not problem.spec.choices:
        columns = ["people", "joint"]
    elif not problem.spec.indicators:
        columns = [c for c in columns if c != "joint" and "given" not in c]
    table = pd.DataFrame(rows).T[columns].rename_axis("fold")
    people = pd.DataFrame({"fold": fold + 1, **found._asdict()}, index=identifiers(problem.panel.people))
    params = pd.DataFrame(
        {label: f.params for label, f in zip(labels, fits, strict=True)}, index=list(fit.names)
    )
    converged = pd.Series([f.converged for f in fits], index=labels, name="converged")
    what = "clusters" if problem.panel.clusters is not None else "people"
    notes = [f"whole {what} are left out, in {folds} folds drawn with the seed {seed}"]
    notes += [f"without fold {k}: {f.ending}" for k, f in zip(labels, fits, strict=True) if not f.converged]
    return CrossValidation(table, people, params, converged, tuple(notes))


def _row(fit: Maximum, found: Parts, mask: np.ndarray) -> dict[str, float]:
    problem = fit.problem
    weights = problem.panel.weights * mask
    happened = problem.panel.person_situations
    counted = float(weights @ happened) or np.nan

    def total(values: np.ndarray) -> float:
        # People without weight may have no likelihood: 0 times minus infinity.
        return float(weights[weights > 0] @ values[weights > 0])

    row = {"people": int(mask.sum()), "situations": int(happened[mask].sum()), "joint": total(found.joint)}
    given = found.joint - found.items
    row |= {"choices": total(found.choices), "choices given items": total(given)}
    row |= {"equal shares": total(equal_shares(problem))}
    per = {"per choice": row["choices"], "per choice given items": row["choices given items"]}
    return row | {name: value / counted for name, value in per.items()}


def draw_folds(problem: Problem, folds: Given[int], seed: Given[int]) -> np.ndarray:
    """The fold of every person, from 0; whole clusters fall into one. Folds differ by one person (cluster) at most.

    Raises ValueError for less than two folds, and more folds than people or clusters.
    """
    check_seed(seed)
    panel = problem.panel
    groups = np.arange(len(panel.people)) if panel.clusters is None else panel.clusters
    count = int(groups.max()) + 1
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= count:
        what = "people" if panel.clusters is None else "clusters"
        raise ValueError(f"folds= is a whole number from 2 to {count}, the number of {what}, not {folds!r}.")
    place = np.empty(count, int)
    place[np.random.default_rng(seed).permutation(count)] = np.arange(count) % folds
    return place[groups]


def parts(problem: Problem, params: np.ndarray) -> Parts:
    """Log-likelihoods at given parameters; a part that the model does not have is zero."""
    at, spec = jnp.asarray(params), problem.spec
    joint = np.asarray(problem.recentre(at).loglike_person(at))
    none = np.zeros_like(joint)
    if not spec.choices:
        return Parts(joint, none, joint)
    if not spec.indicators:
        return Parts(joint, joint, none)
    choices, items = (
        np.asarray(problem.part(k).recentre(at).loglike_person(at)) for k in ("choices", "items")
    )
    return Parts(joint, choices, items)


class Setup(NamedTuple):
    """What all folds have in common; `information` is minus the Hessian at `params`, penalties included."""

    problem: Problem
    params: np.ndarray
    information: np.ndarray
    penalties: Penalties | None


def without_folds(
    setup: Setup, fold: np.ndarray, workers: Given[Workers] = None, known: Answers | None = None
) -> tuple[Parts, list[Refit]]:
    """What the fit to the other folds says of every person, and these fits, begun at the estimates with the weights of
    those left out at zero."""
    masks = {f"fold {k + 1}": fold == k for k in range(int(fold.max()) + 1)}
    fits, found = [], Parts(*(np.full(len(fold), np.nan) for _ in Parts._fields))
    for name, answer in do_all(without, setup, masks, workers, known).items():
        for into, key in zip(found, Parts._fields, strict=True):
            into[masks[name]] = answer[key]
        loglike, converged, ending = (answer[key].item() for key in ("loglike", "converged", "ending"))
        fits.append(Refit(answer["params"], loglike, converged, ending))
    return found, fits


def without(setup: Setup, out: np.ndarray) -> Answer:
    """The fit without some people, and what it says of them."""
    problem, params, information, penalties = setup
    others = problem.with_weights(jnp.asarray(np.where(out, 0.0, np.asarray(problem.core.weights))))
    trained = refit(others, params, information, penalties)
    said = {key: values[out] for key, values in parts(problem, trained.params)._asdict().items()}
    return {key: np.asarray(value) for key, value in (said | trained._asdict()).items()}
