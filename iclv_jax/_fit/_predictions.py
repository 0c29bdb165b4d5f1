"""What a fit says about people, their choices and their answers."""

from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._fit._items import predicted_items
from iclv_jax._fit._known import Known
from iclv_jax._fit._new_data import Sight, sight
from iclv_jax._fit._threads import one_thread
from iclv_jax._inference import delta_errors
from iclv_jax._panel._frame import identifiers
from iclv_jax._parameters import LATENT
from iclv_jax._predict import (
    Given,
    Posterior,
    choice_probabilities,
    moving,
    posterior,
)
from iclv_jax._predict._responses import along
from iclv_jax._spec import Kernel
from iclv_jax._spec._names import nearest


class Predictions(Known):
    """The part of a fit that speaks of people; it takes estimates of any kind."""

    @cached_property
    def _posterior(self) -> Posterior:
        return posterior(self.problem.core, jnp.asarray(self.estimates))

    @property
    def _quantities(self) -> list[str]:
        spec = self.problem.spec
        return [*spec.order, *(name for name, _ in spec.random)]

    def latent_scores(self) -> pd.DataFrame:
        """Posterior means of every person's latent variables and random coefficients, given the
        person's items and choices, with posterior standard deviations (`name.sd`); `fit.reliability()` has their
        reliability."""
        mean, matrix = (np.asarray(a) for a in self._posterior)
        spread = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
        columns = [c for name in self._quantities for c in (name, f"{name}.sd")]
        values = np.stack([mean, spread], axis=2).reshape(len(mean), -1)
        return pd.DataFrame(values, index=pd.Index(self.problem.panel.people), columns=columns)

    def latent_covariances(self) -> np.ndarray:
        """Posterior covariance matrices, (people, quantities, quantities), quantities as the means of
        `latent_scores`."""
        return np.asarray(self._posterior.covariance)

    def predict(
        self,
        data: pd.DataFrame | None = None,
        *,
        given: Given = "nothing",
        errors: bool = False,
        cov: str | None = None,
        people: pd.DataFrame | None = None,
        choice: str | None = None,
    ) -> pd.DataFrame:
        """Choice probabilities, expected over latent variables and random coefficients.

        Parameters
        ----------
        data
            New data in the form of the estimation sample, with its person column; every row is a situation to
            predict. Columns of items and choices are needed only where `given` asks for them. None: the choice
            situations of the estimation sample (rows without a choice are not among them).
        given
            What is known of a person beside the covariates. `"nothing"`: the structural equations and the
            distributions of random coefficients alone, as for people who were never asked. `"items"`: also the
            person's answers to items. `"answers"`: also the person's choices, those in the rows to be predicted among
            them; a row of new data whose choice is missing is predicted from the person's other rows.
        errors
            Whether to add standard errors by the delta method, in columns `alternative.se`. Nodes that follow
            a posterior are held where they are.
        cov
            The kind of covariance behind them; see `cov_params`.
        people
            The person-level frame of new data; None: that of the fit, where it had one.
        choice
            The name of the choice to predict, where the model has several.

        Returns
        -------
        DataFrame
            One row per choice situation, with the label of the data's row and in its order; one column per
            alternative, in the order of the utility function. Rows add up to one; an alternative that is not
            available has probability 0.

        Raises
        ------
        ValueError
            For a model without a choice, and for data that do not fit the model.

        Notes
        -----
        With `"nothing"` the integral is one over the latent variables that utilities see and the random
        coefficients: Gauss-Hermite with 64 nodes in one dimension and 32 x 32 in two, beyond that 1,024
        scrambled Sobol draws per person with seed 0. Otherwise it is over each person's posterior (Train 2009, ch.
        11), at the nodes of the fit's rule of integration where that follows posteriors, else at those of the default
        rule.
        """
        kernel = self._choice("predict", choice)
        params, utility = jnp.asarray(self.estimates), kernel.utility
        seen = self._sight(kernel, data, people, given)
        values, names = seen.by_row(choice_probabilities(seen.view, params)), list(utility.alternatives)
        if errors:
            # Side by side by position: labels of rows may repeat.
            values = np.hstack([values, self._probability_errors(seen, cov)])
            names += [f"{a}.se" for a in utility.alternatives]
        frame = pd.DataFrame(values, index=seen.index, columns=identifiers(names))
        if errors:
            frame.attrs["notes"] = self.covariance(cov).notes
        return frame

    @one_thread
    def predict_items(
        self,
        data: pd.DataFrame | None = None,
        *,
        given: Given = "nothing",
        errors: bool = False,
        cov: str | None = None,
        people: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """What each person is expected to answer: probabilities of the levels of ordered items, means and
        standard deviations of continuous ones.

        Arguments as of `predict`; `given` the person's own items the prediction of an item is a smoothed one.
        With `"nothing"` the index of an item is normal, so that means are exact and probabilities come from 64
        Gauss-Hermite nodes.

        Returns
        -------
        DataFrame
            One row per person; columns `(item, level)`, and `(item, "mean")`, `(item, "sd")`. With `errors` the standard
            errors by the delta method follow those of each item: `(item, "level.se")`, `(item, "mean.se")`.

        Raises
        ------
        ValueError
            For a model without items, and for data that do not fit the model.
        """
        if not self.problem.spec.indicators:
            raise ValueError("predict_items: the model has no items.")
        params = jnp.asarray(self.estimates)
        seen = sight(self.problem, params, data, people, given)
        return predicted_items(self, seen, self.covariance(cov).of_functions if errors else None)

    def _choice(self, what: str, name: str | None = None) -> Kernel:
        """The choice of this name, or the only one."""
        choices = {choice.name: choice for choice in self.problem.spec.choices}
        if not choices:
            raise ValueError(f"{what}: the model has no choice.")
        if name is None and len(choices) > 1:
            raise ValueError(f"{what}: the model has the choices {', '.join(choices)}. Name one by choice=.")
        if name is not None and name not in choices:
            raise ValueError(
                f"choice= names {name!r}, which the model does not have. {nearest(name, choices)}"
            )
        return choices[name or next(iter(choices))]

    def _sight(self, choice: Kernel, data: Any = None, people: Any = None, given: Given = "nothing") -> Sight:
        return sight(self.problem, jnp.asarray(self.estimates), data, people, given, choice.name)

    @one_thread
    def _probability_errors(self, seen: Sight, cov: str | None) -> np.ndarray:
        """Standard errors of the probabilities, by row."""
        directions = self._directions(seen)
        params = jnp.asarray(self.estimates)
        slopes = np.asarray(along(choice_probabilities, (seen.view,), params, directions))
        by_row = np.stack([seen.by_row(s) for s in slopes], axis=-1)
        jacobian = by_row.reshape(-1, len(directions)) @ np.asarray(directions)
        return delta_errors(jacobian, self.covariance(cov).of_functions).reshape(by_row.shape[:-1])

    def _directions(self, seen: Sight) -> Any:
        """Unit vectors of the parameters that a prediction depends on."""
        assert seen.view.choice is not None
        sections = (LATENT, seen.view.choice) if seen.view.prior else None
        return moving(seen.view.core, jnp.asarray(self.estimates), sections)
