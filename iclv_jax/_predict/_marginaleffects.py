"""A fit for the package marginaleffects: choice probabilities at any parameters and any data, by alternative."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given, Params
from iclv_jax._inference._estimated import Estimated
from iclv_jax._integration import Rule
from iclv_jax._panel._frame import Frame
from iclv_jax._predict._new_data import Sight, predicted_choice, sight
from iclv_jax._predict._probabilities import choice_probabilities
from iclv_jax._predict._settled import enough
from iclv_jax._predict._view import at_prior_nodes
from iclv_jax._spec import Kernel
from iclv_jax._spec._standardized import column_of

RESERVED = {
    "rowid", "type", "group", "estimate", "std_error", "p_value", "s_value", "conf_low", "conf_high", "term", "contrast",
    "statistic",
}  # fmt: skip
"""Columns that marginaleffects makes itself; those of the data that no prediction needs are left out."""


def to_marginaleffects(
    fit: Estimated, *, cov: Given[str | None] = None, choice: Given[str | None] = None
) -> Any:
    """The fit as a model of the package marginaleffects (`pip install "iclv-jax[marginaleffects]"`; Arel-Bundock, Greifer
    and Heiss 2024), for its `predictions`, `comparisons`, `slopes` and their averages, and for grids of data.

    Estimates are choice probabilities, as of `fit.predict`, with the alternatives as `group`. Every row stands for a person
    of its own, known by the covariates alone. Standard errors are those of the delta method with a covariance of the fit;
    the package takes its derivatives by finite differences. Nothing is compiled again for other parameters.

    Parameters
    ----------
    cov
        The kind of covariance where the package is not told otherwise (`vcov="robust"` there names one too); see
        `cov_params`.
    choice
        The name of the choice, where the model has several.

    Raises
    ------
    ImportError
        Where marginaleffects is not installed.
    ValueError
        For a model without a choice, and for a choice in a table of its own.

    Examples
    --------
    >>> from marginaleffects import avg_slopes  # doctest: +SKIP
    >>> avg_slopes(fit.exports.to_marginaleffects(), variables="cost")  # doctest: +SKIP
    >>> "to_marginaleffects" in dir(fit.exports)
    True
    """
    kernel = predicted_choice(fit.problem, "to_marginaleffects", choice)
    if kernel.table is not None:
        raise ValueError(
            f"to_marginaleffects: the choice {kernel.name!r} stands in a table of its own, {kernel.table!r}, and "
            "marginaleffects takes one frame. fit.choices.marginal_effects and fit.choices.scenario take both."
        )
    adapter, vault = _classes()
    asked = Asked(fit, kernel, cov)
    return adapter(fit, vault, asked)


@dataclass(frozen=True)
class Asked:
    """A choice of a fit, asked for probabilities row by row."""

    fit: Estimated
    kernel: Kernel
    cov: str | None

    @cached_property
    def own(self) -> Sight:
        """The situations of the fit."""
        return sight(self.fit.problem, self._params, None, None, "nothing", self.kernel.name)

    @cached_property
    def rule(self) -> Rule | None:
        """The rule that single rows of the fit's data need; the same for all data, so that differences of probabilities are
        not those of rules."""
        return enough(self.own.view, self._params)[0]

    @property
    def _params(self) -> Params:
        return jnp.asarray(self.fit.estimates)

    @property
    def predictors(self) -> list[str]:
        """Columns of the utility, and covariates of the latent variables."""
        spec = self.fit.problem.spec
        return list(dict.fromkeys([*self.kernel.utility.columns, *map(column_of, spec.covariates)]))

    def frame(self) -> pd.DataFrame:
        """The situations of the fit with every column that is known of them and has a value everywhere."""
        own = self.own.frame
        data = _merged(own).iloc[self.own.positions].reset_index(drop=True)
        used = {*self.predictors, *(c for c in data if pd.api.types.is_numeric_dtype(data[c]))}
        kept = {c for c in data if isinstance(c, str) and (c in used or not data[c].isna().any())}
        return data[[c for c in data if c in kept and (c not in RESERVED or c in self.predictors)]]

    def seen(self, data: pd.DataFrame) -> Sight:
        """The rows of a frame, each a person; ValueError where some are no situations of the choice."""
        person = self.own.frame.person
        data = data if person is None else data.assign(**{person: np.arange(len(data))})
        found = sight(self.fit.problem, self._params, data, None, "nothing", self.kernel.name)
        if len(found.positions) != len(data):
            raise ValueError(
                f"to_marginaleffects: {len(data) - len(found.positions):,} of {len(data):,} rows are no situations of the "
                f"choice {self.kernel.name!r}, by its column {self.kernel.rows!r}. Leave them out."
            )
        if self.rule is None:
            return found
        nodes = found.view.core.nodes.shocks.shape[-1]
        view = at_prior_nodes(found.view, self.rule, nodes, self.fit.problem.memory)
        return replace(found, view=view)

    @one_thread
    def probabilities(self, seen: Sight, params: np.ndarray) -> np.ndarray:
        """(rows, alternatives) at these parameters."""
        return seen.by_row(choice_probabilities(seen.view, jnp.asarray(params, float)))

    def covariance(self, kind: object) -> np.ndarray | None:
        """What is meant by `vcov=`: False, True or a kind."""
        if kind is False or kind is None:
            return None
        return self.fit.covariance(self.cov if kind is True else str(kind)).of_functions


def _merged(frame: Frame) -> pd.DataFrame:
    """The rows with what the person-level frame says of their people."""
    if frame.extra is None:
        return frame.data
    more = [c for c in frame.extra.columns if c not in frame.data.columns]
    return frame.data.assign(**{c: frame.rows_of(c, "marginaleffects").to_numpy() for c in more})


class Rows:
    """Rows of polars, read once for all parameters."""

    def __init__(self, frame: Any, asked: Asked) -> None:
        self.frame, self.asked = frame, asked

    def __getitem__(self, rows: slice) -> "Rows":
        return Rows(self.frame[rows], self.asked)

    @property
    def shape(self) -> tuple[int, int]:
        return self.frame.shape

    @cached_property
    def seen(self) -> Sight:
        return self.asked.seen(self.frame.to_pandas())


def _classes() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The model for marginaleffects and what holds its facts, made where the package is there."""
    try:
        import polars as pl
        from marginaleffects.classes.model import (  # pyright: ignore[reportMissingImports]
            ModelAbstract,
            ModelVault,
        )
    except ImportError as error:
        raise ImportError(
            "to_marginaleffects needs the package marginaleffects, which is not installed: "
            'pip install "iclv-jax[marginaleffects]".'
        ) from error

    class ModelIclv(ModelAbstract):
        def __init__(self, fit: object, vault: Any, asked: Asked) -> None:
            self.asked = asked
            super().__init__(fit, vault(**_facts(asked)))

        def get_vcov(self, vcov: object = True) -> np.ndarray | None:
            return self.asked.covariance(vcov)

        def get_exog(self, newdata: Any) -> Rows:
            return Rows(newdata, self.asked)

        def get_predict(self, params: np.ndarray, newdata: Any) -> Any:
            rows = newdata if isinstance(newdata, Rows) else Rows(newdata, self.asked)
            values = self.asked.probabilities(rows.seen, np.asarray(params))
            labels = [str(outcome) for outcome in self.asked.kernel.outcomes]
            place = pl.Series(np.tile(np.arange(len(values)), len(labels)), dtype=pl.Int32)
            group = np.repeat(labels, len(values))
            return pl.DataFrame({"rowid": place, "group": group, "estimate": values.T.reshape(-1)})

    return ModelIclv, ModelVault


def _facts(asked: Asked) -> dict[str, Any]:
    """What marginaleffects knows of a model: estimates, names, data. Words are enumerations there."""
    import polars as pl

    data = pl.from_pandas(asked.frame(), nan_to_null=False)
    words = [c for c, kind in data.schema.items() if kind in (pl.String, pl.Categorical)]
    levels = {c: pl.Enum(data[c].cast(pl.String).unique().sort()) for c in words}
    return {
        "coef": np.asarray(asked.fit.estimates),
        "coefnames": np.array(asked.fit.names),
        "formula": lambda frame: (None, frame),
        "modeldata": data.with_columns(*(pl.col(c).cast(pl.String).cast(e) for c, e in levels.items())),
        "package": "iclv_jax",
        "variable_names": [asked.kernel.chosen, *asked.predictors],
    }
