"""Functions and linear restrictions of the estimates."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

from iclv_jax._base._types import Array, Given
from iclv_jax._fit._frame import full_jacobian
from iclv_jax._fit._known import Known
from iclv_jax._inference import HypothesisTest, delta_errors
from iclv_jax._inference._functions import at_draws, needs_missing, normal_draws, quantities
from iclv_jax._inference._hypotheses import wald
from iclv_jax._inference._restrictions import Restriction, contrasts, parse_restrictions
from iclv_jax._integration._rule import check_count

ONE_DEVIATION = float(stats.norm.cdf(1.0))


class Functions(Known):
    """What takes estimates and a covariance and nothing else."""

    def delta(
        self,
        fn: Given[Callable[[Any], Any]],
        level: float = 0.95,
        kind: str | None = None,
        method: Literal["delta", "krinsky-robb"] = "delta",
        draws: int = 1000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Estimates, standard errors and intervals of functions of the parameters.

        Parameters
        ----------
        fn
            A function of the named parameters, written with `jax.numpy`: `lambda p: p.time / p.cost`, with
            `p["concern ~ age"]` for other names. Every parameter of the table can be used, also fixed, tied and
            defined ones, and modules as in the utility: `lambda p: p.taste(jnp.array([30.0, 1.5]))`. It
            returns a number, an array, or a mapping of names to these.
        level
            Coverage of the intervals.
        kind
            Kind of covariance, as of `cov_params`.
        method
            `"delta"`: derivatives at the estimates, and symmetric intervals (Oehlert 1992). `"krinsky-robb"`:
            the function of draws from the normal distribution of the estimates (Krinsky and Robb 1986). Its
            interval has percentiles of the draws for ends, its `se` is half the width of the middle 68.3 per cent
            of them, and there is a column `median`: all of these exist for ratios too, whose mean and standard
            deviation do not.
        draws, seed
            For `"krinsky-robb"`.

        Returns
        -------
        Columns `estimate`, `se`, `lower`, `upper`; one row per number. NaN for what depends on a parameter
        without a variance (`.attrs["notes"]` says why), and for a function that is constant.

        Raises
        ------
        ValueError
            For unknown names, a level outside (0, 1), and draws at which the function is not finite.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is a share between 0 and 1, such as 0.95, not {level!r}.")
        if method not in ("delta", "krinsky-robb"):
            raise ValueError(f"method is 'delta' or 'krinsky-robb', not {method!r}.")
        table, constants = self.problem.table, self.problem.core.constants
        found = quantities(fn, [row.name for row in table.rows], self.problem.spec.modules)

        def values(params: Array) -> Array:
            return found.flat(table.map.full(constants, params))

        params = jnp.asarray(self.estimates)
        jacobian, covariance = np.asarray(jax.jacfwd(values)(params)), self.covariance(kind)
        frame = pd.DataFrame({"estimate": np.asarray(values(params))}, index=pd.Index(found.labels))
        frame["se"] = delta_errors(jacobian, covariance.matrix)
        frame.attrs["notes"] = covariance.notes
        if method == "delta":
            reach = stats.norm.ppf(0.5 + 0.5 * level) * frame["se"]
            return frame.assign(lower=frame["estimate"] - reach, upper=frame["estimate"] + reach)
        check_count(draws, "draws")
        drawn = at_draws(values, normal_draws(self.estimates, covariance.matrix, draws, seed))
        _check_finite(drawn, found.labels)
        shares = [1.0 - ONE_DEVIATION, ONE_DEVIATION, 0.5 - 0.5 * level, 0.5 + 0.5 * level, 0.5]
        below, above, lower, upper, median = np.quantile(drawn, shares, axis=0)
        lacks = needs_missing(jacobian, covariance.matrix) | np.isnan(frame["se"].to_numpy())
        columns = {"se": 0.5 * (above - below), "lower": lower, "upper": upper, "median": median}
        return frame.assign(**{k: np.where(lacks, np.nan, v) for k, v in columns.items()})

    def wald_test(self, restrictions: Any, values: Any = None, kind: str | None = None) -> HypothesisTest:
        """Wald test of linear restrictions.

        Parameters
        ----------
        restrictions
            Text, such as `"concern ~ age = 0, price = 2 * label"`: sums of parameters with numbers as weights,
            several restrictions with commas between them, chains `a = b = c`; without `=` the expression is set
            to zero. Or a list of such texts, a mapping of names to values, or a matrix (restrictions,
            parameters), columns in the order of `fit.names` (a DataFrame: by name). Text may name every
            parameter of the table; for defined ones the test is that of their first derivatives.
        values
            Right-hand sides of a matrix; zero when absent.
        kind
            Kind of covariance, as of `cov_params`.

        Raises
        ------
        ValueError
            For unknown names, and for restrictions that depend on each other or contradict each other.
        """
        covariance = self.covariance(kind)
        contrast, gap, words = self._restricted(restrictions, values)
        return wald(contrast, gap, covariance.matrix, words, covariance.notes)

    def t_test(
        self, restrictions: Any, values: Any = None, kind: str | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """t statistics of single restrictions, one row each, against any value.

        Takes what `wald_test` takes: `fit.t_test("price = -1")`, `fit.t_test({"price": -1, "label": 0})`,
        `fit.t_test("time - 2 * cost")`. Columns: `estimate` (of the left-hand side, all parameters brought there),
        `se`, `value`, `t`, `p` (two-sided, normal), `lower`, `upper`.
        """
        covariance = self.covariance(kind)
        contrast, gap, words = self._restricted(restrictions, values)
        errors = delta_errors(contrast, covariance.matrix)
        value = np.array([float(w.rpartition(" = ")[2]) for w in words])
        t, reach = gap / errors, stats.norm.ppf(0.5 + 0.5 * level) * errors
        columns = {"estimate": gap + value, "se": errors, "value": value, "t": t}
        columns |= {"p": 2.0 * stats.norm.sf(np.abs(t)), "lower": gap + value - reach}
        frame = pd.DataFrame(columns | {"upper": gap + value + reach}, index=pd.Index(words))
        frame.attrs["notes"] = covariance.notes
        return frame

    def _restricted(self, restrictions: Any, values: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Derivatives of the restrictions by the free parameters, by how much they are missed, and words."""
        if isinstance(restrictions, (np.ndarray, pd.DataFrame)) or hasattr(restrictions, "shape"):
            found = self._of_matrix(restrictions, values)
        elif values is not None:
            raise ValueError("values= belongs to a matrix of restrictions; in a text they stand after '='.")
        else:
            found = parse_restrictions(restrictions, list(self.all_params.index))
        matrix, value = contrasts(found, list(self.all_params.index))
        table, constants = self.problem.table, self.problem.core.constants
        jacobian = np.asarray(full_jacobian(table.map, constants, jnp.asarray(self.estimates)))
        return matrix @ jacobian, matrix @ self.all_params.to_numpy() - value, [str(r) for r in found]

    def _of_matrix(self, given: Any, values: Any) -> tuple[Restriction, ...]:
        if isinstance(given, pd.DataFrame):
            unknown = [c for c in given.columns if c not in self.names]
            if unknown:
                raise ValueError(
                    f"The matrix of restrictions has a column {unknown[0]!r}: no free parameter."
                )
            given = given.reindex(columns=list(self.names), fill_value=0.0)
        matrix = np.atleast_2d(np.asarray(given, float))
        if matrix.ndim != 2 or matrix.shape[1] != len(self.names) or not len(matrix):
            raise ValueError(
                f"The matrix of restrictions has the shape {matrix.shape}; it needs one column for each of the "
                f"{len(self.names)} free parameters."
            )
        right = np.zeros(len(matrix)) if values is None else np.atleast_1d(np.asarray(values, float))
        if right.shape != (len(matrix),):
            raise ValueError(f"values= has {right.size} numbers for {len(matrix)} restrictions.")
        return tuple(
            Restriction({n: float(w) for n, w in zip(self.names, row, strict=True) if w != 0.0}, float(v))
            for row, v in zip(matrix, right, strict=True)
        )


def _check_finite(drawn: np.ndarray, labels: list[Any]) -> None:
    bad = ~np.isfinite(drawn)
    for at in np.flatnonzero(bad.any(axis=0)):
        raise ValueError(
            f"{labels[at]!r} is not finite at {int(bad[:, at].sum())} of {len(drawn)} draws: the normal distribution "
            "of the estimates reaches to where the function is not defined. Take method='delta', or another function."
        )
