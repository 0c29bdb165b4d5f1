"""How choice probabilities respond to a column of the data, and averages of that over a sample."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._predict._probabilities import choice_probabilities
from iclv_jax._predict._view import View


class Place(NamedTuple):
    """Where a column enters: its place among the columns of the utilities and among the covariates of latent
    variables, -1 where it is not one of them. Static in jit."""

    column: int
    covariate: int


def moved(view: View, place: Place, step: Array) -> View:
    """The situations with a column raised by `step`.

    The answers that people are known by were given before: in what conditions on choices the columns of the
    utilities stay as they were.
    """
    return _changed(view, place, lambda column: column + step)


def values_of(view: View, place: Place) -> Float[Array, "person situation"]:
    """The column itself."""
    if place.column >= 0:
        return view.columns[..., place.column]
    each = view.core.person.covariates[..., place.covariate]
    return jnp.broadcast_to(each[:, None], view.data.occurs.shape)


@partial(compiled, static_argnames="place")
def slopes(view: View, params: Params, place: Place) -> Float[Array, "person situation alternative"]:
    """Derivatives of the probabilities in each situation with respect to a column, through utilities and
    through the structural equations; nodes are held where they are."""
    return jax.jvp(
        lambda step: choice_probabilities(moved(view, place, step), params), (jnp.zeros(()),), (jnp.ones(()),)
    )[1]


@partial(compiled, static_argnames="place")
def changes(view: View, params: Params, place: Place) -> Float[Array, "person situation alternative"]:
    """Probabilities with a column at 1 less those with it at 0."""
    return _at(view, params, place, 1.0) - _at(view, params, place, 0.0)


def _at(view: View, params: Params, place: Place, value: float) -> Array:
    return choice_probabilities(_changed(view, place, lambda column: jnp.full_like(column, value)), params)


def _changed(view: View, place: Place, change: Callable[[Array], Array]) -> View:
    if place.column >= 0:
        columns = view.columns
        new = change(columns[..., place.column])
        view = view.with_columns(columns.at[..., place.column].set(new))
    if place.covariate >= 0:
        covariates = view.core.person.covariates
        new = change(covariates[..., place.covariate])
        view = view.with_covariates(covariates.at[..., place.covariate].set(new))
    return view


def situation_weights(view: View) -> Float[Array, "person situation"]:
    """Weights of the people's situations, zero for padding."""
    return view.core.weights[:, None] * view.data.occurs.astype(float)


@partial(compiled, static_argnames=("place", "kind"))
def averages(view: View, params: Params, place: Place, kind: str) -> Float[Array, " alternative"]:
    """Over the sample, by `kind`: `"slope"`, the elasticities weighted by the probabilities and behind them the mean
    slopes; or `"change"`, the mean changes."""
    weights = situation_weights(view)
    if kind == "change":
        return jnp.einsum("nt,ntj->j", weights, changes(view, params, place)) / weights.sum()
    each = slopes(view, params, place)
    expected = jnp.einsum("nt,ntj->j", weights, choice_probabilities(view, params))
    elasticities = jnp.einsum("nt,nt,ntj->j", weights, values_of(view, place), each) / expected
    return jnp.concatenate([elasticities, jnp.einsum("nt,ntj->j", weights, each) / weights.sum()])


@compiled
def shares(view: View, params: Params) -> Float[Array, " alternative"]:
    """Weighted means of the probabilities over all situations."""
    weights = situation_weights(view)
    return jnp.einsum("nt,ntj->j", weights, choice_probabilities(view, params)) / weights.sum()


@partial(compiled, static_argnames=("function", "static"))
def along(function, views: tuple, params: Params, directions: Array, static: tuple = ()) -> Array:
    """Derivatives of `function(*views, params, *static)` along directions of the parameters, (direction, ...); nodes
    are held where they are. The function is one of a module: it stands for itself among what is compiled."""

    def slope(direction: Array) -> Array:
        return jax.jvp(lambda p: function(*views, p, *static), (params,), (direction,))[1]

    return jax.lax.map(slope, directions)


@partial(compiled, static_argnames=("function", "static"))
def _back(function, views: tuple, params: Params, static: tuple) -> Array:
    value, pull = jax.vjp(lambda p: function(*views, p, *static), params)
    return jax.lax.map(lambda row: pull(row)[0], jnp.eye(value.shape[0]))


def jacobian(function, views: tuple, params: Params, directions: Array, *static) -> np.ndarray:
    """The Jacobian of the vector `function(*views, params, *static)`, which depends on the parameters of `directions`
    (unit vectors) alone: forwards, one direction at a time, or backwards, one entry at a time, where these are fewer.
    """
    entries = jax.eval_shape(lambda: function(*views, params, *static)).shape[0]
    if entries < len(directions):
        return np.asarray(_back(function, views, params, static))
    each = along(function, views, params, directions, static)
    return np.asarray(each).T @ np.asarray(directions)
