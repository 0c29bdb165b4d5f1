"""Fits in files.

The file is numpy's `.npz` without pickles. `about` holds JSON: the format, versions, fingerprints of model and data, names,
and what was read and reported; the other entries are arrays: estimates, start, Hessian, scores, weights, clusters, the
derivatives of all parameters with respect to the free ones, posterior moments, which parameters covariances take as known,
second derivatives of penalties, and the nodes where they follow posteriors.
"""

import dataclasses
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._inference._frame import full_jacobian
from iclv_jax._inference._penalised import as_data, known_parameters, unfinished
from iclv_jax._integration import Rule
from iclv_jax._predict._latent_scores import latent_posterior, quantities
from iclv_jax._problem._fingerprint import of_data, of_model

FORMAT = "iclv_jax fit 1"


def write(fit: Any, path: str | os.PathLike[str]) -> None:
    """Write the fit to a file (replaced whole), from which `iclv.load` reads it.

    The file is numpy's `.npz`, with arrays, and JSON for names, versions, fingerprints of model and data, and tables;
    nothing in it is pickled. It holds the people's scores and posterior moments, but neither the data nor the utility
    function. ValueError for a folder that does not exist.
    """
    # Beside the old file, which it then replaces.
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{str(path)!r} lies in a folder that does not exist. Make it first.")
    text = np.frombuffer(json.dumps(_about(fit), default=_plain).encode(), np.uint8)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, about=text, **_arrays(fit))  # pyright: ignore[reportArgumentType]
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _about(fit: Any) -> dict[str, Any]:
    problem, panel = fit.problem, fit.problem.panel
    table = fit.table()
    return {
        "format": FORMAT,
        "versions": {name: version(name) for name in ("iclv-jax", "jax", "numpy", "pandas")},
        "fingerprints": {"model": of_model(problem), "data": of_data(problem)},
        "names": list(fit.names),
        "people": list(panel.people),
        "person": panel.frame.person,
        "weighted_by": panel.weighted_by,
        "weights_are": panel.weights_are,
        "quantities": quantities(problem.spec),
        "table": {k: table[k].tolist() for k in ("block", "role", "status", "estimate")}
        | {"name": list(table.index), "against one": table["t_one"].notna().tolist()},
        "modules": problem.spec.module_of,
        "llf": fit.llf,
        "rule": _rule_as_data(problem.rule),
        "report": dataclasses.asdict(fit.optimizer_report) | {"verdict": fit.optimizer_report.verdict.value},
        "accuracy": dataclasses.asdict(fit.accuracy) | {"sizes": None},
        "trace": list(fit._rows),
        "summary": str(fit.summary()),
        "penalties": None if fit.penalties is None else as_data(fit.penalties),
        "known": list(known_parameters(fit)[1]) + list(unfinished(fit)),
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


def _rule_as_data(rule: Rule) -> dict[str, Any]:
    fields = {f.name: getattr(rule, f.name) for f in dataclasses.fields(rule)}  # pyright: ignore[reportArgumentType]
    plain = {k: _rule_as_data(v) if isinstance(v, Rule) else v for k, v in fields.items()}
    return {"rule": type(rule).__name__, **plain}


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's; other things (identifiers of people, say) by what they print as."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return repr(value) if not isinstance(value, pd.Timestamp) else value.isoformat()
