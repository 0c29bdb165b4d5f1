"""Functions of the estimates: their values, standard errors by the delta method, and draws."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._promotion import usual_promotion
from iclv_jax._base._types import Array
from iclv_jax._spec import Module
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Namespace, record

WHAT = "The function of the parameters"
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


def delta_errors(jacobian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Standard errors of functions of the estimates; NaN where one needs a variance that is missing, and where
    the function is constant."""
    known = ~np.isnan(np.diag(matrix))
    part = jacobian[:, known]
    variance = np.sum(part @ matrix[np.ix_(known, known)] * part, axis=1)
    needs = needs_missing(jacobian, matrix) | (jacobian == 0.0).all(axis=1)
    return np.where(needs, np.nan, np.sqrt(variance))


def needs_missing(jacobian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Which functions depend on a parameter without a variance."""
    return (jacobian[:, np.isnan(np.diag(matrix))] != 0.0).any(axis=1)


def normal_draws(center: np.ndarray, matrix: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draws from the normal distribution of the estimates, (draws, parameters); parameters without a variance
    stay where they are. A covariance of too low a rank (fewer clusters than parameters) has draws too.

    Raises ValueError for a covariance matrix with a negative eigenvalue.
    """
    known = np.flatnonzero(~np.isnan(np.diag(matrix)))
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
