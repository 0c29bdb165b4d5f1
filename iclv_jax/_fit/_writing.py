"""Fits in files.

The file is one of `_base._archive`. Its facts: versions, the facts of model and data, names, and what was read and reported;
its arrays: estimates, start, Hessian, scores, weights, clusters, the derivatives of all parameters with respect to the free
ones, posterior moments, which parameters covariances take as known, second derivatives of penalties, and the nodes where
they follow posteriors.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base import _archive as archive
from iclv_jax._base._facts import Facts, dict_of, fact
from iclv_jax._base._types import Given
from iclv_jax._base._version import __version__
from iclv_jax._base._whole import place_of
from iclv_jax._fit._labels import packed_label
from iclv_jax._inference._frame import full_jacobian
from iclv_jax._inference._penalised import as_data, known_parameters, unfinished
from iclv_jax._predict._latent_scores import latent_posterior, quantities
from iclv_jax._problem._fingerprint import of_data, of_model, of_rule

FORMAT = archive.Format("saved fit", 2, "Fit the model and save it again.")
ARRAYS = (
    "estimates", "start", "hessian", "scores", "weights", "jacobian", "latent mean", "latent covariance", "held",
    "precision", "clusters", "sizes", "shocks", "log weights",
)  # fmt: skip
"""All that a file may hold; the last five where the fit has them."""


def write(fit: Any, path: Given[str | os.PathLike[str]]) -> None:
    """Write the fit to a file (replaced whole), from which `iclv.load` reads it.

    The file is numpy's `.npz`, with arrays, and JSON for names, versions, facts of model and data, and tables;
    nothing in it is pickled. It holds the people's scores and posterior moments, but neither the data nor the utility
    function. ValueError for a folder that does not exist.

    Examples
    --------
    >>> logit_fit.save("fit.npz")
    """
    place = place_of(path, "save")
    archive.save(place, FORMAT, _facts(fit), _arrays(fit))


def _facts(fit: Any) -> Facts:
    problem, panel = fit.problem, fit.problem.panel
    table = fit.table()
    return {
        "versions": {"iclv_jax": __version__} | {m.__name__: m.__version__ for m in (jax, np, pd)},
        "model": of_model(problem),
        "data": of_data(problem),
        "names": list(fit.names),
        "people": [packed_label(person) for person in panel.people],
        "person": fact(panel.frame.person),
        "weighted_by": fact(panel.weighted_by),
        "weights_are": panel.weights_are,
        "quantities": fact(quantities(problem.spec)),
        "table": {k: fact(table[k].tolist()) for k in ("block", "role", "status")}
        | {"estimate": table["estimate"].tolist(), "name": list(table.index)}
        | {"against one": table["t_one"].notna().tolist()},
        "modules": dict_of(problem.spec.module_of),
        "llf": float(fit.llf),
        "rule": of_rule(problem.rule),
        "report": _numbers(
            dataclasses.asdict(fit.optimizer_report) | {"verdict": fit.optimizer_report.verdict.value}
        ),
        "accuracy": _numbers(dataclasses.asdict(fit.accuracy) | {"sizes": None}),
        "trace": [_numbers(row) for row in fit._rows],
        "summary": str(fit.summary()),
        "penalties": None if fit.penalties is None else fact(as_data(fit.penalties)),
        "known": [*known_parameters(fit)[1], *unfinished(fit)],
    }


def _arrays(fit: Any) -> dict[str, np.ndarray]:
    problem, params = fit.problem, jnp.asarray(fit.estimates)
    moments = latent_posterior(fit)
    found = {
        "estimates": fit.estimates,
        "start": fit.start,
        "hessian": fit.hessian.to_numpy(),
        "scores": fit.scores.to_numpy(),
        "weights": problem.panel.weights,
        "jacobian": full_jacobian(problem.table.map, problem.core.constants, params),
        "latent mean": moments.mean,
        "latent covariance": moments.covariance,
    }
    found["held"] = known_parameters(fit)[0]
    if fit.penalties is not None:
        found["precision"] = fit.penalties.precision
    if problem.panel.clusters is not None:
        found["clusters"] = problem.panel.clusters
    if fit.accuracy.sizes is not None:
        found["sizes"] = fit.accuracy.sizes
    if problem.rule.centred:
        found |= {"shocks": problem.core.nodes.shocks, "log weights": problem.core.nodes.log_weights}
    return {k: np.asarray(v) for k, v in found.items()}


def _numbers(row: Mapping[str, object]) -> Facts:
    """Facts in which numbers that are not finite stay numbers: nobody compares them, but tables show them."""
    return {k: float(v) if isinstance(v, (float, np.floating)) else fact(v) for k, v in row.items()}
