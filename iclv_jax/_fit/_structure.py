"""What a fit says about its structural and measurement equations."""

from functools import cached_property

import jax.numpy as jnp
import numpy as np
import pandas as pd

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
            them.
        """
        self._needs_latents("effects")
        order, items, covariates = self._names_of_axes
        pairs = [(a, b) for b in order for a in order]
        pairs += [(x, b) for b in order for x in covariates]
        pairs += [(a, q) for q in items for a in order]
        pairs += [(x, q) for q in items for x in covariates]
        values, slopes = self._with_slopes(effects)
        table = {}
        for name, value, slope in (
            ("direct", values[0], slopes[0]),
            ("indirect", values[1] - values[0], slopes[1] - slopes[0]),
            ("total", values[1], slopes[1]),
        ):
            table[name] = value
            table[f"{name}.se"] = delta_errors(slope, self.covariance(cov).matrix)
        index = pd.MultiIndex.from_tuples(pairs, names=["from", "to"])
        connected = (values != 0.0).any(axis=0) | (slopes != 0.0).any(axis=(0, 2))
        return pd.DataFrame(table, index=index)[connected]

    def standardized(self, cov: str | None = None) -> pd.DataFrame:
        """Estimates of the structural and measurement equations in standard units, and explained variances.

        Returns
        -------
        DataFrame
            One row per parameter (R2 of a latent variable or an item in rows `R2 name`): `std.lv`, with latent variables of
            variance 1, and `std.all`, with items and covariates of variance 1 as well, each with its delta-method standard
            error (`.se`).

        Notes
        -----
        Variances are those that the model implies over the sample, the covariates' own (co)variances being taken as
        given, each person once by weight; ordered items count by the response behind their levels. Disturbances' covariances
        become their correlations. Names and conventions are lavaan's. Thresholds that items share are left out of
        `std.all`.
        """
        self._needs_latents("standardized")
        rows = self.problem.table.rows
        powers = np.stack([self._powers(r.name, r.parameter.role) for r in rows], axis=1)
        kept = [i for i, r in enumerate(rows) if r.parameter.block != "choice"]
        finite = np.nan_to_num(powers)
        values, slopes = self._with_slopes(standardised, jnp.asarray(self._spread_of_covariates), finite)
        values = np.where(np.isnan(powers).any(axis=2), np.nan, values)[:, kept]
        r2, r2_slopes = self._with_slopes(explained, jnp.asarray(self._spread_of_covariates))
        order, items, _ = self._names_of_axes
        matrix = self.covariance(cov).matrix
        table = {}
        for i, name in enumerate(("std.lv", "std.all")):
            errors = delta_errors(slopes[i, kept], matrix)
            table[name] = np.append(values[i], r2)
            errors = np.where(np.isnan(values[i]), np.nan, errors)
            table[f"{name}.se"] = np.append(errors, delta_errors(r2_slopes, matrix))
        names = [rows[i].name for i in kept] + [f"R2 {n}" for n in (*order, *items)]
        return pd.DataFrame(table, index=pd.Index(names, name="parameter"))

    def reliability(self, cov: str | None = None) -> pd.DataFrame:
        """Composite reliability and average variance extracted, by latent variable.

        `omega = (sum |loading|)^2 V / ((sum |loading|)^2 V + sum of error variances)` with V the variance of the latent
        variable (Joereskog 1971), so that items of reversed meaning count as turned round; `ave` is the mean R2 of the items
        (Fornell and Larcker 1981). Only items that measure nothing else count (`items`). Where one of them is ordered, omega
        is of the standardised responses behind the levels, else of the items in their own units. Delta-method standard
        errors in `.se`. `scores` is how far `latent_scores` can be trusted to tell people apart: the variance over people
        of the posterior means, by that and the mean posterior variance (as of EAP scores: Bock and Mislevy 1982).
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
        matrix = self.covariance(cov).matrix
        frame = {"items": own.sum(axis=0).astype(int)}
        for i, name in enumerate(("omega", "ave")):
            frame |= {name: values[i], f"{name}.se": delta_errors(np.nan_to_num(slopes[i]), matrix)}
        frame["scores"] = self._reliability_of_scores[: len(order)]
        return pd.DataFrame(frame, index=pd.Index(order, name="latent"))

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
        answers = np.where(
            np.concatenate(person.observed, axis=1), np.concatenate(person.values, axis=1), np.nan
        )
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
        if spec.choice is not None or not spec.indicators or not all(i.normal for i in spec.indicators):
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
            function, core.structure, core.constants, *arguments, jnp.asarray(self.estimates)
        )
        return np.asarray(value), np.asarray(slope)

    @property
    def _names_of_axes(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Names of latent variables, items and covariates as matrices hold them."""
        items = tuple(q for stack in self.problem.table.stacks for q in stack.items)
        return self.problem.spec.order, items, self.problem.panel.covariates

    @cached_property
    def _spread_of_covariates(self) -> np.ndarray:
        panel = self.problem.panel
        x = np.asarray(panel.person.covariates)
        return np.cov(x.T, bias=True, aweights=panel.weights).reshape(x.shape[1], x.shape[1])

    def _powers(self, name: str, role: str) -> np.ndarray:
        """Powers of the standard deviations of `units` by which a parameter is multiplied, (std.lv and std.all, unit);
        NaN where it has no standardised value."""
        order, items, covariates = self._names_of_axes
        place = {n: i for i, n in enumerate((*order, *items, *covariates))}
        found = np.zeros((2, len(place) + len(order)))
        left, _, right = name.partition({"loading": " =~ ", "threshold": " | "}.get(role, " ~ "))
        if role == "loading":
            found[:, place[left]] = 1.0
            found[1, place[right]] = -1.0
        elif role in ("path", "slope"):
            found[:, place[left]] = -1.0
            found[:, place[right]] = 1.0 if role == "path" else np.array([0.0, 1.0])
        elif role == "intercept" or (role == "threshold" and left in place):
            found[:, place[left]] = -1.0 if left in order else np.array([0.0, -1.0])
        elif role == "threshold":
            found[1] = np.nan
        elif role in ("variance", "scale", "covariance"):
            self._powers_of_variance(name, place, found)
        else:
            found[:] = np.nan
        return found

    def _powers_of_variance(self, name: str, place: dict[str, int], found: np.ndarray) -> None:
        order = self.problem.spec.order
        left, _, right = name.partition(" ~~ ")
        disturbances = len(place)
        if left not in place or right not in place:
            found[:] = np.nan
        elif left != right:
            for one in (left, right):
                found[:, disturbances + order.index(one)] = -1.0
        else:
            found[:, place[left]] = -2.0 if left in order else np.array([0.0, -2.0])
