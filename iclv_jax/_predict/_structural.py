"""What a fit says about its structural and measurement equations."""

from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Array, Given
from iclv_jax._density import Structure
from iclv_jax._inference import delta_errors
from iclv_jax._inference._estimated import Estimated
from iclv_jax._predict._effects import effects as path_effects
from iclv_jax._predict._effects import explained, reliabilities, standardised, with_slopes
from iclv_jax._predict._latent_scores import latent_posterior
from iclv_jax._problem import Problem
from iclv_jax._spec import Parameter

Axes = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def effects(fit: Estimated, cov: Given[str | None] = None) -> pd.DataFrame:
    """Direct, indirect and total effects along the paths (Bollen 1987).

    Of covariates and latent variables on latent variables and on items (for ordered items on the response behind
    the levels), in the units of the estimates; `fit.structure.standardized()` has standard units. Effects on choices are
    those of `fit.choices.elasticities` and `fit.choices.marginal_effects`.

    Returns
    -------
    DataFrame
        One row per pair `(from, to)` that a path connects; `direct`, `indirect`, `total`, each with its delta-method
        standard error (`.se`; NaN where the effect is zero by construction). `cov` is the kind of covariance behind
        them. Items without a response in which a variance is measured (counts, say) are left out; `.attrs["notes"]`
        names them. With groups the table of each of them, `group` in front.

    Examples
    --------
    >>> list(fit.structure.effects())
    ['direct', 'direct.se', 'indirect', 'indirect.se', 'total', 'total.se']
    """
    _needs_latents(fit.problem, "effects")
    return _in_groups(fit, cov, lambda at: _effects(fit, cov, at))


def _effects(fit: Estimated, cov: str | None, at: int | None) -> pd.DataFrame:
    order, items, covariates = _names_of_axes(fit)
    pairs = [(a, b) for b in order for a in order]
    pairs += [(x, b) for b in order for x in covariates]
    pairs += [(a, q) for q in items for a in order]
    pairs += [(x, q) for q in items for x in covariates]
    values, slopes = _with_slopes(fit, at, path_effects)
    matrix, table = fit.covariance(cov).of_functions, {}
    for name, value, slope in (
        ("direct", values[0], slopes[0]),
        ("indirect", values[1] - values[0], slopes[1] - slopes[0]),
        ("total", values[1], slopes[1]),
    ):
        table[name] = value
        table[f"{name}.se"] = delta_errors(slope, matrix)
    index = pd.MultiIndex.from_tuples(pairs, names=["from", "to"])
    connected = (values != 0.0).any(axis=0) | (slopes != 0.0).any(axis=(0, 2))
    return pd.DataFrame(table, index=index)[connected]


def standardized(fit: Estimated, cov: Given[str | None] = None) -> pd.DataFrame:
    """Estimates of the structural and measurement equations in standard units, and explained variances.

    Returns
    -------
    DataFrame
        One row per parameter (R2 of a latent variable or an item in rows `R2 name`): `std.lv`, with latent variables of
        variance 1, and `std.all`, with items and covariates of variance 1 as well, each with its delta-method standard
        error (`.se`). Items without a response in which a variance is measured (counts, say) have no `std.all` and
        no R2; `.attrs["notes"]` names them. With groups one table each, `group` in front, in the standard units of that
        group, parameters by their plain names.

    Notes
    -----
    Variances are those that the model implies over the sample, the covariates' own (co)variances being taken as
    given, each person once by weight; ordered items count by the response behind their levels. Covariances of disturbances,
    and of residuals of items, become their correlations. Names and conventions are lavaan's. Thresholds that items share
    are left out of `std.all`.

    Examples
    --------
    >>> list(fit.structure.standardized())
    ['std.lv', 'std.lv.se', 'std.all', 'std.all.se']
    """
    _needs_latents(fit.problem, "standardized")
    return _in_groups(fit, cov, lambda at: _standardized(fit, cov, at))


def _standardized(fit: Estimated, cov: str | None, at: int | None) -> pd.DataFrame:
    rows, axes = fit.problem.table.rows, _names_of_axes(fit)
    powers = np.stack([_powers(axes, r.parameter) for r in rows], axis=1)
    mine = ("", *(() if at is None else _labels(fit)[at : at + 1]))
    kept = [i for i, r in enumerate(rows) if r.parameter.block != "choice" and r.parameter.group in mine]
    finite, spread = np.nan_to_num(powers), jnp.asarray(_spread_of_covariates(fit, at))
    values, slopes = _with_slopes(fit, at, standardised, spread, finite)
    values = np.where(np.isnan(powers).any(axis=2), np.nan, values)[:, kept]
    r2, r2_slopes = _with_slopes(fit, at, explained, spread)
    order, items, _ = axes
    matrix, table = fit.covariance(cov).of_functions, {}
    for i, name in enumerate(("std.lv", "std.all")):
        errors = delta_errors(slopes[i, kept], matrix)
        table[name] = np.append(values[i], r2)
        errors = np.where(np.isnan(values[i]), np.nan, errors)
        table[f"{name}.se"] = np.append(errors, delta_errors(r2_slopes, matrix))
    names = [rows[i].parameter.base for i in kept] + [f"R2 {n}" for n in (*order, *items)]
    return pd.DataFrame(table, index=pd.Index(names, name="parameter"))


def reliability(fit: Estimated, cov: Given[str | None] = None) -> pd.DataFrame:
    """Composite reliability and average variance extracted, by latent variable.

    `omega = (sum |loading|)^2 V / ((sum |loading|)^2 V + sum of error variances)` with V the variance of the latent
    variable (Joereskog 1971), so that items of reversed meaning count as turned round; covariances of residuals add to the
    errors, with the signs of the loadings. `ave` is the mean R2 of the items (Fornell and Larcker 1981). Only items that
    measure nothing else count (`items`). Where one of them is ordered, omega is of the standardised responses behind the
    levels, else of the items in their own units. Delta-method standard errors in `.se`. `scores` is how far
    `latent_scores` can be trusted to tell people apart: the variance over people of the posterior means, by that and the
    mean posterior variance (as of EAP scores: Bock and Mislevy 1982). Items without a response in which a variance is
    measured (counts, say) do not count; `.attrs["notes"]` names them.

    Examples
    --------
    >>> list(fit.measurement.reliability())
    ['items', 'omega', 'omega.se', 'ave', 'ave.se', 'scores']
    """
    _needs_latents(fit.problem, "reliability")
    return _in_groups(fit, cov, lambda at: _reliability(fit, cov, at))


def _reliability(fit: Estimated, cov: str | None, at: int | None) -> pd.DataFrame:
    order, items, _ = _names_of_axes(fit)
    of = {i.column: tuple(i.of) for i in fit.problem.spec.indicators}
    own = np.array([[float(of[q] == (name,)) for name in order] for q in items]).reshape(
        len(items), len(order)
    )
    normal = np.array(
        [next(i for i in fit.problem.spec.indicators if i.column == q).normal for q in items], bool
    )
    raw = ~((own > 0.0) & ~normal[:, None]).any(axis=0)
    spread = jnp.asarray(_spread_of_covariates(fit, at))
    values, slopes = _with_slopes(fit, at, reliabilities, spread, jnp.asarray(own), jnp.asarray(raw))
    matrix = fit.covariance(cov).of_functions
    frame = {"items": own.sum(axis=0).astype(int)}
    for i, name in enumerate(("omega", "ave")):
        frame |= {name: values[i], f"{name}.se": delta_errors(np.nan_to_num(slopes[i]), matrix)}
    frame["scores"] = _reliability_of_scores(fit, at)[: len(order)]
    return pd.DataFrame(frame, index=pd.Index(order, name="latent"))


def _reliability_of_scores(fit: Estimated, at: int | None) -> np.ndarray:
    people = _people_of(fit, at)
    mean, matrix = (np.asarray(a)[people] for a in latent_posterior(fit))
    weights = fit.problem.panel.weights[people]
    between = np.average((mean - np.average(mean, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    within = np.average(np.diagonal(matrix, axis1=1, axis2=2), axis=0, weights=weights)
    return between / (between + within)


def _in_groups(fit: Estimated, cov: str | None, table: Callable[[int | None], pd.DataFrame]) -> pd.DataFrame:
    """The table of everybody, or those of the groups below each other, with their names in front."""
    groups = fit.problem.spec.groups
    if groups is None:
        return _with_notes(fit, table(None), cov)
    parts = [table(at) for at in range(len(groups.names))]
    return _with_notes(fit, pd.concat(parts, keys=groups.names, names=["group"]), cov)


def _labels(fit: Estimated) -> tuple[str, ...]:
    groups = fit.problem.spec.groups
    return () if groups is None else groups.labels


def _people_of(fit: Estimated, at: int | None) -> np.ndarray:
    """Positions of the people of a group, of all where there are none."""
    panel = fit.problem.panel
    return np.arange(len(panel.people)) if at is None else np.flatnonzero(panel.person.group == at)


def _linear(fit: Estimated, at: int | None = None) -> Structure:
    """The structure (of a group) without items that have no response with a variance behind them (counts, say), and
    without those that are their variables themselves."""
    whole = fit.problem.core.structure.of_group(at or 0)
    cells = whole.map.dense(jnp.ones(whole.map.cells))
    lost = {
        b.name for b in whole.items if b.family.response_variance(cells[b.name]) is None or b.family.exact
    }
    return replace(whole, blocks=tuple(b for b in whole.blocks if b.name not in lost))


def _with_notes(fit: Estimated, frame: pd.DataFrame, cov: str | None) -> pd.DataFrame:
    """The frame with what a reader must know, in `.attrs["notes"]`."""
    items = _names_of_axes(fit)[1]
    given = [i for i in fit.problem.spec.indicators if not i.exact]
    lost = [(i.column, type(i).__name__) for i in given if i.column not in items]
    notes = [
        f"{name} is left out: items of the family {family} have no variance in units of a response"
        for name, family in lost
    ]
    frame.attrs["notes"] = (*notes, *fit.covariance(cov).notes)
    return frame


def _needs_latents(problem: Problem, what: str) -> None:
    if not problem.spec.latents:
        raise ValueError(f"{what}: the model has no latent variables.")


@one_thread
def _with_slopes(
    fit: Estimated, at: int | None, function: Callable[..., Array], *arguments: Array | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    core = fit.problem.core
    value, slope = with_slopes(
        function, _linear(fit, at), core.constants, *arguments, jnp.asarray(fit.estimates)
    )
    return np.asarray(value), np.asarray(slope)


def _names_of_axes(fit: Estimated) -> Axes:
    """Names of latent variables, items and covariates as matrices hold them."""
    items = tuple(q for block in _linear(fit).items for q in block.items)
    return fit.problem.spec.order, items, fit.problem.panel.covariates


def _spread_of_covariates(fit: Estimated, at: int | None) -> np.ndarray:
    panel, people = fit.problem.panel, _people_of(fit, at)
    x = np.asarray(panel.person.covariates)[people]
    return np.cov(x.T, bias=True, aweights=panel.weights[people]).reshape(x.shape[1], x.shape[1])


def _powers(axes: Axes, parameter: Parameter) -> np.ndarray:
    """Powers of the standard deviations of `units` by which a parameter is multiplied, (std.lv and std.all, unit);
    NaN where it has no standardised value."""
    order, items, covariates = axes
    place = {n: i for i, n in enumerate((*order, *items, *covariates))}
    found = np.zeros((2, len(place) + len(order) + len(items)))
    role, left, right = parameter.role, parameter.owner, parameter.argument
    if parameter.block == "choice" or role == "derived":
        found[:] = np.nan
    elif role == "loading":
        found[:, place[left]] = 1.0
        found[1, place[right] if right in place else slice(None)] = -1.0 if right in place else np.nan
    elif role in ("path", "slope"):
        found[:, place[left]] = -1.0
        found[:, place[right]] = 1.0 if role == "path" else np.array([0.0, 1.0])
    elif role == "effect":
        ends = [place.get(left), place.get(right)]
        found[1, [at for at in ends if at is not None]] = np.array([-1.0, 1.0])[
            [at is not None for at in ends]
        ]
        found[1] = found[1] if left in place else np.nan
    elif role in ("intercept", "threshold") and left in place:
        found[:, place[left]] = -1.0 if left in order else np.array([0.0, -1.0])
    elif role == "threshold":
        found[1] = np.nan
    elif role == "covariance" and {left, right} <= set(order):
        for one in (left, right):
            found[:, len(place) + order.index(one)] = -1.0
    elif role == "covariance" and {left, right} <= set(items):
        for one in (left, right):
            found[1, len(place) + len(order) + items.index(one)] = -1.0
    elif role in ("variance", "scale") and left in place:
        found[:, place[left]] = -2.0 if left in order else np.array([0.0, -2.0])
    else:
        found[:] = np.nan
    return found
