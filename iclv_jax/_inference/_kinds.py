"""The covariances of a maximum, by kind."""

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import kind_of
from iclv_jax._base._threads import one_thread
from iclv_jax._base._types import Given
from iclv_jax._inference._bootstrap import bootstrap
from iclv_jax._inference._covariance import Covariance
from iclv_jax._inference._covariance import covariance as plain_covariance
from iclv_jax._inference._estimated import Maximum
from iclv_jax._inference._intervals import covariance_frame
from iclv_jax._inference._jackknife import jackknife
from iclv_jax._inference._modules import (
    DENSE,
    MODULE_KINDS,
    module_covariance,
    module_covariance_by_products,
)
from iclv_jax._inference._penalised import known_parameters, penalised_hessian, precision, pull, unfinished
from iclv_jax._inference._products import information_product


def default_covariance(fit: Maximum) -> str:
    """The kind of covariance where none is asked for: `"joint"` with free entries of modules; `"robust"` with sampling
    weights, whose log-likelihood is not that of the people; or else `"hessian"`.

    Examples
    --------
    >>> logit_fit.uncertainty.default_covariance
    'hessian'
    """
    if any(name in fit.problem.spec.module_of for name in fit.names):
        return "joint"
    panel = fit.problem.panel
    return "hessian" if panel.weights_count or (panel.weights == 1.0).all() else "robust"


@one_thread
def covariance(fit: Maximum, kind: Given[str | None] = None) -> Covariance:
    """The covariance of a kind, those of `fit.cov_params`, with its notes; computed once.

    Examples
    --------
    >>> logit_fit.covariance("robust").kind
    'robust'
    """
    kind = kind_of(kind, default_covariance(fit))
    if kind not in fit._covariances:
        fit._covariances[kind] = _covariance(fit, kind)
    return fit._covariances[kind]


def _covariance(fit: Maximum, kind: str) -> Covariance:
    if kind == "bootstrap":
        return bootstrap(fit).covariance
    held, notes = known_parameters(fit)
    notes = (*notes, *unfinished(fit))
    if kind in MODULE_KINDS:
        return _with_modules(fit, kind, held, notes)
    if kind == "jackknife":
        hessian, scores = penalised_hessian(fit).to_numpy(), fit.scores.to_numpy()
        return jackknife(fit.problem, fit.estimates, hessian, scores, held, notes, pull(fit))
    return plain_covariance(
        kind,
        fit.hessian.to_numpy(),
        np.zeros((len(fit.problem.panel.people), 0)) if kind == "hessian" else fit.scores.to_numpy(),
        fit.problem.panel.weights,
        fit.names,
        held,
        fit.problem.panel.clusters,
        precision(fit),
        notes,
        fit.problem.panel.weights_count,
    )


def _with_modules(fit: Maximum, kind: str, held: np.ndarray, notes: tuple[str, ...]) -> Covariance:
    """From the Hessian, or from its products where it is large and nobody has it."""
    inside, penalty = fit.problem.spec.module_of, precision(fit)
    if len(fit.names) <= DENSE or fit._curvature is not None or "hessian" in vars(fit):
        return module_covariance(kind, fit.hessian.to_numpy(), fit.names, held, inside, penalty, notes)
    product = information_product(fit.problem, fit.estimates, penalty)
    diagonal = fit.problem.panel.weights @ fit.scores.to_numpy() ** 2
    penalised = penalty is not None
    return module_covariance_by_products(kind, product, diagonal, fit.names, held, inside, penalised, notes)


def cov_params(fit: Maximum, kind: Given[str | None] = None) -> pd.DataFrame:
    """Covariance matrix of the estimates.

    Parameters
    ----------
    kind
        `"hessian"` (the default without sampling weights): inverse of the negative Hessian. `"bhhh"`: inverse of
        the sum of outer products of the scores. `"robust"` (the default with them): the sandwich of both (White
        1982). `"cluster"`: the same with scores summed within clusters. `"bootstrap"`: of the last
        `fit.uncertainty.bootstrap(...)` that was asked for, or of one with its defaults. `"jackknife"`: over the estimates
        without each person (or cluster) in turn, each one Newton step away with the Hessian of those who remain.
        Where modules have free entries: `"joint"` (then the default), the inverse of the negative Hessian of
        everything, flat directions within modules apart; `"conditional"`, of the named parameters alone, as if the
        modules were known.

    NaN where there is no variance; `fit.covariance(kind).notes` says why, by name.

    Examples
    --------
    >>> logit_fit.cov_params("robust").shape
    (4, 4)
    """
    return covariance_frame(fit, kind)
