"""Data to predict for: the estimation sample, or other data read by the same rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_text, is_word
from iclv_jax._base._types import AnyFrame, AnyFrames, Array, Given, Params
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel import Panel, read_panel
from iclv_jax._panel._door import as_pandas_frames
from iclv_jax._panel._frame import Frame, identifiers
from iclv_jax._panel._read import Table
from iclv_jax._parameters import LATENT
from iclv_jax._predict._probabilities import at_rows
from iclv_jax._predict._settled import settled
from iclv_jax._predict._view import Information, View, moving, on, posterior_view, prior_view
from iclv_jax._problem import Problem
from iclv_jax._spec import Kernel
from iclv_jax._spec._names import nearest

OUTCOMES = {"nothing": (), "items": ("items",), "answers": ("items", "choices")}


@dataclass(frozen=True, eq=False)
class Sight:
    """A view for computing, and the panel of its situations for labels and weights. `error` is the largest error of a
    probability that the integral leaves, where that is known."""

    view: View
    panel: Panel
    error: float | None = None

    @property
    def index(self) -> pd.Index:
        """Labels of the situations' rows, in the order of the data."""
        return self._table.frame.data.index[self.positions]

    @property
    def frame(self) -> Frame:
        """The frame that holds the situations."""
        return self._table.frame

    @property
    def rows(self) -> np.ndarray:
        """Positions of the situations' rows, (people, situations)."""
        return self._table.rows

    @property
    def _table(self) -> Table:
        """The situations of the choice in question."""
        assert self.view.choice is not None
        return self.panel.table(self.view.choice)

    @property
    def positions(self) -> np.ndarray:
        return at_rows(self._table.rows, self._table.rows)[1]

    @property
    def weights(self) -> np.ndarray:
        """Weights of the situations, in the order of the data."""
        return self.by_row(np.broadcast_to(self.panel.weights[:, None], self._table.rows.shape))

    def by_row(self, values: Array | np.ndarray) -> np.ndarray:
        """Values (person, situation, ...) in the order of the data."""
        return at_rows(np.asarray(values), self._table.rows)[0]


def sight(
    problem: Problem,
    params: Params,
    data: Given[AnyFrames | None],
    people: Given[AnyFrame | None],
    given: Given[Information],
    choice: str | None = None,
    draws: int | None = None,
    answered: Given[AnyFrames | None] = None,
) -> Sight:
    """What to predict for; ValueError for data that do not fit the model. `answered` are the data in which the answers that
    are known were given, where these are others than those to predict for."""
    if not is_word(given, get_args(Information)):
        known = get_args(Information)
        raise ValueError(
            f"given= is {', '.join(map(repr, known))}, not {given!r}. {nearest(str(given), known)}"
        )
    if given == "items" and not problem.spec.indicators:
        raise ValueError("given='items': the model has no items. Use given='nothing' or given='answers'.")
    if data is None:
        if people is not None:
            raise ValueError("people= goes with new data. Give data= too, or leave it out.")
        if given == "nothing":
            return Sight(prior_view(problem, choice, draws), problem.panel)
        return Sight(posterior_view(problem, problem.core.person, params, given, choice), problem.panel)
    frames, of_people = as_pandas_frames(data), as_pandas_frames(people, "people")
    panel = read_new(problem, frames, of_people, (), choice)
    asked = on(problem, panel)
    if given == "nothing":
        return Sight(prior_view(asked, choice, draws), panel)
    source = frames if answered is None else as_pandas_frames(answered)
    answers = read_new(problem, source, of_people, OUTCOMES[given], choice)
    known = on(problem, _of_these(answers, panel), panel)
    return Sight(posterior_view(known, asked.core.person, params, given, choice), panel)


def _of_these(known: Panel, panel: Panel) -> Panel:
    """What is known of the same people, with the covariates that they have in the data to predict for."""
    if known.people != panel.people:
        return known
    return replace(known, person=known.person._replace(covariates=panel.person.covariates))


def read_new(
    problem: Problem,
    data: Given[AnyFrames],
    people: pd.DataFrame | None,
    outcomes: tuple[str, ...],
    choice: str | None,
) -> Panel:
    """Other data, checked as those of the fit were, with the levels of the fit: the situations of a `choice`, and those of
    all choices where `outcomes` say that what was chosen counts.

    Weights are those of the fit's column where the data have it, or those of the fit for people who stood in it;
    otherwise everyone counts once.
    """
    old = problem.panel
    nominal = {p.column for p in problem.spec.nominal}
    levels = {k: v for k, v in old.levels.items() if "items" in outcomes or k in nominal}
    frame, column = old.frame, old.weighted_by
    first = next(iter(data.values()), None) if isinstance(data, Mapping) else data
    if people is None and frame.extra is not None and isinstance(first, pd.DataFrame):
        people = _same_people(frame.extra, first, frame.person)
    outcomes = outcomes if problem.spec.indicators else tuple(o for o in outcomes if o != "items")
    weights = column if column is not None and _has(column, first, people) else None
    panel = read_panel(
        problem.spec,
        data,
        frame.person,
        people,
        weights,
        None,
        levels,
        outcomes if problem.spec.choices else tuple(o for o in outcomes if o != "choices"),
        estimating=False,
        asked=None if "choices" in outcomes else [name for name in (choice,) if name is not None],
    )
    if weights is not None:
        return panel
    known = dict(zip(old.people, old.weights, strict=True))
    if frame.person is None or not set(panel.people) <= set(known):
        return panel
    return _weighted(panel, np.array([known[p] for p in panel.people]))


def _weighted(panel: Panel, weights: np.ndarray) -> Panel:
    return replace(panel, weights=weights)


def _has(column: str, data: Given[Any], people: pd.DataFrame | None) -> bool:
    return any(isinstance(f, pd.DataFrame) and column in f.columns for f in (data, people))


def _same_people(extra: pd.DataFrame, data: pd.DataFrame, person: str | None) -> pd.DataFrame | None:
    """The person-level frame of the fit, for the people of the data and without columns that these bring."""
    kept = extra.drop(columns=[c for c in extra.columns if c in data.columns])
    if person not in data.columns or not len(kept.columns):
        return None
    kept = kept[kept.index.isin(data[person])]
    return kept.set_axis(identifiers(kept.index.tolist()).rename(person), axis=0) if len(kept) else None


def choice_of(problem: Problem, what: str, name: Given[str | None] = None) -> Kernel:
    """The choice of this name, or the only one; ValueError for a model without a choice, and where none is named among
    several."""
    choices = {choice.name: choice for choice in problem.spec.choices}
    if not choices:
        raise ValueError(f"{what}: the model has no choice.")
    check_text(name, "choice=, the name of a choice,")
    if name is None and len(choices) > 1:
        raise ValueError(f"{what}: the model has the choices {', '.join(choices)}. Name one by choice=.")
    if name is not None and name not in choices:
        raise ValueError(f"choice= names {name!r}, which the model does not have. {nearest(name, choices)}")
    return choices[next(iter(choices)) if name is None else name]


def predicted_choice(problem: Problem, what: str, name: Given[str | None] = None) -> Kernel:
    """As `choice_of`; ValueError where the kernel says nothing that could be predicted, too."""
    kernel = choice_of(problem, what, name)
    if kernel.unpredicted:
        raise ValueError(f"{what}: {kernel.unpredicted}.")
    if kernel.discrete and len(kernel.outcomes) < 2:
        only = ", ".join(map(repr, kernel.outcomes))
        raise ValueError(
            f"{what}: the choice {kernel.name!r} has one outcome only, {only}, so there is nothing to "
            "predict. A kernel of one's own says in `outcomes` what may be chosen, or that it is not `discrete`."
        )
    return kernel


def shared_choice(problem: Problem, what: str, name: Given[str | None] = None) -> Kernel:
    """As `choice_of`; ValueError where no alternative is chosen, so that there are no shares, too."""
    kernel = choice_of(problem, what, name)
    if not kernel.discrete:
        raise ValueError(
            f"{what}: {kernel.name!r} explains numbers, not which alternative is chosen, so that there are no shares and no "
            "hits. fit.predict() says what is expected, where the model says so."
        )
    return predicted_choice(problem, what, name)


def situations_of(
    fit: Estimated,
    choice: Kernel,
    data: Given[AnyFrames | None] = None,
    people: Given[AnyFrame | None] = None,
    given: Given[Information] = "nothing",
    answered: Given[AnyFrames | None] = None,
) -> Sight:
    """The situations of a choice at the estimates, with nodes that are enough for single rows; `answered` as of `sight`."""
    params = jnp.asarray(fit.estimates)
    seen = sight(fit.problem, params, data, people, given, choice.name, answered=answered)
    if given != "nothing" or choice.unpredicted or not choice.discrete:
        return seen
    view, error = settled(seen.view, params, fit.problem.memory)
    return replace(seen, view=view, error=error)


def directions(fit: Estimated, seen: Sight) -> Array:
    """Unit vectors of the parameters that a prediction depends on."""
    assert seen.view.choice is not None
    sections = (LATENT, seen.view.choice) if seen.view.prior else None
    return moving(seen.view.core, jnp.asarray(fit.estimates), sections)


def alternatives_of(choice: Kernel) -> pd.Index:
    """The alternatives as labels."""
    return identifiers(choice.outcomes).rename("alternative")
