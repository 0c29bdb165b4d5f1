"""What a fit says about its structural and measurement equations."""

from dataclasses import replace
from functools import cached_property

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._density import Structure
from iclv_jax._fit._threads import one_thread
from iclv_jax._fit._trade_offs import TradeOffs
from iclv_jax._inference import delta_errors
from iclv_jax._predict._effects import (
    effects,
    explained,
    implied,
    matrices,
    reliabilities,
    standardised,
    with_slopes,
)
from iclv_jax._predict._saturated import indices, normal_loglike, saturated, srmr
from iclv_jax._spec import Parameter


class Structural(TradeOffs):
    """The part of a fit that speaks of its linear equations."""

    def effects(self, cov: str | None = None) -> pd.DataFrame:
        """Direct, indirect and total effects along the paths (Bollen 1987).

        Of covariates and latent variables on latent variables and on items (for ordered items on the response behind
        the levels), in the units of the estimates; `fit.standardized()` has standard units. Effects on choices are those
        of `fit.elasticities` and `fit.marginal_effects`.

        Returns
        -------
        DataFrame
            One row per pair `(from, to)` that a path connects; `direct`, `indirect`, `total`, each with its delta-method
            standard error (`.se`; NaN where the effect is zero by construction). `cov` is the kind of covariance behind
            them. Items without a response in which a variance is measured (counts, say) are left out; `.attrs["notes"]`
            names them.
        """
        self._needs_latents("effects")
        order, items, covariates = self._names_of_axes
        pairs = [(a, b) for b in order for a in order]
        pairs += [(x, b) for b in order for x in covariates]
        pairs += [(a, q) for q in items for a in order]
        pairs += [(x, q) for q in items for x in covariates]
        values, slopes = self._with_slopes(effects)
        matrix, table = self.covariance(cov).of_functions, {}
        for name, value, slope in (
            ("direct", values[0], slopes[0]),
            ("indirect", values[1] - values[0], slopes[1] - slopes[0]),
            ("total", values[1], slopes[1]),
        ):
            table[name] = value
            table[f"{name}.se"] = delta_errors(slope, matrix)
        index = pd.MultiIndex.from_tuples(pairs, names=["from", "to"])
        connected = (values != 0.0).any(axis=0) | (slopes != 0.0).any(axis=(0, 2))
        return self._with_notes(pd.DataFrame(table, index=index)[connected], cov)

    def standardized(self, cov: str | None = None) -> pd.DataFrame:
        """Estimates of the structural and measurement equations in standard units, and explained variances.

        Returns
        -------
        DataFrame
            One row per parameter (R2 of a latent variable or an item in rows `R2 name`): `std.lv`, with latent variables of
            variance 1, and `std.all`, with items and covariates of variance 1 as well, each with its delta-method standard
            error (`.se`). Items without a response in which a variance is measured (counts, say) have no `std.all` and
            no R2; `.attrs["notes"]` names them.

        Notes
        -----
        Variances are those that the model implies over the sample, the covariates' own (co)variances being taken as
        given, each person once by weight; ordered items count by the response behind their levels. Disturbances' covariances
        become their correlations. Names and conventions are lavaan's. Thresholds that items share are left out of
        `std.all`.
        """
        self._needs_latents("standardized")
        rows = self.problem.table.rows
        powers = np.stack([self._powers(r.parameter) for r in rows], axis=1)
        kept = [i for i, r in enumerate(rows) if r.parameter.block != "choice"]
        finite = np.nan_to_num(powers)
        values, slopes = self._with_slopes(standardised, jnp.asarray(self._spread_of_covariates), finite)
        values = np.where(np.isnan(powers).any(axis=2), np.nan, values)[:, kept]
        r2, r2_slopes = self._with_slopes(explained, jnp.asarray(self._spread_of_covariates))
        order, items, _ = self._names_of_axes
        matrix = self.covariance(cov).of_functions
        table = {}
        for i, name in enumerate(("std.lv", "std.all")):
            errors = delta_errors(slopes[i, kept], matrix)
            table[name] = np.append(values[i], r2)
            errors = np.where(np.isnan(values[i]), np.nan, errors)
            table[f"{name}.se"] = np.append(errors, delta_errors(r2_slopes, matrix))
        names = [rows[i].name for i in kept] + [f"R2 {n}" for n in (*order, *items)]
        return self._with_notes(pd.DataFrame(table, index=pd.Index(names, name="parameter")), cov)

    def reliability(self, cov: str | None = None) -> pd.DataFrame:
        """Composite reliability and average variance extracted, by latent variable.

        `omega = (sum |loading|)^2 V / ((sum |loading|)^2 V + sum of error variances)` with V the variance of the latent
        variable (Joereskog 1971), so that items of reversed meaning count as turned round; `ave` is the mean R2 of the items
        (Fornell and Larcker 1981). Only items that measure nothing else count (`items`). Where one of them is ordered, omega
        is of the standardised responses behind the levels, else of the items in their own units. Delta-method standard
        errors in `.se`. `scores` is how far `latent_scores` can be trusted to tell people apart: the variance over people
        of the posterior means, by that and the mean posterior variance (as of EAP scores: Bock and Mislevy 1982). Items
        without a response in which a variance is measured (counts, say) do not count; `.attrs["notes"]` names them.
        """
        self._needs_latents("reliability")
        order, items, _ = self._names_of_axes
        of = {i.column: tuple(i.of) for i in self.problem.spec.indicators}
        own = np.array([[float(of[q] == (name,)) for name in order] for q in items])
        normal = np.array(
            [next(i for i in self.problem.spec.indicators if i.column == q).normal for q in items]
        )
        raw = ~((own > 0.0) & ~normal[:, None]).any(axis=0)
        spread = jnp.asarray(self._spread_of_covariates)
        values, slopes = self._with_slopes(reliabilities, spread, jnp.asarray(own), jnp.asarray(raw))
        matrix = self.covariance(cov).of_functions
        frame = {"items": own.sum(axis=0).astype(int)}
        for i, name in enumerate(("omega", "ave")):
            frame |= {name: values[i], f"{name}.se": delta_errors(np.nan_to_num(slopes[i]), matrix)}
        frame["scores"] = self._reliability_of_scores[: len(order)]
        return self._with_notes(pd.DataFrame(frame, index=pd.Index(order, name="latent")), cov)

    @property
    def _reliability_of_scores(self) -> np.ndarray:
        mean, matrix = (np.asarray(a) for a in self._posterior)
        weights = self.problem.panel.weights
        between = np.average((mean - np.average(mean, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
        within = np.average(np.diagonal(matrix, axis1=1, axis2=2), axis=0, weights=weights)
        return between / (between + within)

    def fit_measures(self) -> dict[str, float]:
        """How well a model of continuous items reproduces their means and covariances.

        Returns
        -------
        dict
            `chi2`, `df` and `p` of the likelihood ratio test against the saturated model (in which the items have any means,
            covariances and regressions on the covariates); `baseline_chi2` and `baseline_df` of the model of independent
            items; `cfi`, `tli`; `rmsea` with its 90 % interval (`rmsea_lower`, `rmsea_upper`); `srmr`, over the covariances
            of items and covariates, without means. Definitions are lavaan's. Missing answers are taken as missing at
            random in all three models.

        Raises
        ------
        ValueError
            For models with ordered items or a choice (leave the choice out and fit the measurement part alone: its fit at
            the joint estimates is no maximum), and for weighted samples.
        """
        self._check_measurable()
        _, items, covariates = self._names_of_axes
        person = self.problem.panel.person
        answers = np.concatenate([np.where(d.occurs, d.outcome, np.nan) for d in person.data], axis=1)
        both = np.concatenate([answers, np.asarray(person.covariates)], axis=1)
        mean, covariance = saturated(both)
        size, outside = len(items), len(covariates)
        loglike = normal_loglike(both, mean, covariance)
        if outside:
            x = both[:, size:]
            loglike -= normal_loglike(x, x.mean(axis=0), covariance[size:, size:])
        alone = sum(
            normal_loglike(answers[:, [k]], *(np.atleast_1d(m) for m in saturated(answers[:, [k]])))
            for k in range(size)
        )
        everything = size + size * (size + 1) // 2 + size * outside
        found = indices(
            2.0 * (loglike - self.llf),
            everything - len(self.names),
            2.0 * (loglike - alone),
            size * (size - 1) // 2 + size * outside,
            self.nobs,
        )
        model = self._implied(covariance[size:, size:])
        return found | {"srmr": srmr(covariance, model), "loglike": self.llf, "saturated_loglike": loglike}

    # --- what they share ------------------------------------------------------------------------------------------

    def _implied(self, covariates: np.ndarray) -> np.ndarray:
        """Covariance of items and covariates that the model implies."""
        core = self.problem.core
        m = matrices(core.structure, core.constants, jnp.asarray(self.estimates))
        moments = implied(m, jnp.asarray(covariates))
        crossed = np.asarray(moments.crossed)
        return np.block([[np.asarray(moments.items), crossed], [crossed.T, covariates]])

    def _check_measurable(self) -> None:
        spec = self.problem.spec
        if spec.choices or not spec.indicators or not all(i.normal for i in spec.indicators):
            raise ValueError(
                "fit_measures are for models of continuous items without a choice. Fit the measurement part alone: "
                "iclv.Model(latent=..., indicators=...)."
            )
        if not np.all(self.problem.panel.weights == 1.0):
            raise ValueError("fit_measures are for samples without weights: their chi-square has no df.")

    def _needs_latents(self, what: str) -> None:
        if not self.problem.spec.latents:
            raise ValueError(f"{what}: the model has no latent variables.")

    @one_thread
    def _with_slopes(self, function, *arguments) -> tuple[np.ndarray, np.ndarray]:
        core = self.problem.core
        value, slope = with_slopes(
            function, self._linear, core.constants, *arguments, jnp.asarray(self.estimates)
        )
        return np.asarray(value), np.asarray(slope)

    @cached_property
    def _linear(self) -> Structure:
        """The structure without items that have no response with a variance behind them (counts, say)."""
        whole = self.problem.core.structure
        cells = whole.map.dense(jnp.ones(whole.map.cells))
        lost = {b.name for b in whole.items if b.family.response_variance(cells[b.name]) is None}
        return replace(whole, blocks=tuple(b for b in whole.blocks if b.name not in lost))

    def _with_notes(self, frame: pd.DataFrame, cov: str | None) -> pd.DataFrame:
        """The frame with what a reader must know, in `.attrs["notes"]`."""
        items = self._names_of_axes[1]
        lost = [(i.column, type(i).__name__) for i in self.problem.spec.indicators if i.column not in items]
        notes = [
            f"{name} is left out: items of the family {family} have no variance in units of a response"
            for name, family in lost
        ]
        frame.attrs["notes"] = (*notes, *self.covariance(cov).notes)
        return frame

    @property
    def _names_of_axes(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Names of latent variables, items and covariates as matrices hold them."""
        items = tuple(q for block in self._linear.items for q in block.items)
        return self.problem.spec.order, items, self.problem.panel.covariates

    @cached_property
    def _spread_of_covariates(self) -> np.ndarray:
        panel = self.problem.panel
        x = np.asarray(panel.person.covariates)
        return np.cov(x.T, bias=True, aweights=panel.weights).reshape(x.shape[1], x.shape[1])

    def _powers(self, parameter: Parameter) -> np.ndarray:
        """Powers of the standard deviations of `units` by which a parameter is multiplied, (std.lv and std.all, unit);
        NaN where it has no standardised value."""
        order, items, covariates = self._names_of_axes
        place = {n: i for i, n in enumerate((*order, *items, *covariates))}
        found = np.zeros((2, len(place) + len(order)))
        role, left, right = parameter.role, parameter.owner, parameter.argument
        if parameter.block == "choice" or parameter.name in self.problem.spec.module_of:
            found[:] = np.nan
        elif role == "loading":
            found[:, place[left]] = 1.0
            found[1, place[right] if right in place else slice(None)] = -1.0 if right in place else np.nan
        elif role in ("path", "slope"):
            found[:, place[left]] = -1.0
            found[:, place[right]] = 1.0 if role == "path" else np.array([0.0, 1.0])
        elif role in ("intercept", "threshold") and left in place:
            found[:, place[left]] = -1.0 if left in order else np.array([0.0, -1.0])
        elif role == "threshold":
            found[1] = np.nan
        elif role == "covariance" and {left, right} <= set(order):
            for one in (left, right):
                found[:, len(place) + order.index(one)] = -1.0
        elif role in ("variance", "scale") and left in place:
            found[:, place[left]] = -2.0 if left in order else np.array([0.0, -2.0])
        else:
            found[:] = np.nan
        return found
