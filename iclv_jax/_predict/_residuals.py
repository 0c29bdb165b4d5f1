"""What a data set looks like beside what a model expects of it: residuals that the data and simulated data share."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from iclv_jax._panel import Person
from iclv_jax._predict._features import Layout, counted, expected_sums, layout, observed_sums, standard_shocks
from iclv_jax._predict._responses import shares, situation_weights
from iclv_jax._predict._view import View, prior_view
from iclv_jax._problem import Problem

REPRODUCED = 1e-3
"""Spread of a residual, relative to that of the frequency itself, below which the estimates reproduce it."""


class Look(NamedTuple):
    """Residuals (observed less expected) and what was observed, by kind: frequencies of answers (`items`), covariances of
    pairs of answers (`pairs`), shares of alternatives (`choices`)."""

    residuals: dict[str, np.ndarray]
    observed: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Looker:
    """Looks at data sets of the people of one problem."""

    problem: Problem

    @cached_property
    def layout(self) -> Layout:
        return layout(self.problem)

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of two features of different items."""
        owner, paired = self.layout.owner, self.layout.paired
        wanted = (owner[:, None] < owner[None, :]) & paired[:, None] & paired[None, :]
        rows, columns = np.nonzero(wanted)
        return rows, columns

    @cached_property
    def _owner(self):
        return jnp.asarray(self.layout.owner)

    @cached_property
    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        core = self.problem.core
        one, two = counted(core, core.person, self._owner)
        return np.asarray(one), np.asarray(two)[self.pairs]

    @cached_property
    def _shocks(self):
        return standard_shocks(self.problem)

    @cached_property
    def _views(self) -> list[View]:
        return [prior_view(self.problem, c.name) for c in self.problem.spec.choices if c.discrete]

    def of_pairs(self, cells: np.ndarray) -> np.ndarray:
        """Covariances of the scores of two items (data set, pair) from those of their features (data set, cell)."""
        rows, columns = self.pairs
        weights = self.layout.score[rows] * self.layout.score[columns]
        return np.stack([np.bincount(self._pair, weights * row, len(self.labels)) for row in cells])

    @cached_property
    def labels(self) -> list[tuple[str, str]]:
        """The two items of every pair."""
        names = self.layout.items
        return [(names[a], names[b]) for a, b in self._keys[0].T]

    @property
    def _pair(self) -> np.ndarray:
        return self._keys[1]

    @cached_property
    def _keys(self) -> tuple[np.ndarray, np.ndarray]:
        owner, (rows, columns) = self.layout.owner, self.pairs
        keys, place = np.unique(np.stack([owner[rows], owner[columns]]), axis=1, return_inverse=True)
        return keys, place.reshape(-1)

    def look(self, person: Person, params: np.ndarray) -> Look:
        """At data, beside what the model expects at `params`."""
        core, at = self.problem.core, jnp.asarray(params)
        observed, expected = {}, {}
        if self.problem.spec.indicators:
            for into, sums in (
                (observed, observed_sums(core, person)),
                (expected, expected_sums(core, at, self._shocks, self._owner)),
            ):
                one, two = (np.asarray(s) for s in sums)
                with np.errstate(invalid="ignore", divide="ignore"):
                    one, two = one / self._counts[0], two[self.pairs] / self._counts[1]
                into |= {"items": one, "pairs": two - one[self.pairs[0]] * one[self.pairs[1]]}
        if self._views:
            observed["choices"] = np.concatenate([_chosen(view, person) for view in self._views])
            expected["choices"] = np.concatenate([np.asarray(shares(view, at)) for view in self._views])
        return Look({k: observed[k] - expected[k] for k in observed}, observed)


def _chosen(view: View, person: Person) -> np.ndarray:
    """Shares of the alternatives among the choices of people."""
    weights, data = np.asarray(situation_weights(view)), person.data[view.block.at]
    chosen = np.eye(data.offered.shape[2])[np.asarray(data.chosen)]
    return np.einsum("nt,ntj->j", weights, chosen) / weights.sum()


def standardised(residuals: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Residuals (data set, cell), standardised over the data sets, which are alike when the model is true: the data are the
    first and count like the others. NaN where there is nothing to standardise by: cells that nobody or everybody is in,
    and those that the estimates reproduce."""
    spread, natural = residuals.std(axis=0, ddof=1), observed.std(axis=0, ddof=1)
    known = spread > REPRODUCED * natural
    return (residuals - residuals.mean(axis=0)) / np.where(known, spread, np.nan)


def with_person(problem: Problem, person: Person) -> Problem:
    """The same problem with other answers."""
    return problem.with_people(problem.core.people.with_person(person))
