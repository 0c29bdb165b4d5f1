"""Functions of the estimates: their values, standard errors by the delta method, and draws."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed, check_share, is_word
from iclv_jax._base._distributions import reach as reach_of
from iclv_jax._base._promotion import usual_promotion
from iclv_jax._base._types import Array, Given
from iclv_jax._inference._estimated import Estimated
from iclv_jax._integration._rule import check_count
from iclv_jax._spec import Module
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Namespace, check_arguments, record

WHAT = "The function of the parameters"
ONE_DEVIATION = 0.5 + 0.5 * math.erf(0.5**0.5)
AT_ONCE = 256
"""Draws that are evaluated at a time."""
ROUNDING = 1e-10
"""Size of a negative eigenvalue, relative to the largest, that is one of zero."""


class Quantities(NamedTuple):
    """What a function of named parameters returns: a label for every number, and the function of the vector of
    all parameters that returns them as one vector."""

    labels: list[Any]
    flat: Callable[[Array], Array]


def quantities(function: Any, names: Sequence[str], modules: Sequence[Module] = ()) -> Quantities:
    """Record a function of named parameters, and of modules with entries among these, that returns a number, an array, or
    a mapping to these.

    Raises ValueError for names that are not in `names`, for results that are not numbers, and for what JAX cannot
    follow.
    """
    if not callable(function):
        raise ValueError(f"{WHAT} is a function of p, such as lambda p: p.time / p.cost, not {function!r}.")
    check_arguments(function, ["p"], WHAT)
    at = {name: i for i, name in enumerate(names)}
    places = {m.name: (m, np.array([at[name] for name in m.names], int)) for m in modules}

    def check(name: str) -> None:
        if name not in at and name not in places:
            known = (*names, *places)
            raise ValueError(f"{WHAT} uses {name!r}, which the model does not have. {nearest(name, known)}")

    _, shape = record(lambda p: _parts(function(p)), [check], WHAT, modules)

    def flat(values: Array) -> Array:
        def look_up(name: str) -> object:
            if name not in places:
                return values[at[name]]
            module, entries = places[name]
            return module.build(values[entries])

        with usual_promotion():
            found = _parts(function(Namespace(look_up)))
        return jnp.concatenate([jnp.ravel(v) for v in found.values()])

    return Quantities(_labels({k: v.shape for k, v in shape.items()}), flat)


def _parts(result: object) -> dict[object, Array]:
    """The result by key; None is the key of a result that is not a mapping."""
    found = result if isinstance(result, Mapping) else {None: result}
    if not found:
        raise ValueError(f"{WHAT} returns an empty mapping.")
    return {key: _number(value, key) for key, value in found.items()}


def _number(value: Any, key: Any) -> Array:
    what = WHAT if key is None else f"{WHAT}, at {key!r},"
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} returns numbers or arrays, not {value!r}.") from error
    if jnp.iscomplexobj(array) or array.dtype == bool:
        raise ValueError(f"{what} returns real numbers, not {array.dtype}.")
    return array.astype(float)


def _labels(shapes: Mapping[Any, tuple[int, ...]]) -> list[Any]:
    """The key, with positions in brackets for an array; positions alone where there is one array only."""
    labels: list[Any] = []
    for key, shape in shapes.items():
        places = list(product(*map(range, shape)))
        if key is None:
            single = ["value"] if not shape else [p[0] if len(p) == 1 else p for p in places]
            labels += single
        else:
            labels += [f"{key}[{', '.join(map(str, p))}]" if shape else key for p in places]
    return labels


def delta(
    fit: Estimated,
    fn: Given[Callable[[Any], Any]],
    level: Given[float] = 0.95,
    kind: Given[str | None] = None,
    method: Given[Literal["delta", "krinsky-robb"]] = "delta",
    draws: Given[int] = 1000,
    seed: Given[int] = 0,
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

    Examples
    --------
    >>> value_of_time = logit_fit.delta(lambda p: p.time / p.cost)
    >>> list(value_of_time)
    ['estimate', 'se', 'lower', 'upper']
    """
    check_seed(seed)
    check_share(level)
    check_count(draws, "draws")
    if not is_word(method, ("delta", "krinsky-robb")):
        raise ValueError(f"method is 'delta' or 'krinsky-robb', not {method!r}.")
    table, constants = fit.problem.table, fit.problem.core.constants
    found = quantities(fn, [row.name for row in table.rows], fit.problem.spec.modules)

    def values(params: Array) -> Array:
        return found.flat(table.map.full(constants, params))

    params = jnp.asarray(fit.estimates)
    check_estimates(values(params), found.labels)
    jacobian, covariance = np.asarray(jax.jacfwd(values)(params)), fit.covariance(kind)
    frame = pd.DataFrame({"estimate": np.asarray(values(params))}, index=pd.Index(found.labels))
    frame["se"] = delta_errors(jacobian, covariance.of_functions)
    frame.attrs["notes"] = covariance.notes
    if method == "delta":
        reach = reach_of(level) * frame["se"]
        return frame.assign(lower=frame["estimate"] - reach, upper=frame["estimate"] + reach)
    drawn = at_draws(values, normal_draws(fit.estimates, covariance.of_functions, draws, seed))
    _check_finite(drawn, found.labels)
    shares = [1.0 - ONE_DEVIATION, ONE_DEVIATION, 0.5 - 0.5 * level, 0.5 + 0.5 * level, 0.5]
    below, above, lower, upper, median = np.quantile(drawn, shares, axis=0)
    lacks = needs_missing(jacobian, covariance.of_functions) | np.isnan(frame["se"].to_numpy())
    columns = {"se": 0.5 * (above - below), "lower": lower, "upper": upper, "median": median}
    return frame.assign(**{k: np.where(lacks, np.nan, v) for k, v in columns.items()})


def check_estimates(values: Array, labels: list[Any]) -> None:
    """ValueError for a function that has no value at the estimates."""
    for label, value in zip(labels, np.asarray(values), strict=True):
        if not np.isfinite(value):
            raise ValueError(
                f"{WHAT} is {value:g} at the estimates (at {label!r}), and so has no standard error."
            )


def _check_finite(drawn: np.ndarray, labels: list[Any]) -> None:
    bad = ~np.isfinite(drawn)
    for at in np.flatnonzero(bad.any(axis=0)):
        raise ValueError(
            f"{labels[at]!r} is not finite at {int(bad[:, at].sum())} of {len(drawn)} draws: the normal distribution "
            "of the estimates reaches to where the function is not defined. Take method='delta', or another function."
        )


def delta_errors(jacobian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Standard errors of functions of the estimates; NaN where one needs a variance that is missing, and where
    the function depends on nothing that was estimated: it is constant, or moves with known parameters (variance 0)
    alone."""
    known = ~np.isnan(np.diag(matrix))
    part = jacobian[:, known]
    variance = np.sum(part @ matrix[np.ix_(known, known)] * part, axis=1)
    needs = needs_missing(jacobian, matrix) | (jacobian[:, np.diag(matrix) != 0.0] == 0.0).all(axis=1)
    return np.where(needs, np.nan, np.sqrt(variance))


def needs_missing(jacobian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Which functions depend on a parameter without a variance."""
    return (jacobian[:, np.isnan(np.diag(matrix))] != 0.0).any(axis=1)


def normal_draws(center: np.ndarray, matrix: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draws from the normal distribution of the estimates, (draws, parameters); parameters without a variance,
    or with one of 0, stay where they are. A covariance of too low a rank (fewer clusters than parameters) has draws too.

    Raises ValueError for a covariance matrix with a negative eigenvalue.
    """
    known = np.flatnonzero(np.nan_to_num(np.diag(matrix)) > 0.0)
    part = matrix[np.ix_(known, known)]
    unit = np.sqrt(np.diag(part))
    factor = _root(part / np.outer(unit, unit))
    found = np.tile(center, (draws, 1))
    noise = np.random.default_rng(seed).standard_normal((draws, len(known)))
    found[:, known] += unit * (noise @ factor.T)
    return found


def _root(correlations: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(correlations)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(correlations)
    if values[0] < -ROUNDING * values[-1]:
        raise ValueError(
            "The covariance matrix of the estimates has a negative eigenvalue, so nothing can be drawn from it. Take "
            "another kind."
        )
    return vectors * np.sqrt(np.maximum(values, 0.0))


def at_draws(function: Callable[[Array], Array], draws: np.ndarray) -> np.ndarray:
    """The function of every row."""
    many = jax.vmap(function)
    pieces = np.split(draws, range(AT_ONCE, len(draws), AT_ONCE))
    return np.concatenate([np.asarray(many(jnp.asarray(piece))) for piece in pieces])
